"""The page on systemic failure: its example and its formulas, written out, against the functions."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pytest

from polyculture.measures.systemic import FailureCounts, poisson_binomial
from polyculture.stats.systemic import systemic_p, systemic_pmf

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "methods" / "systemic-failure.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
STATED = {row[0]: row[1] for row in ROWS}
ERRORS, SIZES = np.array([[20, 30, 40], [10, 10, 10]]), np.array([100, 100])


def chain(errors: list[int], n: int) -> list[Fraction]:
    """(S5), step by step in fractions."""
    pmf = {errors[0]: Fraction(1)}
    for k in errors[1:]:
        step: dict[int, Fraction] = {}
        for marked, p in pmf.items():
            for x in range(max(0, marked + k - n), min(marked, k) + 1):
                share = Fraction(comb(k, x) * comb(n - k, marked - x), comb(n, marked))
                step[x] = step.get(x, Fraction(0)) + p * share
        pmf = step
    return [pmf.get(x, Fraction(0)) for x in range(max(pmf) + 1)]


def test_the_example_has_the_numbers_on_the_page() -> None:
    """(S3) and (S4)."""
    counts = FailureCounts.of(np.array([112, 64, 16, 8]), ERRORS, SIZES)
    rates = [[Fraction(int(k), 100) for k in row] for row in ERRORS]
    expected = sum((a * b * c for a, b, c in rates), Fraction(0)) / 2
    largest = sum((min(row) for row in rates), Fraction(0)) / 2
    by_hand = {
        "systemic failure rate": Fraction(8, 200),
        "expected rate": expected,
        "ratio": Fraction(1, 25) / expected,
        "largest rate": largest,
        "index": (Fraction(1, 25) - expected) / (largest - expected),
    }
    computed = (counts.rate, counts.expected_rate, counts.ratio, counts.largest_rate, counts.index)
    for (name, value), number in zip(by_hand.items(), computed, strict=True):
        assert Fraction(STATED[name]) == value
        assert number == pytest.approx(float(value), abs=1e-12)


def test_the_chain_gives_the_probabilities_on_the_page() -> None:
    """(S5), (S6) and (S7)."""
    pmf = systemic_pmf(ERRORS[:1], SIZES[:1])
    by_hand = chain([20, 30, 40], 100)
    np.testing.assert_allclose(pmf, [float(p) for p in by_hand[: len(pmf)]], atol=1e-13)
    for x in range(3):
        assert round(float(by_hand[x]), 7) == float(STATED[f"P(X = {x}) in the first class"])
    mean = sum(x * p for x, p in enumerate(by_hand))
    assert mean == Fraction(STATED["expected failures of all in the first class"])
    assert systemic_p(4, pmf) == pytest.approx(float(sum(by_hand[5:]) + by_hand[4] / 2), abs=1e-13)


def test_strata_are_convolved() -> None:
    both = np.convolve(*([float(p) for p in chain(sorted(row.tolist()), 100)] for row in ERRORS))
    pmf = systemic_pmf(ERRORS, SIZES)
    np.testing.assert_allclose(pmf, both[: len(pmf)], atol=1e-13)


def test_the_failure_count_is_poisson_binomial() -> None:
    """(S1) against all outcomes, and (S2)."""
    rates = np.array([0.2, 0.3, 0.4, 0.9])
    by_hand = np.zeros(5)
    for outcome in itertools.product([0, 1], repeat=4):
        by_hand[sum(outcome)] += np.prod(np.where(outcome, rates, 1 - rates))
    pmf = poisson_binomial(rates[None])[0]
    np.testing.assert_allclose(pmf, by_hand, atol=1e-13)
    k = np.arange(5)
    variance = pmf @ k**2 - (pmf @ k) ** 2
    assert variance == pytest.approx((rates * (1 - rates)).sum(), abs=1e-12)
    assert variance == pytest.approx(4 * 0.45 * 0.55 - ((rates - 0.45) ** 2).sum(), abs=1e-12)


def test_n_sys_is_a_ratio_of_logarithms() -> None:
    """(S8)."""
    counts = FailureCounts.of(np.array([112, 64, 16, 8]), ERRORS, SIZES)
    assert counts.n_sys == pytest.approx(3 * np.log(0.04) / np.log([0.15, 0.2, 0.25]).sum(), abs=1e-12)
