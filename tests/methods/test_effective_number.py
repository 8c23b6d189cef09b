"""The page on the effective number: its examples and its formulas, written out, against the functions."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from polyculture.measures.effective import effective
from polyculture.measures.effective_vectors import effective_residuals
from polyculture.measures.streaming.effective import from_complete
from polyculture.measures.streaming.exact_sums import InfluenceSums, InstanceChunk, StratumCounts

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "methods" / "effective-number.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
INDEPENDENT = np.array(list(itertools.product(range(4), repeat=3))).T < 1
NESTED = np.arange(10) < np.array([[1, 2, 4]]).T
RNG = np.random.default_rng(5)
WRONG = (RNG.random((5, 60)) < 0.2) | (RNG.random(60) < 0.15)
STRATA = np.repeat([0, 1, 2], [20, 30, 10])


@pytest.mark.parametrize(
    ("models", "wrong"),
    [
        ("three independent models with error rate 1/4 (all 64 combinations of four answers)", INDEPENDENT),
        ("the same, every model twice", np.repeat(INDEPENDENT, 2, axis=0)),
        ("three models with groups of 4, 1 and 1 copies", np.repeat(INDEPENDENT, [4, 1, 1], axis=0)),
        ("three independent models and a perfect one", np.vstack([INDEPENDENT, np.zeros((1, 64), bool)])),
        ("five copies", np.repeat(INDEPENDENT[:1], 5, axis=0)),
        ("nested errors: rates .1, .2, .4, each failing where the one before fails", NESTED),
    ],
)
def test_small_examples_have_the_number_on_the_page(models: str, wrong: np.ndarray) -> None:
    stated = next(Fraction(row[1]) for row in ROWS if row[0] == models)
    assert effective(wrong).n_eff == pytest.approx(float(stated), abs=1e-12)


def parts(wrong: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centred failure counts, squared deviations and g of (E4)."""
    k, d, g = np.empty((3, wrong.shape[1]))
    for code in np.unique(strata):
        members = strata == code
        deviations = wrong[:, members] - wrong[:, members].mean(axis=1, keepdims=True)
        k[members], d[members] = deviations.sum(axis=0), (deviations**2).sum(axis=0)
        g[members] = members.sum() / (members.sum() - 1)
    return k, d, g


def test_design_effect_influence_and_informative_instances_are_those_of_the_formulas() -> None:
    """(E4), (E6), (E7) and (E10)."""
    k, d, g = parts(WRONG, STRATA)
    estimate = effective(WRONG, STRATA)
    design_effect, denominator = (g * k**2).sum() / (g * d).sum(), (g * d).sum()
    assert estimate.design_effect == pytest.approx(design_effect, abs=1e-12)
    assert estimate.n_eff == pytest.approx(5 / (1 + 4 * estimate.rho), abs=1e-12)
    np.testing.assert_allclose(estimate.influence, 60 * g * (k**2 - design_effect * d) / denominator, atol=1e-12)
    np.testing.assert_allclose(estimate.variation, 60 * g * d / denominator, atol=1e-12)
    assert estimate.n_info == pytest.approx((k**2).sum() ** 2 / (k**4).sum(), abs=1e-12)


def test_the_test_of_independence_is_that_of_the_formula() -> None:
    """(E11)."""
    k, d, _ = parts(WRONG, STRATA)
    variance = 0.0
    for code in np.unique(STRATA):
        table = WRONG[:, code == STRATA]
        q = table.sum(axis=1) * (1 - table.mean(axis=1))
        variance += (q.sum() ** 2 - (q**2).sum()) / 2 / (table.shape[1] - 1)
    assert effective(WRONG, STRATA).z == pytest.approx((k**2 - d).sum() / 2 / np.sqrt(variance), abs=1e-12)


def test_missing_cells_are_taken_pair_by_pair() -> None:
    """(E5) and (E9), the influence as a sum over pairs."""
    observed = np.random.default_rng(6).random(WRONG.shape) < 0.8
    m, n = WRONG.shape
    c, moves = np.zeros((m, m)), np.zeros((m, m, n))
    for a, b in itertools.product(range(m), repeat=2):
        common = observed[a] & observed[b]
        x, y = (np.where(common, WRONG[j] - WRONG[j, common].mean(), 0.0) for j in (a, b))
        g = common.sum() / (common.sum() - 1)
        c[a, b] = g * (x * y).sum() / common.sum()
        moves[a, b] = np.where(common, g * x * y - c[a, b], 0.0) / common.sum()
    pairs, variance = ~np.eye(m, dtype=bool), np.diag(c).mean()
    ratio = c[pairs].mean() / variance
    mean_moves = moves[pairs].mean(axis=0), moves[~pairs].mean(axis=0)
    estimate = effective(WRONG, observed=observed)
    assert estimate.design_effect == pytest.approx(1 + (m - 1) * ratio, abs=1e-12)
    influence = (m - 1) * n / variance * (mean_moves[0] - ratio * mean_moves[1])
    np.testing.assert_allclose(estimate.influence, influence, atol=1e-10)


def test_sums_over_chunks_give_the_standard_error_of_all_instances() -> None:
    """(E12) to (E14): the same bits in chunks of any size."""
    k, d, g = parts(WRONG, STRATA)
    failures = np.stack([np.bincount(WRONG[:, s == STRATA].sum(axis=0), minlength=6) for s in range(3)])
    errors = np.stack([WRONG[:, s == STRATA].sum(axis=1) for s in range(3)])
    estimate = from_complete(StratumCounts(failures, errors), np.ones(5, bool))
    assert estimate.influence is not None
    design_effect = (g * k**2).sum() / (g * d).sum()
    assert estimate.design_effect == pytest.approx(design_effect, abs=1e-12)
    sums = []
    for size in (7, 60):
        chunks = [slice(start, start + size) for start in range(0, 60, size)]
        total = InfluenceSums(0, ((), ()))
        for chunk in chunks:
            total += InfluenceSums.of(estimate.influence(InstanceChunk(WRONG[:, chunk], None, STRATA[chunk], 3))[0])
        sums.append(total.standard_error())
    assert sums[0] == sums[1]
    influence = 60 * g * (k**2 - design_effect * d) / (g * d).sum()
    assert sums[0][0] == pytest.approx(np.sqrt(60 / 59 * (influence**2).sum()) / 60, abs=1e-12)


def test_noise_in_the_truth_is_taken_off_every_entry() -> None:
    """(E15)."""
    residuals = RNG.normal(size=(4, 200)) + RNG.normal(size=200)
    matrix = np.cov(residuals)
    expected = (matrix.sum() - 16 * 0.5) / (np.trace(matrix) - 4 * 0.5)
    assert effective_residuals(residuals, noise=0.5).design_effect == pytest.approx(expected, abs=1e-10)
