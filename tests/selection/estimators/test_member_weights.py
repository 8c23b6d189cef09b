"""Weights are the best there are, and move as they should when the candidates do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import log_softmax

from polyculture import rng
from polyculture.selection.estimators.member_weights import (
    average_weights,
    fit_average,
    fit_pool,
    opinion_weights,
    temperature,
)


def world(m: int = 4, n: int = 300, c: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log-scores of independent candidates that know the truth a little, the later ones less."""
    draw = rng.stream(seed, "world")
    labels = draw.integers(0, c, n)
    skill = np.linspace(1.5, 0.5, m)[:, None, None]
    return skill * np.eye(c)[labels] + draw.normal(size=(m, n, c)), labels


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return -float(np.log(probabilities[np.arange(len(labels)), labels]).mean())


def test_temperature_finds_by_how_much_scores_were_blown_up() -> None:
    draw = rng.stream(0, "temperature")
    scores = draw.normal(size=(20_000, 3))
    odds = np.exp(scores)
    labels = (draw.random((20_000, 1)) > np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)
    share = np.full(20_000, 1 / 20_000)
    assert temperature(4 * scores, labels, share) == pytest.approx(4, rel=0.06)


@pytest.mark.parametrize("rule", ["stacking", "mixture"])
def test_the_pool_is_better_than_every_candidate(rule: str) -> None:
    scores, labels = world()
    pool = fit_pool(scores, labels, np.ones(300), rule=rule)
    together = log_loss(pool.combined(pool.logs(scores)[pool.members]), labels)
    alone = [fit_pool(scores[[m]], labels, np.ones(300), rule=rule) for m in range(4)]
    assert together < min(log_loss(p.combined(p.logs(scores[[m]])), labels) for m, p in enumerate(alone))


def test_no_small_step_improves_the_geometric_weights() -> None:
    scores, labels = world()
    logs = np.log(np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True))
    best = opinion_weights(logs, labels, np.ones(300))
    frequency = np.log(np.bincount(labels) / 300)
    deviations = best.by_class - best.weights[:, None]

    def height(weights: np.ndarray, more: np.ndarray, bias: np.ndarray) -> float:
        powers = weights[:, None] + more
        pooled = frequency + bias + (powers[:, None, :] * (logs - frequency)).sum(axis=0)
        pooled -= np.log(np.exp(pooled).sum(axis=1, keepdims=True))
        pulled = 10 * ((weights - 1 / 4) ** 2).sum() + 120 * (more**2).sum() + 10 * (bias**2).sum()
        return -pooled[np.arange(300), labels].mean() + pulled / 300

    lowest = height(best.weights, deviations, best.bias)
    for step in 0.01 * np.vstack([np.eye(4), -np.eye(4)]):
        assert height(np.maximum(best.weights + step, 0), deviations, best.bias) >= lowest
    for step in 0.01 * np.vstack([np.eye(12), -np.eye(12)]):
        assert height(best.weights, deviations + step.reshape(4, 3), best.bias) >= lowest
    for step in 0.01 * np.vstack([np.eye(3), -np.eye(3)]):
        assert height(best.weights, deviations, best.bias + step) >= lowest


def test_weights_by_class_are_shrunk_harder_with_few_rows_and_many_classes() -> None:
    spread = {}
    for n, c in ((300, 3), (60, 3), (300, 10)):
        scores, labels = world(n=n, c=c)
        pool = fit_pool(scores, labels, np.ones(n), shrinkage=1.0)
        kept = pool.by_class[pool.members]
        spread[n, c] = np.abs(kept - pool.weights[pool.members, None]).mean()
    assert spread[60, 3] < spread[300, 3]
    assert spread[300, 10] < spread[300, 3]


def test_the_harder_weights_are_shrunk_the_more_equal_they_are() -> None:
    scores, labels = world()
    logs = log_softmax(scores, axis=2)
    spread = [np.ptp(opinion_weights(logs, labels, np.ones(300), s).weights) for s in (1.0, 10.0, 100.0, 1e4)]
    assert spread == sorted(spread, reverse=True)
    assert spread[-1] < 0.05


