"""Intervals and tests against published numbers, closed forms and brute force."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import comb, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from polyculture.stats import (
    Interval,
    benjamini_hochberg,
    dirichlet_kappa,
    jeffreys,
    mcnemar,
    n_eff_interval,
    newcombe,
    rho_interval,
    systemic_p,
    systemic_pmf,
    wilson,
)


def test_an_interval_reads_as_people_write_it() -> None:
    assert str(Interval(1.684, 1.673, 1.695)) == "1.68 [1.67, 1.70]"
    assert Interval(2.0).format(".1f") == "2.0"
    assert str(Interval.undefined("no overlap")) == "undefined (no overlap)"
    assert str(Interval(nan)) == "undefined"
    assert not Interval.undefined("no overlap").defined


# --- the effective number


def test_each_instance_its_own_cluster_is_no_clustering_at_all() -> None:
    influence = np.random.default_rng(0).normal(size=30)
    plain, clustered = n_eff_interval(5, 2.0, influence), n_eff_interval(5, 2.0, influence, np.arange(30))
    assert (clustered.low, clustered.high) == pytest.approx((plain.low, plain.high), abs=1e-12)
    assert clustered.method == "influence function, log scale, 30 clusters"


def test_repeating_every_instance_within_its_cluster_adds_no_certainty() -> None:
    influence = np.random.default_rng(0).normal(size=30)
    once = n_eff_interval(5, 2.0, influence)
    thrice = n_eff_interval(5, 2.0, np.tile(influence, 3), np.tile(np.arange(30).astype(str), 3))
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high), abs=1e-12)


def test_limits_are_symmetric_in_the_logarithm_and_rho_has_the_same() -> None:
    influence = np.array([1.0, -1.0, 2.0, -2.0, nan])
    n_eff, rho = n_eff_interval(4, 1.6, influence, level=0.9), rho_interval(4, 1.6, influence, level=0.9)
    reach = stats.t.ppf(0.95, 3) * np.sqrt(4 / 3 * 10) / 4 / 1.6
    assert (n_eff.estimate, n_eff.n, n_eff.level) == (2.5, 4, 0.9)
    assert np.log([2.5 / n_eff.low, n_eff.high / 2.5]) == pytest.approx([reach, reach], abs=1e-9)
    assert rho.estimate == pytest.approx(0.2)
    assert [4 / (1 + 3 * rho.high), 4 / (1 + 3 * rho.low)] == pytest.approx([n_eff.low, n_eff.high])


def test_an_effective_number_without_limits_says_why() -> None:
    infinite = n_eff_interval(3, 0.0, np.zeros(4))
    assert (infinite.estimate, infinite.reason) == (np.inf, "errors are perfectly complementary")
    single = n_eff_interval(3, 1.5, np.ones(4), np.zeros(4))
    assert (single.estimate, single.reason) == (2.0, "fewer than two independent clusters")
    assert np.isnan([infinite.low, infinite.high, single.low, single.high]).all()
    assert n_eff_interval(1, nan, np.full(3, nan)).reason == "no design effect"


# --- shares


def test_jeffreys_and_wilson_intervals_are_the_published_ones() -> None:
    """Brown, Cai and DasGupta 2001: equal-tailed Beta posterior; Wilson 1927."""
    found = jeffreys(3, 20)
    assert (found.low, found.high) == pytest.approx(tuple(stats.beta.ppf([0.025, 0.975], 3.5, 17.5)), abs=1e-12)
    assert (jeffreys(0, 20).low, jeffreys(20, 20).high) == (0.0, 1.0)
    expected = stats.binomtest(3, 20).proportion_ci(method="wilson")
    assert (wilson(3, 20).low, wilson(3, 20).high) == pytest.approx(tuple(expected), abs=1e-12)
    assert wilson(0, 20).low == 0.0
    assert wilson(20, 20).high == 1.0


def test_difference_of_shares_is_newcombes() -> None:
    """T14: 56 of 70 against 48 of 80."""
    found = newcombe(56, 70, 48, 80)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


def test_shares_of_nothing_are_undefined() -> None:
    assert {jeffreys(0, 0).reason, wilson(0, 0).reason, newcombe(1, 2, 0, 0).reason} == {"no instances"}


# --- pairs


def test_kappa_limits_are_posterior_quantiles() -> None:
    """T10."""
    counts = np.array([[60, 10, 15, 15]])
    (found,) = dirichlet_kappa(counts, np.random.default_rng(1), draws=400_000)
    assert found.estimate == pytest.approx(0.375, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((0.1693, 0.5537), abs=3e-3)
    assert found.n == 100


def test_kappa_limits_depend_on_the_generator_alone_and_come_in_the_order_of_the_pairs() -> None:
    counts = np.array([[60, 10, 15, 15], [50, 0, 0, 50], [0, 50, 50, 0]])
    first, second = (dirichlet_kappa(counts, np.random.default_rng(7)) for _ in range(2))
    assert first == second
    assert [i.estimate for i in first] == pytest.approx([0.375, 1, -1])
    assert first[1].low > 0.85
    assert first[2].high < -0.85


def test_kappa_is_undefined_for_constant_models_and_without_instances() -> None:
    counts = np.array([[5, 5, 0, 0], [0, 0, 0, 9], [0, 0, 0, 0]])
    found = dirichlet_kappa(counts, np.random.default_rng(0))
    assert [i.reason for i in found] == ["constant_model", "constant_model", "no_overlap"]
    assert [i.defined for i in found] == [False] * 3


def test_mcnemar_mid_p_equals_its_sum() -> None:
    few, many = np.array([[0, 1], [5, 30]]), np.array([[0, 9], [5, 900]])
    found = mcnemar(few, many)
    for a, b, p in zip(few.ravel(), many.ravel(), found.ravel(), strict=True):
        n = int(a + b)
        below = 2 * sum(comb(n, i) for i in range(a)) + comb(n, int(a))
        assert p == pytest.approx(float(Fraction(below, 2**n)), rel=1e-8)
    np.testing.assert_array_equal(found, mcnemar(many, few))
    assert (found[0, 0], found[1, 0]) == pytest.approx((1, 1), abs=1e-12)


# --- systemic failure


def exact_pmf(errors: list[int], n: int) -> list[float]:
    """The hypergeometric chain in rational arithmetic."""
    chances = {errors[0]: Fraction(1)}
    for k in errors[1:]:
        following: dict[int, Fraction] = {}
        for marked, chance in chances.items():
            for x in range(max(0, marked + k - n), min(marked, k) + 1):
                step = Fraction(comb(k, x) * comb(n - k, marked - x), comb(n, marked))
                following[x] = following.get(x, Fraction(0)) + chance * step
        chances = following
    return [float(chances.get(x, 0)) for x in range(n + 1)]


def padded(pmf: np.ndarray, length: int) -> np.ndarray:
    return np.pad(pmf, (0, length - len(pmf)))


def test_the_null_of_systemic_failures_matches_the_reference() -> None:
    """T8."""
    pmf = systemic_pmf(np.array([[30, 20, 40]]), np.array([100]))
    assert pmf[:3] == pytest.approx([0.0669818, 0.2061049, 0.2859082], abs=1e-6)
    assert pmf @ np.arange(len(pmf)) == pytest.approx(2.4, abs=1e-9)
    two = systemic_pmf(np.array([[3, 4]]), np.array([10]))
    assert two == pytest.approx(stats.hypergeom.pmf(np.arange(4), 10, 3, 4), abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n), min_size=1, max_size=6))))
def test_the_null_of_systemic_failures_equals_rational_arithmetic(case) -> None:
    n, errors = case
    pmf = systemic_pmf(np.array([errors]), np.array([n]))
    np.testing.assert_allclose(padded(pmf, n + 1), exact_pmf(errors, n), atol=1e-12)


def test_strata_are_convolved() -> None:
    errors, sizes = np.array([[5, 6, 7], [3, 9, 2], [0, 4, 4]]), np.array([10, 9, 8])
    parts = [exact_pmf(list(map(int, row)), int(n)) for row, n in zip(errors, sizes, strict=True)]
    expected = np.convolve(np.convolve(parts[0], parts[1]), parts[2])
    np.testing.assert_allclose(padded(systemic_pmf(errors, sizes), len(expected)), expected, atol=1e-12)
    assert systemic_pmf(np.zeros((0, 3), np.int64), np.zeros(0, np.int64)).tolist() == [1.0]


@pytest.mark.parametrize("rates", [(0.15, 0.4), (0.8, 0.98), (0.4, 0.6)])
def test_the_null_has_its_known_mean_with_many_models_and_instances(rates) -> None:
    n = 50_000
    errors = (np.linspace(*rates, 67) * n).astype(np.int64)[None]
    pmf = systemic_pmf(errors, np.array([n]))
    assert pmf.sum() == pytest.approx(1, abs=1e-12)
    assert pmf @ np.arange(len(pmf)) == pytest.approx(n * (errors / n).prod(), rel=1e-8, abs=1e-15)


def test_the_p_value_of_systemic_failures_counts_half_of_what_was_seen() -> None:
    pmf = np.array([0.5, 0.3, 0.2])
    assert [systemic_p(k, pmf) for k in range(4)] == pytest.approx([0.75, 0.35, 0.1, 0])


# --- many tests at once


def test_adjusted_p_values_are_benjamini_and_hochbergs() -> None:
    """T16."""
    found = benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.005]))
    assert found == pytest.approx([0.02, 0.04, 0.04, 0.02], abs=1e-12)


def test_undefined_p_values_stay_undefined_and_are_not_counted() -> None:
    found = benjamini_hochberg(np.array([0.01, nan, 0.04, 0.03, 0.005]))
    np.testing.assert_allclose(found, [0.02, nan, 0.04, 0.04, 0.02], atol=1e-12)
    assert benjamini_hochberg(np.zeros(0)).size == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms())
def test_adjusting_keeps_the_order_and_never_lowers_a_p_value(values, random) -> None:
    p = np.array(values)
    found = benjamini_hochberg(p)
    assert (found >= p - 1e-15).all()
    assert all(found[a] <= found[b] for a, b in itertools.permutations(range(len(p)), 2) if p[a] < p[b])
    order = list(range(len(p)))
    random.shuffle(order)
    np.testing.assert_allclose(benjamini_hochberg(p[order]), found[order])
