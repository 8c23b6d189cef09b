"""Which instances does a model learn from? Disjoint parts, equal for every seed, or a random subset for its seed."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from polyculture.dataset import Dataset
from polyculture.rng import stream

from ..splits import stratified


def half_a(train: Dataset, seed: int) -> Dataset:  # noqa: ARG001
    """Half of the training set, stratified by label; the same half for every seed, disjoint from ``half-b``."""
    return train.take(_halves(train)[0])


def half_b(train: Dataset, seed: int) -> Dataset:  # noqa: ARG001
    """The other half."""
    return train.take(_halves(train)[1])


def part(train: Dataset, seed: int, number_of_parts: tuple[int, int] = (1, 2)) -> Dataset:  # noqa: ARG001
    """A part of several disjoint parts of equal size, stratified by label; the same parts for every seed.

    ``part:2/3`` is the second of three. Parts of different counts overlap, and ``part:1/2`` is not ``half-a``.
    """
    number, parts = number_of_parts
    rows = stratified(strata(train), (1 / parts,) * parts, stream(0, "parts", parts))[number - 1]
    return train.take(rows)


def subset(train: Dataset, seed: int, share: float = 0.5) -> Dataset:
    """A share of the training set, stratified by label, of every label at least one instance.

    With the same seed a smaller share is part of a larger one.
    """
    generator = stream(seed, "subset")
    groups = strata(train)
    selected = []
    for label in np.unique(groups):
        rows = generator.permutation(np.flatnonzero(groups == label))
        selected.append(rows[: max(1, round(share * len(rows)))])
    return train.take(np.sort(np.concatenate(selected)))


def bootstrap(train: Dataset, seed: int) -> Dataset:
    """Instances drawn with replacement, as many as the training set has (about 63 % of them at least once)."""
    return train.take(stream(seed, "bootstrap").integers(0, len(train), len(train)))


def strata(train: Dataset) -> Int[np.ndarray, " n"]:
    """What parts are stratified by: classes, or tenths of the numbers; a single stratum for token sequences."""
    if train.task == "regression":
        tenths = np.quantile(train.labels, np.linspace(0.1, 0.9, 9))
        return np.searchsorted(tenths, train.labels).astype(np.int64)
    return train.labels if train.task == "classification" else np.zeros(len(train), np.int64)


def _halves(train: Dataset) -> list[np.ndarray]:
    return stratified(strata(train), (0.5, 0.5), stream(0, "halves"))
