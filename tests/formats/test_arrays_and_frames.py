"""Do arrays, folders of arrays and dataframes of any library become the same Predictions as a table?"""

from __future__ import annotations

import json

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pytest

from polyculture.errors import FileError, InputError
from polyculture.formats import align, read

WIDE = {"instance": ["x", "y", "z"], "label": [1, 10, 2], "a": [1, 10, 1], "b": [2, None, 2]}


def said(predictions):
    words = np.array([*predictions.classes, None], dtype=object)
    return {m: words[row].tolist() for m, row in zip(predictions.model_ids, predictions.answers, strict=True)}


def as_wide(predictions):
    assert said(predictions) == {"a": ["1", "10", "1"], "b": ["2", None, "2"]}
    assert [predictions.classes[code] for code in predictions.labels] == ["1", "10", "2"]
    assert predictions.instances.index.tolist() == ["x", "y", "z"]


@pytest.mark.parametrize(
    "make",
    [
        pd.DataFrame,
        pl.DataFrame,
        pl.LazyFrame,
        pa.table,
        lambda columns: nw.from_native(pl.DataFrame(columns)),
        lambda columns: pd.DataFrame(columns).set_index("instance"),
        lambda columns: pd.DataFrame(columns).set_index("instance").rename_axis(index=None),
        lambda columns: pd.DataFrame(columns).astype({"a": "category", "b": object}),
    ],
)
def test_any_dataframe_is_a_table(make):
    as_wide(read(make(WIDE)))


def test_a_dataframe_with_values_of_several_types_in_a_column():
    frame = pd.DataFrame({"label": ["1", "x"], "a": [1, "x"], "b": [None, "y"]})
    assert said(read(frame)) == {"a": ["1", "x"], "b": [None, "y"]}


def test_a_dataframe_takes_the_options_of_a_table():
    frame = pl.DataFrame({"key": ["x"], "gold": [1], "m1": [1], "m2": [0], "topic": ["u"]})
    predictions = read(frame, label="gold", instance="key", models="m*", groups="topic")
    assert predictions.instances["topic"].to_dict() == {"x": "u"}


def test_an_empty_dataframe_is_refused():
    with pytest.raises(InputError) as caught:
        read(pl.DataFrame({"label": [], "a": []}))
    assert str(caught.value) == "the dataframe has no rows; expected one row per instance."


@pytest.mark.parametrize("name", ["t.arrow", "t.feather", "stream.arrow"])
def test_arrow_and_feather_files_are_tables(name, tmp_path):
    table = pa.table(WIDE)
    if name == "t.feather":
        pyarrow.feather.write_feather(table, tmp_path / name)
    else:
        writer = pa.ipc.new_stream if name == "stream.arrow" else pa.ipc.new_file
        with writer(tmp_path / name, table.schema) as out:
            out.write_table(table)
    as_wide(read(tmp_path / name))


