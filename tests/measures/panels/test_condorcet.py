"""Condorcet's gap: enumeration, exact designs, its influence, and what one common factor explains."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.special import ndtri

from polyculture.measures.panels import (
    best_aggregation_error,
    condorcet_gap,
    error_correlation,
    majority_error,
    majority_loss,
    one_factor_error,
)
from polyculture.measures.panels.condorcet import NO_COMPLETE_ITEM


def enumerated(rates: np.ndarray) -> float:
    total = 0.0
    for pattern in itertools.product([0, 1], repeat=len(rates)):
        probability = math.prod(rate if bit else 1 - rate for bit, rate in zip(pattern, rates, strict=True))
        total += probability * (np.sign(2 * sum(pattern) - len(rates)) + 1) / 2
    return total


@pytest.mark.parametrize("judges", [1, 2, 3, 6, 7])
def test_the_majority_of_independent_judges_equals_enumeration(judges: int) -> None:
    rates = np.random.default_rng(judges).random(judges) * 0.5
    assert majority_error(rates[None])[0] == pytest.approx(enumerated(rates), abs=1e-14)


def test_a_tie_is_half_an_error() -> None:
    assert majority_loss(np.array([[1, 1, 0], [1, 0, 0]], bool)).tolist() == [1, 0.5, 0]


def test_independent_judges_have_no_gap() -> None:
    """Every combination of outcomes once: exactly independent."""
    wrong = np.array(list(itertools.product(range(4), repeat=3))).T < 1
    assert condorcet_gap(wrong).gap == pytest.approx(0, abs=1e-15)


def test_copies_have_the_gap_of_their_error() -> None:
    wrong = np.repeat(np.arange(10)[None] < 2, 3, axis=0)
    gap = condorcet_gap(wrong)
    assert gap.panel == 0.2
    assert gap.independent == pytest.approx(3 * 0.04 * 0.8 + 0.008)


@pytest.mark.parametrize("strata", [False, True])
def test_the_influence_equals_weighted_recomputation(strata: bool) -> None:
    rng = np.random.default_rng(1)
    wrong = rng.random((4, 50)) < 0.2 + 0.4 * (rng.random(50) < 0.3)
    code = rng.integers(0, 2, 50) if strata else np.zeros(50, np.int64)
    gap = condorcet_gap(wrong, strata=code if strata else None)

    def weighted(weights: np.ndarray) -> float:
        panel, independent = weights @ majority_loss(wrong) / weights.sum(), 0.0
        for stratum in np.unique(code):
            w = weights * (code == stratum)
            independent += w.sum() / weights.sum() * enumerated(wrong @ w / w.sum())
        return float(panel - independent)

    step = 1e-6
    slopes = [(weighted(1 + step * (np.arange(50) == i)) - gap.gap) / step * 50 for i in range(50)]
    assert gap.gap == pytest.approx(weighted(np.ones(50)), abs=1e-14)
    assert gap.influence == pytest.approx(np.array(slopes), abs=1e-5)


def test_only_complete_items_count() -> None:
    wrong = np.array([[1, 0, 1], [1, 0, 0], [0, 0, 1]], bool)
    observed = np.array([[1, 1, 1], [1, 1, 0], [1, 1, 1]], bool)
    assert condorcet_gap(wrong, observed).panel == 0.5
    assert np.isnan(condorcet_gap(wrong, observed).influence[2])
    assert condorcet_gap(wrong, np.zeros((3, 3), bool)).reason == NO_COMPLETE_ITEM


def test_one_common_factor_is_recognised() -> None:
    """Judges who share a difficulty only: the one-factor panel errs as they do, independent ones far less."""
    rng = np.random.default_rng(5)
    n, rates, share = 200_000, np.array([0.2, 0.25, 0.3, 0.2, 0.15]), 0.5
    difficulty = rng.normal(size=n)
    wrong = np.sqrt(share) * difficulty + np.sqrt(1 - share) * rng.normal(size=(5, n)) > ndtri(1 - rates)[:, None]
    gap = condorcet_gap(wrong)
    error, reason = one_factor_error(wrong.mean(axis=1), error_correlation(wrong).mean)
    assert reason == ""
    assert error == pytest.approx(gap.panel, abs=0.003)
    assert gap.gap > 0.08


def test_no_correlation_is_independence() -> None:
    rates = np.array([0.2, 0.3, 0.4])
    assert one_factor_error(rates, 0.0)[0] == pytest.approx(enumerated(rates))
    assert one_factor_error(rates, 0.999)[1] != ""


def test_the_best_rule_on_patterns() -> None:
    """A judge who is always right is followed by the best rule, whatever the others say; copies offer nothing."""
    truth = np.arange(8) % 2
    wrong = np.array([[0] * 8, [1, 1, 1, 0, 1, 0, 1, 1], [1, 0, 1, 1, 1, 0, 1, 1]], bool)
    assert best_aggregation_error(wrong, truth) == 0
    assert best_aggregation_error(wrong) == 0
    copies = np.repeat((np.arange(10) < 3)[None], 3, axis=0)
    assert best_aggregation_error(copies) == pytest.approx(0.3)
