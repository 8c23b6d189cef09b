"""Limits and tests of many pairs at once against slow, exact counterparts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from polyculture.stats import co_failure, dirichlet_kappa, kappa_limits
from polyculture.stats import pairs as room


def some_pairs(k: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet([2, 0.5, 0.5, 0.7], k)
    return np.array([rng.multinomial(n, p) for n, p in zip(rng.integers(40, 50_000, k), shares, strict=True)])


def test_limits_of_the_textbook_pair() -> None:
    """T10, without randomness."""
    found = kappa_limits(np.array([[60, 10, 15, 15]]))
    assert (found.low[0], found.high[0]) == pytest.approx((0.1693, 0.5537), abs=3e-3)
    assert found.method == "Dirichlet(1/2) posterior"


def test_fast_limits_are_those_of_the_posterior() -> None:
    counts = some_pairs(60)
    slow = dirichlet_kappa(counts, np.random.default_rng(1), draws=60_000)
    fast = kappa_limits(counts)
    low, high = (np.array([getattr(i, end) for i in slow]) for end in ("low", "high"))
    spread = (high - low) / 3.92
    assert np.nanmax(np.abs(fast.low - low) / spread) < 0.12
    assert np.nanmax(np.abs(fast.high - high) / spread) < 0.12
    assert np.nanmedian(np.abs(fast.low - low) / spread) < 0.02


@pytest.mark.parametrize("cells", [(995, 2, 3, 0), (990, 0, 5, 5), (985, 5, 5, 5), (10, 0, 0, 10)])
def test_fast_limits_hold_with_a_handful_of_errors(cells) -> None:
    (slow,) = dirichlet_kappa(np.array([cells]), np.random.default_rng(2), draws=400_000)
    fast = kappa_limits(np.array([cells]))
    spread = (slow.high - slow.low) / 3.92
    assert abs(fast.low[0] - slow.low) < 0.15 * spread
    assert abs(fast.high[0] - slow.high) < 0.15 * spread


def test_undefined_pairs_have_no_limits() -> None:
    found = kappa_limits(np.array([[5, 5, 0, 0], [0, 0, 0, 9], [0, 0, 0, 0], [5, 1, 1, 1]]))
    assert np.isnan(found.low).tolist() == [True, True, True, False]


def test_counts_divided_by_a_design_effect_give_wider_limits() -> None:
    counts = np.array([[60, 10, 15, 15]])
    alone, together = kappa_limits(counts), kappa_limits(counts / 3.1)
    ratio = (together.high - together.low) / (alone.high - alone.low)
    assert ratio[0] == pytest.approx(np.sqrt(3.1), rel=0.1)


def test_very_many_pairs_take_the_formula(monkeypatch) -> None:
    counts = some_pairs(40, seed=1) + 30
    posterior = kappa_limits(counts)
    monkeypatch.setattr(room, "MANY", 10)
    formula = kappa_limits(counts)
    assert formula.method == "Fisher z, smoothed counts"
    np.testing.assert_allclose(formula.low, posterior.low, atol=0.03)
    np.testing.assert_allclose(formula.high, posterior.high, atol=0.03)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(0, n), st.data())))
def test_the_test_of_joint_failures_is_the_hypergeometric_mid_p(case) -> None:
    n, a, b, data = case
    x = data.draw(st.integers(max(0, a + b - n), min(a, b)))
    (p,) = co_failure(*(np.array([value]) for value in (n, a, b, x)))
    null = stats.hypergeom(n, a, b)
    assert p == pytest.approx(null.sf(x) + null.pmf(x) / 2, abs=1e-10)


def test_wide_distributions_are_integrated_to_six_digits() -> None:
    rng = np.random.default_rng(0)
    n = np.full(60, 200_000)
    a, b = rng.integers(20_000, 150_000, (2, 60))
    x = (a * b / n + rng.normal(0, 1, 60) * 3 * np.sqrt(n) / 4).astype(int)
    null = stats.hypergeom(n, a, b)
    expected = null.sf(x) + null.pmf(x) / 2
    np.testing.assert_allclose(co_failure(n, a, b, x), expected, rtol=2e-4, atol=1e-6)


def test_no_instances_and_constant_models_prove_nothing() -> None:
    n, a, b, x = np.array([[0, 0, 0, 0], [10, 10, 4, 4], [10, 0, 4, 0]]).T
    assert co_failure(n, a, b, x).tolist() == pytest.approx([0.5, 0.5, 0.5])
