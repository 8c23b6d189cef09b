"""Is an excess among strong models told apart from difficulty and from wrong labels?"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from polyculture.measures.excess_by_ability import (
    JointFailureExcess,
    excess_over_difficulty_and_labels,
    excess_over_rasch,
    tetrachoric,
)
from polyculture.measures.rasch import ability
from polyculture.rng import stream

STRONG = np.arange(12) >= 8
ABILITY = np.linspace(-0.5, 2.5, 12)


def world(seed: int, n: int = 40_000, wrong_labels: float = 0.0, shared: float = 0.0) -> np.ndarray:
    """Errors of 12 models, 4 answers: logistic difficulty, wrong labels, strong models that copy from one another."""
    rng = stream(seed, "world")
    chance = 1 / (1 + np.exp(-(rng.normal(0, 1.5, n) - ABILITY[:, None])))
    own = rng.random((12, n)) < chance
    copying = (rng.random((12, n)) < math.sqrt(shared)) & STRONG[:, None]
    common = rng.random(n) < chance
    wrong = np.where(copying, common, own)
    bad = rng.random(n) < wrong_labels
    lucky = rng.random((12, n)) < 1 / 3
    return np.where(bad, ~(wrong & lucky), wrong)


def rates(wrong: np.ndarray) -> np.ndarray:
    return wrong.astype(float) @ wrong.T / wrong.shape[1]


def test_difficulty_alone_leaves_no_excess_and_its_spread_is_found() -> None:
    found = excess_over_difficulty_and_labels(rates(world(0)), STRONG, 0.0, 4.0)
    assert found.relative == pytest.approx(0, abs=0.05)
    assert found.spread == pytest.approx(1.5, abs=0.1)


def test_wrong_labels_look_like_an_excess_until_they_are_assumed() -> None:
    joint = rates(world(1, wrong_labels=0.03))
    assert excess_over_difficulty_and_labels(joint, STRONG, 0.0, 4.0).relative > 0.1
    assert excess_over_difficulty_and_labels(joint, STRONG, 0.03, 4.0).relative == pytest.approx(0, abs=0.06)


def test_copying_among_the_strong_is_an_excess_either_way() -> None:
    joint = rates(world(2, wrong_labels=0.03, shared=0.3))
    for nu in (0.0, 0.03):
        assert excess_over_difficulty_and_labels(joint, STRONG, nu, 4.0).relative > 0.25


def test_independent_models_need_no_spread_of_difficulty() -> None:
    e = np.linspace(0.1, 0.5, 8)
    joint = np.outer(e, e) * 0.99
    np.fill_diagonal(joint, e)
    found = excess_over_difficulty_and_labels(joint, np.arange(8) < 3, 0.0, 4.0)
    assert found.spread == 0
    assert found.relative == pytest.approx(-0.01, abs=1e-6)


def test_models_that_are_more_alike_than_any_difficulty_get_the_largest_spread() -> None:
    joint = np.full((8, 8), 0.2)
    assert excess_over_difficulty_and_labels(joint, np.arange(8) < 3, 0.0, 4.0).spread == 6


def counts(wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return wrong.astype(np.int64) @ wrong.T, np.bincount(wrong.sum(axis=0), minlength=len(wrong) + 1)


def test_the_rasch_excess_of_models_that_share_only_difficulty_is_chance() -> None:
    both, histogram = counts(world(3, 4000))
    abilities, reason = ability(both, histogram)
    assert reason == ""
    excess, z = excess_over_rasch(both, histogram, abilities, STRONG)
    assert abs(z) < 3
    assert excess.observed == pytest.approx(np.triu(both[np.ix_(STRONG, STRONG)], 1).sum() / 6 / 4000)


def test_the_rasch_null_is_exact_on_a_small_table() -> None:
    ability, strong = np.log(np.array([1.0, 2.0, 4.0])), np.array([True, True, False])
    both = np.array([[5, 3, 1], [3, 5, 1], [1, 1, 5]])
    histogram = np.array([2, 0, 7, 0])
    weight = {s: np.exp(ability[list(s)].sum()) for s in itertools.combinations(range(3), 2)}
    chance = weight[(0, 1)] / sum(weight.values())
    found, z = excess_over_rasch(both, histogram, ability, strong)
    assert found.expected == pytest.approx(7 * chance / 9)
    assert found.observed == pytest.approx(3 / 9)
    assert z == pytest.approx((3 - 7 * chance) / math.sqrt(7 * chance * (1 - chance)))


def test_the_rasch_null_is_undefined_where_nothing_can_vary() -> None:
    both, histogram = np.array([[4, 4, 4], [4, 4, 4], [4, 4, 4]]), np.array([3, 0, 0, 4])
    assert math.isnan(excess_over_rasch(both, histogram, np.zeros(3), np.array([True, True, False]))[1])


def test_nothing_exceeds_an_expectation_of_nothing() -> None:
    assert math.isnan(JointFailureExcess(0.1, 0.0).relative)
    assert JointFailureExcess(0.3, 0.2).relative == pytest.approx(0.5)


@pytest.mark.parametrize("r", [-0.6, 0.0, 0.4, 0.9])
def test_tetrachoric_correlation_comes_back(r: float) -> None:
    h, k = -0.8, 0.3
    joint = multivariate_normal.cdf([h, k], mean=[0, 0], cov=[[1, r], [r, 1]])
    first, second = multivariate_normal.cdf(h), multivariate_normal.cdf(k)
    found = tetrachoric(np.array([first]), np.array([second]), np.array([joint]))
    assert found == pytest.approx([r], abs=1e-4)


def test_tetrachoric_of_medians_is_sheppards_sine() -> None:
    half = np.array([0.5])
    assert tetrachoric(half, half, np.array([1 / 3])) == pytest.approx([0.5], abs=1e-6)
    assert np.isnan(tetrachoric(np.zeros(1), half, np.zeros(1))).all()
