"""Labels that models contradict: flipped ones are found and stay, and what leaving them out hides is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.errors import InputError
from polyculture.reporting import report
from polyculture.reporting.sections import section_figures
from polyculture.studies.cleaning.suspects import CREWS, FOLDS, crew
from polyculture.training.fit import check

pytest.importorskip("torch")

OPTIONS = pc.CleanOptions(label_errors=True, models=3, folds=3, workers=1, kinds=["duplicate"])
FLIPPED = (3, 40, 77, 110)


@pytest.fixture(scope="module")
def clouds(tmp_path_factory) -> Path:
    draw = np.random.default_rng(0)
    label = np.arange(150) % 3
    table = pd.DataFrame(draw.normal(size=(150, 3)) + 5 * np.eye(3)[label], columns=["a", "b", "c"])
    label[list(FLIPPED)] = (label[list(FLIPPED)] + 1) % 3
    folder = tmp_path_factory.mktemp("clouds")
    table.assign(label=np.array(["x", "y", "z"])[label]).to_csv(folder / "clouds.csv", index=False)
    return folder / "clouds.csv"


@pytest.fixture(scope="module")
def result(clouds):
    return pc.clean(clouds, OPTIONS, out=clouds.parent / "out")


def test_flipped_labels_are_found_and_stay(result):
    section = result.sections[1]
    table = section.tables["suspects"]
    assert set(table["instance"].astype(int)) == set(FLIPPED)
    assert table["against"].tolist() == [3, 3, 3, 3]
    assert section.sentence.startswith("4 of 150 labels (2.7 %) may be wrong.")
    assert "None was left out." in section.sentence
    assert "no fault is seen in 150 rows. Models contradict 4 labels." in result.sentence
    assert not (result.folder / "clean").exists()
    assert (result.folder / FOLDS).is_dir()
    frame = result.frame()
    assert sorted(frame[frame["kind"] == "label-error"]["row"]) == sorted(FLIPPED)


def test_what_leaving_them_out_does_to_the_headline_is_told(result):
    numbers = result.sections[1].numbers
    assert numbers["all_wrong"].estimate >= 4 / 150
    assert numbers["all_wrong_without"].estimate < numbers["all_wrong"].estimate
    assert "On 4 of them every model contradicts the label." in result.sections[1].sentence
    assert "leaving them out lowers that number by construction" in result.sections[1].sentence


def test_they_are_left_out_when_asked(clouds, result):
    options = pc.CleanOptions(
        label_errors=True, models=3, folds=3, workers=1, kinds=["duplicate"], apply=["label-error"]
    )
    again = pc.clean(clouds, options, out=result.folder)
    assert again.removed["row"].tolist() == sorted(FLIPPED)
    assert "Left out of the copy: 4." in again.sections[1].sentence
    assert "(labels that models contradict 4)" in again.sentence
    assert (pc.undo_clean(result.folder) / "clouds.csv").read_bytes() == clouds.read_bytes()


def test_suspects_that_are_pictures_are_drawn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    label = np.arange(90) % 2
    images = draw.integers(0, 60, (90, 6, 6), dtype=np.uint8)
    images[label == 1, :3] += 150
    label[[5, 8]] = 1 - label[[5, 8]]
    np.savez("t.npz", x=images, y=label)
    options = pc.CleanOptions(label_errors=True, models=2, folds=2, workers=1, kinds=["duplicate"])
    monkeypatch.setitem(CREWS, "image", ("logistic", "forest"))
    result = pc.clean("t.npz", options, out="out")
    values = section_figures(result.sections[1])["label_errors_suspects"]["data"]["values"]
    assert {value["title"] for value in values} == {"0 → 1", "1 → 0"}
    assert "Labels that models contradict" in report(None, "page.html", result.sections).read_text()


@pytest.mark.parametrize("modality", ["table", "image", "text", "volume", "series", "audio"])
def test_a_crew_has_as_many_models_as_asked_and_all_can_be_trained(modality, sets):
    recipes = crew(modality, 9, 3)
    assert len({recipe.id for recipe in recipes}) == 9
    check(recipes, sets[modality])


def test_numbers_to_predict_have_no_label_errors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="label errors of numbers to predict; expected classes as labels"):
        pc.clean("diabetes", OPTIONS, out="out")
