"""Which instances does a model learn from? Disjoint parts that are the same for every seed, or its own draw."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from polyculture.dataset import Dataset
from polyculture.rng import stream

from ..problems import stratified


def half_a(train: Dataset, seed: int) -> Dataset:  # noqa: ARG001
    """Half of the training set, stratified by label; the same half for every seed, with nothing of ``half-b``."""
    return train.take(_halves(train)[0])


def half_b(train: Dataset, seed: int) -> Dataset:  # noqa: ARG001
    """The other half."""
    return train.take(_halves(train)[1])


def part(train: Dataset, seed: int, which: tuple[int, int] = (1, 2)) -> Dataset:  # noqa: ARG001
    """One of so many disjoint parts of equal size, stratified by label; the same parts for every seed.

    ``part:2/3`` is the second of three. Parts of different counts overlap, and ``part:1/2`` is not ``half-a``.
    """
    number, parts = which
    rows = stratified(strata(train), (1 / parts,) * parts, stream(0, "parts", parts))[number - 1]
    return train.take(rows)


def subset(train: Dataset, seed: int, share: float = 0.5) -> Dataset:
    """A share of the training set, stratified by label, of every label at least one instance.

    With the same seed a smaller share is part of a larger one.
    """
    generator = stream(seed, "subset")
    groups = strata(train)
    kept = []
    for label in np.unique(groups):
        rows = generator.permutation(np.flatnonzero(groups == label))
        kept.append(rows[: max(1, round(share * len(rows)))])
    return train.take(np.sort(np.concatenate(kept)))


def bootstrap(train: Dataset, seed: int) -> Dataset:
    """As many instances as there are, drawn with replacement (about 63 % of them at least once)."""
    return train.take(stream(seed, "bootstrap").integers(0, len(train), len(train)))


def strata(train: Dataset) -> Int[np.ndarray, " n"]:
    """What every part should have its share of: each class, or tenth of the numbers; token sequences are not sorted."""
    if train.task == "regression":
        tenths = np.quantile(train.labels, np.linspace(0.1, 0.9, 9))
        return np.searchsorted(tenths, train.labels).astype(np.int64)
    return train.labels if train.task == "classification" else np.zeros(len(train), np.int64)


def _halves(train: Dataset) -> list[np.ndarray]:
    return stratified(strata(train), (0.5, 0.5), stream(0, "halves"))
