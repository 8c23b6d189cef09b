"""Is a population the same however it was trained: by one process or more, at once or after being killed?"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyculture.errors import FileError, InputError, MissingExtraError, TrainingError
from polyculture.population import Population
from polyculture.recipe import Recipe
from polyculture.training import (
    ARCHITECTURES,
    Problem,
    default_design,
    load_population,
    load_problem,
    predict,
    train,
)
from polyculture.training.architectures import SklearnModel

NINE = [
    Recipe("logistic"),
    Recipe("knn", data="half-a"),
    Recipe("svm", data="half-b"),
    Recipe("forest", data="bootstrap", hyperparameters={"trees": 10}),
    Recipe("boosting", hyperparameters={"rounds": 3}, seed=1),
    Recipe("mlp", data="augmented", optimizer="sgd", hyperparameters={"epochs": 2}),
    Recipe("lenet", optimizer="adam", hyperparameters={"epochs": 2, "dropout": 0.4}, seed=1),
    Recipe("lstm", optimizer="rmsprop", hyperparameters={"epochs": 1}),
    Recipe("transformer", optimizer="adam", hyperparameters={"epochs": 1}),
]

SCRIPT = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from polyculture.training import load_problem, train
from polyculture.models.fitted_net import FittedNet
from test_fit import FOUR

def die(*_): os.kill(os.getpid(), signal.SIGKILL)

def half_written(self, folder):
    (folder / "weights.safetensors").write_bytes(b"half")
    die()

def progress(done, total, message):
    if done == 1 and {moment!r} == "while writing": FittedNet.save = half_written
    if done == 2 and {moment!r} == "between models": die()

if __name__ == "__main__":
    train(FOUR, load_problem("digits"), Path({folder!r}), workers={workers}, progress=progress)
"""
FOUR = [NINE[0], NINE[3], NINE[5], NINE[6]]


@pytest.fixture(scope="module")
def whole(digits: Problem, tmp_path_factory: pytest.TempPathFactory) -> tuple[Population, Path]:
    """The nine, trained by this process without interruption, and their folder."""
    folder = tmp_path_factory.mktemp("whole")
    return train(NINE, digits, folder, workers=1), folder


def weights(folder: Path) -> dict[str, str]:
    """Hash of the numbers of each model; a skops file also holds memory addresses, so only its arrays count."""
    hashes = {}
    for path in sorted(folder.glob("*/weights.*")):
        parts = [path.read_bytes()]
        if path.suffix == ".skops":
            with zipfile.ZipFile(path) as file:
                parts = sorted(file.read(name) for name in file.namelist() if name != "schema.json")
        hashes[path.parent.name] = hashlib.sha256(b"".join(parts)).hexdigest()
    return hashes


def test_two_workers_train_the_same_models_as_one(
    digits: Problem, whole: tuple[Population, Path], tmp_path: Path
) -> None:
    calls: list[tuple[int, int]] = []
    both = train(
        NINE, digits, tmp_path / "a" / "b", workers=2, progress=lambda done, total, _: calls.append((done, total))
    )
    assert weights(tmp_path / "a" / "b") == weights(whole[1])
    test = digits.split.test
    np.testing.assert_array_equal(predict(both, test).probabilities, predict(whole[0], test).probabilities)
    assert calls == [(done, 9) for done in range(10)]


