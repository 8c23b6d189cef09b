"""Are the models of a run called by what sets them apart, while all that is on disk keeps their ids?"""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import polyculture as pc
from polyculture.cli import main
from polyculture.errors import InputError
from polyculture.recipe import Recipe
from polyculture.reporting.audit_figures import figures
from polyculture.studies.evaluation import RunResult

pytest.importorskip("torch")

RECIPES = [
    Recipe("knn", data="half-a", hyperparameters={"neighbours": 5}, seed=3),
    Recipe("knn", hyperparameters={"neighbours": 9, "weights": "distance"}),
    Recipe("naive-bayes"),
    Recipe("forest", hyperparameters={"trees": 5}),
    Recipe("forest", hyperparameters={"trees": 5}, seed=1),
]
NAMES = ["knn k=5 · half-a", "knn k=9 weights=distance", "naive-bayes", "forest · seed 0", "forest · seed 1"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    problem = pc.load_problem("wine", 0, pc.DataOptions(shifts=("noise",)))
    options = pc.RunOptions(recipes=RECIPES, workers=1)
    return pc.run(problem, options, out=tmp_path_factory.mktemp("run"))


def test_predictions_have_names_and_the_folders_of_models_ids(finished: RunResult) -> None:
    folder = finished.folder
    assert finished.predictions.model_ids == list(finished.population) == NAMES
    for part in ("predictions", "parts/train", "parts/selection"):
        assert set(NAMES) < set(pd.read_parquet(folder / part / "answers.parquet").columns)
        table = pd.read_csv(folder / part / "models.csv", index_col="model")
        assert dict(table["id"]) == {name: recipe.id for name, recipe in zip(NAMES, RECIPES, strict=True)}
    assert {path.name for path in (folder / "models").iterdir()} == {recipe.id for recipe in RECIPES}


def test_an_id_is_no_factor(finished: RunResult) -> None:
    plain = pc.audit(finished.predictions)
    models = finished.predictions.models.drop(columns="id")
    without = pc.audit(replace(finished.predictions, models=models))
    for name in ("attribution", "multiplicity"):
        assert plain.section(name).sentence == without.section(name).sentence
        assert plain.section(name).reason == without.section(name).reason
    assert "id" in plain.leaderboard.table


@pytest.mark.parametrize(
    ("patterns", "models"),
    [
        ((RECIPES[0].id, RECIPES[2].id), [NAMES[0], NAMES[2]]),
        (("naive-bayes", NAMES[1]), NAMES[1:3]),
        (("forest · *",), NAMES[3:]),
        (("knn-*", "naive-bayes-????????"), NAMES[:3]),
        ((RECIPES[4].id, "forest · seed 0"), NAMES[3:]),
    ],
)
def test_models_are_meant_by_name_and_by_id(finished: RunResult, patterns: tuple[str, ...], models: list[str]) -> None:
    assert pc.read(finished.folder, models=list(patterns)).model_ids == models
    assert pc.read_run(finished.folder, patterns).sets.test.model_ids == models


def test_a_wrong_name_is_answered_with_what_is_near(finished: RunResult) -> None:
    with pytest.raises(InputError, match=r"is called 'knn'; did you mean 'knn\*'\?"):
        pc.read(finished.folder, models=["knn"])
    with pytest.raises(InputError, match=f"did you mean '{RECIPES[3].id}'"):
        pc.read(finished.folder, models=[RECIPES[3].id[:-1]])


def test_the_command_line_takes_every_name_as_a_shell_gives_it(
    finished: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(" ".join(f"--models {shlex.quote(name)}" for name in NAMES[:3]))
    assert main(["audit", str(finished.folder), *words, "--json", "--out", str(tmp_path / "a")]) == 0
    audit = pc.Audit.from_json(capsys.readouterr().out)
    assert set(audit.leaderboard.table["model"]) == set(NAMES[:3])


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_names_survive_in_tables(finished: RunResult, tmp_path: Path, ending: str) -> None:
    table = pd.read_parquet(finished.folder / "predictions" / "answers.parquet")
    path = tmp_path / f"answers{ending}"
    table.to_csv(path, index=False) if ending == ".csv" else table.to_parquet(path)
    assert pc.read(path).model_ids == NAMES
    portfolio = pc.select(pc.read(path))
    assert pc.Portfolio.from_json(portfolio.to_json()).members == portfolio.members


def test_figures_tell_the_recipe_of_the_model_under_the_pointer(finished: RunResult) -> None:
    specs = figures(finished.audit)
    for name, count in (("leaderboard", 1), ("pairwise", 2)):
        params = {param["name"]: param["value"] for param in specs[name]["params"]}
        assert set(params["recipes"]) == set(NAMES)
        recipe = params["recipes"]["knn k=5 · half-a"]
        assert recipe.startswith("architecture knn, data half-a, objective cross-entropy, optimizer own, ")
        assert "hyperparameters neighbours=5, pretraining none, seed 3" in recipe
        assert f"id {RECIPES[0].id}" in recipe
        tips = [layer["encoding"].get("tooltip", []) for layer in specs[name]["layer"]]
        assert max(sum(entry["field"].endswith("_recipe") for entry in tip) for tip in tips) == count


def test_resuming_with_other_models_renames_and_keeps_the_folders(tmp_path: Path) -> None:
    problem = pc.load_problem("iris", 0, pc.DataOptions(shifts=()))
    first = pc.run(problem, pc.RunOptions(recipes=[Recipe("knn"), Recipe("naive-bayes")], workers=1), out=tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("models/*/recipe.json")}
    recipes = [Recipe("knn"), Recipe("naive-bayes"), Recipe("knn", data="half-a"), Recipe("knn", seed=1)]
    second = pc.run(problem, pc.RunOptions(recipes=recipes, workers=1), out=tmp_path)
    assert first.predictions.model_ids == ["knn", "naive-bayes"]
    assert second.predictions.model_ids == ["knn · seed 0", "naive-bayes", "knn · half-a", "knn · seed 1"]
    assert {path: path.stat().st_mtime_ns for path in times} == times
    first_answers, second_answers = first.predictions.answers, second.predictions.answers
    assert first_answers is not None
    assert second_answers is not None
    assert (first_answers == second_answers[:2]).all()


def test_a_model_that_could_not_be_trained_is_called_like_the_others(tmp_path: Path) -> None:
    recipes = [Recipe("logistic", hyperparameters={"C": -1.0}), Recipe("logistic"), Recipe("knn")]
    result = pc.run("iris", pc.RunOptions(recipes=recipes, workers=1), out=tmp_path)
    assert list(result.population.failed) == ["logistic C=-1"]
    assert result.predictions.model_ids == ["logistic", "knn"]
