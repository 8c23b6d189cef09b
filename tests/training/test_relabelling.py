"""Do the levels that clean labels find planted errors in the training set, and leave the rest as it is?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from polyculture.dataset import Dataset, Split
from polyculture.errors import InputError
from polyculture.measures.label_errors import LabelErrors
from polyculture.models.fitted import FitCost
from polyculture.preparation.transforms import find_transform
from polyculture.recipe import Recipe
from polyculture.training import Problem, train
from polyculture.training.context import TrainingContext
from polyculture.training.data_levels import check_level, fit_at_level, fit_plainly
from polyculture.training.relabelling.levels import crew_errors, crew_of


@pytest.fixture(scope="module")
def noisy(digits: Problem) -> tuple[Dataset, np.ndarray]:
    """400 digits, and where a tenth of the labels was replaced."""
    part = digits.split.train.take(np.arange(400))
    changed = find_transform("label-noise:0.1").take(part, 5)
    return changed, changed.labels != part.labels


@pytest.fixture(scope="module")
def errors(noisy: tuple[Dataset, np.ndarray]) -> LabelErrors:
    """What the crew of a linear model says of them."""
    return crew_errors(Recipe("logistic"), 3, noisy[0], TrainingContext(), fit_plainly)[0]


def test_planted_errors_are_found_by_the_crew(noisy: tuple[Dataset, np.ndarray], errors: LabelErrors) -> None:
    assert noisy[1][errors.flagged].mean() > 0.8
    assert errors.flagged[noisy[1]].mean() > 0.7


def test_the_model_is_that_of_the_cleaned_training_set(noisy: tuple[Dataset, np.ndarray], errors: LabelErrors) -> None:
    dataset, recipe = noisy[0], Recipe("logistic")
    labels = np.where(errors.flagged, errors.suggested, dataset.labels)
    cleaned = {
        "drop-label-errors:3": dataset.take(np.flatnonzero(~errors.flagged)),
        "relabel:3": replace(dataset, labels=labels),
    }
    for level, expected in cleaned.items():
        result = fit_at_level(replace(recipe, data=level), dataset, TrainingContext())
        plain = fit_plainly(recipe, expected, TrainingContext())
        np.testing.assert_allclose(result.fitted(dataset.array), plain(dataset.array), atol=1e-6)
        assert result.history[0]["flagged"] == errors.count
        assert result.history[0]["instances"] == len(expected)
        assert result.history[0]["flagged that all of the crew fail"] == errors.all_wrong_flagged


def test_the_crew_is_the_recipe_and_unlike_members() -> None:
    recipe = Recipe("mlp", data="relabel", optimizer="adam", seed=4)
    crew = crew_of(recipe)
    assert [member.architecture for member in crew] == ["mlp", "logistic", "forest"]
    assert {member.data for member in crew} == {"all"}
    assert crew[0].seed == 4
    assert [member.architecture for member in crew_of(Recipe("forest"))] == ["forest", "logistic"]


def test_the_cost_is_that_of_all_fits(noisy: tuple[Dataset, np.ndarray]) -> None:
    class Counted:
        cost = FitCost(1, 2, 3.0)

        def __call__(self, inputs: np.ndarray) -> np.ndarray:
            return np.full((len(inputs), 10), 0.1)

    seen: list[int] = []

    def fit(recipe: Recipe, dataset: Dataset, context: TrainingContext) -> object:
        seen.append(len(dataset))
        return Counted()

    crew_cost = crew_errors(Recipe("logistic"), 4, noisy[0], TrainingContext(), fit)[1]  # type: ignore[arg-type]
    assert crew_cost == FitCost(8, 16, 24.0)
    assert seen == [300] * 8


def test_levels_are_trained_next_to_others_and_their_history_is_kept(
    noisy: tuple[Dataset, np.ndarray], small: Problem, tmp_path: Path
) -> None:
    recipes = [Recipe("naive-bayes", data=level) for level in ("all", "drop-label-errors:2", "relabel:2")]
    problem = replace(small, split=Split(noisy[0].take(np.arange(200)), small.split.selection, small.split.test))
    population = train(recipes, problem, tmp_path, workers=1)
    assert len(population) == 3
    record = json.loads((tmp_path / recipes[1].id / "recipe.json").read_text("utf-8"))
    assert record["history"][0]["flagged"] > 0


def test_what_a_crew_cannot_learn_is_refused(sets: dict[str, Dataset]) -> None:
    table = sets["table"]
    single = replace(table, labels=np.zeros_like(table.labels))
    cases = [
        ("relabel:1", table, "1 fold of the data level 'relabel:1'; expected 2 or more."),
        ("relabel:x", table, "folds of the data level 'relabel:x' is 'x'; expected a whole number above 0"),
        ("relabel", single, "the data level 'relabel' was given labels of one class; expected two classes or more."),
        ("drop-label-errors", sets["numbers"], "the data level 'drop-label-errors' does not fit regression"),
        ("drop-label-errors", sets["tags"], "the data level 'drop-label-errors' does not fit tag"),
    ]
    for level, dataset, message in cases:
        with pytest.raises(InputError) as caught:
            check_level(Recipe("forest", data=level), dataset)
        assert str(caught.value).startswith(message)
