"""Can every axis of the default design be told apart from the others?"""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from polyculture.dataset import Dataset, Split
from polyculture.errors import InputError
from polyculture.preparation.transforms import find_transform
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES, Problem, default_design
from polyculture.training.design import DATA, DEPARTURES, LINEUPS, OPTIMIZERS, possible_recipe

AXES = ("architecture", "data", "optimizer", "hyperparameters", "seed")


def variance_inflation(recipes: list[Recipe]) -> dict[str, float]:
    """VIF of each axis's same-level indicator over all pairs of models: the diagonal of the inverse correlation."""
    rows = [recipe.factors() for recipe in recipes]
    same = np.array([[a[axis] == b[axis] for axis in AXES] for a, b in combinations(rows, 2)], float)
    return dict(zip(AXES, np.diag(np.linalg.inv(np.corrcoef(same.T))), strict=True))


@pytest.mark.parametrize("seed", range(10))
def test_no_axis_of_the_default_design_is_an_alias_of_others(seed: int) -> None:
    for models in (32, 36, 40):
        inflation = variance_inflation(default_design("digits", models, seed))
        assert max(inflation.values()) < 2.5, inflation


def test_the_default_design_has_36_different_models_and_every_level_of_every_axis() -> None:
    design = default_design("digits")
    assert len(design) == len({recipe.id for recipe in design}) == 36
    assert Counter(recipe.architecture for recipe in design) == dict.fromkeys(LINEUPS["digits"], 4)
    assert {recipe.data for recipe in design} == {*DATA, "augmented"}
    assert {recipe.optimizer for recipe in design} == {"own", *OPTIMIZERS}
    assert {recipe.seed for recipe in design} == {0, 1, 2, 3}


def test_classical_learners_bring_their_own_optimizer_and_all_recipes_can_be_trained() -> None:
    for recipe in default_design("digits", 135):
        ARCHITECTURES[recipe.architecture].check(recipe)
        assert (recipe.optimizer == "own") == ("own" in ARCHITECTURES[recipe.architecture].optimizers)


@pytest.mark.parametrize("name", ["table", "image", "volume", "series", "audio", "text", "tags", "numbers"])
def test_every_modality_has_a_design_of_unlike_models_that_can_all_be_trained(
    sets: dict[str, Dataset], name: str
) -> None:
    train = sets[name]
    recipes = default_design(Problem("mine", Split(train, train, train)), models=18)
    assert len({recipe.architecture for recipe in recipes}) == 9
    for recipe in recipes:
        architecture = ARCHITECTURES[recipe.architecture]
        architecture.check(recipe)
        architecture.suits(recipe, train)
        level = find_transform(recipe.data)
        assert level.view is None or len(level.view(train, np.random.default_rng(0))[0]) == len(train)
        assert len(level.take(train, 0)) > 0
    for architecture_name in {recipe.architecture for recipe in recipes}:
        for change in DEPARTURES[architecture_name]:
            optimizer = ARCHITECTURES[architecture_name].optimizers[0]
            recipe = Recipe(architecture_name, optimizer=optimizer, hyperparameters=change)
            ARCHITECTURES[architecture_name].check(recipe)


def test_learners_that_take_too_long_are_left_out_of_designs_for_many_instances(sets: dict[str, Dataset]) -> None:
    many = sets["table"].take(np.arange(7000) % 90)
    lineup = {recipe.architecture for recipe in default_design(Problem("mine", Split(many, many, many)))}
    assert lineup == set(LINEUPS["table"]) - {"svm", "knn"}


@pytest.mark.parametrize("models", [2, 9, 36, 100, 135])
def test_no_two_models_differ_in_their_seed_only(models: int) -> None:
    design = default_design("digits", models)
    made_of = [(r.architecture, r.data, r.factors()["hyperparameters"]) for r in design]
    assert len(set(made_of)) == len(design) == models


def test_the_same_seed_gives_the_same_design_and_another_seed_another() -> None:
    assert default_design("digits", seed=3) == default_design("digits", seed=3) != default_design("digits", seed=4)


def test_a_design_of_too_few_or_too_many_models_is_refused() -> None:
    for models in (1, 136):
        with pytest.raises(InputError) as caught:
            default_design("digits", models)
        assert str(caught.value) == f"{models} models; expected 2 to 135."


def test_a_design_for_an_unknown_problem_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        default_design("digitz")
    assert str(caught.value).startswith("no problem 'digitz'; did you mean 'digits'")


def test_learners_without_epochs_are_told_only_what_they_can_be_told() -> None:
    levels = {"architecture": "knn", "data": "half-a", "objective": "focal", "optimizer": "sam", "seed": 3}
    made = possible_recipe(levels | {"hyperparameters.neighbours": 3, "hyperparameters.width": 8})
    assert made == Recipe("knn", "half-a", hyperparameters={"neighbours": 3}, seed=3)
    made = possible_recipe(
        levels | {"architecture": "mlp", "hyperparameters.neighbours": 3, "hyperparameters.width": 8}
    )
    assert made == Recipe("mlp", "half-a", "focal", "sam", {"width": 8}, seed=3)


@pytest.mark.parametrize(
    ("levels", "says"),
    [
        ({"data": "all"}, "a recipe without an architecture; expected keys among architecture, data, "),
        ({"architecture": "knn", "colour": "red"}, "a recipe has no 'colour'; known: architecture, compression, "),
        ({"architecture": "knnn"}, "no architecture 'knnn'; did you mean 'knn'"),
        ({"architecture": "mlp"}, "'mlp' cannot use the optimizer 'own'; expected 'sgd' or "),
        (
            {"architecture": "mlp", "optimizer": "sgd", "objective": "fokal"},
            "no objective 'fokal'; did you mean 'focal'",
        ),
        (
            {"architecture": "mlp", "optimizer": "sgd", "pretraining": "nonne"},
            "no pretraining 'nonne'; did you mean 'none'?",
        ),
    ],
)
def test_levels_that_make_no_recipe_are_refused_in_one_line(levels: dict[str, str], says: str) -> None:
    with pytest.raises(InputError) as caught:
        possible_recipe(levels)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)
