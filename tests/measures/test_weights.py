"""Instance weights: 0 leaves out, 1 counts in full, and in between it is as if instances were repeated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.measures.effective import effective


def table(seed: int = 0, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    wrong = rng.random((5, n)) < rng.beta(1, 3, n)
    return labels, wrong


def test_weights_of_one_change_nothing_and_of_zero_leave_out() -> None:
    labels, wrong = table()
    assert effective(wrong, labels, None, np.ones(300)).design_effect == effective(wrong, labels).design_effect
    kept = np.arange(300) % 3 > 0
    full, subset = effective(wrong, labels, None, kept * 1.0), effective(wrong[:, kept], labels[kept])
    assert full.design_effect == subset.design_effect
    assert np.isnan(full.influence[~kept]).all()
    np.testing.assert_array_equal(full.influence[kept], subset.influence)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_whole_weights_are_repetitions(seed, stratified, missing) -> None:
    """Weights beyond 1 are not for users, but show what a weight means."""
    labels, wrong = table(seed, 120)
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
    _, wrong = table(3, 60)
    weights = np.random.default_rng(3).uniform(0.2, 1, 60)
    found = effective(wrong, None, None, weights)

    def biased(w: np.ndarray) -> float:
        rates, k = wrong @ w / w.sum(), wrong.sum(axis=0)
        return (w @ k**2 / w.sum() - (w @ k / w.sum()) ** 2) / (rates * (1 - rates)).sum()

    moves = [(biased(weights * (1 + 1e-5 * r)) - biased(weights * (1 - 1e-5 * r))) / 2e-5 for r in np.eye(60)]
    np.testing.assert_allclose(found.influence / 60, moves, atol=1e-7)


def test_no_weight_at_all_is_nothing_to_measure() -> None:
    labels, wrong = table(4, 30)
    assert np.isnan(effective(wrong, labels, None, np.zeros(30)).n_eff)
