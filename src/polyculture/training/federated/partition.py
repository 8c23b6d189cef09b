"""Which client holds which instances? By a column, by label, evenly, or each class by a Dirichlet draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from polyculture.dataset import Dataset
from polyculture.errors import InputError, near
from polyculture.rng import stream

PARTITIONS = ("even", "dirichlet", "labels", "column")
DRAWS = 1000
"""Dirichlet draws until every client has enough instances."""

Rows = tuple[Int[np.ndarray, " _"], ...]


def partition_clients(
    dataset: Dataset, clients: int | None = None, how: str = "even", *, seed: int = 0, fewest: int = 10
) -> tuple[Dataset, ...]:
    """The dataset of each client; every instance is held by exactly one.

    Parameters
    ----------
    dataset : what is dealt out.
    clients : number of them; with ``"column:NAME"`` None, a client for each value in the column, sorted.
    how : ``"even"`` (at random, in even parts); ``"dirichlet:ALPHA"``, where the shares of the clients in each class
        are drawn from a symmetric Dirichlet distribution, by itself for each class: the smaller ALPHA, the fewer
        classes a client has (Hsu et al. 2019); ``"labels:COUNT"``, where each client has shards of about this number of
        classes (McMahan et al. 2017); or ``"column:NAME"``, a column of `Dataset.instances`.
    seed : of all draws.
    fewest : instances that each client has at least; Dirichlet draws are repeated until that is so. Nothing else is
        changed to reach it: filling up small clients would be another distribution.

    Datasets are called by the client: ``"client 0"`` …, or the value in the column.
    Raises InputError for a single client, an unknown partition or column, parameters out of their range, clients with
    too few instances, and Dirichlet or labels where labels are no classes.

    Examples
    --------
    >>> pets = pc.Dataset(np.zeros((40, 2)), np.arange(40) % 2, ("cat", "dog"))
    >>> [len(client) for client in pc.partition_clients(pets, 4)]
    [10, 10, 10, 10]
    """
    kind, _, parameter = how.partition(":")
    if kind not in PARTITIONS:
        raise InputError(f"no partition {how!r}", "", near(kind, PARTITIONS))
    if kind == "column":
        return _by_column(dataset, parameter, clients, fewest)
    count = _checked_count(dataset, clients, fewest)
    generator = stream(seed, "clients", how, count)
    if kind == "even":
        if parameter:
            raise InputError(f"the partition 'even' was given {parameter!r}", "no parameter")
        parts: Rows = tuple(np.array_split(generator.permutation(len(dataset)), count))
    elif dataset.task != "classification":
        raise InputError(f"the partition {how!r} of a dataset for {dataset.task}", "one class per instance", "use even")
    elif kind == "dirichlet":
        parts = dirichlet_rows(dataset.labels, count, _positive(how, parameter), generator, fewest)
    else:
        parts = _shards(dataset, count, how, parameter, generator)
    return _named(dataset, parts, [f"client {k}" for k in range(count)], fewest)


def dirichlet_rows(
    labels: Int[np.ndarray, " n"], clients: int, alpha: float, generator: np.random.Generator, fewest: int
) -> Rows:
    """Rows of each client where the shares of the clients in each class are Dirichlet(alpha, …, alpha).

    The draw is repeated, as a whole, until every client has `fewest` rows. InputError after 1,000 draws.
    """
    groups = [np.flatnonzero(labels == code) for code in np.unique(labels)]
    for _ in range(DRAWS):
        shares = generator.dirichlet(np.full(clients, alpha), len(groups))
        pieces = [_split(generator.permutation(rows), share) for rows, share in zip(groups, shares, strict=True)]
        parts = tuple(np.sort(np.concatenate(column)) for column in zip(*pieces, strict=True))
        if min(map(len, parts)) >= fewest:
            return parts
    wrong = f"in none of {DRAWS} draws of dirichlet:{alpha:g} all {clients} clients had {fewest} instances"
    raise InputError(wrong, "enough instances for every client", "raise alpha, or lower clients or fewest")


def label_mix(clients: Sequence[Dataset]) -> Float[np.ndarray, "k c"]:
    """Share of each class among the labels of each client; tokens without a label are left out.

    Without columns where labels are numbers.
    """
    count = len(clients[0].classes)
    if clients[0].task == "regression":
        return np.zeros((len(clients), 0))
    codes = [np.asarray(client.labels).ravel() for client in clients]
    counts = np.array([np.bincount(labels[labels >= 0], minlength=count) for labels in codes], np.float64)
    mix: Float[np.ndarray, "k c"] = counts / counts.sum(1, keepdims=True)
    return mix


def _split(rows: Int[np.ndarray, " _"], shares: Float[np.ndarray, " clients"]) -> list[Int[np.ndarray, " _"]]:
    """Rows cut at the cumulated shares."""
    cuts = np.floor(np.cumsum(shares)[:-1] * len(rows) + 0.5).astype(np.int64)
    return np.split(rows, cuts)


def _shards(dataset: Dataset, clients: int, how: str, parameter: str, generator: np.random.Generator) -> Rows:
    """Rows in the order of their labels, cut into shards; each client gets this number of shards at random."""
    count = int(_positive(how, parameter))
    if str(count) != parameter or count > len(dataset.classes):
        raise InputError(f"the partition is {how!r}", f"labels:1 … labels:{len(dataset.classes)}")
    shuffled = generator.permutation(len(dataset))
    order = shuffled[np.argsort(dataset.labels[shuffled], kind="stable")]
    shards = np.array_split(order, clients * count)
    deal = generator.permutation(len(shards)).reshape(clients, count)
    return tuple(np.sort(np.concatenate([shards[k] for k in row])) for row in deal)


def _by_column(dataset: Dataset, name: str, clients: int | None, fewest: int) -> tuple[Dataset, ...]:
    columns = list(map(str, dataset.instances.columns))
    if name not in columns:
        raise InputError(
            f"no column {name!r} to divide the clients by", "a column of the instances", near(name, columns)
        )
    codes, values = pd.factorize(dataset.instances[name], sort=True)
    if (codes < 0).any():
        raise InputError(f"{int((codes < 0).sum())} empty cells in the column {name!r}", "a client for every instance")
    if clients not in (None, len(values)):
        raise InputError(f"{clients} clients but {len(values)} values in the column {name!r}", "None, or that number")
    _checked_count(dataset, len(values), fewest)
    parts = tuple(np.flatnonzero(codes == code) for code in range(len(values)))
    return _named(dataset, parts, list(map(str, values)), fewest)


def _checked_count(dataset: Dataset, clients: int | None, fewest: int) -> int:
    if clients is None or clients < 2:
        raise InputError(f"{clients} clients", "2 or more", "one alone is ordinary training")
    if clients * max(1, fewest) > len(dataset):
        wrong = f"{clients} clients of {max(1, fewest)} or more instances with {len(dataset)} instances"
        raise InputError(wrong, "enough instances for every client", "lower clients or fewest")
    return clients


def _positive(how: str, parameter: str) -> float:
    try:
        value = float(parameter)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise InputError(f"the partition is {how!r}", f"{how.partition(':')[0]}: and a number above 0")
    return value


def _named(dataset: Dataset, parts: Rows, names: list[str], fewest: int) -> tuple[Dataset, ...]:
    for rows, name in zip(parts, names, strict=True):
        if len(rows) < max(1, fewest):
            raise InputError(
                f"{name} has {len(rows)} instances", f"{max(1, fewest)} or more", "lower clients or fewest"
            )
    pieces = [dataset.take(rows) for rows in parts]
    return tuple(piece.with_inputs(dict(piece.inputs), name) for piece, name in zip(pieces, names, strict=True))
