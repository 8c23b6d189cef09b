"""Are the tests over pairs what the textbook says, only faster?"""

from __future__ import annotations

import math

import numpy as np
import pytest

from polyculture.measures.attribution.covariance_split import accuracy_controls, by_distance, by_level
from polyculture.measures.attribution.hypothesis_tests import (
    PairRegression,
    arrangements,
    conditional_permutation,
    mrqap,
    node_jackknife,
    shapley,
)
from polyculture.rng import stream

DATA, ARCH = np.repeat(np.arange(3), 8), np.tile(np.arange(4), 6)


def response(seed: int, effect: float) -> np.ndarray:
    noise = stream(seed, "response").normal(size=(24, 24))
    return 0.2 + effect * by_level(DATA).alike + (noise + noise.T) / 10


def regression(seed: int, effect: float = 0.05) -> PairRegression:
    rates = stream(seed, "rates").uniform(0.1, 0.4, 24)
    return PairRegression.of(response(seed, effect), [by_level(DATA), by_level(ARCH)], accuracy_controls(rates))


def t_of(pairs: PairRegression, column: int) -> float:
    """Of an ordinary regression."""
    b = np.linalg.lstsq(pairs.X, pairs.y)[0]
    e = pairs.y - pairs.X @ b
    V = np.linalg.inv(pairs.X.T @ pairs.X) * (e @ e) / (len(e) - pairs.X.shape[1])
    return float(b[column] / math.sqrt(V[column, column]))


def test_the_statistic_is_the_t_of_the_full_regression() -> None:
    pairs = regression(0)
    zero = np.zeros(24, dtype=np.int64)
    test = conditional_permutation(pairs, 1, by_level(DATA), zero, stream(0, "p"), 10)
    assert test.t == pytest.approx(t_of(pairs, 1), rel=1e-4)
    assert mrqap(pairs, 1, stream(0, "q"), 10).t == pytest.approx(test.t, rel=1e-4)


def test_permutations_stay_within_strata() -> None:
    """Within strata in which all models have the same level, nothing can be dealt anew: p is 1."""
    pairs = regression(1)
    assert conditional_permutation(pairs, 1, by_level(DATA), DATA, stream(0, "p"), 99).p == 1.0


def test_the_p_value_is_that_of_permuting_one_by_one() -> None:
    pairs, factor = regression(2, 0.01), by_level(DATA)
    fast = conditional_permutation(pairs, 1, factor, ARCH, stream(0, "p"), 1999).p
    rng, slow, observed = stream(1, "p"), 1, t_of(pairs, 1)
    for _ in range(400):
        dealt = DATA.copy()
        for cell in range(4):
            inside = np.flatnonzero(cell == ARCH)
            dealt[inside] = DATA[rng.permutation(inside)]
        X = pairs.X.copy()
        X[:, 1] = dealt[pairs.a] == dealt[pairs.b]
        slow += t_of(PairRegression(pairs.a, pairs.b, pairs.y, X, 24), 1) >= observed - 1e-9
    assert fast == pytest.approx(slow / 401, abs=0.07)


def test_a_strong_effect_has_the_smallest_possible_p_and_none_has_not() -> None:
    factor = by_level(DATA)
    assert conditional_permutation(regression(3, 0.2), 1, factor, ARCH, stream(0, "p"), 199).p == 1 / 200
    assert conditional_permutation(regression(3, 0.0), 1, factor, ARCH, stream(0, "p"), 199).p > 0.01
    assert mrqap(regression(3, 0.2), 1, stream(0, "p"), 199).p == 1 / 200


def test_a_graded_factor_is_permuted_by_its_models() -> None:
    values = np.arange(24.0)
    factor = by_distance(values[:, None])
    noise = stream(5, "graded").normal(size=(24, 24)) / 20
    pairs = PairRegression.of(0.3 * factor.alike + noise + noise.T, [factor])
    test = conditional_permutation(pairs, 1, factor, np.zeros(24, dtype=np.int64), stream(0, "p"), 199)
    assert test.p == 1 / 200


def test_arrangements_are_counted_within_strata() -> None:
    assert arrangements(np.array([0, 0, 1, 1]), np.zeros(4, dtype=np.int64)) == 6
    assert arrangements(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])) == 4
    assert arrangements(np.arange(400), np.zeros(400, dtype=np.int64)) == math.inf


def test_the_jackknife_is_that_of_leaving_out_one_model_at_a_time() -> None:
    pairs = regression(4)
    whole = np.linalg.lstsq(pairs.X, pairs.y)[0][1]
    without = []
    for m in range(24):
        kept = (pairs.a != m) & (pairs.b != m)
        without.append(np.linalg.lstsq(pairs.X[kept], pairs.y[kept])[0][1])
    error = math.sqrt(23 / 24 * ((np.array(without) - np.mean(without)) ** 2).sum())
    test = node_jackknife(pairs, 1)
    assert test.t == pytest.approx(whole / error, rel=1e-9)
    assert 0 < test.p < 0.5


def test_the_jackknife_is_undefined_where_one_model_alone_identifies_the_factor() -> None:
    only_two = np.array([0, 0, *range(1, 11)])
    noise = stream(6, "noise").normal(size=(12, 12))
    assert math.isnan(node_jackknife(PairRegression.of(noise + noise.T, [by_level(only_two)]), 1).p)


def test_the_jackknife_is_undefined_without_any_scatter() -> None:
    flat = np.full((24, 24), 0.1)
    assert math.isnan(node_jackknife(PairRegression.of(flat, [by_level(DATA)]), 1).p)


def test_unknown_pairs_and_useless_controls_are_left_out() -> None:
    y = response(7, 0.1)
    y[0, 1] = y[1, 0] = np.nan
    pairs = PairRegression.of(y, [by_level(DATA)], accuracy_controls(np.full(24, 0.2)))
    assert len(pairs.y) == 24 * 23 // 2 - 1
    assert pairs.X.shape[1] == 2


def test_shapley_values_sum_to_r2() -> None:
    pairs = regression(8)
    X = pairs.X[:, 1:]
    b = np.linalg.lstsq(pairs.X, pairs.y)[0]
    r2 = 1 - ((pairs.y - pairs.X @ b) ** 2).sum() / ((pairs.y - pairs.y.mean()) ** 2).sum()
    assert shapley(pairs.y, X).sum() == pytest.approx(r2, abs=1e-12)


def test_shapley_of_an_exact_response_sums_to_1_and_of_a_flat_one_to_0() -> None:
    X = regression(9).X[:, 1:3]
    assert shapley(0.05 + 0.3 * X[:, 0] + 0.1 * X[:, 1], X).sum() == pytest.approx(1.0)
    assert shapley(np.ones(len(X)), X).tolist() == [0.0, 0.0]


def test_shapley_of_more_than_12_factors_is_not_computed() -> None:
    assert np.isnan(shapley(np.arange(20.0), np.ones((20, 13)))).all()
