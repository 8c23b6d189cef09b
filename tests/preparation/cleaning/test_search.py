"""All finders together: guards on the way in, order and form of what comes out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.preparation.cleaning import KINDS, Fault, find_faults, parts_of
from polyculture.preparation.problems.raw_data import RawData, instance_table, object_array


def raw_table(columns: dict[str, list[object]], labels: list[object] | None = None, **known: list[object]) -> RawData:
    """Raw data of these columns."""
    frame = pd.DataFrame(columns)
    names = labels if labels is not None else ["a"] * len(frame)
    return RawData("example", "table", frame, object_array(names), instance_table(len(frame), **known))


def raw_texts(texts: list[object], labels: list[object] | None = None) -> RawData:
    """Raw data of these texts."""
    names = labels if labels is not None else ["a"] * len(texts)
    return RawData("example", "text", object_array(texts), object_array(names), instance_table(len(texts)))


def summary(faults: tuple[Fault, ...]) -> list[tuple[str, str, int | None, str]]:
    """Kind, part, row and column of each fault."""
    return [(fault.kind, fault.part, fault.row, fault.column) for fault in faults]


def test_data_in_order_has_no_fault() -> None:
    rng = np.random.default_rng(0)
    data = Dataset(rng.normal(size=(200, 3)), np.arange(200) % 2, ("a", "b"))
    assert find_faults({"train": data.take(np.arange(100)), "test": data.take(np.arange(100, 200))}) == ()


def test_no_part_has_no_fault() -> None:
    assert find_faults({}) == ()


def test_an_empty_part_is_one_fault() -> None:
    empty = raw_table({"x": []})
    assert summary(find_faults({"train": empty})) == [("empty", "train", None, "")]
    assert summary(find_faults({"train": raw_table({"x": ["1", "2"]}), "test": empty})) == [("empty", "test", None, "")]


def test_an_empty_part_of_every_modality_is_one_fault() -> None:
    for modality, inputs in (
        ("text", object_array([])),
        ("audio", object_array([])),
        ("tags", object_array([])),
        ("image", np.zeros((0, 8, 8))),
        ("volume", np.zeros((0, 4, 4, 4))),
        ("series", np.zeros((0, 8, 2))),
    ):
        raw = RawData("example", modality, inputs, object_array([]), instance_table(0))
        assert summary(find_faults({"train": raw})) == [("empty", "train", None, "")], modality


def test_one_row_has_no_fault_in_any_modality() -> None:
    rng = np.random.default_rng(0)
    inputs = {
        "table": pd.DataFrame({"x": [1.5], "name of it": ["thing"]}),
        "text": object_array(["one short text"]),
        "tags": object_array([("one", "token")]),
        "audio": object_array([rng.normal(size=300).astype(np.float32)]),
        "image": rng.integers(0, 255, (1, 8, 8)).astype(np.uint8),
        "volume": rng.random((1, 4, 4, 4)),
        "series": rng.random((1, 8, 2)),
    }
    for modality, rows in inputs.items():
        raw = RawData("example", modality, rows, object_array(["a"]), instance_table(1))
        assert find_faults({"train": raw}) == (), modality


def test_only_the_kinds_that_are_asked_for_are_found() -> None:
    data = raw_table({"x": ["1", "1", ""], "y": ["2", "2", "2"]})
    assert {fault.kind for fault in find_faults({"train": data})} == {"duplicate", "missing", "constant-column"}
    assert {fault.kind for fault in find_faults({"train": data}, kinds=["missing"])} == {"missing"}
    assert find_faults({"train": data}, kinds=[]) == ()


def test_faults_are_sorted_by_kind_part_row_and_column() -> None:
    data = raw_table({"b": ["", "1", ""], "a": ["", "2", "5"]})
    assert summary(find_faults({"train": data}, kinds=["missing"])) == [
        ("missing", "train", 0, "a"),
        ("missing", "train", 0, "b"),
        ("missing", "train", 2, "b"),
    ]


def test_repeats_of_most_rows_are_one_fault_of_the_part() -> None:
    data = Dataset((np.arange(1200) % 2).reshape(-1, 1).astype(float), np.arange(1200) % 2, ("a", "b"))
    [fault] = find_faults({"train": data}, kinds=["duplicate"])
    assert fault.row is None
    assert fault.reason == "1,198 of 1,200 rows; row 2 repeats row 0"


def test_an_unknown_kind_is_answered_with_the_near_ones() -> None:
    with pytest.raises(InputError) as error:
        find_faults({}, kinds=["duplicates"])
    assert str(error.value).startswith("no kind of fault 'duplicates'; did you mean 'duplicate'")
    with pytest.raises(InputError, match="no kind of fault 'x'"):
        Fault("x", "train", 0, "")


def test_codes_of_an_absent_column_are_refused() -> None:
    with pytest.raises(InputError) as error:
        find_faults({"train": raw_table({"grade": ["1", "2"]})}, codes={"grades": [1]})
    assert str(error.value) == "codes of the column 'grades', which there is not; did you mean 'grade'?"


def test_every_kind_has_words_for_reports() -> None:
    for kind in KINDS.values():
        assert kind.title
        assert kind.meaning
        assert kind.remedy


def test_parts_are_those_of_the_files_in_order() -> None:
    raw = raw_table({"x": ["1", "2", "3", "4"]})
    assert list(parts_of(raw)) == ["all"]
    parts = parts_of(replace(raw, part=np.array(["test", "train", "", "train"])))
    assert {name: part.inputs["x"].tolist() for name, part in parts.items()} == {
        "train": ["2", "4"],
        "all": ["3"],
        "test": ["1"],
    }


def test_a_dataset_of_several_inputs_names_the_input() -> None:
    rng = np.random.default_rng(0)
    scans, history = rng.random((30, 6, 6)), rng.normal(size=(30, 2))
    scans[3], history[4, 1] = 0.5, np.nan
    data = Dataset(
        {"scan": scans, "age": history}, np.arange(30) % 2, ("a", "b"), modality={"scan": "image", "age": "table"}
    )
    again = data.take(np.array([0, 1, 1]))
    faults = find_faults({"train": data, "test": again}, kinds=["missing", "leak", "duplicate"])
    assert summary(faults) == [
        ("duplicate", "test", 2, ""),
        ("leak", "test", 0, ""),
        ("leak", "test", 1, ""),
        ("leak", "test", 2, ""),
        ("missing", "train", 3, "scan"),
        ("missing", "train", 4, "age: 1"),
    ]


def test_tagged_tokens_are_searched() -> None:
    tokens = np.array([["red", "car", ""], ["Red", "car", ""], ["a", "b", "c"], ["red", "car", ""]])
    tags = np.array([[0, 1, -1], [0, 1, -1], [0, 0, 0], [0, 1, -1]])
    faults = find_faults({"train": Dataset(tokens, tags, ("x", "y"), modality="tags")})
    assert summary(faults) == [("duplicate", "train", 3, ""), ("near-duplicate", "train", 1, "")]
