"""Weights of correlated judges: copies share one weight, independence gives log-odds, and blocks are seen through."""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.measures.panels.weights import accuracy_weights, correlation_weights
from polyculture.measures.votes import vote

EVERYWHERE = np.ones((1, 1), bool)


def blocks(seed: int, n: int = 3000) -> np.ndarray:
    """Five near copies of one judge, and four judges of their own, all wrong about as often."""
    rng = np.random.default_rng(seed)
    shared = rng.random(n) < 0.28
    family = np.where(rng.random((5, n)) < 0.9, shared, rng.random((5, n)) < 0.28)
    return np.vstack([family, rng.random((4, n)) < 0.3])


def test_accuracy_weights_are_log_odds() -> None:
    wrong = np.arange(100)[None] < np.array([[10], [30]])
    weights = accuracy_weights(wrong, np.ones_like(wrong))
    assert weights == pytest.approx(np.log([(90.5) / 10.5, 70.5 / 30.5]))
    assert accuracy_weights(~wrong, np.ones_like(wrong)) == pytest.approx([1, 1])  # nobody is better than guessing


def test_copies_share_one_weight() -> None:
    wrong = blocks(1)
    weights = correlation_weights(wrong, np.ones_like(wrong))
    assert weights[:5].sum() == pytest.approx(weights[5:].mean(), rel=0.25)


def test_equal_independent_judges_have_equal_weights() -> None:
    wrong = np.random.default_rng(2).random((6, 20_000)) < 0.3
    weights = correlation_weights(wrong, np.ones_like(wrong))
    assert weights / weights.mean() == pytest.approx(np.ones(6), rel=0.1)


def test_a_planted_family_is_outvoted() -> None:
    fitted, judged = blocks(3), blocks(4)
    weights = correlation_weights(fitted, np.ones_like(fitted))
    assert vote(judged, None, weights).loss.mean() < vote(judged).loss.mean() - 0.05


def test_missing_verdicts_and_constant_judges_are_allowed() -> None:
    wrong = blocks(5, 200)
    wrong[0] = False
    observed = np.random.default_rng(0).random(wrong.shape) < 0.6
    weights = correlation_weights(wrong, observed)
    assert np.isfinite(weights).all()
    assert (weights >= 0).all()
    assert weights.any()
