"""Is what Hugging Face's `datasets` and `evaluate` hold read as it is?"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pandas as pd
import pyarrow as pa
import pytest

from polyculture.errors import InputError
from polyculture.formats import align, read


@dataclass(frozen=True)
class DataSet:
    """What a `datasets.Dataset` looks like from outside."""

    table: pa.Table
    rows: tuple[int, ...]

    @property
    def column_names(self):
        return self.table.column_names

    def select(self, rows):
        return replace(self, rows=tuple(rows))

    def with_format(self, name):
        assert name == "arrow"
        return self

    def __getitem__(self, rows):
        return self.table.take(list(self.rows))[rows]


def made(predictions):
    table = pa.table({"prediction": predictions, "reference": ["a", "b", "a"]})
    return DataSet(table, (0, 1, 2))


def test_data_sets_by_model_are_read_in_the_order_they_were_put_in():
    ann, bob = made(["a", "b", "b"]), made(["a", "a", "a"])
    aligned = align({"ann": ann, "bob": bob})
    assert aligned.predictions.wrong.tolist() == [[False, False, True], [False, True, False]]
    assert aligned.report.matched_by == "the order of their rows"
    chosen = read({"ann": ann.select([2, 1]), "bob": bob.select([2, 1])})
    assert chosen.wrong.tolist() == [[True, False], [False, True]]


def test_real_data_set_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    try:
        datasets = pytest.importorskip("datasets")
    except Warning:  # its dependencies may warn while they are imported
        pytest.skip("datasets cannot be imported without warnings")
    columns = {"id": ["x", "y", "z"], "label": [0, 1, 0], "ann": [0, 1, 1], "bob": [0, 0, 0]}
    held = datasets.Dataset.from_dict(columns).select([2, 0])
    predictions = read(held)
    assert predictions.instances.index.tolist() == ["z", "x"]
    assert predictions.wrong.tolist() == [[True, False], [False, False]]


def test_dataframes_by_model_are_matched_by_their_ids():
    ann = pd.DataFrame({"id": ["x", "y"], "label": [1, 0], "answer": [1, 1]})
    bob = pd.DataFrame({"id": ["y", "x"], "label": [0, 1], "answer": [0, 1]})
    predictions = read({"ann": ann, "bob": bob})
    assert predictions.wrong.tolist() == [[False, True], [False, False]]


def lists(folder, name, predictions, references):
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"predictions": predictions, "references": references, "seed": 1}))
    return path


def test_lists_that_evaluate_takes_are_read_by_file(tmp_path):
    lists(tmp_path, "ann", ["a", "b"], [["a"], ["a"]])
    lists(tmp_path, "bob", ["a", "a"], ["a", "a"])
    predictions = read(tmp_path)
    assert predictions.model_ids == ["ann", "bob"]
    assert predictions.wrong.tolist() == [[False, True], [False, False]]


def test_lists_of_different_lengths_are_refused(tmp_path):
    path = lists(tmp_path, "ann", ["a", "b"], ["a"])
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value) == f"{path} has 2 predictions and 1 references; expected one of each per instance."
