"""A level of the data axis: the training set lies at several clients."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from polyculture.dataset import Dataset, Split
from polyculture.errors import InputError
from polyculture.preparation.problems import Problem
from polyculture.recipe import Recipe
from polyculture.training.federated.levels import LEVELS

pytest.importorskip("torch", reason="torch is not installed")

from polyculture.training import train


def problem() -> Problem:
    labels = np.arange(120) % 3
    points = np.random.default_rng(1).normal(size=(120, 4)) + 2 * np.eye(3, 4)[labels]
    whole = Dataset(points, labels, ("a", "b", "c"), name="points")
    first, second, third = (whole.take(np.arange(40) + start) for start in (0, 40, 80))
    return Problem("points", Split(first, second, third))


def test_a_population_is_trained_by_clients(tmp_path: Path) -> None:
    settings = {"epochs": 4, "width": 8, "depth": 1}
    recipes = [Recipe("mlp", f"{name}:3:2", optimizer="plain-sgd", hyperparameters=settings) for name in LEVELS]
    recipes.append(Recipe("mlp", optimizer="plain-sgd", hyperparameters=settings))
    population = train(recipes, problem(), tmp_path, workers=1)
    assert len(population) == 5
    record = json.loads((tmp_path / recipes[0].id / "recipe.json").read_text())
    assert [row["round"] for row in record["history"]] == [1, 2]
    inputs = problem().split.test.array
    outputs = [population[recipe.id](inputs) for recipe in recipes]
    assert not any(np.allclose(outputs[-1], output) for output in outputs[:-1])
    again = train(recipes, problem(), tmp_path, workers=1)
    assert np.allclose(again[recipes[0].id](inputs), outputs[0])


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (Recipe("forest", "federated"), "the data level 'federated' does not fit 'forest'; expected a net"),
        (Recipe("mlp", "federated:30", optimizer="sgd"), "30 clients of 2 or more instances with 40 instances"),
        (Recipe("mlp", "federated:1", optimizer="sgd"), "1 clients; expected 2 or more"),
        (Recipe("mlp", "federated:3:0", optimizer="sgd"), "alpha of the data level 'federated:3:0' is '0'"),
        (Recipe("mlp", "scaffold:3", optimizer="sgd"), "'scaffold' with the optimizer 'sgd'; expected 'plain-sgd'"),
    ],
)
def test_what_a_level_cannot_do_is_refused_in_one_sentence(recipe: Recipe, message: str) -> None:
    with pytest.raises(InputError) as error:
        train([recipe], problem(), workers=1)
    assert str(error.value).startswith(message)
