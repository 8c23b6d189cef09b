"""Instance weights: 0 leaves out, 1 counts in full, and in between it is as if instances were repeated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.measures.counts import count
from polyculture.measures.effective import effective
from polyculture.measures.pairs import kappa


def table(seed: int = 0, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    wrong = rng.random((5, n)) < rng.beta(1, 3, n)
    return np.where(wrong, (labels + rng.integers(1, 4, (5, n))) % 4, labels), labels, wrong


FIELDS = ("n", "n11", "n10", "n00", "same_answer", "same_wrong", "n00_open", "baseline")


@pytest.mark.parametrize("kinds", [3, 300])
def test_weighted_counts_are_sums_of_weights(kinds) -> None:
    answers, labels, wrong = table()
    rng = np.random.default_rng(1)
    weights = rng.random(kinds)[rng.integers(0, kinds, 300)]
    options = rng.integers(1, 5, 300)
    found = count(answers, labels, None, 4, options, weights)
    e, open_ = wrong.astype(float), weights * (options > 1)
    same = (answers[:, None] == answers[None]) & wrong[:, None]
    expected = {
        "n": np.full((5, 5), weights.sum()),
        "n00": (e * weights) @ e.T,
        "n10": ((1 - e) * weights) @ e.T,
        "same_wrong": (same * open_).sum(axis=2),
        "n00_open": (e * open_) @ e.T,
        "baseline": (e * open_ / np.maximum(options - 1, 1)) @ e.T,
    }
    for name, matrix in expected.items():
        np.testing.assert_allclose(getattr(found, name), matrix, atol=1e-4, err_msg=name)


def test_weights_of_one_change_nothing_and_of_zero_leave_out() -> None:
    answers, labels, wrong = table()
    ones = count(answers, labels, None, 4, None, np.ones(300))
    plain = count(answers, labels, None, 4)
    kept = np.arange(300) % 3 > 0
    some, part = count(answers, labels, None, 4, None, kept * 1.0), count(answers[:, kept], labels[kept], None, 4)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(ones, name), getattr(plain, name))
        np.testing.assert_array_equal(getattr(some, name), getattr(part, name))
    np.testing.assert_array_equal(kappa(ones), kappa(plain))
    full, subset = effective(wrong, labels, None, kept * 1.0), effective(wrong[:, kept], labels[kept])
    assert full.design_effect == subset.design_effect
    assert np.isnan(full.influence[~kept]).all()
    np.testing.assert_array_equal(full.influence[kept], subset.influence)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_whole_weights_are_repetitions(seed, stratified, missing) -> None:
    """Weights beyond 1 are not for users, but show what a weight means."""
    _, labels, wrong = table(seed, 120)
    rng = np.random.default_rng(seed)
    times = rng.integers(1, 4, 120)
    strata = labels if stratified else None
    observed = rng.random((5, 120)) < 0.8 if missing else None
    weighted = effective(wrong, strata, observed, times.astype(float))
    at = np.repeat(np.arange(120), times)
    repeated = effective(
        wrong[:, at], None if strata is None else strata[at], None if observed is None else observed[:, at]
    )
    assert weighted.design_effect == pytest.approx(repeated.design_effect, rel=1e-9)
    assert weighted.z == pytest.approx(repeated.z, rel=1e-9)
    sums = np.bincount(at, np.nan_to_num(repeated.influence)) / len(at)
    np.testing.assert_allclose(np.nan_to_num(weighted.influence) / 120, sums, atol=1e-9)


def test_influence_is_the_effect_of_weighing_more() -> None:
    _, _, wrong = table(3, 60)
    weights = np.random.default_rng(3).uniform(0.2, 1, 60)
    found = effective(wrong, None, None, weights)

    def biased(w: np.ndarray) -> float:
        rates, k = wrong @ w / w.sum(), wrong.sum(axis=0)
        return (w @ k**2 / w.sum() - (w @ k / w.sum()) ** 2) / (rates * (1 - rates)).sum()

    moves = [(biased(weights * (1 + 1e-5 * r)) - biased(weights * (1 - 1e-5 * r))) / 2e-5 for r in np.eye(60)]
    np.testing.assert_allclose(found.influence / 60, moves, atol=1e-7)


def test_no_weight_at_all_is_nothing_to_measure() -> None:
    answers, labels, wrong = table(4, 30)
    assert np.isnan(effective(wrong, labels, None, np.zeros(30)).n_eff)
    assert count(answers, labels, None, 4, None, np.zeros(30)).n.tolist() == np.zeros((5, 5)).tolist()
