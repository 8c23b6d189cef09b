"""Weights of numbers: the best there are by brute force, and what should happen to copies and to perfect members."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from polyculture import rng
from polyculture.selection.least_squares_weights import PULL, average_weights, moment_weights, without_the_lightest


def errors(m: int = 3, n: int = 4000, seed: int = 0) -> np.ndarray:
    draw = rng.stream(seed, "errors")
    return draw.normal(size=(m, m)) @ draw.normal(size=(m, n)) + draw.normal(size=(m, n))


@pytest.mark.parametrize("seed", range(4))
def test_no_weights_of_a_fine_grid_do_better(seed: int) -> None:
    made = errors(seed=seed)
    weights = average_weights(made, np.ones(4000))
    moments = made @ made.T / 4000
    moments += PULL / 4000 * np.trace(moments) / 3 * np.eye(3)
    grid = [np.array([a, b, 100 - a - b]) / 100 for a, b in itertools.product(range(101), repeat=2) if a + b <= 100]
    best = min(w @ moments @ w for w in grid)
    assert weights @ moments @ weights <= best
    assert best <= weights @ moments @ weights * 1.01


def test_counts_count_as_repetitions() -> None:
    made, counts = errors(n=60), np.tile([1.0, 2.0, 3.0], 20)
    repeated = np.repeat(made, counts.astype(int), axis=1)
    assert_allclose(average_weights(made, counts), average_weights(repeated, np.ones(120)))


def test_moments_say_all_that_errors_say() -> None:
    made = errors()
    assert_allclose(moment_weights(made @ made.T / 4000, 4000.0), average_weights(made, np.ones(4000)))


def test_independent_errors_are_weighed_by_one_over_their_variance() -> None:
    weights = moment_weights(np.diag([1.0, 2.0, 4.0]), 1e9)
    assert_allclose(weights, np.array([4, 2, 1]) / 7, rtol=1e-6)


def test_a_copy_shares_the_weight_of_its_original_and_changes_nothing_else() -> None:
    made = errors(n=100_000, seed=2)
    alone = average_weights(made, np.ones(100_000))
    doubled = average_weights(np.concatenate([made, made[:1]]), np.ones(100_000))
    assert_allclose(doubled[0] + doubled[3], alone[0], atol=2e-3)
    assert_allclose(doubled[1:3], alone[1:3], atol=2e-3)


def test_a_member_that_never_errs_is_left_alone_in_the_end() -> None:
    made = errors(n=4000)
    made[1] = 0
    moments = made @ made.T / 4000
    kept = without_the_lightest(
        lambda rows: moment_weights(moments[np.ix_(rows, rows)], 4000.0), np.ones(3, dtype=bool), np.diag(moments), None
    )
    assert kept.tolist() == [0.0, 1.0, 0.0]
