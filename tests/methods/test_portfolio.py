"""docs/methods/portfolio.md against the functions and against the formulas in plain numpy."""

import math
from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from polyculture.selection import mixture_weights
from polyculture.selection.contributions import _by_sets
from polyculture.selection.least_squares_weights import moment_weights
from polyculture.selection.opinion_pool import geometric, log_odds, temperature

TRUTH = np.array([[0.9, 0.9, 0.3, 0.2], [0.5, 0.4, 0.8, 0.6]])


def test_the_numbers_of_the_page(stated):
    best = minimize_scalar(lambda w: -np.log(w * TRUTH[0] + (1 - w) * TRUTH[1]).mean(), bounds=(0, 1), method="bounded")
    mixture = mixture_weights(TRUTH)
    assert mixture.weights[0] == pytest.approx(best.x, abs=2e-3)
    slopes = (TRUTH / (mixture.weights @ TRUTH)).mean(axis=1)
    assert slopes.max() - 1 <= 1e-6

    moments = np.array([[1.0, 0.2], [0.2, 2.0]])
    weights = moment_weights(moments, 100.0)
    penalized = moments + 1.5 * 0.1 * np.eye(2)
    closed = np.linalg.solve(penalized, np.ones(2))
    np.testing.assert_allclose(weights, closed / closed.sum())

    P = np.array([[[0.8, 0.2]], [[0.5, 0.5]]])
    pooled = geometric(P, np.array([1.0, 0.5]))[0, 0]
    assert pooled == pytest.approx(softmax(np.log(P[0, 0]) + 0.5 * np.log(P[1, 0]))[0])
    sure = np.tile([0.9, 0.1], (10, 1))
    heat = temperature(sure, np.array([0] * 7 + [1] * 3))
    assert heat == pytest.approx(math.log(9) / math.log(7 / 3), rel=1e-3)

    gains = {(): 0.0, (0,): 4.0, (1,): 3.0, (0, 1): 5.0}
    shapley = _by_sets(lambda members: gains[tuple(sorted(members))], 2)
    orders = [
        [gains[tuple(sorted(o[: o.index(i) + 1]))] - gains[tuple(sorted(o[: o.index(i)]))] for i in range(2)]
        for o in permutations(range(2))
    ]
    np.testing.assert_allclose(shapley, np.mean(orders, axis=0))
    odds = log_odds(np.array([0.1, 0.3]))
    stated.agree(
        {
            "mixture weight of model 1": mixture.weights[0],
            "log-loss of model 1": -np.log(TRUTH[0]).mean(),
            "log-loss of the mixture": mixture.log_loss,
            "least-squares weight of model 1": weights[0],
            "pooled probability": pooled,
            "temperature": heat,
            "vote weight at error 0.1": odds[0],
            "vote weight at error 0.3": odds[1],
            "Shapley value of model 1": shapley[0],
        }
    )
