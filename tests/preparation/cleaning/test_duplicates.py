"""Exact repeats: within a part, under another label, and between parts, whatever the type of the numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.dataset import Dataset
from polyculture.preparation.cleaning import find_faults
from polyculture.preparation.problems.raw_data import RawData, instance_table, object_array

KINDS = ("duplicate", "conflict", "leak")


def table(values: np.ndarray, labels: list[int] | None = None) -> Dataset:
    """A dataset of these numbers, its labels 0 unless given."""
    codes = np.zeros(len(values), np.int64) if labels is None else np.array(labels)
    return Dataset(values, codes, ("a", "b"))


def frame(**columns: list[object]) -> RawData:
    """Raw data of these columns."""
    inputs = pd.DataFrame(columns)
    return RawData("frame", "table", inputs, object_array(["a"] * len(inputs)), instance_table(len(inputs)))


def found(*parts: Dataset | RawData) -> list[tuple[str, str, int | None, str, int | None]]:
    """Kind, part, row, and the row that it repeats."""
    faults = find_faults({f"p{k}": part for k, part in enumerate(parts)}, kinds=KINDS)
    return [(f.kind, f.part, f.row, f.other_part, f.other_row) for f in faults]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=40))
def test_duplicates_and_conflicts_are_those_of_pandas(rows: list[tuple[int, int, int]]) -> None:
    cells = pd.DataFrame(rows, columns=["x", "y", "label"])
    data = table(cells[["x", "y"]].to_numpy(float), cells["label"].tolist())
    faults = found(data)
    repeats = cells.duplicated().to_numpy()
    assert [row for kind, _, row, _, _ in faults if kind == "duplicate"] == np.flatnonzero(repeats).tolist()
    others = cells.duplicated(["x", "y"]).to_numpy() & ~repeats
    assert [row for kind, _, row, _, _ in faults if kind == "conflict"] == np.flatnonzero(others).tolist()


def test_a_duplicate_names_the_first_row_with_its_label() -> None:
    data = table(np.array([[1.0], [1.0], [2.0], [1.0], [1.0]]), [0, 1, 0, 1, 0])
    assert found(data) == [
        ("duplicate", "p0", 3, "p0", 1),
        ("duplicate", "p0", 4, "p0", 0),
        ("conflict", "p0", 1, "p0", 0),
    ]


def test_a_leak_names_the_first_row_of_the_earlier_part() -> None:
    train, test = table(np.array([[1.0], [2.0], [2.0]])), table(np.array([[3.0], [2.0]]), [0, 1])
    assert found(train, test) == [("duplicate", "p0", 2, "p0", 1), ("leak", "p1", 1, "p0", 1)]
    [leak] = find_faults({"train": train, "test": test}, kinds=["leak"])
    assert leak.reason == "is row 1 of train, under another label"


def test_numbers_to_be_predicted_do_not_conflict() -> None:
    data = Dataset(np.array([[1.0], [1.0], [1.0]]), np.array([0.5, 0.7, 0.5]), ())
    assert found(data) == [("duplicate", "p0", 2, "p0", 0)]


def test_the_type_of_numbers_makes_no_difference() -> None:
    values = [[1, 2], [3, 4]]
    parts = [table(np.array(values, kind)) for kind in ("int8", "uint16", "float32", "float64", "int64")]
    assert [fault[0] for fault in found(*parts)] == ["leak"] * 8


def test_numbers_written_as_texts_are_numbers() -> None:
    assert [f[0] for f in found(frame(x=["1", "2"]), frame(x=[1.0, 5.0]), frame(x=["01.0", "7"]))] == ["leak"] * 2
    assert found(frame(x=["1", "a"]), frame(x=["1.0", "b"])) == []


def test_gaps_are_equal_and_negative_zero_is_zero() -> None:
    assert found(table(np.array([[np.nan, 0.0], [np.nan, -0.0], [0.0, np.nan]]))) == [("duplicate", "p0", 1, "p0", 0)]
    assert found(frame(x=["", "NA", None], y=["1", "1", "1"])) == [
        ("duplicate", "p0", 1, "p0", 0),
        ("duplicate", "p0", 2, "p0", 0),
    ]


def test_a_column_of_lists_dates_or_booleans_is_compared() -> None:
    dates = pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-02"])
    assert found(frame(x=[[1, 2], [1, 2], [3]], d=list(dates), b=[True, True, False])) == [
        ("duplicate", "p0", 1, "p0", 0)
    ]


def test_images_of_bytes_and_of_fractions_are_the_same_on_the_scale_of_a_full_pixel() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 4)).astype(np.uint8)
    images[0, 0, 0] = 255
    labels, known = object_array(["a"] * 3), instance_table(3)
    train = RawData("bytes", "image", images, labels, known)
    test = RawData("fractions", "image", (images / 255).astype(np.float32), labels, known)
    assert [fault[0] for fault in found(train, test)] == ["leak"] * 3


def test_images_of_one_content_in_two_shapes_differ() -> None:
    labels, known = object_array(["a"]), instance_table(1)
    flat = RawData("flat", "image", np.zeros((1, 2, 8), np.uint8), labels, known)
    square = RawData("square", "image", np.zeros((1, 4, 4), np.uint8), labels, known)
    assert found(flat, square) == []


def test_token_boundaries_count() -> None:
    tokens = object_array([("a", "b c"), ("a b", "c"), ("a", "b c")])
    raw = RawData("tokens", "tags", tokens, object_array([("x", "y")] * 3), instance_table(3))
    assert found(raw) == [("duplicate", "p0", 2, "p0", 0)]
