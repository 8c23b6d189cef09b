"""Can every learner learn, and does it refuse what it cannot be told?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from polyculture.errors import InputError, TrainingError
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES, OPTIMIZERS, Problem

NETS = ("mlp", "lenet", "lstm", "transformer")
LEARNERS = ("logistic", "knn", "svm", "forest", "extra-trees", "boosting", *NETS)


def recipe_for(architecture: str, **hyperparameters: Any) -> Recipe:
    """A recipe with the first optimizer that this architecture takes."""
    optimizer = ARCHITECTURES[architecture].optimizers[0]
    return Recipe(architecture, optimizer=optimizer, hyperparameters=hyperparameters)


@pytest.mark.parametrize("name", LEARNERS)
def test_it_learns_64_digits_by_heart(small: Problem, name: str) -> None:
    more = {"epochs": 100} if name in NETS else {"C": 100} if name == "logistic" else {}
    train = small.split.train
    fitted = ARCHITECTURES[name].fit(recipe_for(name, **more), train)
    probabilities = fitted(train.array)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), train.labels)
    assert fitted.parameters > 64
    assert len(fitted.curve) == (100 if name in NETS else 0)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_lowers_the_loss(small: Problem, optimizer: str) -> None:
    recipe = Recipe("mlp", optimizer=optimizer, hyperparameters={"epochs": 60})
    curve = ARCHITECTURES["mlp"].fit(recipe, small.split.train).curve
    assert curve[-1] < curve[0] / 2


@pytest.mark.parametrize("name", NETS)
def test_hyperparameters_reach_the_net(small: Problem, name: str) -> None:
    narrow = ARCHITECTURES[name].fit(recipe_for(name, width=4, epochs=1), small.split.train)
    usual = ARCHITECTURES[name].fit(recipe_for(name, epochs=1), small.split.train)
    assert narrow.parameters < usual.parameters
    assert len(narrow.curve) == 1


@pytest.mark.parametrize(
    ("name", "less", "more"),
    [
        ("forest", {"trees": 5}, {"trees": 20}),
        ("boosting", {"rounds": 2}, {"rounds": 5}),
    ],
)
def test_hyperparameters_reach_the_trees(small: Problem, name: str, less: dict[str, Any], more: dict[str, Any]) -> None:
    sizes = [ARCHITECTURES[name].fit(recipe_for(name, **h), small.split.train).parameters for h in (less, more)]
    assert sizes[0] < sizes[1]


def test_parameters_count_what_the_fit_determined(small: Problem) -> None:
    train = small.split.train
    assert ARCHITECTURES["logistic"].fit(recipe_for("logistic"), train).parameters == 10 * 64 + 10
    assert ARCHITECTURES["knn"].fit(recipe_for("knn"), train).parameters == 64 * 64
    mlp = ARCHITECTURES["mlp"].fit(recipe_for("mlp", width=3, epochs=1), train)
    assert mlp.parameters == (64 * 3 + 3) + (3 * 3 + 3) + (3 * 10 + 10)


def test_a_class_absent_from_the_training_set_gets_probability_0(small: Problem) -> None:
    train = small.split.train
    without_nines = train.take(np.flatnonzero(train.labels != 9))
    for name in ("logistic", "svm", "forest"):
        probabilities = ARCHITECTURES[name].fit(recipe_for(name), without_nines)(train.array)
        assert probabilities.shape == (64, 10)
        assert (probabilities[:, 9] == 0).all()


@pytest.mark.parametrize("name", ["mlp", "transformer"])
def test_fitting_leaves_torch_as_it_was(small: Problem, name: str) -> None:
    before = torch.random.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    ARCHITECTURES[name].fit(recipe_for(name, epochs=1), small.split.train)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert before[1:] == (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())


def test_models_with_the_same_seed_start_from_the_same_weights(small: Problem) -> None:
    train = small.split.train
    first, same, other = (
        ARCHITECTURES["mlp"].fit(replace(recipe_for("mlp", epochs=1, learning_rate=rate), seed=seed), train)
        for rate, seed in ((1e-9, 0), (2e-9, 0), (1e-9, 1))
    )
    inputs = small.split.test.array
    np.testing.assert_allclose(first(inputs), same(inputs), atol=1e-6)
    assert np.abs(first(inputs) - other(inputs)).max() > 1e-3


def test_a_loss_that_explodes_is_a_training_error(small: Problem) -> None:
    with pytest.raises(TrainingError) as caught:
        ARCHITECTURES["mlp"].fit(recipe_for("mlp", learning_rate=1e30), small.split.train)
    assert str(caught.value) == "the loss became nan in epoch 1; expected a finite loss; lower learning_rate."


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        (Recipe("svm", optimizer="adam"), "'svm' cannot use the optimizer 'adam'; expected 'own'."),
        (
            Recipe("mlp", optimizer="adm"),
            f"'mlp' cannot use the optimizer 'adm'; expected {' or '.join(map(repr, OPTIMIZERS))}.",
        ),
        (
            Recipe("knn", hyperparameters={"neighbors": 3}),
            "'knn' has no hyperparameter 'neighbors'; did you mean 'neighbours' or 'weights'?",
        ),
        (
            Recipe("logistic", hyperparameters={"epochs": 3}),
            "'logistic' has no hyperparameter 'epochs'; known: C",
        ),
        (
            Recipe("lenet", optimizer="sgd", hyperparameters={"width": "wide"}),
            "width of 'lenet' is 'wide'; expected something like 16.",
        ),
        (
            Recipe("forest", hyperparameters={"trees": 1.5}),
            "trees of 'forest' is 1.5; expected something like 100.",
        ),
        (
            Recipe("svm", hyperparameters={"kernel": True}),
            "kernel of 'svm' is True; expected something like 'rbf'.",
        ),
        (
            Recipe("mlp", optimizer="sgd", hyperparameters={"learning_rate": "fast"}),
            "learning_rate of 'mlp' is 'fast'; expected a number.",
        ),
        (
            Recipe("mlp", optimizer="sgd", hyperparameters={"epochs": 0}),
            "epochs is 0; expected more than 0.",
        ),
        (
            Recipe("mlp", optimizer="sgd", hyperparameters={"weight_decay": -0.1}),
            "weight_decay is -0.1; expected 0 or more.",
        ),
    ],
)
def test_what_a_learner_cannot_be_told_is_refused(recipe: Recipe, says: str) -> None:
    with pytest.raises(InputError) as caught:
        ARCHITECTURES[recipe.architecture].check(recipe)
    assert str(caught.value).removesuffix(".") == says.removesuffix(".")
