"""Explanations are checked at the gate, taken apart by model and instance, and stored without loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import FileError, InputError
from polyculture.explanation import read_explanations, write_explanations
from polyculture.explanation.store import read_parts, write_part
from polyculture.explanations import Explanations


def explanations(modality: str = "table") -> Explanations:
    draw = np.random.default_rng(0)
    shape = {"table": (3,), "image": (2, 3), "text": (4,)}[modality]
    words = np.array([["a", "dog", "a", ""], ["cat", "", "", ""]]) if modality == "text" else None
    return Explanations(
        models=pd.DataFrame({"family": ["x", "y"], "seed": [0, 1]}, index=pd.Index(["ann", "bob"], name="model")),
        instances=pd.DataFrame({"site": ["n", "s"]}, index=pd.Index([7, 9], name="instance")),
        values=draw.normal(size=(2, 2, int(np.prod(shape)))).astype(np.float32),
        feature_shape=shape,
        features=("age", "income", "size") if modality == "table" else (),
        words=words,
        method="saliency",
        targets=np.array([[0, 1], [1, 1]]),
        classes=("no", "yes"),
        inputs=np.array(["a dog a", "cat"], dtype=object) if modality == "text" else draw.normal(size=(2, *shape)),
        seconds=(0.5, float("nan")),
        modality=modality,
    )


@pytest.mark.parametrize("modality", ["table", "image", "text"])
def test_a_folder_gives_back_what_was_stored(tmp_path: Path, modality: str) -> None:
    stored = explanations(modality)
    copy = read_explanations(write_explanations(stored, tmp_path / "folder"))
    pd.testing.assert_frame_equal(copy.models, stored.models, check_index_type=False, check_dtype=False)
    pd.testing.assert_frame_equal(copy.instances, stored.instances)
    for name in ("values", "targets", "seconds", "words", "inputs"):
        before, after = getattr(stored, name), getattr(copy, name)
        np.testing.assert_array_equal(after, before) if before is not None else None
        assert (before is None) == (after is None)
    for name in ("feature_shape", "features", "classes", "method", "target", "scale", "modality", "seed", "baseline"):
        assert getattr(copy, name) == getattr(stored, name)


def test_an_older_folder_is_replaced_and_one_with_other_files_is_refused(tmp_path: Path) -> None:
    write_explanations(explanations("text"), tmp_path / "folder")
    write_explanations(explanations(), tmp_path / "folder")
    assert read_explanations(tmp_path / "folder").words is None
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    with pytest.raises(FileError, match=r"holds other files, such as 'thesis\.txt'; expected a new folder"):
        write_explanations(explanations(), tmp_path / "folder")
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["values.npy", "meta.json", "models.csv", "instances.parquet", "targets.npy"])
def test_a_damaged_folder_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    folder = write_explanations(explanations(), tmp_path / "folder")
    (folder / name).write_bytes((folder / name).read_bytes()[:10])
    with pytest.raises(FileError) as error:
        read_explanations(folder)
    assert "\n" not in str(error.value)
    assert "folder" in str(error.value)


def test_a_part_that_cannot_be_read_is_computed_again(tmp_path: Path) -> None:
    write_part(tmp_path, "k1", (np.ones((2, 3), np.float32), 1.5))
    write_part(tmp_path, "k2", (np.ones((2, 3), np.float32), 1.5))
    (tmp_path / "parts" / "k2.npz").write_bytes(b"PK half a file")
    assert list(read_parts(tmp_path)) == ["k1"]
    assert read_parts(tmp_path)["k1"][1] == 1.5


def test_models_and_instances_are_taken_together_with_what_belongs_to_them() -> None:
    full = explanations("text")
    part = full.take_models(["bob"]).take_instances(np.array([1]))
    assert part.shape == (1, 1, 4)
    np.testing.assert_array_equal(part.values, full.values[1:, 1:])
    assert part.targets is not None
    assert part.words is not None
    assert (part.targets.tolist(), part.words[0, 0], part.seconds) == ([[1]], "cat", (full.seconds[1],))
    with pytest.raises(InputError, match="no model 'carl'"):
        full.take_models(["carl"])


def test_importance_of_a_word_is_summed_over_its_places() -> None:
    full = explanations("text")
    table = full.mean_importance()
    assert list(table.index) == ["a", "cat", "dog"]
    expected = (np.abs(full.values[0, 0, 0]) + np.abs(full.values[0, 0, 2])) / 2
    assert table.loc["a", "ann"] == pytest.approx(expected)
    assert list(explanations().mean_importance().index) == ["age", "income", "size"]
    assert list(explanations("image").mean_importance().index) == ["0, 0", "0, 1", "0, 2", "1, 0", "1, 1", "1, 2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feature_shape": (4,)}, r"attributions have shape \(2, 2, 3\); expected \(2, 2, 4\), for 2 models"),
        ({"features": ("age",)}, r"features of explanations have shape \(1,\); expected \(3,\)"),
        ({"targets": np.array([[0, 2], [0, 0]])}, "targets run from 0 to 2; expected codes of the 2 classes"),
        ({"seconds": (1.0,)}, r"seconds of explanations have shape \(1,\)"),
        ({"instances": pd.DataFrame(index=[7, 7])}, "the instance id 7 occurs more than once"),
        ({"instances": pd.DataFrame(index=[])}, "explanations of no instance"),
        ({"values": np.full((2, 2, 3), np.nan, np.float32)}, "of the model 'ann' to the instance 7 is not finite"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(explanations(), **change)  # type: ignore[arg-type]


def test_the_text_of_explanations_names_size_and_method() -> None:
    assert repr(explanations()).splitlines()[0] == (
        "Explanations: 2 models × 2 instances × 3 features, saliency; probability of the predicted class"
    )
