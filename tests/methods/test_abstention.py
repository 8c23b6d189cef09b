"""docs/methods/abstention.md against the functions and against the formulas in plain numpy."""

import math

import numpy as np
import pytest

from polyculture.selection import budget_threshold, conformal, refer, risk_coverage

CONFIDENCE = np.array([0.9, 0.8, 0.8, 0.6, 0.5])
WRONG = np.array([0.0, 0.0, 1.0, 0.0, 1.0])


def area(wrong, confidence, weights):
    """(AS1) with a weight for each instance."""
    answered = confidence[None, :] >= confidence[:, None]
    risk = (answered * weights * wrong).sum(axis=1) / (answered * weights).sum(axis=1)
    return (weights * risk).sum() / weights.sum()


def test_the_numbers_of_the_page(stated):
    curve = risk_coverage(WRONG, CONFIDENCE)
    assert curve.area.estimate == pytest.approx(area(WRONG, CONFIDENCE, np.ones(5)))
    threshold = budget_threshold(CONFIDENCE, 0.4)
    referral = refer(WRONG, CONFIDENCE, threshold)
    P = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.2, 0.5, 0.3], [0.8, 0.1, 0.1]])
    labels = np.array([0, 0, 1, 1, 0])
    rule = conformal(P, labels, alpha=0.2)
    scores = np.sort(1 - P[np.arange(5), labels])
    assert rule.threshold == scores[math.ceil(6 * 0.8) - 1]
    sets = rule.sets(np.array([[0.45, 0.41, 0.14]]))
    stated.agree(
        {
            "risk at coverage 0.6": curve.risk[1],
            "risk at coverage 1": curve.risk[-1],
            "area": curve.area.estimate,
            "threshold for a budget of 0.4": threshold,
            "error of the rest": referral.error.estimate,
            "remaining error": referral.remaining.estimate,
            "conformal threshold": rule.threshold,
            "classes in the set": sets.sum(),
        }
    )


def test_the_influence_is_the_derivative_of_the_area_with_respect_to_weights():
    rng = np.random.default_rng(0)
    confidence, wrong = rng.integers(1, 8, 40) / 8, rng.integers(0, 2, 40).astype(float)
    step, base = 1e-6, area(wrong, confidence, np.ones(40))
    influence = [(area(wrong, confidence, np.ones(40) + step * np.eye(40)[i]) - base) / step * 40 for i in range(40)]
    interval = risk_coverage(wrong, confidence).area
    error = np.std(influence, ddof=1) / np.sqrt(40)
    assert interval.high - interval.estimate == pytest.approx(2.0226909 * error, rel=1e-4)


def test_the_curve_has_the_share_answered_and_the_mean_loss_at_every_threshold() -> None:
    """(AS1)."""
    loss, confidence = np.array([0.0, 1.0, 0.0, 1.0, 1.0]), np.array([0.9, 0.8, 0.8, 0.4, 0.2])
    curve = risk_coverage(loss, confidence)
    answered = [confidence >= threshold for threshold in (0.9, 0.8, 0.4, 0.2)]
    np.testing.assert_allclose(curve.coverage, [mask.mean() for mask in answered])
    np.testing.assert_allclose(curve.risk, [loss[mask].mean() for mask in answered])
