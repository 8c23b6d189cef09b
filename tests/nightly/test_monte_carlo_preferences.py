"""Biases of judges who compare: false alarms keep their level, also where judges differ in sharpness."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from polyculture.measures.panels import (
    PairedComparisons,
    both_orders,
    length_bias,
    own_preference,
    position_effect,
    position_p,
)
from polyculture.stats import influence_interval

pytestmark = pytest.mark.nightly

SETS, ITEMS, MODELS = 1000, 40, 6


def fair_judges(rng: np.random.Generator, sharpness: np.ndarray) -> PairedComparisons:
    """Six models that judge each other's outputs in both orders by quality alone; strong ones write more."""
    merit = np.linspace(-0.8, 0.8, MODELS) + rng.normal(0, 0.7, (ITEMS, MODELS))
    sizes = rng.integers(50, 500, (ITEMS, MODELS)) + 40 * np.arange(MODELS)
    judge, item, first, second = (part.ravel() for part in np.indices((MODELS, ITEMS, MODELS, MODELS)))
    rows = first != second
    judge, item, first, second = (part[rows] for part in (judge, item, first, second))
    odds = sharpness[judge] * (merit[item, first] - merit[item, second])
    credit = (rng.random(len(odds)) < expit(odds)).astype(float)
    lengths = np.column_stack([sizes[item, first], sizes[item, second]]).astype(float)
    names = tuple(f"m{k}" for k in range(MODELS))
    outputs, ordered = np.column_stack([first, second]), np.ones(len(odds), bool)
    return PairedComparisons(
        names, names, tuple(map(str, range(ITEMS))), judge, item, outputs, credit, ordered, lengths
    )


@pytest.mark.parametrize("sharpness", [np.ones(MODELS), np.linspace(0.3, 2.5, MODELS)], ids=["equal", "growing"])
def test_false_alarms_keep_their_level(sharpness: np.ndarray) -> None:
    rng, alarms = np.random.default_rng(0), np.zeros(4)
    for _ in range(SETS):
        verdicts = fair_judges(rng, sharpness)
        biases = position_effect(verdicts), length_bias(verdicts)
        intervals = [influence_interval(bias.value, bias.influence, bias.item) for bias in biases]
        alarms[:2] += [not limits.low <= 0 <= limits.high for limits in intervals]
        alarms[2] += position_p(both_orders(verdicts), rng) <= 0.05
        alarms[3] += own_preference(verdicts, np.eye(MODELS, dtype=bool), rng).p <= 0.05
    assert (alarms / SETS <= [0.075, 0.075, 0.065, 0.065]).all()
