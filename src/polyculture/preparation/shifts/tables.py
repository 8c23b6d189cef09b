"""What happens to records once a model is in use? Errors of measurement, gaps, drift, mix-ups, another mix of classes.

Inputs are n × features. Where a change speaks of a feature's size, its standard deviation in this test set is meant;
noise, scaling and drift spare features with two values or one (flags, one-hot columns), unless there are only such.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from polyculture.dataset import Dataset

from .suite import Shift, of_inputs


def noise(table: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Gaussian noise of a fifth of each feature's standard deviation per step of severity."""
    size: np.ndarray = 0.2 * severity * table.std(axis=0) * _measured(table)
    return table + size * generator.standard_normal(table.shape)


def missing(table: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Cells lost, 8 % per step of severity; each is read as the feature's mean."""
    lost = generator.random(table.shape) < 0.08 * severity
    return np.where(lost, table.mean(axis=0), table)


def scaling(table: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Instruments that read too much or too little, each by 4 % of the value per step of severity."""
    sign = generator.choice([-1.0, 1.0], table.shape[1])
    scaled: np.ndarray = table * (1 + 0.04 * severity * sign * _measured(table))
    return scaled


def drift(table: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Features off by a fifth of their standard deviation per step of severity, each up or down for all instances."""
    sign = generator.choice([-1.0, 1.0], table.shape[1])
    drifted: np.ndarray = table + 0.2 * severity * sign * table.std(axis=0) * _measured(table)
    return drifted


def mixup(table: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Columns that belong to other instances: 12 % of the features per step of severity, each in random order."""
    width = table.shape[1]
    chosen = generator.permutation(width)[: int(np.ceil(0.12 * severity * width))]
    order = np.argsort(generator.random(table.shape), axis=0)
    mixed = table.copy()
    mixed[:, chosen] = np.take_along_axis(table, order, axis=0)[:, chosen]
    return mixed


def prior(test: Dataset, severity: int, generator: np.random.Generator) -> Dataset:
    """Another mix of classes: of the most frequent one 18 % of the instances fewer per step of severity."""
    frequent = np.bincount(test.labels, minlength=len(test.classes)).argmax()
    gone = (test.labels == frequent) & (generator.random(len(test)) < 0.18 * severity)
    return test.take(np.flatnonzero(~gone))


def _measured(table: np.ndarray) -> Bool[np.ndarray, " d"]:
    """Features with more than two values; all of them if there is none."""
    many = np.array([len(np.unique(column)) > 2 for column in table.T])
    return many if many.any() else ~many


SUITE: dict[str, Shift] = {
    "noise": of_inputs(noise),
    "missing": of_inputs(missing),
    "scaling": of_inputs(scaling),
    "drift": of_inputs(drift),
    "mix-up": of_inputs(mixup),
    "prior": prior,
}
