"""docs/methods/attribution.md against the functions and against the formulas in plain numpy."""

import numpy as np
import pytest

from polyculture.measures.attribution.covariance_split import by_level, correlation, identifiability, inflation, split
from polyculture.measures.attribution.hypothesis_tests import PairRegression, arrangements, node_jackknife, shapley
from polyculture.measures.attribution.per_instance import StratifiedErrors, error_covariance, instance_parts

C = np.array([[0.20, 0.10, 0.04, 0.02], [0.10, 0.20, 0.02, 0.06], [0.04, 0.02, 0.20, 0.08], [0.02, 0.06, 0.08, 0.20]])
ARCHITECTURE, RUN = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])
DATA, NET = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])


def test_the_split_of_the_page_is_least_squares_over_pairs(stated):
    a, b = np.triu_indices(4, 1)
    y = C[a, b] / np.diag(C).mean()
    X = np.column_stack([np.ones(6), DATA[a] == DATA[b], NET[a] == NET[b]])
    beta = np.linalg.solve(X.T @ X, X.T @ y)
    parts = split(C, [by_level(DATA), by_level(NET)])
    np.testing.assert_allclose(parts.coefficients, beta)
    np.testing.assert_allclose(parts.contributions.sum(), y.mean())
    D = 1 + 3 * y.mean()
    ladder = split(C, [by_level(ARCHITECTURE), by_level(RUN)])
    means = [y[2:4].mean() / 2 + y[[1, 4]].mean() / 2, y[5], y[0]]  # shares nothing, the architecture only, the run too
    np.testing.assert_allclose(ladder.coefficients, np.diff(means, prepend=0))
    np.testing.assert_allclose(ladder.contributions.sum(), y.mean())
    stated.agree(
        {
            "$\\tilde\\rho$": parts.rho,
            "$\\beta_0$": parts.coefficients[0],
            "$\\beta_{\\text{data}}$": parts.coefficients[1],
            "$\\beta_{\\text{net}}$": parts.coefficients[2],
            "contribution of data": parts.contributions[1],
            "contribution of net": parts.contributions[2],
            "VIF of data": inflation(X[:, 1:])[0],
            "$n_{\\mathrm{eff}}$": 4 / D,
            "$n_{\\mathrm{eff}}$ without sharing of data": 4 / (D - 3 * parts.contributions[1]),
            "ladder: $\\beta_0$": ladder.coefficients[0],
            "ladder: $\\beta_{\\text{architecture}}$": ladder.coefficients[1],
            "ladder: $\\beta_{\\text{run}}$": ladder.coefficients[2],
            "ladder: share of the architecture": ladder.contributions[1],
            "ladder: share of the run": ladder.contributions[2],
            "arrangements of data": arrangements(DATA, NET),
        }
    )


def test_the_mean_of_the_instances_parts_is_the_coefficient():
    rng = np.random.default_rng(0)
    wrong = rng.random((8, 200)) < 0.1 + 0.6 * (rng.random(200) < 0.3)
    levels = np.arange(8) % 2
    errors = StratifiedErrors(wrong, np.zeros(200, dtype=np.int64))
    covariance = error_covariance(errors)
    np.testing.assert_allclose(covariance, np.cov(wrong), rtol=1e-5)
    parts = split(covariance, [by_level(levels)])
    q = instance_parts(errors, covariance, parts.weights)
    np.testing.assert_allclose(q.mean(axis=1), parts.coefficients, rtol=1e-3, atol=1e-5)


def test_the_jackknife_of_the_page_leaves_out_one_model_at_a_time():
    rng = np.random.default_rng(1)
    levels = np.repeat([0, 1, 2], 4)
    noise = rng.normal(size=(12, 12))
    response = 0.3 * (levels[:, None] == levels) + noise + noise.T
    a, b = np.triu_indices(12, 1)

    def slope(models):
        rows = np.isin(a, models) & np.isin(b, models)
        return np.polyfit(levels[a[rows]] == levels[b[rows]], response[a[rows], b[rows]], 1)[0]

    full = slope(np.arange(12))
    each = np.array([slope(np.delete(np.arange(12), m)) for m in range(12)])
    t = full / np.sqrt(11 / 12 * ((each - each.mean()) ** 2).sum())
    assert node_jackknife(PairRegression.of(response, [by_level(levels)]), 1).t == pytest.approx(t)


def test_shapley_shares_add_up_to_r_squared_and_aliases_are_found():
    a, b = np.triu_indices(4, 1)
    X = np.column_stack([DATA[a] == DATA[b], NET[a] == NET[b]]).astype(float)
    y = correlation(C)[a, b]
    residual = y - np.column_stack([np.ones(6), X]) @ np.linalg.lstsq(np.column_stack([np.ones(6), X]), y)[0]
    assert shapley(y, X).sum() == pytest.approx(1 - residual.var() / y.var())
    assert identifiability([by_level(DATA), by_level(1 - DATA), by_level(NET)]).aliases == ((0, 1),)
