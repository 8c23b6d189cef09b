"""Can every axis of the default design be told apart from the others?"""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from polyculture.errors import InputError
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES, DATA, OPTIMIZERS, default_design

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
    assert Counter(recipe.architecture for recipe in design) == dict.fromkeys(ARCHITECTURES, 4)
    assert {recipe.data for recipe in design} == set(DATA)
    assert {recipe.optimizer for recipe in design} == {"own", *OPTIMIZERS}
    assert {recipe.seed for recipe in design} == {0, 1, 2, 3}


def test_classical_learners_bring_their_own_optimizer_and_all_recipes_can_be_trained() -> None:
    for recipe in default_design("digits", 135):
        ARCHITECTURES[recipe.architecture].check(recipe)
        assert (recipe.optimizer == "own") == ("own" in ARCHITECTURES[recipe.architecture].optimizers)


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
        default_design("mnist")
    assert str(caught.value) == "no problem 'mnist'; known: digits."
