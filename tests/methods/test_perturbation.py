"""docs/methods/perturbation.md against the functions and against the formulas in plain numpy."""

from __future__ import annotations

import math
from itertools import combinations, permutations

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.explanation.effects import accumulated_local_effects, permutation_importance
from polyculture.explanation.perturbation import exact_shapley_plan, kernel_shap_plan, lime_plan, occlusion_plan
from polyculture.rng import stream


def game(masks: np.ndarray) -> np.ndarray:
    a, b, c = masks.astype(float).T
    return 0.2 + 0.3 * a + 0.4 * b * c


def gloves(masks: np.ndarray) -> np.ndarray:
    return (masks[:, 0] & (masks[:, 1] | masks[:, 2])).astype(float)


def over_all_orders(value, players: int) -> np.ndarray:
    total = np.zeros(players)
    for order in permutations(range(players)):
        for place, player in enumerate(order):
            masks = np.zeros((2, players), bool)
            masks[:, list(order[:place])] = True
            masks[1, player] = True
            without, with_player = value(masks)
            total[player] += with_player - without
    return total / math.factorial(players)


def kernel_weight(players: int, size: int) -> float:
    """(PT4)."""
    return (players - 1) / (math.comb(players, size) * size * (players - size))


def shapley_of(value, players: int) -> np.ndarray:
    plan = exact_shapley_plan(players)
    return plan.weights @ value(plan.masks)


def test_the_numbers_of_the_page(stated) -> None:
    occlusion = occlusion_plan(3)
    occluded = occlusion.weights @ game(occlusion.masks)
    x = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    steps = {0.0: 0.0, 1.0: 1.0, 2.0: 4.0}
    ale = accumulated_local_effects(
        {"f": lambda rows: np.vectorize(steps.get)(rows).astype(float)}, Dataset(x[:, None], x, ()), 0, points=3
    )
    y = np.array([-1.0, 1.0] * 50) * math.sqrt(1.5)
    increase = permutation_importance({"f": lambda rows: 2 * rows}, Dataset(y[:, None], 2 * y, ()), repeats=4000)
    assert increase.increases.mean() == pytest.approx(12, rel=0.01)
    stated.agree(
        {
            "occlusion of a": occluded[0],
            "occlusion of b": occluded[1],
            "Shapley value of a": shapley_of(game, 3)[0],
            "Shapley value of b": shapley_of(game, 3)[1],
            "Shapley value of the left glove": shapley_of(gloves, 3)[0],
            "Shapley value of a right glove": shapley_of(gloves, 3)[1],
            "KernelSHAP weight of one player of four": kernel_weight(4, 1),
            "ALE at 2": ale.values[0, -1, 0],
            "importance of x": 2 * 4 * 1.5,
            "R² of the mean": 1 - np.var(y) / np.var(y),
        }
    )


@pytest.mark.parametrize(("value", "players"), [(game, 3), (gloves, 3)])
def test_shapley_values_by_formula_and_over_all_orders(value, players: int) -> None:
    """(PT3)."""
    by_formula = np.zeros(players)
    for i in range(players):
        others = [j for j in range(players) if j != i]
        for size in range(players):
            weight = math.factorial(size) * math.factorial(players - size - 1) / math.factorial(players)
            for members in combinations(others, size):
                masks = np.zeros((2, players), bool)
                masks[:, list(members)] = True
                masks[1, i] = True
                without, with_player = value(masks)
                by_formula[i] += weight * (with_player - without)
    np.testing.assert_allclose(shapley_of(value, players), by_formula, atol=1e-12)
    np.testing.assert_allclose(by_formula, over_all_orders(value, players), atol=1e-12)


def test_kernel_shap_is_weighted_least_squares_under_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    """(PT4), on all coalitions, with the constraint put in for the last player."""
    monkeypatch.setattr("polyculture.explanation.perturbation.plans.MOST_EXACT", 0)
    g = 5
    value = lambda masks: np.sin(masks @ np.arange(1.0, g + 1)) + masks[:, 0] * masks[:, 3]  # noqa: E731
    plan = kernel_shap_plan(g, stream(0, "page"), 2**g - 2)
    assert len(plan.masks) == 2**g
    masks = np.array([[(k >> i) & 1 for i in range(g)] for k in range(1, 2**g - 1)], float)
    w = np.array([kernel_weight(g, int(size)) for size in masks.sum(axis=1)])
    empty, full = value(np.zeros((1, g)))[0], value(np.ones((1, g)))[0]
    Z = masks[:, :-1] - masks[:, -1:]
    y = value(masks) - empty - masks[:, -1] * (full - empty)
    phi = np.linalg.solve((Z.T * w) @ Z, (Z.T * w) @ y)
    phi = np.append(phi, full - empty - phi.sum())
    np.testing.assert_allclose(plan.weights @ value(plan.masks.astype(float)), phi, atol=1e-9)


def test_lime_is_a_ridge_regression() -> None:
    """(PT5)."""
    plan = lime_plan(4, stream(1, "page"), 60)
    v = np.sin(plan.masks @ np.arange(1.0, 5))
    w = np.exp(-((1 - np.sqrt(plan.masks.mean(axis=1))) ** 2) / 0.25**2)
    X = np.column_stack([plan.masks.astype(float), np.ones(len(v))])
    penalty = np.diag([1.0, 1, 1, 1, 0])
    truth = np.linalg.solve((X.T * w) @ X + penalty, (X.T * w) @ v)[:4]
    np.testing.assert_allclose(plan.weights @ v, truth, atol=1e-9)
