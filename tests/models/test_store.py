"""Is a population on disk read back as it was, and is nothing in it trusted that need not be?"""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skops.io

from polyculture.errors import FileError, InputError
from polyculture.models.store import all_records, write_model
from polyculture.population import Population
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES, Problem, load_population, train

NO_DIGITS = ("ridge", "crf", "multinomial-naive-bayes")
"""Learners of numbers only, of tokens only, and of words only."""
RECIPES = [
    Recipe(
        name,
        optimizer=architecture.optimizers[0],
        hyperparameters={"epochs": 1} if "sgd" in architecture.optimizers else {},
    )
    for name, architecture in ARCHITECTURES.items()
    if name not in NO_DIGITS
]
KNN, MLP = Recipe("knn"), next(recipe for recipe in RECIPES if recipe.architecture == "mlp")

executed: list[str] = []


class Smuggled:
    """Something that no weights file should hold; says so if it is ever rebuilt."""

    def __init__(self) -> None:
        self.load = "harmful"

    def __setstate__(self, state: object) -> None:
        executed.append("setstate")


@pytest.fixture(scope="module")
def kept(small: Problem, tmp_path_factory: pytest.TempPathFactory) -> tuple[Population, Path]:
    """One model of every architecture, as trained, and its folder."""
    folder = tmp_path_factory.mktemp("kept")
    return train(RECIPES, small, folder, workers=1), folder


@pytest.fixture
def copied(kept: tuple[Population, Path], tmp_path: Path) -> Path:
    """A folder of the same models that a test may spoil."""
    return shutil.copytree(kept[1], tmp_path / "copy")


def test_models_answer_the_same_before_and_after_they_were_written(small: Problem, tmp_path: Path) -> None:
    inputs = small.split.test.array
    for recipe in RECIPES:
        architecture = ARCHITECTURES[recipe.architecture]
        fitted = architecture.fit(recipe, small.split.train)
        (tmp_path / recipe.id).mkdir()
        fitted.save(tmp_path / recipe.id)
        read = architecture.load(recipe, small.split.train, tmp_path / recipe.id)
        np.testing.assert_array_equal(read(inputs), fitted(inputs))
        assert read.parameters == fitted.parameters


def test_a_folder_is_read_whole_or_in_part(small: Problem, kept: tuple[Population, Path]) -> None:
    everything = load_population(kept[1], small)
    assert list(everything) == sorted(recipe.id for recipe in RECIPES)
    assert everything.classes == small.split.train.classes
    assert list(load_population(kept[1], small, [MLP, KNN])) == [MLP.id, KNN.id]


def test_no_file_is_a_pickle(kept: tuple[Population, Path]) -> None:
    names = {path.name for path in kept[1].glob("*/*")}
    assert names == {"recipe.json", "cost.json", "encoder.json", "weights.safetensors", "weights.skops"}


def test_a_weights_file_with_a_strange_type_is_refused_unopened(small: Problem, copied: Path) -> None:
    path = copied / KNN.id / "weights.skops"
    skops.io.dump({"model": Smuggled()}, path)
    with pytest.raises(FileError) as caught:
        load_population(copied, small)
    assert str(caught.value) == (
        f"{path} holds the type {Smuggled.__module__}.Smuggled; "
        "expected only scikit-learn estimators; do not use this file."
    )
    assert executed == []


@pytest.mark.parametrize("spoil", [lambda whole: whole[: len(whole) // 2], lambda whole: pickle.dumps(Smuggled())])
@pytest.mark.parametrize("recipe", [KNN, MLP], ids=lambda recipe: recipe.architecture)
def test_weights_that_are_cut_short_or_pickled_are_refused(
    small: Problem, copied: Path, recipe: Recipe, spoil: Callable[[bytes], bytes]
) -> None:
    (path,) = (copied / recipe.id).glob("weights.*")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(FileError) as caught:
        load_population(copied, small)
    said = str(caught.value)
    assert said.startswith(f"cannot read the weights in {copied / recipe.id} (")
    assert said.endswith(
        "; expected those of that model; delete that subfolder and train again: only what is missing is fitted."
    )
    assert "\n" not in said
    assert executed == []


def test_a_record_that_is_cut_short_is_refused(small: Problem, copied: Path) -> None:
    path = copied / KNN.id / "recipe.json"
    path.write_text("{")
    with pytest.raises(FileError) as caught:
        load_population(copied, small)
    assert str(caught.value) == (
        f"cannot read {path} (JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 "
        "(char 1)); expected what training wrote there; delete that subfolder and train again: only what is missing "
        "is fitted."
    )


def test_a_cost_that_is_cut_short_is_refused_and_one_that_is_gone_is_unknown(small: Problem, copied: Path) -> None:
    path = copied / KNN.id / "cost.json"
    path.write_text("{}")
    with pytest.raises(FileError) as caught:
        load_population(copied, small)
    assert str(caught.value) == (
        f"cannot read {path} (KeyError: 'seconds'); expected what training wrote there; "
        "delete that subfolder and train again: only what is missing is fitted."
    )
    path.unlink()
    assert np.isnan(load_population(copied, small, [KNN]).factors["seconds"].iloc[0])


def test_what_is_not_a_number_is_null_in_a_record_and_nan_when_read(tmp_path: Path) -> None:
    record = {"problem": {"name": "p", "fingerprint": "f"}, "failed": "", "curve": [1.5, float("nan"), float("inf")]}
    write_model(tmp_path, "mlp-1", record, {"seconds": 1.0}, None)
    assert "NaN" not in (tmp_path / "mlp-1" / "recipe.json").read_text()
    assert json.loads((tmp_path / "mlp-1" / "recipe.json").read_text())["curve"] == [1.5, None, None]
    np.testing.assert_array_equal(all_records(tmp_path)["mlp-1"]["curve"], [1.5, np.nan, np.nan])


def test_a_folder_without_models_is_refused(small: Problem, tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        load_population(tmp_path / "nowhere", small)
    assert str(caught.value) == (
        f"{tmp_path / 'nowhere'} holds no trained model; expected one subfolder per model; train some first."
    )


def test_a_model_that_was_never_trained_is_asked_for_in_vain(small: Problem, kept: tuple[Population, Path]) -> None:
    absent = Recipe("knn", seed=99)
    with pytest.raises(FileError) as caught:
        load_population(kept[1], small, [absent])
    assert str(caught.value) == f"{kept[1]} has no model {absent.id!r}; expected every recipe trained; train it first."


def test_a_model_of_an_architecture_that_is_not_there_is_refused(
    small: Problem, kept: tuple[Population, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(ARCHITECTURES, "knn")
    with pytest.raises(InputError) as caught:
        load_population(kept[1], small)
    assert str(caught.value) == "no architecture 'knn'; did you mean 'rnn'?"
