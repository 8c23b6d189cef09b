"""How are tables shifted? Measurement errors, gaps, drift, mix-ups, other class frequencies.

Inputs are n × features; standard deviations are those in this test set. Noise, scaling and drift leave features with
at most two values (flags, one-hot columns) unchanged, unless there are no others.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from polyculture.dataset import Dataset

from .suite import Shift, input_shift


def noise(table: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Gaussian noise of a fifth of each feature's standard deviation per step of severity."""
    size: np.ndarray = 0.2 * severity * table.std(axis=0) * _measured(table)
    return table + size * generator.standard_normal(table.shape)


def missing(table: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Missing cells, 8 % per step of severity, filled with the feature's mean."""
    missing_cells = generator.random(table.shape) < 0.08 * severity
    return np.where(missing_cells, table.mean(axis=0), table)


def scaling(table: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Instruments that read too high or too low, each by 4 % of the value per step of severity."""
    sign = generator.choice([-1.0, 1.0], table.shape[1])
    return np.asarray(table * (1 + 0.04 * severity * sign * _measured(table)))


def drift(table: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Features offset by a fifth of their standard deviation per step of severity, each up or down."""
    sign = generator.choice([-1.0, 1.0], table.shape[1])
    return np.asarray(table + 0.2 * severity * sign * table.std(axis=0) * _measured(table))


def mixup(table: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Values of other instances: 12 % of the features per step of severity, each permuted at random."""
    width = table.shape[1]
    features = generator.permutation(width)[: int(np.ceil(0.12 * severity * width))]
    order = np.argsort(generator.random(table.shape), axis=0)
    mixed = table.copy()
    mixed[:, features] = np.take_along_axis(table, order, axis=0)[:, features]
    return mixed


def prior(test: Dataset, severity: int, generator: np.random.Generator) -> Dataset:
    """Other class frequencies: of the most frequent class 18 % fewer instances per step of severity."""
    frequent = np.bincount(test.labels, minlength=len(test.classes)).argmax()
    removed = (test.labels == frequent) & (generator.random(len(test)) < 0.18 * severity)
    return test.take(np.flatnonzero(~removed))


def _measured(table: np.ndarray) -> Bool[np.ndarray, " d"]:
    """Features with more than two values; all of them if there is none."""
    measured = np.array([len(np.unique(column)) > 2 for column in table.T])
    return measured if measured.any() else ~measured


SUITE: dict[str, Shift] = {
    "noise": input_shift(noise),
    "missing": input_shift(missing),
    "scaling": input_shift(scaling),
    "drift": input_shift(drift),
    "mix-up": input_shift(mixup),
    "prior": prior,
}
