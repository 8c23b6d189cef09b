"""Do the levels learn from few labels, never read those of the pool, and refuse what they do not fit?"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.errors import InputError, MissingExtraError
from polyculture.recipe import Recipe
from polyculture.studies.ablation.plan import baseline_recipe, plan_ablation
from polyculture.training import DATA, Problem, predict, train
from polyculture.training.context import TrainingContext
from polyculture.training.data_levels import check_level, fit_at_level, training_set
from polyculture.training.engine.planning import plan
from polyculture.training.semi_supervised import LEVELS, crew_of
from polyculture.training.semi_supervised.labelled import labelled_rows

NET = {"optimizer": "adam", "hyperparameters": {"epochs": 1}}
RECIPES = {
    **{name: Recipe("forest", f"{name}:40", hyperparameters={"trees": 5}) for name in ("labels", "pseudo-label")},
    "self-training": Recipe("logistic", "self-training:40"),
    "co-training": Recipe("mlp", "co-training:40:2", **NET),  # type: ignore[arg-type]
    "fixmatch": Recipe("mlp", "fixmatch:40", **NET),  # type: ignore[arg-type]
    "mean-teacher": Recipe("mlp", "mean-teacher:40", **NET),  # type: ignore[arg-type]
}
SCRIPT = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from polyculture.training import load_problem, train
from test_semi_supervised import RECIPES

def progress(done, total, message):
    if done == 1: os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    train([RECIPES[name] for name in {names!r}], load_problem("digits"), Path({folder!r}), workers=1, progress=progress)
"""


@pytest.fixture(scope="module")
def few(digits: Problem) -> Dataset:
    """Two hundred digits."""
    return digits.split.train.take(np.arange(200))


def test_every_level_is_tested() -> None:
    assert set(RECIPES) == set(LEVELS) <= set(DATA)


@pytest.mark.parametrize("name", RECIPES)
def test_labels_of_the_pool_are_never_read(few: Dataset, name: str) -> None:
    pytest.importorskip("kornia")
    recipe = RECIPES[name]
    draw = 2 if name == "co-training" else recipe.seed
    rows = labelled_rows(few, 40, draw)
    planted = (few.labels + 3) % 10
    planted[rows] = few.labels[rows]
    # the draw itself depends on the counts of the classes, so the same rows are labelled by hand
    first = fit_at_level(recipe, few, TrainingContext(pool=few.array))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("polyculture.training.semi_supervised.labelled.labelled_rows", lambda *_: rows)
        second = fit_at_level(recipe, _with_labels(few, planted), TrainingContext(pool=few.array))
    np.testing.assert_array_equal(first.fitted(few.array), second.fitted(few.array))
    assert first.history == second.history


def _with_labels(dataset: Dataset, labels: np.ndarray) -> Dataset:
    return Dataset(dataset.array, labels, dataset.classes, name=dataset.name, modality=dataset.modality)


@pytest.mark.slow
@pytest.mark.parametrize("names", [("fixmatch", "co-training"), ("mean-teacher", "pseudo-label")])
def test_a_killed_run_is_finished_by_the_same_call(digits: Problem, tmp_path: Path, names: tuple[str, ...]) -> None:
    pytest.importorskip("kornia")
    recipes = [RECIPES[name] for name in names]
    script = SCRIPT.format(here=str(Path(__file__).parent), folder=str(tmp_path / "killed"), names=names)
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert killed.returncode == -9
    assert len(list((tmp_path / "killed").glob("*/recipe.json"))) == 1
    resumed = train(recipes, digits, tmp_path / "killed", workers=1)
    whole = train(recipes, digits, tmp_path / "whole", workers=1)
    test = digits.split.test
    np.testing.assert_array_equal(predict(resumed, test).probabilities, predict(whole, test).probabilities)
    for path in (tmp_path / "whole").glob("*/recipe.json"):
        assert path.read_text() == (tmp_path / "killed" / path.parent.name / "recipe.json").read_text()


def test_the_record_says_what_the_rounds_did(digits: Problem, tmp_path: Path) -> None:
    recipe = RECIPES["self-training"]
    population = train([recipe, Recipe("knn")], digits, tmp_path, workers=1)
    history = json.loads((tmp_path / recipe.id / "recipe.json").read_text())["history"]
    assert [row.get("round") for row in history] == [0, 1, 2, None]
    assert history[-1]["labels"] == 40
    assert "history" not in json.loads((tmp_path / Recipe("knn").id / "recipe.json").read_text())
    assert population.factors.loc[recipe.id, "data"] == "self-training:40"


