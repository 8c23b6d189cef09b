"""Failure counts and their null: closed forms, and who is counted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.measures.counts import count
from polyculture.measures.systemic import (
    NO_COMPLETE_INSTANCE,
    common_shock_rate,
    expectation_error,
    fail_at_k,
    fail_at_k_expected,
    failure_counts,
    poisson_binomial,
    systemic,
)

QUARTERS = np.array(list(itertools.product(range(4), repeat=3))).T < 1


def test_independent_models_fail_together_as_expected() -> None:
    """T5: all combinations of three models with errors of ¼."""
    found = systemic(QUARTERS)
    assert found.rate == 1 / 64
    assert found.expected_rate == pytest.approx(1 / 64, abs=1e-15)
    np.testing.assert_allclose(found.expected, found.histogram, atol=1e-12)
    assert (found.ratio, found.excess, found.index) == pytest.approx((1, 0, 0), abs=1e-12)
    assert found.n_sys == pytest.approx(3, abs=1e-9)
    assert systemic(np.repeat(QUARTERS, 2, axis=0)).n_sys == pytest.approx(3, abs=1e-9)


def test_the_failure_count_of_independent_models_is_poisson_binomial() -> None:
    """T8."""
    np.testing.assert_allclose(
        poisson_binomial(np.array([[0.1, 0.2, 0.3]])), [[0.504, 0.398, 0.092, 0.006]], atol=1e-12
    )


def test_fail_at_k_is_the_mean_over_sets_of_models() -> None:
    """T8."""
    wrong = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]], bool)
    np.testing.assert_allclose(fail_at_k(systemic(wrong).histogram), [0.5, 1 / 3, 0.25], atol=1e-12)
    np.testing.assert_allclose(fail_at_k_expected(np.array([0.1, 0.2, 0.3])), [0.2, 0.11 / 3, 0.006], atol=1e-12)
    assert np.isnan(fail_at_k(np.zeros(4, np.int64))).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 20))
def test_fail_at_k_equals_brute_force(seed, m, n) -> None:
    wrong = np.random.default_rng(seed).random((m, n)) < 0.6
    sets = [list(itertools.combinations(range(m), k)) for k in range(1, m + 1)]
    brute = [np.mean([wrong[list(s)].all(axis=0).mean() for s in some]) for some in sets]
    np.testing.assert_allclose(fail_at_k(systemic(wrong).histogram), brute, atol=1e-12)
    rates = wrong.mean(axis=1)
    expected = [np.mean([rates[list(s)].prod() for s in some]) for some in sets]
    np.testing.assert_allclose(fail_at_k_expected(rates), expected, atol=1e-12)


def test_a_planted_shock_is_recovered_exactly() -> None:
    """T8: 1000 independent instances with errors of .2, and 250 that both models fail."""
    independent = np.repeat(np.array(np.divmod(np.arange(100), 10)) < 2, 10, axis=1)
    wrong = np.hstack([independent, np.ones((2, 250), bool)])
    assert common_shock_rate(count(None, None, (~wrong).astype(np.int8), 2)) == pytest.approx(0.2, abs=1e-12)


def test_the_shock_rate_of_one_pair_is_its_covariance_over_its_joint_successes() -> None:
    """T1."""
    first, second = [1] * 70 + [0] * 30, [1] * 60 + [0] * 10 + [1] * 15 + [0] * 15
    counts = count(None, None, np.array([first, second], np.int8), 2)
    assert common_shock_rate(counts) == pytest.approx(0.125, abs=1e-12)
    never_right_together = count(None, None, np.array([[1, 0], [0, 1]], np.int8), 2)
    assert np.isnan(common_shock_rate(never_right_together))


def test_no_systemic_failure_means_infinitely_many_independent_models() -> None:
    """T8."""
    assert systemic(np.eye(3, dtype=bool)).n_sys == np.inf
    assert np.isnan(systemic(np.ones((2, 5), bool)).n_sys)


def test_copies_reach_the_largest_index() -> None:
    found = systemic(np.repeat(QUARTERS[:1], 3, axis=0))
    assert found.rate == 0.25
    assert found.largest_rate == 0.25
    assert found.index == pytest.approx(1, abs=1e-12)
    assert found.ratio == pytest.approx(16, abs=1e-12)


def test_expectation_is_taken_within_strata() -> None:
    wrong = np.array([[1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]], bool)
    found = systemic(wrong, np.array([5, 5, 5, 5, 2, 2]))
    assert found.expected_rate == pytest.approx(4 / 6 * 0.5 * 0.25, abs=1e-12)
    assert found.errors.tolist() == [[0, 0], [2, 1]]
    assert found.sizes.tolist() == [2, 4]
    np.testing.assert_allclose(found.expected, [2 + 4 * 0.375, 4 * 0.5, 4 * 0.125], atol=1e-12)


def test_a_perfect_model_makes_ratio_and_index_undefined() -> None:
    found = systemic(np.array([[True, False], [False, False]]))
    assert (found.rate, found.expected_rate) == (0, 0)
    assert np.isnan([found.ratio, found.index]).all()


def test_only_instances_that_every_model_answered_count() -> None:
    wrong = np.array([[True, True, False], [True, False, False]])
    observed = np.array([[True, True, True], [True, False, True]])
    found = systemic(wrong, np.array([0, 1, 1]), observed)
    assert found.histogram.tolist() == [1, 0, 1]
    assert found.sizes.tolist() == [1, 1]
    nothing = systemic(wrong, None, np.eye(3, dtype=bool)[:2])
    assert (nothing.reason, nothing.n) == (NO_COMPLETE_INSTANCE, 0)
    assert np.isnan([nothing.rate, nothing.ratio, nothing.excess, nothing.index, nothing.n_sys]).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 30), st.integers(1, 4))
def test_observed_and_expected_histograms_have_the_same_total_and_mean(seed, m, n, kinds) -> None:
    rng = np.random.default_rng(seed)
    wrong, strata = rng.random((m, n)) < 0.4, rng.integers(0, kinds, n)
    found = systemic(wrong, strata)
    failures = np.arange(m + 1)
    assert found.expected.sum() == pytest.approx(n)
    assert found.expected @ failures == pytest.approx(found.histogram @ failures)
    assert found.expected[-1] / n == pytest.approx(found.expected_rate, abs=1e-12)
    assert found.histogram @ failures == failure_counts(wrong).sum()


def class_error(wrong: np.ndarray, labels: np.ndarray) -> float:
    failures = np.array([np.bincount(wrong[:, labels == y].sum(axis=0), minlength=len(wrong) + 1) for y in set(labels)])
    errors = np.array([wrong[:, labels == y].sum(axis=1) for y in set(labels)])
    return expectation_error(failures, errors)


def test_large_classes_carry_an_expectation_and_small_ones_do_not() -> None:
    """Ten models that copy each other on half of the instances: the product of rates of small classes is their luck."""
    rng = np.random.default_rng(0)
    for size, classes in ((1, 2000), (2, 1000), (5, 400), (5000, 2)):
        labels = np.repeat(np.arange(classes), size)
        wrong = np.where(rng.random((10, size * classes)) < 0.7, rng.random(size * classes) < 0.3, False)
        wrong |= rng.random(wrong.shape) < 0.1
        truth = wrong.mean(axis=1).prod()
        ratio = systemic(wrong, labels).expected_rate / truth
        assert (class_error(wrong, labels) <= np.log(2)) == (0.5 < ratio < 2) == (size == 5000)


def test_one_instance_a_class_says_nothing() -> None:
    assert class_error(np.eye(3, 6, dtype=bool), np.arange(6)) == np.inf
