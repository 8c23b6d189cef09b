"""docs/methods/scaling.md against the functions and against the formulas in plain numpy."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import chi2, multivariate_normal, norm

from polyculture.measures.excess_by_ability import excess_over_difficulty_and_labels, tetrachoric
from polyculture.measures.scaling import find_break, fit_curves, push_through
from polyculture.stats import upper_limit


def largest_f(x, y):
    """F of an added step behind every inner scale, by two least-squares fits each."""
    smooth = np.vander(x, 3)
    places, values = (x[1:-2] + x[2:-1]) / 2, []
    for place in places:
        sums = [((y - X @ np.linalg.lstsq(X, y)[0]) ** 2).sum() for X in (smooth, np.column_stack([smooth, x > place]))]
        values.append((sums[0] - sums[1]) / (sums[1] / (len(x) - 4)))
    return places[int(np.argmax(values))], max(values)


def test_the_numbers_of_the_page(stated):
    scale = 2.0 ** np.arange(10)
    wiggle = 0.02 * np.array([1, -1, 1, 1, -1, -1, 1, -1, 1, -1])
    y = 2 - 0.1 * np.log2(scale) - 0.3 * (np.arange(10) > 5) + wiggle
    shift = find_break(scale, y, np.random.default_rng(0))
    place, f = largest_f(np.log(scale), y)
    assert shift.at == pytest.approx(math.exp(place))
    assert shift.f == pytest.approx(f)
    curve = next(c for c in fit_curves(scale, y) if c.family == "power law")
    squares = ((y - curve.at(scale)) ** 2).sum()
    assert curve.aicc == pytest.approx(10 * math.log(squares / 10) + 2 * 4 + 2 * 4 * 5 / (10 - 5))
    p = push_through(np.array([0.1, 0.4]), np.array([0.12, 0.35]), np.array([0.0004, 0.0025]))
    assert p == pytest.approx(chi2.sf(2.0, 2))
    same = tetrachoric(np.array([0.5]), np.array([0.5]), np.array([1 / 3]))[0]
    labels = np.full((6, 6), 0.03 + 0.97 * 0.01)
    np.fill_diagonal(labels, 0.03 * (1 - 0.1 / 9) + 0.97 * 0.1)
    excess = excess_over_difficulty_and_labels(labels, np.arange(6) < 2, 0.0, 10.0)
    stated.agree(
        {
            "place of the step": shift.at,
            "step": shift.shift,
            "largest F": shift.f,
            "p of the push-through": p,
            "upper limit of 0 in 100": upper_limit(0, 100, 0.975),
            "tetrachoric correlation": same,
            "observed joint failures": excess.observed,
        }
    )


def joint_failures(e, spread):
    """(SC7): the two fail independently given difficulty, which is integrated out on a fine grid."""
    z = np.linspace(-8, 8, 4001)
    density = norm.pdf(z) / norm.pdf(z).sum()
    b = [brentq(lambda b, rate=rate: density @ expit(b + spread * z) - rate, -30, 30) for rate in e]
    p = expit(np.array(b)[:, None] + spread * z)
    return (p * density) @ p.T


def test_difficulty_is_calibrated_on_the_weak_and_predicts_the_strong():
    e = np.array([0.1, 0.12, 0.3, 0.35, 0.4])
    joint = joint_failures(e, 1.5)
    nu, luck = 0.02, 1 / 3
    missed = (1 - luck * e[:, None]) * (1 - luck * e)
    observed = (1 - nu) * joint + nu * missed
    np.fill_diagonal(observed, (1 - nu) * e + nu * (1 - luck * e))
    strong = np.arange(5) < 2
    excess = excess_over_difficulty_and_labels(observed, strong, nu, 4.0)
    assert excess.spread == pytest.approx(1.5, abs=2e-3)
    assert excess.observed == pytest.approx(joint[0, 1])
    assert excess.expected == pytest.approx(joint_failures(e, excess.spread)[0, 1], rel=1e-4)
    assert excess.relative == pytest.approx(0, abs=1e-3)


def test_the_tetrachoric_correlation_is_that_of_a_bivariate_normal():
    joint = multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]]).cdf(norm.ppf([0.2, 0.35]))
    assert tetrachoric(np.array([0.2]), np.array([0.35]), np.array([joint]))[0] == pytest.approx(0.6, abs=1e-4)