@pytest.mark.slow
def test_workers_that_are_still_there_follow_into_another_current_folder(
    digits: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        train([Recipe("knn"), Recipe("naive-bayes")], digits, Path("models"), workers=2)
        assert len(list((tmp_path / name / "models").glob("*/recipe.json"))) == 2


@pytest.mark.parametrize(
    ("moment", "workers"),
    [
        ("while writing", 1),
        pytest.param("between models", 1, marks=pytest.mark.slow),
        pytest.param("between models", 2, marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_is_finished_by_the_same_call_without_refitting(
    digits: Problem, whole: tuple[Population, Path], tmp_path: Path, moment: str, workers: int
) -> None:
    script = SCRIPT.format(here=str(Path(__file__).parent), folder=str(tmp_path), workers=workers, moment=moment)
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True)  # waits until its workers are gone too
    assert killed.returncode == -9
    finished = {path: path.stat() for path in tmp_path.glob("[!.]*/*")}
    assert finished
    assert len(list(tmp_path.glob("[!.]*"))) < len(FOUR)
    resumed = train(FOUR, digits, tmp_path, workers=workers)
    for path, before in finished.items():
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert list(resumed) == [recipe.id for recipe in FOUR]
    assert weights(tmp_path) == {name: digest for name, digest in weights(whole[1]).items() if name in resumed.models}
    if workers == 1:
        assert not list(tmp_path.glob(".*"))


def test_a_finished_folder_is_read_and_nothing_is_fitted(digits: Problem, whole: tuple[Population, Path]) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole[1].rglob("*")}
    calls: list[tuple[int, int, str]] = []
    again = train(NINE, digits, whole[1], progress=lambda *call: calls.append(call))
    assert {path: path.stat().st_mtime_ns for path in whole[1].rglob("*") if path in before} == before
    assert calls == [(9, 9, f"9 found in {whole[1]}")]
    assert again.factors.equals(whole[0].factors)


def test_a_population_says_what_each_model_is_made_of_and_cost(whole: tuple[Population, Path]) -> None:
    factors = whole[0].factors
    assert list(factors.index) == [recipe.id for recipe in NINE]
    for recipe in NINE:
        row = factors.loc[recipe.id]
        assert recipe.factors().items() <= row.to_dict().items()
        assert row["seconds"] >= 0
        assert row["parameters"] > 0


def test_a_record_tells_how_a_model_was_made(digits: Problem, whole: tuple[Population, Path]) -> None:
    record = json.loads((whole[1] / NINE[6].id / "recipe.json").read_text())
    assert Recipe.from_dict(record["recipe"]) == NINE[6]
    assert record["problem"] == {"name": "digits", "fingerprint": digits.fingerprint}
    assert len(record["curve"]) == 2
    assert set(record["versions"]) == {"python", "polyculture", "numpy", "torch", "safetensors"}
    assert record["failed"] == ""


def test_a_model_that_cannot_be_trained_does_not_stop_the_others(small: Problem, tmp_path: Path) -> None:
    impossible = Recipe("svm", hyperparameters={"C": -1})
    recipes = [Recipe("knn"), impossible]
    for _ in range(2):
        population = train(recipes, small, tmp_path, workers=1)
        assert list(population) == [Recipe("knn").id]
        assert list(population.failed) == [impossible.id]
        assert population.failed[impossible.id].startswith("InvalidParameterError: The 'C' parameter of ")
    assert load_population(tmp_path, small).failed == population.failed


def test_the_record_of_a_failure_gives_way_to_the_model(
    small: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe("later")
    monkeypatch.setitem(ARCHITECTURES, "later", SklearnModel(lambda seed: None))
    assert recipe.id in train([Recipe("knn"), recipe], small, tmp_path, workers=1).failed
    monkeypatch.setitem(ARCHITECTURES, "later", SklearnModel(lambda seed: ARCHITECTURES["knn"].build(seed)))
    population = train([Recipe("knn"), recipe], small, tmp_path, workers=1)
    assert not population.failed
    assert list(population) == [Recipe("knn").id, recipe.id]


def test_if_no_model_can_be_trained_that_is_an_error(small: Problem, tmp_path: Path) -> None:
    recipe = Recipe("mlp", optimizer="sgd", hyperparameters={"learning_rate": 1e30})
    with pytest.raises(TrainingError) as caught:
        train([recipe], small, tmp_path, workers=1)
    assert str(caught.value) == (
        f"no model could be trained; expected one or more; the first failure: {recipe.id}: "
        "the loss became nan in epoch 1; expected a finite loss; lower learning_rate."
    )


def test_without_a_folder_nothing_is_kept(small: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert len(train([Recipe("knn"), Recipe("logistic")], small, workers=1)) == 2
    assert not list(tmp_path.iterdir())


def test_a_folder_made_for_another_split_is_refused(small: Problem, digits: Problem, tmp_path: Path) -> None:
    train([Recipe("knn")], small, tmp_path, workers=1)
    with pytest.raises(InputError) as caught:
        train([Recipe("knn")], digits, tmp_path, workers=1)
    assert str(caught.value) == (
        f"{tmp_path} was made for another problem or split: digits {small.fingerprint}; "
        f"expected digits {digits.fingerprint}; name another folder."
    )


def test_a_folder_that_cannot_be_written_is_refused(small: Problem, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError) as caught:
        train([Recipe("knn")], small, tmp_path / "file" / "folder")
    assert str(caught.value) == (
        f"cannot write to {tmp_path / 'file' / 'folder'}: Not a directory; "
        "expected a folder that can be written; name another one."
    )


def test_a_folder_that_vanishes_while_training_is_a_file_error(small: Problem, tmp_path: Path) -> None:
    def vanish(done: int, total: int, message: str) -> None:
        (tmp_path / "population").rmdir()

    with pytest.raises(FileError) as caught:
        train([Recipe("knn")], small, tmp_path / "population", workers=1, progress=vanish)
    assert str(caught.value) == (
        f"cannot write {tmp_path / 'population' / Recipe('knn').id}: No such file or directory; "
        "expected a folder with room to write in."
    )


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        (Recipe("lenett"), "no architecture 'lenett'; did you mean 'lenet' or 'lenet5' or 'alexnet'?"),
        (Recipe("knn", data="halfa"), "no data 'halfa'; did you mean 'half-a' or 'half-b' or 'all'?"),
        (Recipe("knn", data="smote"), "the data level 'smote' does not fit image; expected table"),
        (Recipe("mlp", optimizer="sgd", objective="focall"), "no objective 'focall'; did you mean 'focal'?"),
        (Recipe("mlp", optimizer="sgd", pretraining="maskd"), "no pretraining 'maskd'; did you mean 'masked'?"),
        (
            Recipe("ridge", objective="squared"),
            "'ridge' for classification; expected an architecture for this task; such as 'forest'",
        ),
        (Recipe("svm", optimizer="adam"), "'svm' cannot use the optimizer 'adam'; expected 'own'"),
        (Recipe("svm", hyperparameters={"c": 1}), "'svm' has no hyperparameter 'c'; known: C, kernel"),
    ],
)
def test_an_unknown_name_is_refused_before_anything_is_trained(
    small: Problem, tmp_path: Path, recipe: Recipe, says: str
) -> None:
    with pytest.raises(InputError) as caught:
        train([Recipe("logistic"), recipe], small, tmp_path)
    assert str(caught.value).removesuffix(".") == says
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("recipes", "more", "says"),
    [
        ([], {}, "no recipe; expected one or more."),
        ([Recipe("knn")], {"workers": 0}, "0 workers; expected 1 or more."),
        ([Recipe("knn")], {"seconds": 0.0}, "0.0 seconds; expected more than 0."),
        ([Recipe("knn")], {"engine": "rai"}, "no engine 'rai'; expected one of auto, ray; did you mean 'ray'?"),
        (
            [Recipe("knn"), Recipe("knn")],
            {},
            f"the recipe {Recipe('knn').id} is listed twice; expected each recipe once; give one another seed.",
        ),
        (
            [Recipe("mlp", optimizer="adam", compression="int8")],
            {},
            f"the recipe {Recipe('mlp', optimizer='adam', compression='int8').id} has the compression 'int8'; expected "
            "recipes without compression; train without it, and then polyculture compress.",
        ),
    ],
)
def test_a_run_that_makes_no_sense_is_refused(
    small: Problem, recipes: list[Recipe], more: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError) as caught:
        train(recipes, small, **more)
    assert str(caught.value) == says


def test_without_torch_the_error_says_what_to_install(small: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError) as caught:
        train([Recipe("knn")], small)
    assert str(caught.value) == "the package 'torch' is not installed; pip install \"polyculture[train]\"."


def test_the_training_room_opens_without_torch_or_scikit_learn() -> None:
    code = (
        "import sys, polyculture.training as room; room.default_design('digits'); "
        "print({'torch', 'sklearn'} & {*sys.modules})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()"


@pytest.mark.slow
def test_a_worker_that_dies_is_one_clear_error_and_what_is_done_is_kept(
    small: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(seed: int) -> None:
        import os

        os._exit(1)

    monkeypatch.setitem(ARCHITECTURES, "fatal", SklearnModel(dies))
    train([Recipe("knn")], small, tmp_path, workers=1)
    with pytest.raises(TrainingError) as caught:
        train([Recipe("knn"), Recipe("fatal"), Recipe("fatal", seed=1)], small, tmp_path, workers=2)
    assert str(caught.value) == (
        "a worker process died; expected memory enough for all of them; use fewer workers; finished models are kept."
    )
    assert list(load_population(tmp_path, small)) == [Recipe("knn").id]


@pytest.mark.slow
def test_the_default_design_gives_36_good_and_different_models(digits: Problem) -> None:
    population = train(default_design("digits"), digits)
    answers = predict(population, digits.split.test)
    accuracy = 1 - answers.wrong.mean(axis=1)
    assert not population.failed
    assert len(population) == 36
    assert accuracy.min() > 0.88
    assert accuracy.mean() > 0.94
    assert len({row.tobytes() for row in answers.wrong}) == 36
    severe = predict(population, digits.split.shifted["noise@5"])
    assert (severe.wrong.mean(axis=1) > answers.wrong.mean(axis=1)).all()


def test_another_seed_of_the_problem_is_another_split(digits: Problem, whole: tuple[Population, Path]) -> None:
    with pytest.raises(InputError, match="made for another problem or split"):
        load_population(whole[1], load_problem("digits", seed=1))


def test_only_the_training_set_is_looked_at(digits: Problem, tmp_path: Path, whole: tuple[Population, Path]) -> None:
    blind = replace(digits, split=replace(digits.split, test=digits.split.selection, shifted={}))
    train([NINE[0], NINE[5]], blind, tmp_path, workers=1)
    assert weights(tmp_path).items() <= weights(whole[1]).items()