def test_a_data_set_that_hugging_face_saved_is_a_table(tmp_path):
    for part, rows in (("data-00000-of-00002.arrow", slice(0, 1)), ("data-00001-of-00002.arrow", slice(1, 3))):
        table = pa.table({name: column[rows] for name, column in WIDE.items()})
        with pa.ipc.new_stream(tmp_path / part, table.schema) as out:
            out.write_table(table)
    (tmp_path / "dataset_info.json").write_text(json.dumps({}))
    as_wide(read(tmp_path))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_real_data_set_of_hugging_face(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_dict(WIDE).save_to_disk(str(tmp_path / "d"))
    as_wide(read(tmp_path / "d"))


def test_a_broken_arrow_file_is_refused(tmp_path):
    (tmp_path / "t.arrow").write_bytes(b"ARROW1\0\0 and no more")
    with pytest.raises(FileError) as caught:
        read(tmp_path / "t.arrow")
    assert str(caught.value).startswith(f"{tmp_path}/t.arrow is not a complete Arrow file: ")
    assert str(caught.value).endswith("; copy or write it again.")


LABELS = np.array([0, 1, 2])
CHANCES = {"a": np.eye(3), "b": np.full((3, 3), 1 / 3)}


def test_arrays_of_answers_by_name():
    predictions = read({"a": np.array([0, 1, 1]), "b": ["0", "1", "2"]} | {"b": [0, 1, 2]}, label=LABELS)
    assert predictions.wrong.tolist() == [[False, False, True], [False, False, False]]


def test_arrays_of_probabilities_by_name():
    aligned = align(CHANCES, label=LABELS)
    assert aligned.predictions.wrong.tolist() == [[False] * 3, [False, True, True]]
    assert aligned.predictions.probabilities.shape == (2, 3, 3)
    assert aligned.report.sentence == ("2 models, 3 instances matched by their position; every model has 3 of them.")


def test_an_array_with_a_row_per_model():
    predictions = read(np.array([[0, 1, 1], [0, 1, 2]]), label=LABELS)
    assert predictions.model_ids == ["model-0", "model-1"]


def test_arrays_of_outcomes_and_of_some_models():
    predictions = read({"a1": [1, 0], "a2": [True, False], "b": [0, 0]}, models="a*", correct=True)
    assert predictions.correct.tolist() == [[1, 0], [1, 0]]


def test_a_folder_with_an_array_per_model(tmp_path):
    for name, values in CHANCES.items():
        np.save(tmp_path / f"{name}.npy", values)
    np.save(tmp_path / "y_true.npy", LABELS)
    assert read(tmp_path).wrong.tolist() == [[False] * 3, [False, True, True]]
    np.save(tmp_path / "gold.npy", LABELS)
    (tmp_path / "y_true.npy").unlink()
    assert read(tmp_path, label="gold").model_ids == ["a", "b"]
    (tmp_path / "gold.npy").unlink()
    assert read(tmp_path, label=LABELS).model_ids == ["a", "b"]


@pytest.mark.parametrize(
    ("arrays", "label", "text"),
    [
        ({"a": [1], "b": [1]}, None, "the arrays have no labels; expected the true answer of each instance; "
            "give them with label."),
        ({"a": [1, 2], "b": [1]}, [1, 2], "a has 2 instances but b has 1; "
            "expected the same instances, in the same order, for every model."),
        (
            {"a": np.zeros((1, 2, 3)), "b": [1]},
            [1],
            "a is an array of the shape (1, 2, 3) and type float64; expected n answers, or n × c probabilities.",
        ),
        ({"a": np.eye(2), "b": [1, 1]}, [1, 1], "b holds answers but other models probabilities; "
            "expected one or the other for every model."),
        ({"a": np.eye(2), "b": np.ones((2, 3))}, [1, 1], "b has 3 classes but a has 2; expected the same classes."),
        (
            {"a": np.eye(2), "b": np.eye(2)},
            ["cat", "dog"],
            "the label 'cat' is none of 2 classes; expected the number of the class, 0 … 1, as the label; "
            "name the classes in the order of the columns with classes.",
        ),
        ({"a": np.eye(2), "b": np.eye(2)}, [1], "there are 1 labels but 2 instances; expected a true answer for each."),
    ],
)  # fmt: skip
def test_arrays_that_cannot_be_used(arrays, label, text):
    with pytest.raises(InputError) as caught:
        read(arrays, label=label)
    assert str(caught.value) == text


def refused(path, **options):
    with pytest.raises((InputError, FileError)) as caught:
        read(path, **options)
    return str(caught.value)


def test_folders_of_arrays_that_cannot_be_used(tmp_path):
    np.save(tmp_path / "a.npy", LABELS)
    assert refused(tmp_path) == (
        f"{tmp_path} has no file with the true answers; expected one called label.npy, labels.npy, target.npy; "
        "name it with label (--label)."
    )
    assert (
        refused(tmp_path, label="gold") == f"{tmp_path} has no file 'gold.npy'; expected a file with the true answers."
    )
    assert refused(tmp_path / "a.npy") == (
        f"{tmp_path}/a.npy is a single array; expected a folder with one such file per model and one with the labels; "
        f"read {tmp_path}."
    )
    (tmp_path / "b.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-4])
    assert refused(tmp_path, label=LABELS) == (
        f"{tmp_path}/b.npy is not a complete npy file; expected n answers, or n × c probabilities; write it again."
    )


def test_an_array_of_objects_is_never_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "a.npy is not a complete npy file" in refused(tmp_path, label=LABELS)


@pytest.mark.parametrize("thing", [7, [1, 2], {"a"}])
def test_things_of_other_kinds_are_refused(thing):
    assert refused(thing) == (
        f"a {type(thing).__name__} cannot be read; "
        "expected a path, several, {model: path}, {model: array}, an array or a dataframe."
    )


@pytest.mark.parametrize("nothing", [[], {}])
def test_nothing_is_refused(nothing):
    assert refused(nothing) == "nothing to read; expected a path, several, or {model: path}."
