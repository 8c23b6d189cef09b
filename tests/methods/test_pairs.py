"""The page on pairs: its example and its formulas, written out, against the functions."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, hypergeom

from polyculture.measures.counts import PairCounts, count
from polyculture.measures.pairs import MEASURES, both_wrong_adjusted
from polyculture.stats import capa_limits, co_failure, dirichlet_kappa, kappa_limits, mcnemar

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "methods" / "pairs.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
STATED = {row[0]: row[1] for row in ROWS if len(row) == 2}
N11, N10, N01, N00 = 60, 10, 15, 15


def of_cells(n11: int, n10: int, n01: int, n00: int) -> PairCounts:
    """The counts of two models with these joint outcomes."""
    outcomes = np.repeat(np.array([[1, 1], [1, 0], [0, 1], [0, 0]], np.int8), [n11, n10, n01, n00], axis=0)
    return count(None, None, np.ascontiguousarray(outcomes.T), 2)


COUNTS = of_cells(N11, N10, N01, N00)
EXAMPLE = np.array([[N11, N10, N01, N00]])


@pytest.mark.parametrize("name", [name for name in STATED if name in MEASURES])
def test_the_measure_of_the_example_has_the_number_on_the_page(name: str) -> None:
    stated = float(round(Fraction(STATED[name]), 6))
    assert MEASURES[name](COUNTS)[0, 1] == pytest.approx(stated, abs=5e-7)


def test_chance_adjusted_measures_are_the_covariance_over_what_the_error_rates_allow() -> None:
    """(P1) to (P5), on both sides of independence."""
    for cells in ((60, 10, 15, 15), (30, 30, 35, 5), (5, 35, 40, 20)):
        n11, n10, n01, n00 = cells
        n = sum(cells)
        a, b = (n01 + n00) / n, (n10 + n00) / n
        cov, chance = n00 / n - a * b, (1 - a) * (1 - b) + a * b
        extreme = min(a, b) - a * b if cov >= 0 else a * b - max(0, a + b - 1)
        by_hand = {
            "covariance": cov,
            "kappa": ((n11 + n00) / n - chance) / (1 - chance),
            "phi": cov / np.sqrt(a * (1 - a) * b * (1 - b)),
            "h": cov / extreme,
            "q": (n11 * n00 - n10 * n01) / (n11 * n00 + n10 * n01),
        }
        assert by_hand["kappa"] == pytest.approx(2 * cov / (1 - chance), abs=1e-12)
        for name, value in by_hand.items():
            assert MEASURES[name](of_cells(*cells))[0, 1] == pytest.approx(value, abs=1e-12)


def test_same_wrong_answers_are_adjusted_by_the_options_of_the_pair() -> None:
    """(P6): three joint errors, on instances with 3, 3 and 5 options, two of them alike."""
    answers = np.array([[1, 1, 1, 0], [1, 2, 1, 0]], np.int64)
    counts = count(answers, np.zeros(4, np.int64), None, 5, np.array([3, 3, 5, 5]))
    baseline = 1 / 2 + 1 / 2 + 1 / 4
    assert both_wrong_adjusted(counts)[0, 1] == pytest.approx((2 - baseline) / (3 - baseline), abs=1e-12)


def test_the_limits_of_the_example_are_those_of_the_posterior() -> None:
    """(P8), (P9): the function without randomness, with it, and written out."""
    stated = [float(STATED["lower limit of kappa"]), float(STATED["upper limit of kappa"])]
    limits = kappa_limits(EXAMPLE)
    drawn = dirichlet_kappa(EXAMPLE, np.random.default_rng(0), draws=40_000)[0]
    g = np.random.default_rng(1).gamma(EXAMPLE[0] + 0.5, size=(200_000, 4)).T
    _, p10, p01, p00 = g / g.sum(axis=0)
    a, b = p01 + p00, p10 + p00
    by_hand = np.quantile(2 * (p00 - a * b) / (a + b - 2 * a * b), [0.025, 0.975])
    for pair in ([limits.low[0], limits.high[0]], [drawn.low, drawn.high], by_hand):
        np.testing.assert_allclose(pair, stated, atol=4e-3)


def test_the_limits_of_capa_are_those_of_five_cells() -> None:
    """(P7) under the posterior with two quarters."""
    cells, coincidence = np.array([[60, 10, 15, 10, 5]]), np.array([1 / 3])
    g = np.random.default_rng(2).gamma(cells[0] + np.array([0.5, 0.5, 0.5, 0.25, 0.25]), size=(200_000, 5)).T
    p11, p10, p01, same, different = g / g.sum(axis=0)
    a, b = p01 + same + different, p10 + same + different
    chance = (1 - a) * (1 - b) + a * b / 3
    by_hand = np.quantile((p11 + same - chance) / (1 - chance), [0.025, 0.975])
    limits = capa_limits(cells, coincidence)
    np.testing.assert_allclose([limits.low[0], limits.high[0]], by_hand, atol=4e-3)


def test_the_test_of_a_pair_is_a_hypergeometric_mid_p() -> None:
    """(P11), summed and (with many instances) integrated."""
    for n, a, b, x in ((100, 30, 25, 15), (40_000, 12_000, 10_000, 3_050)):
        null = hypergeom(n, a, b)
        by_hand = null.sf(x) + null.pmf(x) / 2
        p = co_failure(np.array([n]), np.array([a]), np.array([b]), np.array([x]))[0]
        assert p == pytest.approx(by_hand, abs=1e-6)


def test_equal_accuracy_is_tested_by_mcnemars_mid_p() -> None:
    by_hand = 2 * binom.cdf(10, 25, 0.5) - binom.pmf(10, 25, 0.5)
    assert mcnemar(np.array([10]), np.array([15]))[0] == pytest.approx(by_hand, abs=1e-12)
