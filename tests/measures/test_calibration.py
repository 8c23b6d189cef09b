"""Calibration, Brier, ROC and confusion against scikit-learn, identities and published values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.measures.calibration import brier, confusion, reliability, roc
from polyculture.stats import influence_interval


def test_a_reliability_table_by_hand() -> None:
    confidence = np.array([0.6, 0.6, 0.6, 0.6, 0.9, 0.9])
    found = reliability(confidence, np.array([1, 0, 0, 0, 1, 1], bool), bins=2)
    assert found.size.tolist() == [4, 2]
    np.testing.assert_allclose(found.accuracy, [0.25, 1])
    assert found.ece == pytest.approx((4 * 0.35 + 2 * 0.1) / 6)
    assert found.influence.sum() == pytest.approx(0, abs=1e-12)


def test_chance_is_taken_off_the_error_of_a_calibrated_model() -> None:
    rng = np.random.default_rng(0)
    plain, debiased = [], []
    for _ in range(60):
        p = rng.uniform(0.5, 1, 400)
        found = reliability(p, rng.random(400) < p)
        plain.append(found.ece)
        debiased.append(found.debiased)
    assert np.mean(plain) > 0.05
    assert np.mean(debiased) < 0.6 * np.mean(plain)


def test_a_large_error_is_hardly_changed() -> None:
    rng = np.random.default_rng(1)
    p = rng.uniform(0.5, 1, 5000)
    found = reliability(p, rng.random(5000) < p - 0.3)
    assert found.ece == pytest.approx(0.3, abs=0.02)
    assert found.debiased == pytest.approx(found.ece, abs=1e-3)
    interval = influence_interval(found.debiased, found.influence)
    assert interval.low < 0.3 < interval.high


def test_no_instances_have_no_calibration() -> None:
    assert np.isnan(reliability(np.zeros(0), np.zeros(0, bool)).ece)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 12), st.booleans())
def test_the_brier_score_is_the_sum_of_its_parts(seed, classes, bins, coarse) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), 80)
    if coarse:
        p = np.round(p, 1)
    labels = rng.integers(0, classes, 80)
    found = brier(p, labels, bins)
    assert found.score == pytest.approx(((p - np.eye(classes)[labels]) ** 2).sum(axis=1).mean())
    assert found.score == pytest.approx(
        found.reliability - found.resolution + found.uncertainty + found.within, abs=1e-12
    )


def test_stating_the_frequencies_has_no_resolution() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    found = brier(np.tile([0.5, 0.3, 0.2], (100, 1)), labels)
    assert (found.reliability, found.resolution, found.within) == pytest.approx((0, 0, 0), abs=1e-12)
    assert found.score == pytest.approx(found.uncertainty)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 8))
def test_the_area_is_the_share_of_pairs_in_order(seed, n, levels) -> None:
    rng = np.random.default_rng(seed)
    scores, positive = rng.integers(0, levels, n) / levels, rng.random(n) < 0.5
    found = roc(scores, positive)
    if positive.all() or not positive.any():
        assert np.isnan(found.auc)
        return
    x, y = scores[positive][:, None], scores[~positive][None]
    assert found.auc == pytest.approx(((x > y) + 0.5 * (x == y)).mean())
    area = np.trapezoid(found.true_positive, found.false_positive)
    assert area == pytest.approx(found.auc)
    assert found.influence.sum() == pytest.approx(0, abs=1e-9)


def test_the_variance_of_the_area_is_delongs() -> None:
    rng = np.random.default_rng(2)
    positive = np.arange(300) < 90
    scores = rng.normal(positive * 1.0)
    found = roc(scores, positive)
    x, y = scores[positive][:, None], scores[~positive][None]
    wins = (x > y) + 0.5 * (x == y)
    variance = wins.mean(axis=1).var(ddof=1) / 90 + wins.mean(axis=0).var(ddof=1) / 210
    interval = influence_interval(found.auc, found.influence)
    assert (interval.high - interval.low) / 2 / 1.968 == pytest.approx(np.sqrt(variance), rel=0.01)


def test_the_curve_is_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    scores, positive = rng.integers(0, 9, 60) / 9, rng.random(60) < 0.4
    expected = metrics.roc_curve(positive, scores, drop_intermediate=False)
    found = roc(scores, positive)
    for ours, theirs in zip((found.false_positive, found.true_positive, found.threshold), expected, strict=True):
        np.testing.assert_allclose(ours, theirs)


def test_confusion_counts_what_was_taken_for_what() -> None:
    found = confusion(np.array([0, 1, 1, 2, -1, 0]), np.array([0, 1, 2, 2, 0, -1]), 3)
    assert found.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
