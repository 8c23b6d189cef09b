"""The page on pair excess: its example and its formulas, written out, against the functions."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from polyculture.measures import pair_excess as measure
from polyculture.measures.pair_excess import GRID, pair_excess
from polyculture.measures.rasch import fit, rates_given_count

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "methods" / "pair-excess.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]


def stated(name: str) -> list[float]:
    """The numbers of a row of the example."""
    return next([float(Fraction(cell)) for cell in row[1:]] for row in ROWS if row[0] == name)


def enumerated(odds: np.ndarray, k: int) -> np.ndarray:
    """(X11): probability that each model fails, given that k do, over all sets."""
    weights, rates = 0.0, np.zeros(len(odds))
    for members in itertools.combinations(range(len(odds)), k):
        weight = float(np.prod(odds[list(members)]))
        weights += weight
        rates[list(members)] += weight
    return rates / weights


def test_the_example_has_the_numbers_on_the_page() -> None:
    """(X12)."""
    rates = rates_given_count(np.log([1.0, 2.0, 4.0]))
    np.testing.assert_allclose(rates[:, 1], stated("fails, given that one does"), atol=1e-12)
    np.testing.assert_allclose(rates[:, 2], stated("fails, given that two do"), atol=1e-12)


@pytest.mark.parametrize("odds", [[1.0, 2.0, 4.0, 0.3], [1.0, 1.0, 1.0001, 50.0], [1.0, 1.00001, 3.0, 3.0]])
def test_rates_given_the_count_are_those_of_all_sets(odds: list[float]) -> None:
    """(X11) and (X12), also where two models are equally able."""
    rates = rates_given_count(np.log(odds))
    for k in range(1, 5):
        np.testing.assert_allclose(rates[:, k], enumerated(np.array(odds), k), atol=1e-10)


def table() -> np.ndarray:
    """Six models of unequal level and slope on instances of unequal difficulty: where they fail."""
    rng = np.random.default_rng(11)
    levels, slopes = np.array([-1.0, -0.5, 0.0, 0.3, 0.8, -0.2]), np.array([0.7, 1.0, 1.3, 1.0, 0.9, 1.6])
    return rng.random((6, 600)) < expit(slopes[:, None] * rng.normal(size=600) + levels[:, None])


def test_every_model_fails_as_often_as_expected_under_the_fit() -> None:
    """(X13)."""
    wrong = table()
    k = wrong.sum(axis=0)
    failing = np.bincount(k, minlength=7) * np.array([0, 1, 1, 1, 1, 1, 0])
    errors = wrong[:, (k > 0) & (k < 6)].sum(axis=1)
    abilities = fit(errors, failing)
    assert abilities is not None
    np.testing.assert_allclose(rates_given_count(abilities) @ failing, errors, atol=1e-4)


def null_of(log_slopes: np.ndarray, rates: np.ndarray) -> measure._Null:
    density = np.exp(-(GRID**2) / 2) / np.exp(-(GRID**2) / 2).sum()
    return measure._Null(log_slopes, np.zeros(len(rates)), density).levelled(rates)


def test_covariances_their_derivatives_and_errors_are_those_of_the_formulas() -> None:
    """(X1), (X2), (X4) and (X5), by sums and differences."""
    wrong = table()
    counts = measure._Covariances.of((~wrong).astype(np.int8))
    logs = np.log([0.7, 1.0, 1.3, 1.0, 0.9, 1.6])
    null = null_of(logs, counts.rates)
    residuals = measure._Residuals.of(counts, null)
    p = 1 / (1 + np.exp(-(np.exp(logs)[:, None] * GRID + null.levels[:, None])))
    np.testing.assert_allclose(p @ null.density, wrong.mean(axis=1), atol=1e-8)
    expected = [
        [(null.density * p[a] * p[b]).sum() - p[a] @ null.density * (p[b] @ null.density) for b in range(6)]
        for a in range(6)
    ]
    observed = np.cov(wrong.astype(float), bias=True)
    np.testing.assert_allclose(residuals.difference, observed - expected, atol=1e-8)
    error = np.sqrt((null.density * p[1] * (1 - p[1]) * p[4] * (1 - p[4])).sum() / 600)
    assert residuals.errors[1, 4] == pytest.approx(error)
    step = np.array([0, 1e-5, 0, 0, 0, 0])
    higher, lower = (measure._Residuals.of(counts, null_of(logs + sign * step, counts.rates)) for sign in (1, -1))
    slope = (lower.difference[1, 4] - higher.difference[1, 4]) / 2e-5
    assert residuals.gradient[1, 4] == pytest.approx(slope, rel=1e-4)


def test_one_step_of_the_density_is_the_mean_of_what_instances_say() -> None:
    """(X3), four times; the result has mean 0 and standard deviation 1."""
    wrong = table()
    counts = measure._Covariances.of((~wrong).astype(np.int8))
    null = null_of(np.zeros(6), counts.rates)
    p, density = null.probabilities, null.density
    likelihood = np.array([np.prod(np.where(row[:, None], p, 1 - p), axis=0) for row in wrong.T])
    for _ in range(4):
        posterior = density * likelihood
        density = (posterior / posterior.sum(axis=1, keepdims=True)).mean(axis=0)
    spread = np.sqrt(density @ (GRID - density @ GRID) ** 2)
    updated = null.redistributed(counts)
    np.testing.assert_allclose(updated.logs, np.log(spread), atol=1e-4)
    assert updated.density @ GRID == pytest.approx(0, abs=0.01)
    assert updated.density @ GRID**2 == pytest.approx(1, abs=0.01)


def test_the_scale_is_the_spread_of_the_lower_half() -> None:
    """(X9)."""
    estimates = pair_excess((~table()).astype(np.int8))
    z = estimates.z[np.triu_indices(6, 1)]
    lower = z[z <= np.median(z)]
    assert estimates.scale == pytest.approx(max(1.0, 1.4826 * float(np.median(np.median(z) - lower))))
    np.testing.assert_allclose(estimates.scaled, estimates.z / estimates.scale)


def test_the_tables_of_simulations_keep_the_level() -> None:
    """The rows of MC4 on the page: at most 5 % and the Monte-Carlo error."""
    start = PAGE.index("## Simulations")
    rows = re.findall(r"^\| [^|]+ \| ([.\d]+) \|$", PAGE[start : PAGE.index("## Assumptions")], re.MULTILINE)
    assert len(rows) == 11
    assert max(map(float, rows)) <= 0.05 + 0.05
