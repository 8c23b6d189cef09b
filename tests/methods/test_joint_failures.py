"""The page on joint failures: its example and its formulas, written out, against the functions."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta

from polyculture.measures.systemic import common_shock, fail_at_k_curve, fail_at_k_expected
from polyculture.stats import fail_at_k_interval, influence_interval
from polyculture.stats.shares import ceiling

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "methods" / "joint-failures.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
STATED = {row[0]: row[1] for row in ROWS if len(row) == 2}
ORDERED = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]], bool)
RNG = np.random.default_rng(7)
WRONG = (RNG.random((6, 300)) < 0.3) | (RNG.random(300) < 0.1)
STRATA = np.repeat([0, 1], [120, 180])


def test_the_example_has_the_numbers_on_the_page() -> None:
    curve = fail_at_k_curve(ORDERED)
    computed = {
        "fail@1": curve.rates[0],
        "fail@2": curve.rates[1],
        "fail@3": curve.rates[2],
        "fail@2 if independent": curve.expected[1],
        "instances that carry fail@2": curve.kish[1],
        "ceiling": ceiling(1, 4).estimate,
        "tipping point": common_shock(ORDERED).rate,
    }
    for name, value in computed.items():
        assert value == pytest.approx(float(Fraction(STATED[name])), abs=1e-12), name


def test_fail_at_k_is_a_mean_of_binomial_coefficients() -> None:
    """(J1), (J3)."""
    curve, failures = fail_at_k_curve(WRONG), WRONG.sum(axis=0)
    for k in range(1, 7):
        shares = np.array([comb(int(j), k) / comb(6, k) for j in failures])
        assert curve.rates[k - 1] == pytest.approx(shares.mean(), abs=1e-12)
        assert curve.kish[k - 1] == pytest.approx(shares.sum() ** 2 / (shares**2).sum(), abs=1e-9)
        np.testing.assert_allclose(curve.values(k), shares, atol=1e-12)


def test_the_null_of_fail_at_k_is_an_elementary_symmetric_mean() -> None:
    """(J2) against all sets."""
    rates = np.array([0.1, 0.2, 0.3, 0.7])
    for k in range(1, 5):
        sets = [np.prod(members) for members in itertools.combinations(rates, k)]
        assert fail_at_k_expected(rates)[k - 1] == pytest.approx(np.mean(sets), abs=1e-12)


def test_few_carrying_instances_leave_an_upper_limit() -> None:
    """The rule below (J3)."""
    curve = fail_at_k_curve(WRONG)
    many = fail_at_k_interval(curve.values(2), float(curve.kish[1]), int(curve.reached[1]))
    expected = influence_interval(curve.rates[1], curve.values(2) - curve.rates[1], logarithmic=True)
    assert (many.low, many.high) == pytest.approx((expected.low, expected.high))
    few = fail_at_k_interval(curve.values(5), 19.0, int(curve.reached[4]))
    assert np.isnan(few.low)
    assert few.high == pytest.approx(beta.ppf(0.95, curve.reached[4] + 0.5, 300 - curve.reached[4] + 0.5))


def test_the_ceiling_is_certified_from_above() -> None:
    """(J4)."""
    assert ceiling(5, 200).high == pytest.approx(1 - beta.ppf(0.05, 5.5, 195.5))


def test_the_tipping_point_is_a_ratio_of_sums_over_pairs() -> None:
    """(J7) with matrices, and (J8)."""
    x, y = np.zeros((2, 300))
    for a, b in itertools.combinations(range(6), 2):
        for code in (0, 1):
            members = code == STRATA
            first, second = (WRONG[j, members] - WRONG[j, members].mean() for j in (a, b))
            x[members] += first * second
        y += ~WRONG[a] & ~WRONG[b]
    shock = common_shock(WRONG, STRATA)
    assert shock.rate == pytest.approx(x.sum() / y.sum(), abs=1e-12)
    np.testing.assert_allclose(shock.influence, (x - shock.rate * y) / y.mean(), atol=1e-12)


def test_a_pure_shock_is_recovered_exactly() -> None:
    """(J5), (J6): independent models on 4/5 of the instances, all of them wrong on the rest."""
    independent = np.array(list(itertools.product(range(4), repeat=3))).T < 1
    wrong = np.concatenate([independent, np.ones((3, 16), bool)], axis=1)
    assert common_shock(wrong).rate == pytest.approx(16 / 80, abs=1e-12)
