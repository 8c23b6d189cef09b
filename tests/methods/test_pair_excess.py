"""The page on pair excess: its example and its formulas, written out, against the functions."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from polyculture.measures.pair_excess import fit, joint_rates_given_count, pair_excess, rates_given_count

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "methods" / "pair-excess.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
PAIRS = list(itertools.combinations(range(3), 2))


def stated(name: str) -> list[float]:
    """The numbers of a row of the example."""
    return next([float(Fraction(cell)) for cell in row[1:]] for row in ROWS if row[0] == name)


def enumerated(odds: np.ndarray, k: int) -> np.ndarray:
    """(X2): probability that each pair fails (the diagonal: each model), given that k models do, over all sets."""
    m = len(odds)
    weights, joint = 0.0, np.zeros((m, m))
    for members in itertools.combinations(range(m), k):
        weight = float(np.prod(odds[list(members)]))
        weights += weight
        joint[np.ix_(members, members)] += weight
    return joint / weights


def test_the_example_has_the_numbers_on_the_page() -> None:
    """(X3) and (X4)."""
    ability = np.log([1.0, 2.0, 4.0])
    rates, joint = rates_given_count(ability), joint_rates_given_count(ability)
    np.testing.assert_allclose(rates[:, 1], stated("fails, given that one does"), atol=1e-12)
    np.testing.assert_allclose(rates[:, 2], stated("fails, given that two do"), atol=1e-12)
    np.testing.assert_allclose([joint[a, b, 2] for a, b in PAIRS], stated("both fail, given that two do"), atol=1e-12)


@pytest.mark.parametrize("odds", [[1.0, 2.0, 4.0, 0.3], [1.0, 1.0, 1.0001, 50.0], [1.0, 1.00001, 3.0, 3.0]])
def test_rates_given_the_count_are_those_of_all_sets(odds: list[float]) -> None:
    """(X2) to (X4), also where two models are equally able."""
    ability = np.log(odds)
    rates, joint = rates_given_count(ability), joint_rates_given_count(ability)
    for k in range(1, 5):
        by_hand = enumerated(np.array(odds), k)
        np.testing.assert_allclose(rates[:, k], np.diag(by_hand), atol=1e-10)
        np.testing.assert_allclose(joint[:, :, k], by_hand, atol=1e-7)


def table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Five models of unequal ability on instances of unequal difficulty; joint failures and failure counts."""
    rng = np.random.default_rng(11)
    odds = rng.normal(size=600) + np.array([-1.0, -0.5, 0.0, 0.3, 0.8])[:, None]
    wrong = rng.random((5, 600)) < 1 / (1 + np.exp(-odds))
    joint = wrong.astype(int) @ wrong.T.astype(int)
    return wrong, joint, np.bincount(wrong.sum(axis=0), minlength=6)


def test_every_model_fails_as_often_as_expected_under_the_fit() -> None:
    """(X5)."""
    wrong, _, histogram = table()
    k = wrong.sum(axis=0)
    failing = histogram * np.array([0, 1, 1, 1, 1, 0])
    errors = wrong[:, (k > 0) & (k < 5)].sum(axis=1)
    ability = fit(errors, failing)
    assert ability is not None
    np.testing.assert_allclose(rates_given_count(ability) @ failing, errors, atol=1e-4)


def test_excess_and_score_are_those_of_the_formulas() -> None:
    """(X6) to (X10), by enumeration of all sets."""
    _, joint, histogram = table()
    estimates = pair_excess(joint, histogram)
    odds = np.exp(estimates.ability)
    given = [enumerated(odds, k) for k in range(1, 5)]
    n = histogram[1:5]
    observed = joint - histogram[5]
    expected = sum(count * rates for count, rates in zip(n, given, strict=True))
    a, b = 1, 3

    def over_counts(term) -> float:
        return float(sum(count * term(rates) for count, rates in zip(n, given, strict=True)))

    sigma = np.empty((2, 2))
    for (i, first), (j, second) in itertools.product(enumerate((a, b)), repeat=2):
        sigma[i, j] = over_counts(lambda p, x=first, y=second: p[x, y] - p[x, x] * p[y, y])
    c = np.array([over_counts(lambda p, x=x: p[a, b] * (1 - p[x, x])) for x in (a, b)])
    variance = over_counts(lambda p: p[a, b] * (1 - p[a, b])) - c @ np.linalg.solve(sigma, c)
    difference = observed[a, b] - expected[a, b]
    assert estimates.excess[a, b] == pytest.approx(difference / 600, abs=1e-8)
    assert estimates.z[a, b] == pytest.approx(difference / np.sqrt(variance), abs=1e-5)
    upper = np.triu_indices(5, 1)
    assert estimates.excess[upper].sum() == pytest.approx(0, abs=1e-8)
    z = estimates.z[upper]
    scale = max(1.0, 1.4826 * float(np.median(np.abs(z - np.median(z)))))
    np.testing.assert_allclose(estimates.scaled[upper], z / scale, atol=1e-12)
