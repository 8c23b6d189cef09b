"""Means and fitted weights do what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.selection import opinion_pool


def probabilities(m: int = 3, n: int = 40, c: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(c), (m, n))


def test_means_of_probabilities_are_probabilities() -> None:
    p = probabilities()
    weights = np.array([0.5, 0.3, 0.2])
    for mixed in (opinion_pool.arithmetic(p, weights), opinion_pool.geometric(p, weights), opinion_pool.geometric(p)):
        assert mixed.sum(axis=1) == pytest.approx(np.ones(40))
    assert opinion_pool.arithmetic(p, weights) == pytest.approx(np.tensordot(weights, p, 1))
    product = np.prod(p, axis=0) ** (1 / 3)
    assert opinion_pool.geometric(p) == pytest.approx(product / product.sum(axis=1, keepdims=True))


def test_a_mean_of_copies_is_the_copy() -> None:
    p = np.repeat(probabilities(1), 3, axis=0)
    assert opinion_pool.arithmetic(p) == pytest.approx(p[0])
    assert opinion_pool.geometric(p) == pytest.approx(p[0])


def test_odds_of_a_guessing_model_are_nothing() -> None:
    odds = opinion_pool.log_odds(np.array([0.1, 0.5, 0.7]))
    assert odds == pytest.approx([np.log(9), 0.0, 0.0])
    assert opinion_pool.log_odds(np.array([0.6, 0.6])).tolist() == [1.0, 1.0]
    assert opinion_pool.log_odds(np.array([0.5]), classes=10) == pytest.approx([np.log(9)])


def test_a_few_instances_hardly_move_stacked_weights_from_equal_ones() -> None:
    draw = np.random.default_rng(0)
    p = draw.dirichlet(np.ones(3), size=(4, 8))
    labels = draw.integers(0, 3, 8)
    weights, _ = opinion_pool.stack(p, labels)
    assert np.abs(weights - 1 / 4).max() < 0.1
    loose, _ = opinion_pool.stack(p, labels, ridge=0.01)
    assert np.abs(loose - 1 / 4).max() > 0.2


def test_stacking_is_at_its_optimum() -> None:
    """The gradient of the penalized likelihood vanishes, checked by differences of the loss."""
    rng = np.random.default_rng(1)
    p, labels = probabilities(3, 300, seed=2), rng.integers(0, 4, 300)
    p[0, np.arange(300), labels] += 0.5
    p /= p.sum(axis=2, keepdims=True)
    weights, bias = opinion_pool.stack(p, labels, ridge=2.0)

    def loss(w: np.ndarray, b: np.ndarray) -> float:
        mixed = opinion_pool.geometric(p, w, b)
        away = ((w - 1 / 3) ** 2).sum() + (b**2).sum()
        return float(-np.log(mixed[np.arange(300), labels]).sum() + away)

    here = loss(weights, bias)
    assert weights.min() >= 0
    for at in range(3):
        for step in (-0.02, 0.02) if weights[at] > 0.02 else (0.02,):
            assert loss(weights + step * np.eye(3)[at], bias) > here
    assert loss(weights, bias + np.array([0.02, 0, 0, 0])) > here
    assert weights.argmax() == 0


def test_the_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(3)
    honest = rng.dirichlet(np.ones(3), 20_000)
    labels = (rng.random(20_000)[:, None] > honest.cumsum(axis=1)).sum(axis=1)
    sharp = opinion_pool.cooled(honest, 0.5)
    found = opinion_pool.temperature(sharp, labels)
    assert found == pytest.approx(2.0, abs=0.06)
    assert opinion_pool.cooled(sharp, 2.0) == pytest.approx(honest, abs=1e-9)
