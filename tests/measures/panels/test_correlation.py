"""Effective votes by Kish's formula: published examples, exact designs, and the influence against differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from polyculture.measures.effective import effective
from polyculture.measures.panels import error_correlation, kish
from polyculture.measures.panels.correlation import NO_PAIR, NO_VARIATION


def test_the_published_examples() -> None:
    assert kish(6, 0.42) == pytest.approx(1.94, abs=0.005)  # UKGovernmentBEIS/inspect_ai#4955
    assert kish(9, 0.0) == 9
    assert kish(9, 1.0) == 1
    assert kish(3, -0.5) == math.inf
    assert math.isnan(kish(3, math.nan))


def verdicts(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random((5, 40)) < 0.3 + 0.4 * (rng.random(40) < 0.4), rng.random((5, 40)) < 0.8


def mean_phi(wrong: np.ndarray, observed: np.ndarray, weights: np.ndarray) -> float:
    """Pair by pair, with weights on the items."""
    values = []
    for a in range(len(wrong)):
        for b in range(a + 1, len(wrong)):
            w = weights * (observed[a] & observed[b])
            p, q = (w @ wrong[a]) / w.sum(), (w @ wrong[b]) / w.sum()
            joint = w @ (wrong[a] & wrong[b]) / w.sum()
            values.append((joint - p * q) / math.sqrt(p * (1 - p) * q * (1 - q)))
    return float(np.mean(values))


@pytest.mark.parametrize("gaps", [False, True])
def test_mean_and_influence_equal_weighted_recomputation(gaps: bool) -> None:
    wrong, observed = verdicts()
    mask = observed if gaps else np.ones_like(observed)
    estimate = error_correlation(wrong, mask if gaps else None)
    assert estimate.mean == pytest.approx(mean_phi(wrong, mask, np.ones(40)), abs=1e-14)
    step = 1e-6
    slopes = [(mean_phi(wrong, mask, 1 + step * (np.arange(40) == i)) - estimate.mean) / step * 40 for i in range(40)]
    assert estimate.influence == pytest.approx(np.array(slopes), abs=1e-5)


def test_kish_equals_ours_where_error_rates_are_equal() -> None:
    """Ours divides covariances by the mean variance, the field's each by its own: the same for equal variances."""
    wrong = np.array([[1, 1, 0, 0, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0, 0, 0]], dtype=bool)
    assert error_correlation(wrong).votes == pytest.approx(effective(wrong).n_eff, abs=1e-12)


def test_a_judge_without_variation_is_left_out() -> None:
    wrong, _ = verdicts()
    padded = np.vstack([wrong, np.zeros((1, 40), bool)])
    assert error_correlation(padded).votes == error_correlation(wrong).votes
    assert error_correlation(padded).judges == 5


def test_some_of_the_judges() -> None:
    wrong, _ = verdicts()
    some = np.array([0, 2, 4])
    assert error_correlation(wrong).of(some) == pytest.approx(error_correlation(wrong[some]).votes, abs=1e-14)


def test_undefined_with_a_reason() -> None:
    assert error_correlation(np.zeros((3, 4), bool)).reason == NO_VARIATION
    apart = np.array([[1, 1, 0, 0], [0, 0, 1, 1]], bool)
    alone = error_correlation(np.array([[1, 0, 0, 0], [0, 0, 1, 0]], bool), apart)
    assert alone.reason == NO_PAIR
    assert math.isnan(alone.votes)
