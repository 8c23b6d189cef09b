"""Gaps that are seen, gaps in disguise, infinite numbers and codes that no one documented."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polyculture.dataset import Dataset
from polyculture.preparation.cleaning import Fault, find_faults
from polyculture.preparation.problems.raw_data import Inputs, RawData, instance_table, object_array


def raw(inputs: Inputs, modality: str = "table", **known: list[object]) -> RawData:
    """Raw data of these inputs."""
    n = len(inputs)
    return RawData("example", modality, inputs, object_array(["a"] * n), instance_table(n, **known))


def faults(kind: str, **parts: RawData | Dataset) -> list[Fault]:
    """The faults of that kind."""
    return list(find_faults(parts, kinds=[kind]))


def rows(kind: str, **parts: RawData | Dataset) -> list[tuple[int | None, str]]:
    """Row and column of the faults of that kind."""
    return [(fault.row, fault.column) for fault in faults(kind, **parts)]


def test_empty_blank_and_declared_cells_are_missing() -> None:
    cells = ["1", "", "  ", "?", "NA", " null ", None, np.nan, "0"]
    assert rows("missing", all=raw(pd.DataFrame({"x": cells}))) == [(row, "x") for row in range(1, 8)]


@pytest.mark.parametrize("kind", ["Float64", "Int64", "category", "boolean"])
def test_gaps_of_every_type_of_column_are_missing(kind: str) -> None:
    column = pd.Series([1, None, 0], dtype="Int64").astype(kind)
    assert rows("missing", all=raw(pd.DataFrame({"x": column}))) == [(1, "x")]


def test_dates_that_are_missing_are_gaps() -> None:
    assert rows("missing", all=raw(pd.DataFrame({"d": pd.to_datetime(["2024-01-01", None])}))) == [(1, "d")]


def test_a_column_without_a_value_is_one_fault() -> None:
    [fault] = faults("missing", all=raw(pd.DataFrame({"x": [None, "", "NA"], "y": [1, 2, 3]})))
    assert (fault.row, fault.column, fault.reason) == (None, "x", "no value in 3 rows")
    everything = Dataset(np.full((3, 2), np.nan), np.zeros(3, np.int64), ("a",))
    assert rows("missing", all=everything) == [(None, "0"), (None, "1")]
    assert [fault.kind for fault in find_faults({"all": everything})] == [
        "duplicate",
        "duplicate",
        "missing",
        "missing",
    ]


def test_a_column_that_a_part_lacks_is_missing_in_it() -> None:
    train, test = raw(pd.DataFrame({"x": [1, 2], "y": [1, 2]})), raw(pd.DataFrame({"x": [3, 4]}))
    assert [(f.part, f.row, f.column) for f in faults("missing", train=train, test=test)] == [("test", None, "y")]


def test_texts_pictures_and_sounds_of_nothing_are_missing() -> None:
    wave = np.ones(5, np.float32) * [0, 1, 0, 1, 0]
    assert rows("missing", all=raw(object_array(["a", " ", "?", None]), "text")) == [(1, ""), (2, ""), (3, "")]
    assert rows("missing", all=raw(object_array([("a",), (), ("", " ")]), "tags")) == [(1, ""), (2, "")]
    assert rows("missing", all=raw(object_array([wave, 0 * wave, wave[:0]]), "audio")) == [(1, ""), (2, "")]
    images = np.stack([np.eye(3), np.ones((3, 3)), np.eye(3) * np.nan])
    assert [(f.row, f.reason) for f in faults("missing", all=raw(images, "image"))] == [
        (1, "a picture of one colour"),
        (2, "a image with a number that is missing"),
    ]


def test_infinite_numbers_are_told_from_gaps() -> None:
    table = raw(pd.DataFrame({"x": [1.0, np.inf, np.nan, -np.inf], "y": ["1", "inf", "2", "3"]}))
    assert rows("non-finite", all=table) == [(1, "x"), (1, "y"), (3, "x")]
    windows = np.zeros((2, 3, 1))
    windows[1, 1] = np.inf
    assert rows("non-finite", all=raw(windows, "series")) == [(1, "")]
    with np.errstate(all="raise"):
        assert "non-finite" in {fault.kind for fault in find_faults({"all": table})}


def pressures() -> np.ndarray:
    """Two hundred blood pressures."""
    return np.random.default_rng(0).integers(95, 180, 200).astype(float)


@pytest.mark.parametrize("sentinel", [0, -1, -999, 999, 9999])
def test_a_repeated_number_apart_from_its_column_is_a_gap_in_disguise(sentinel: float) -> None:
    numbers = pressures()
    numbers[[3, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 199]] = sentinel
    assert [row for row, _ in rows("disguised-missing", all=raw(pd.DataFrame({"bp": numbers})))] == [
        *(3, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 199)
    ]


def test_the_reason_tells_how_sources_differ() -> None:
    numbers = pressures()
    numbers[100:120] = 0
    [first, *_] = faults("disguised-missing", a=raw(numbers[:100, None]), b=raw(numbers[100:, None]))
    assert (first.part, first.row) == ("b", 0)
    assert first.reason.endswith("; 0.0 % in a, 20.0 % in b")
    by_file = raw(pd.DataFrame({"bp": numbers}), file=["a"] * 100 + ["b"] * 100)
    assert faults("disguised-missing", all=by_file)[0].reason == first.reason


@pytest.mark.parametrize(
    "numbers",
    [
        np.random.default_rng(0).normal(size=500),
        np.random.default_rng(0).poisson(2, 500).astype(float),
        np.clip(np.random.default_rng(0).normal(50, 30, 500).round(), 0, 100),
        np.append(np.zeros(300), np.random.default_rng(0).exponential(10, 200)),
        np.append(pressures(), [900.0]),
        np.arange(9.0).repeat(50),
        np.zeros(50),
        np.array([]),
    ],
    ids=["normal", "counts", "clipped", "many zeros", "one outlier", "codes", "constant", "empty"],
)
def test_other_columns_hide_no_gap(numbers: np.ndarray) -> None:
    assert rows("disguised-missing", all=raw(pd.DataFrame({"x": numbers}))) == []


def test_words_for_not_known_are_gaps_in_disguise() -> None:
    cells = ["red", "Unknown", "blue", " - ", "not available", "unknown soldier"]
    assert rows("disguised-missing", all=raw(pd.DataFrame({"x": cells}))) == [(1, "x"), (3, "x"), (4, "x")]


def test_rare_codes_are_questions_and_undocumented_ones_are_named() -> None:
    codes = np.append(np.tile([1, 2, 3], 400), [0, 0, 4])
    table = raw(pd.DataFrame({"grade": codes}))
    assert [row for row, _ in rows("undocumented-code", all=table)] == [1200, 1201, 1202]
    documented = find_faults({"all": table}, kinds=["undocumented-code"], codes={"grade": [1, "2", 3.0, 4]})
    assert [(fault.row, fault.reason) for fault in documented] == [
        (1200, "is 0, which is not documented"),
        (1201, "is 0, which is not documented"),
    ]


def test_codes_that_are_texts_can_be_documented() -> None:
    table = raw(pd.DataFrame({"grade": ["A", "B", "", "Z"]}))
    assert [f.row for f in find_faults({"all": table}, kinds=["undocumented-code"], codes={"grade": "AB"})] == [3]
