"""Does breeding find the models that cover for each other, and does it stop when there is nothing left to gain?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import InputError, MissingExtraError
from polyculture.predictions import Predictions
from polyculture.recipe import Recipe
from polyculture.studies.evolution import Archive, EvolutionOptions, evolve_recipes
from polyculture.studies.evolution.archive import cells, failure_groups
from polyculture.studies.evolution.proposals import Proposals

AXES = {
    "architecture": [f"family-{k}" for k in range(6)],
    "data": ["all", "half-a", "half-b"],
    "hyperparameters.width": [8, 16, 32],
}
N = 600


def build(genes: Mapping[str, Any]) -> Recipe:
    """The recipe with these levels."""
    return Recipe(genes["architecture"], genes["data"], hyperparameters={"width": genes["hyperparameters.width"]})


def evaluate(recipes: list[Recipe]) -> Predictions:
    """Each family knows two sixths of the instances well; the data level changes how well, not the width."""
    labels = np.arange(N) % 2
    probabilities = np.empty((len(recipes), N, 2))
    for row, recipe in zip(probabilities, recipes, strict=True):
        family = int(recipe.architecture[-1])
        draw = np.random.default_rng(int(recipe.id[-8:], 16))
        known = np.isin(np.arange(N) // 2 % 6, (family, (family + 1) % 6))
        sure = np.where(known, 0.97 if recipe.data == "all" else 0.9, 0.3) + draw.normal(0, 0.02, N)
        row[np.arange(N), labels] = np.clip(sure, 0.01, 0.99)
        row[np.arange(N), 1 - labels] = 1 - row[np.arange(N), labels]
    return Predictions(
        models=pd.DataFrame(index=[recipe.id for recipe in recipes]),
        instances=pd.DataFrame(index=range(N)),
        answers=probabilities.argmax(axis=2),
        labels=labels,
        classes=("a", "b"),
        probabilities=probabilities,
    )


def test_a_cell_is_whom_a_model_fails_and_whom_it_covers() -> None:
    groups = np.array([0, 0, 1, 1, 2, 2])
    wrong = np.array([[1, 1, 0, 0, 1, 0], [0, 0, 1, 1, 1, 0]], bool)
    assert cells(wrong, groups) == [(0, 1), (1, 0)]


def test_the_archive_keeps_the_best_of_each_cell() -> None:
    recipes = [Recipe("a"), Recipe("b"), Recipe("c")]
    wrong = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1]], bool)
    archive = Archive.of(recipes, wrong, np.array([0.5, 0.4, 0.9]), np.arange(3))
    assert set(archive.frame()["model"]) == {Recipe("b").id, Recipe("c").id}
    assert list(archive.frame().columns) == ["fails", "covers", "model", "loss"]


def test_instances_that_the_same_models_fail_are_one_group() -> None:
    blocks = np.kron(np.eye(3), np.ones(20)).astype(bool)
    groups = failure_groups(np.repeat(blocks, 2, axis=0), 3, np.random.default_rng(0))
    assert [len(set(groups[start : start + 20])) for start in (0, 20, 40)] == [1, 1, 1]
    assert len(set(groups)) == 3


def test_where_nothing_tells_instances_apart_groups_are_dealt_in_turn() -> None:
    np.testing.assert_array_equal(failure_groups(np.zeros((2, 5), bool), 2, np.random.default_rng(0)), [0, 1, 0, 1, 0])


def test_breeding_beats_the_same_number_of_models_drawn_by_chance() -> None:
    bred, drawn = [], []
    for seed in range(6):
        result = evolve_recipes(
            AXES, build, evaluate, EvolutionOptions(budget=20, first=8, generation=6, worthwhile=-1.0, seed=seed)
        )
        bred.append(result.history["loss"].iloc[-1])
        chance = evolve_recipes(AXES, build, evaluate, EvolutionOptions(budget=20, first=20, seed=seed))
        drawn.append(chance.history["loss"].iloc[-1])
        assert len(result.recipes) == len(set(result.recipes)) == 20
        assert result.reason == "the budget is spent"
        assert list(result.history["models"]) == [8, 14, 20]
    assert np.mean(bred) < np.mean(drawn)


def test_breeding_stops_when_the_interval_says_that_nothing_more_is_gained() -> None:
    result = evolve_recipes(AXES, build, evaluate, EvolutionOptions(budget=54, first=24, generation=6, worthwhile=0.01))
    assert result.reason == "another generation gains less than 0.01"
    assert result.history["high"].iloc[-1] < 0.01
    assert len(result.recipes) < 54


def test_breeding_stops_when_there_is_nothing_left_to_train() -> None:
    few = {"architecture": ["family-0", "family-3"], "data": ["all", "half-a"], "hyperparameters.width": [8]}
    result = evolve_recipes(few, build, evaluate, EvolutionOptions(budget=20, first=2, generation=2, worthwhile=-1.0))
    assert result.reason == "the axes offer nothing new"
    assert len(result.recipes) == 4


def test_the_same_seed_breeds_the_same_models() -> None:
    terms = EvolutionOptions(budget=14, first=6, generation=4, worthwhile=-1.0, seed=3)
    assert evolve_recipes(AXES, build, evaluate, terms).recipes == evolve_recipes(AXES, build, evaluate, terms).recipes


def test_models_that_could_not_be_trained_are_left_out() -> None:
    def without_some(recipes: list[Recipe]) -> Predictions:
        return evaluate([recipe for recipe in recipes if recipe.architecture != "family-1"])

    result = evolve_recipes(
        AXES, build, without_some, EvolutionOptions(budget=16, first=10, generation=6, worthwhile=-1.0)
    )
    assert "family-1" not in {recipe.architecture for recipe in result.recipes}
    assert result.predictions.model_ids == [recipe.id for recipe in result.recipes]


def test_progress_tells_how_far_breeding_is() -> None:
    calls: list[tuple[int, int, str]] = []
    terms = EvolutionOptions(budget=12, first=6, generation=6, worthwhile=-1.0)
    result = evolve_recipes(AXES, build, evaluate, terms, progress=lambda *call: calls.append(call))
    first, last = result.frame()["loss"]
    assert calls == [(6, 12, f"log-loss {first:.4f}"), (12, 12, f"log-loss {last:.4f}")]


def test_elites_pass_on_their_levels() -> None:
    proposals = Proposals(AXES, build, np.random.default_rng(0))
    first = proposals.at_random(2)
    archive = Archive(np.arange(2), {(0, 1): (first[0], 0.1), (1, 0): (first[1], 0.2)})
    for child in proposals.from_elites(archive, 5):
        parents = [[proposals.genes[recipe][axis] for recipe in first] for axis in AXES]
        changed = [value not in those for value, those in zip(proposals.genes[child].values(), parents, strict=True)]
        assert sum(changed) <= 1


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        (
            {"first": 1},
            "1 first models and a budget of 48; expected 2 or more, within the budget; begin with 2 or more (--first).",
        ),
        (
            {"first": 9, "budget": 8},
            "9 first models and a budget of 8; expected 2 or more, within the budget; give a budget of 9 or more "
            "(--budget), or begin with fewer (--first).",
        ),
        ({"generation": 1}, "generations of 1, 6 groups; expected 2 or more of each."),
        ({"worthwhile": float("nan")}, "worthwhile is nan; expected a finite gain in nats."),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, float], says: str) -> None:
    with pytest.raises(InputError) as caught:
        EvolutionOptions(**terms)
    assert str(caught.value) == says


def test_what_cannot_be_bred_is_refused() -> None:
    one = {"architecture": ["family-0"], "data": ["all"], "hyperparameters.width": [8]}
    with pytest.raises(InputError) as caught:
        evolve_recipes(one, build, evaluate)
    assert str(caught.value) == "axes that make 1 recipe; expected two recipes or more; add levels."

    def outcomes(recipes: list[Recipe]) -> Predictions:
        return Predictions.from_correct({recipe.id: [1, 0] for recipe in recipes})

    with pytest.raises(InputError) as caught:
        evolve_recipes(AXES, build, outcomes)
    assert str(caught.value) == (
        "predictions without probabilities or labels; expected both, to estimate what a model would add."
    )


def test_without_optuna_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    proposals = Proposals(AXES, build, np.random.default_rng(0))
    with pytest.raises(MissingExtraError) as caught:
        proposals.from_model({}, 1)
    assert str(caught.value) == "the package 'optuna' is not installed; pip install \"polyculture[search]\"."


def test_selection_loads_no_optuna_before_it_is_needed() -> None:
    code = "import sys, polyculture.studies.evolution; print('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