def test_more_labels_are_better_than_few_and_the_pool_helps_a_learner_that_needs_it(digits: Problem) -> None:
    recipes = [Recipe("logistic", level) for level in ("labels:30:1", "self-training:30:1", "labels:600:1")]
    few_labels, taught, many_labels = ~predict(train(recipes, digits, workers=1), digits.split.test).wrong
    assert few_labels.mean() < taught.mean() < many_labels.mean()


def test_nets_of_these_levels_are_fitted_alone(digits: Problem) -> None:
    recipes = [replace(RECIPES[name], seed=seed) for name in ("co-training", "mean-teacher") for seed in range(4)]
    jobs = plan(recipes, digits.split.train, 1)
    assert [(job.how, len(job.recipes)) for job in jobs] == [("alone", 1)] * 8


def test_the_crew_is_made_of_other_architectures_with_the_same_seed_and_epochs() -> None:
    crew = crew_of(replace(RECIPES["co-training"], seed=7))
    assert [recipe.architecture for recipe in crew] == ["lenet", "forest", "logistic"]
    assert {recipe.seed for recipe in crew} == {7}
    assert [recipe.hyperparameters for recipe in crew] == [{"epochs": 1}, {}, {}]


def test_what_is_trained_further_sees_the_labelled_instances_only(few: Dataset) -> None:
    recipe = RECIPES["fixmatch"]
    rows = labelled_rows(few, 40, recipe.seed)
    assert list(training_set(recipe, few).instances.index) == list(few.take(rows).instances.index)


def test_an_ablation_prices_the_levels_against_each_other(digits: Problem) -> None:
    baseline = baseline_recipe("mlp", digits.split.train)
    made = plan_ablation(["labels:50", "pseudo-label:50:1", "fixmatch:900"], baseline, digits.split.train)
    assert [recipe.data for recipe in made.recipes.values()] == ["all", "labels:50", "pseudo-label:50:1"]
    assert made.skipped["fixmatch:900"].startswith("900 labels of 808 training instances leave no pool")


@pytest.mark.parametrize(
    ("level", "given", "says"),
    [
        (
            "pseudo-label:9999",
            "image",
            "9999 labels of {n} training instances leave no pool without labels; expected fewer than {n}; lower the "
            "number after the level's name.",
        ),
        (
            "labels:1",
            "image",
            "1 labels for {c} classes; expected one or more of every class; raise the number after the level's name.",
        ),
        (
            "co-training:5",
            "numbers",
            "the data level 'co-training:5' does not fit regression; expected classification.",
        ),
        (
            "fixmatch:5",
            "text",
            "the data level 'fixmatch:5' does not fit text; expected image or table or series or audio.",
        ),
        (
            "labels:x",
            "image",
            "labels of the data level 'labels:x' is 'x'; expected a whole number above 0, at most 1e+09.",
        ),
        (
            "labels:5:-1",
            "image",
            "draw of the data level 'labels:5:-1' is '-1'; expected a whole number, 0 or more, or 'seed'.",
        ),
        (
            "labels:5:1:1",
            "image",
            "the data level 'labels:5:1:1' has 3 amounts; expected at most 'labels:LABELS:DRAW'.",
        ),
        ("fixmach:5", "image", "no data 'fixmach:5'; did you mean 'fixmatch' or 'imbalance'?"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    sets: dict[str, Dataset], level: str, given: str, says: str
) -> None:
    dataset = sets[given]
    with pytest.raises(InputError) as caught:
        check_level(Recipe("mlp", level, optimizer="adam"), dataset)
    assert str(caught.value) == says.format(n=len(dataset), c=len(dataset.classes))


def test_consistency_needs_a_net_and_a_loss_of_one_net(sets: dict[str, Dataset]) -> None:
    with pytest.raises(InputError) as caught:
        check_level(Recipe("forest", "fixmatch:10"), sets["table"])
    assert (
        str(caught.value)
        == "the data level 'fixmatch:10' does not fit 'forest'; expected a net, such as 'lenet' or 'mlp'."
    )
    with pytest.raises(InputError) as caught:
        check_level(Recipe("mlp", "mean-teacher:10", "distillation", "adam"), sets["table"])
    assert str(caught.value) == (
        "the data level 'mean-teacher:10' with the objective 'distillation'; expected an objective of one "
        "net's scores, such as 'cross-entropy'."
    )


def test_without_kornia_images_are_refused(sets: dict[str, Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kornia", None)
    with pytest.raises(MissingExtraError) as caught:
        check_level(Recipe("mlp", "fixmatch:10", optimizer="adam"), sets["image"])
    assert str(caught.value) == "the package 'kornia' is not installed; pip install \"polyculture[augment]\"."
