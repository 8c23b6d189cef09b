"""docs/methods/comparison.md against the functions and against the formulas in plain numpy."""

import numpy as np
import pytest
from scipy.stats import t

from polyculture.measures.effective import effective
from polyculture.stats import independent_difference, paired_difference

FIRST = np.array([[1, 1, 0, 0, 0, 0, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0, 0, 0, 0, 0]], dtype=bool)
SECOND = np.array([[1, 1, 0, 0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]], dtype=bool)


def rho_and_influence(wrong):
    """(CO1) and its influence, centred sums over instances."""
    centred = wrong - wrong.mean(axis=1, keepdims=True)
    m = len(wrong)
    pairs = (centred.sum(axis=0) ** 2 - (centred**2).sum(axis=0)) / (m * (m - 1))
    variance = (centred**2).mean(axis=0)
    rho = pairs.mean() / variance.mean()
    return rho, (pairs - rho * variance) / variance.mean()


def test_the_numbers_of_the_page(stated):
    numbers = [rho_and_influence(wrong) for wrong in (FIRST, SECOND)]
    estimates = [effective(wrong) for wrong in (FIRST, SECOND)]
    for (rho, influence), estimate in zip(numbers, estimates, strict=True):
        assert estimate.rho == pytest.approx(rho)
        np.testing.assert_allclose(estimate.influence, influence, atol=1e-12)
    change = paired_difference((numbers[1][0], numbers[0][0]), (numbers[1][1], numbers[0][1]))
    difference = numbers[1][1] - numbers[0][1]
    error = difference.std(ddof=1) / np.sqrt(10)
    assert change.high - change.estimate == pytest.approx(t.ppf(0.975, 9) * error)
    apart = independent_difference((numbers[1][0], numbers[0][0]), (numbers[1][1], numbers[0][1]))
    stated.agree(
        {
            "$\\tilde\\rho$ of the first set": numbers[0][0],
            "$\\tilde\\rho$ of the second set": numbers[1][0],
            "change": change.estimate,
            "standard error, paired": error,
            "half-width, paired": change.high - change.estimate,
            "half-width, as if independent": apart.high - apart.estimate,
        }
    )


def test_the_degrees_of_freedom_of_sets_of_different_size() -> None:
    """(CO4)."""
    first, second = np.array([1.0, -2.0, 0.5, 0.5]), np.array([0.3, -0.3] * 10)
    squares = [part.var(ddof=1) / len(part) for part in (first, second)]
    freedom = sum(squares) ** 2 / (squares[0] ** 2 / 3 + squares[1] ** 2 / 19)
    difference = independent_difference((0.4, 0.1), (first, second))
    assert difference.high - difference.estimate == pytest.approx(t.ppf(0.975, freedom) * np.sqrt(sum(squares)))