def test_class_biases_are_added_to_the_pooled_logarithms() -> None:
    scores, labels = world(n=60)
    pool = fit_pool(scores, labels, np.ones(60))
    logs = pool.logs(scores)[pool.members]
    leaning = replace(pool, bias=np.array([1.0, 0.0, -1.0]))
    odds = pool.combined(logs) * np.exp(leaning.bias - pool.bias)
    assert_allclose(leaning.combined(logs), odds / odds.sum(axis=1, keepdims=True))


def test_equal_candidates_get_equal_weights() -> None:
    scores, labels = world(m=1)
    pool = fit_pool(np.repeat(scores, 3, axis=0), labels, np.ones(300))
    assert_allclose(pool.weights, pool.weights[0], rtol=1e-3)


@given(st.permutations(range(4)))
def test_weights_follow_the_candidates_when_these_are_reordered(order: list[int]) -> None:
    scores, labels = world()
    plain = fit_pool(scores, labels, np.ones(300))
    moved = fit_pool(scores[order], labels, np.ones(300))
    assert_allclose(moved.weights, plain.weights[order], atol=1e-3)


def test_counting_a_row_twice_is_having_it_twice() -> None:
    scores, labels = world(n=60)
    counts = 1.0 + (np.arange(60) % 2)
    twice = np.repeat(np.arange(60), counts.astype(int))
    for rule in ("stacking", "mixture"):
        weighted = fit_pool(scores, labels, counts, rule=rule)
        repeated = fit_pool(scores[:, twice], labels[twice], np.ones(len(twice)), rule=rule)
        assert_allclose(weighted.weights, repeated.weights, atol=1e-4)


def test_size_drops_the_lightest_and_the_floor_those_that_are_too_often_wrong() -> None:
    scores, labels = world()
    assert len(fit_pool(scores, labels, np.ones(300), size=2).members) == 2
    accuracy = (scores.argmax(axis=2) == labels).mean(axis=1)
    floor = float(np.sort(accuracy)[-2])
    kept = fit_pool(scores, labels, np.ones(300), floor=floor).members
    assert (accuracy[kept] >= floor).all()


def test_the_best_is_kept_where_nobody_reaches_the_floor() -> None:
    scores, labels = world()
    assert len(fit_pool(scores, labels, np.ones(300), floor=1.01).members) == 1
    errors = rng.stream(0, "errors").normal(size=(3, 50)) * np.array([[3], [2], [4]])
    pool = fit_average(errors, np.zeros(50), np.ones(50), floor=0.5)
    assert pool.members.tolist() == [1]


@given(st.integers(2, 6), st.integers(0, 20))
def test_weights_of_values_are_the_constrained_optimum(m: int, seed: int) -> None:
    draw = rng.stream(seed, "values")
    errors = draw.normal(size=(m, m)) @ draw.normal(size=(m, 80)) + 0.3 * draw.normal(size=(m, 80))
    weights = average_weights(errors, np.ones(80))
    moments = errors @ errors.T / 80
    moments += 10 / 80 * np.trace(moments) / m * np.eye(m)
    found = minimize(
        lambda w: w @ moments @ w,
        np.full(m, 1 / m),
        bounds=[(0, 1)] * m,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        tol=1e-12,
    )
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= 0
    assert weights @ moments @ weights <= found.fun * (1 + 1e-6)


def test_errors_that_cancel_earn_weight_that_accuracy_alone_does_not() -> None:
    noise = rng.stream(0, "cancel").normal(size=(2, 5000))
    errors = np.stack([noise[0], noise[0] + 0.1 * noise[1], -1.5 * noise[0] + 0.5 * noise[1]])
    weights = average_weights(errors, np.ones(5000))
    assert weights[2] > 0.3
    assert weights[0] + weights[1] == pytest.approx(1 - weights[2])


def test_candidates_that_are_never_wrong_share_the_weight() -> None:
    assert_allclose(average_weights(np.zeros((4, 10)), np.ones(10)), 0.25)
