"""The fail@k curve, common shocks, and what they need for intervals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from polyculture.measures.counts import count
from polyculture.measures.systemic import (
    NEVER_RIGHT_TOGETHER,
    NO_COMPLETE_INSTANCE,
    common_shock,
    common_shock_rate,
    fail_at_k,
    fail_at_k_curve,
    systemic,
)

QUARTERS = np.array(list(itertools.product(range(4), repeat=3))).T < 1


def test_the_curve_of_independent_models_is_the_expected_one() -> None:
    found = fail_at_k_curve(QUARTERS)
    np.testing.assert_allclose(found.rates, 0.25 ** np.arange(1, 4), atol=1e-12)
    np.testing.assert_allclose(found.expected, found.rates, atol=1e-12)
    assert found.reached.tolist() == [37, 10, 1]
    for k in (1, 2, 3):
        values = found.values(k)
        assert values.mean() == pytest.approx(found.rates[k - 1])
        assert found.kish[k - 1] == pytest.approx(values.sum() ** 2 / (values**2).sum())


def test_expected_failures_are_taken_within_strata() -> None:
    wrong = np.hstack([np.repeat(QUARTERS[:2], 1, axis=1), np.ones((2, 64), bool)])
    found = fail_at_k_curve(wrong, np.repeat([0, 1], 64))
    np.testing.assert_allclose(found.expected, found.rates, atol=1e-12)
    assert fail_at_k_curve(wrong).expected[1] < found.rates[1]


def test_only_complete_instances_count_and_none_leave_nothing() -> None:
    observed = np.ones((3, 64), bool)
    observed[0, 10:] = False
    np.testing.assert_allclose(fail_at_k_curve(QUARTERS, None, observed).rates, fail_at_k_curve(QUARTERS[:, :10]).rates)
    nothing = fail_at_k_curve(QUARTERS, None, np.zeros((3, 64), bool))
    assert np.isnan(nothing.rates).all()
    assert np.isnan(nothing.expected).all()
    assert nothing.kish.tolist() == [0, 0, 0]


def test_many_models_do_not_overflow() -> None:
    histogram = np.zeros(1001, np.int64)
    histogram[[0, 500, 1000]] = [80, 15, 5]
    rates = fail_at_k(histogram)
    assert rates[0] == pytest.approx((7.5 + 5) / 100)
    assert rates[-1] == pytest.approx(0.05)


def test_the_shock_rate_and_its_influence_equal_brute_force() -> None:
    rng = np.random.default_rng(0)
    wrong = rng.random((4, 50)) < rng.beta(1, 3, 50)

    def rate(weights: np.ndarray) -> float:
        w = weights / weights.sum()
        above = below = 0.0
        for a, b in itertools.combinations(range(4), 2):
            above += w @ (wrong[a] & wrong[b]) - (w @ wrong[a]) * (w @ wrong[b])
            below += w @ (~wrong[a] & ~wrong[b])
        return above / below

    found = common_shock(wrong)
    assert found.rate == pytest.approx(rate(np.ones(50)), abs=1e-12)
    assert found.rate == pytest.approx(common_shock_rate(count(None, None, (~wrong).astype(np.int8), 2)), abs=1e-12)
    moves = [(rate(1 + 1e-5 * row) - rate(1 - 1e-5 * row)) / 2e-5 for row in np.eye(50)]
    np.testing.assert_allclose(found.influence / 50, moves, atol=1e-9)


def test_a_shock_on_models_that_are_independent_within_classes_is_recovered_within_classes() -> None:
    """Half of each class is taken down: 64 instances of errors ¼ and as many shocks, likewise with errors ½."""
    halves = np.repeat(np.array(list(itertools.product(range(2), repeat=3))).T < 1, 8, axis=1)
    shock = np.ones((3, 64), bool)
    wrong = np.hstack([QUARTERS, shock, halves, shock])
    classes = np.repeat([0, 1], 128)
    assert common_shock(wrong, classes).rate == pytest.approx(0.5, abs=1e-12)
    assert common_shock(wrong).rate > 0.5


def test_it_says_why_there_is_no_shock_rate() -> None:
    assert common_shock(np.eye(3, dtype=bool)[:2, :2]).reason == NEVER_RIGHT_TOGETHER
    nothing = common_shock(QUARTERS, None, np.zeros((3, 64), bool))
    assert (nothing.reason, np.isnan(nothing.influence).all()) == (NO_COMPLETE_INSTANCE, True)


def test_incomplete_instances_have_no_influence() -> None:
    observed = np.ones((3, 64), bool)
    observed[1, :4] = False
    found = common_shock(QUARTERS, None, observed)
    assert np.isnan(found.influence[:4]).all()
    assert found.rate == pytest.approx(common_shock(QUARTERS[:, 4:]).rate)


def test_the_number_of_models_is_infinite_where_all_never_fail() -> None:
    found = systemic(QUARTERS[:, 1:])
    assert found.n_sys == np.inf
