"""Rows that are almost another row: texts, tables, pictures and sounds; and what is left alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polyculture.dataset import Dataset
from polyculture.preparation.cleaning import find_faults
from polyculture.preparation.cleaning.near_duplicates import without_case, without_numbers
from polyculture.preparation.problems.raw_data import Inputs, RawData, instance_table, object_array

KINDS = ("near-duplicate", "near-leak")


def raw(modality: str, inputs: Inputs) -> RawData:
    """Raw data of these inputs."""
    return RawData("example", modality, inputs, object_array(["a"] * len(inputs)), instance_table(len(inputs)))


def found(*parts: RawData | Dataset) -> list[tuple[str, str, int | None, int | None]]:
    """Kind, part, row, and the row that it is almost."""
    faults = find_faults({f"p{k}": part for k, part in enumerate(parts)}, kinds=KINDS)
    return [(f.kind, f.part, f.row, f.other_row) for f in faults]


@pytest.mark.parametrize(
    ("text", "case", "numbers"),
    [
        ("Win  £100 NOW!", "win £100 now!", "win 100 now"),
        ("call 0800 123 or 77 right now", "call 0800 123 or 77 right now", "call 0 0 or 0 right now"),
        ("ﬁne\u00a0day", "fine day", "fine day"),
        ("STRASSE straße", "strasse strasse", "strasse strasse"),
        (":-)", ":-)", ""),
    ],
)
def test_texts_are_folded(text: str, case: str, numbers: str) -> None:
    assert without_case(text) == case
    assert without_numbers(text) == numbers


def test_texts_that_differ_in_case_spaces_or_numbers_are_near() -> None:
    texts = object_array(["You won 100 pounds today", "you won  100 pounds today", "You won 250 pounds, today!"])
    assert found(raw("text", texts)) == [("near-duplicate", "p0", 1, 0), ("near-duplicate", "p0", 2, 0)]
    [first, second] = find_faults({"all": raw("text", texts)}, kinds=KINDS)
    assert first.reason == "differs only in case and spaces from row 0"
    assert second.reason == "differs only in numbers and punctuation from row 0"


def test_short_texts_that_differ_in_a_number_are_not_near() -> None:
    assert found(raw("text", object_array(["room 12", "room 13", ":-)", ":("]))) == []


def test_exact_repeats_are_no_near_ones() -> None:
    texts = object_array(["one and the same text", "one and the same text", "One and the same text"])
    assert found(raw("text", texts)) == [("near-duplicate", "p0", 2, 0)]
    assert found(raw("text", texts[:1]), raw("text", texts)) == [
        ("near-duplicate", "p1", 2, 0),
        ("near-leak", "p1", 2, 0),
    ]


def test_tables_that_agree_after_rounding_are_near() -> None:
    inputs = pd.DataFrame({"x": [1.23456, 1.23461, 1.2411], "kind": ["a", "a", "a"]})
    assert found(raw("table", inputs)) == [("near-duplicate", "p0", 1, 0)]


def test_whole_numbers_are_not_rounded() -> None:
    assert found(raw("table", pd.DataFrame({"id": [1234567, 1234568]}))) == []


def test_numbers_that_cannot_be_rounded_are_compared_as_they_are() -> None:
    values = np.array([[np.nan, 0.5], [np.inf, 0.5], [0.0, 0.5], [-np.inf, 0.5], [5e-324, 0.5], [1e308, 0.5]])
    assert found(Dataset(values, np.zeros(6, np.int64), ("a",))) == []


def pictures() -> np.ndarray:
    """Six smooth pictures of 16 × 16 pixels."""
    rng = np.random.default_rng(0)
    fine = rng.normal(size=(6, 4, 4)).repeat(4, axis=1).repeat(4, axis=2)
    return np.clip(128 + 40 * fine, 0, 255)


def test_pictures_with_little_noise_and_other_contrast_are_near() -> None:
    images = pictures()
    noisy = images[2] + np.random.default_rng(1).normal(size=(16, 16))
    darker = images[4] * 0.5 + 3
    inputs = np.stack([*images, noisy, darker]).astype(np.uint8)
    assert found(raw("image", inputs)) == [("near-duplicate", "p0", 6, 2), ("near-duplicate", "p0", 7, 4)]
    assert found(raw("image", inputs[:6]), raw("image", inputs[6:])) == [
        ("near-leak", "p1", 0, 2),
        ("near-leak", "p1", 1, 4),
    ]


def test_pictures_of_bytes_and_of_fractions_are_compared() -> None:
    images = pictures().astype(np.uint8)
    assert found(raw("image", images), raw("image", np.float32(images[3:4] / 300))) == [("near-leak", "p1", 0, 3)]


def test_pictures_of_two_sizes_are_not_compared() -> None:
    assert found(raw("image", pictures()), raw("image", pictures()[:, ::2])) == []


def test_sounds_with_silence_around_them_and_another_gain_are_near() -> None:
    rng = np.random.default_rng(0)
    waves = [rng.normal(size=n).astype(np.float32) / 5 for n in (400, 500, 450)]
    later = np.concatenate([np.zeros(60, np.float32), 0.3 * waves[1], np.zeros(25, np.float32)])
    inputs = object_array([*waves, later, np.zeros(10, np.float32), np.zeros(0, np.float32)])
    assert found(raw("audio", inputs)) == [("near-duplicate", "p0", 3, 1)]


def test_windows_of_series_and_several_inputs_are_not_compared() -> None:
    windows = np.random.default_rng(0).random((3, 8, 2))
    series = Dataset(np.concatenate([windows, windows + 1e-9]), np.zeros(6, np.int64), ("a",), modality="series")
    assert found(series) == []
    both = Dataset(
        {"x": windows, "y": windows[:, 0]}, np.zeros(3, np.int64), ("a",), modality={"x": "series", "y": "table"}
    )
    assert found(both, both) == []
