"""How many times more often do all models fail than independent ones, and how sure is that?"""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.measures.failure_ratio import failure_ratio
from polyculture.stats import influence_interval


def test_the_ratio_of_a_small_table_is_that_by_hand() -> None:
    wrong = np.array([[1, 1, 0, 0, 1], [1, 0, 1, 0, 1]], bool)
    joint = failure_ratio(wrong)
    assert joint.observed == pytest.approx(0.4)
    assert joint.expected == pytest.approx(0.36)
    assert joint.ratio == pytest.approx(0.4 / 0.36)


def test_influence_is_the_derivative_by_the_weight_of_an_instance() -> None:
    wrong = np.random.default_rng(0).random((3, 40)) < 0.5
    joint, step = failure_ratio(wrong), 1e-6
    for i in range(5):
        weights = np.ones(40)
        weights[i] += step
        weights /= weights.sum()
        moved = (weights @ wrong.all(axis=0)) / (wrong @ weights).prod()
        assert (moved - joint.ratio) / step * 40 == pytest.approx(joint.influence[i], rel=1e-3, abs=1e-3)
    assert joint.influence.mean() == pytest.approx(0, abs=1e-12)


def test_a_model_that_never_errs_leaves_no_ratio() -> None:
    joint = failure_ratio(np.array([[0, 0], [1, 1]], bool))
    assert np.isnan(joint.ratio)
    assert joint.expected == 0


def test_limits_cover() -> None:
    rng, hits = np.random.default_rng(1), 0
    for _ in range(400):
        common = rng.random(400) < 0.2
        wrong = common | (rng.random((3, 400)) < 0.2)
        truth = (0.2 + 0.8 * 0.2**3) / 0.36**3
        joint = failure_ratio(wrong)
        limits = influence_interval(joint.ratio, joint.influence, logarithmic=True)
        hits += limits.low < truth < limits.high
    assert 0.92 * 400 < hits < 0.98 * 400
