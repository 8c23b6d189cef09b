"""Faults of public data that were found by looking are found, and none in data that is in order."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyculture.preparation.cleaning import Fault, find_faults, parts_of
from polyculture.preparation.problems.data_options import DataOptions
from polyculture.preparation.problems.loading import read_raw
from polyculture.preparation.problems.raw_data import RawData, instance_table, object_array

REPEATS = ("duplicate", "conflict", "leak", "near-duplicate", "near-leak")


def faults(
    folder: Path, *names: str, kinds: tuple[str, ...] = REPEATS, options: DataOptions | None = None
) -> list[Fault]:
    """The faults of these kinds in these files."""
    raw = read_raw([folder / name for name in names], options or DataOptions())
    return list(find_faults(parts_of(raw), kinds=kinds))


def counts(faults: list[Fault]) -> dict[tuple[str, str], int]:
    """Faults by kind and part."""
    return dict(Counter((fault.kind, fault.part) for fault in faults))


def test_messages_repeat_themselves(shared_data: Path) -> None:
    """403 lines are exact repeats, 474 with case, space, marks and numbers folded; one of these has no word: ``:)``."""
    found = faults(shared_data / "text", "SMSSpamCollection.gz")
    assert counts(found) == {("duplicate", "all"): 409, ("near-duplicate", "all"): 64}
    with gzip.open(shared_data / "text" / "SMSSpamCollection.gz", "rt", encoding="utf-8", newline="\n") as file:
        lines = [line.rstrip("\n") for line in file]
    raw = RawData("lines", "text", object_array(lines), object_array([""] * len(lines)), instance_table(len(lines)))
    assert counts(list(find_faults({"all": raw}, kinds=["duplicate"]))) == {("duplicate", "all"): 403}


def test_test_questions_are_in_training(shared_data: Path) -> None:
    found = faults(shared_data / "text", "TREC.train.all.gz", "TREC.test.all.gz")
    assert counts(found) == {
        ("duplicate", "train"): 71,
        ("near-duplicate", "train"): 7,
        ("leak", "test"): 10,
        ("near-leak", "test"): 2,
    }
    by_case = Counter(fault.kind for fault in found if "case and spaces" in fault.reason)
    assert by_case == {"near-duplicate": 1, "near-leak": 1}


def test_test_sentences_are_in_training(shared_data: Path) -> None:
    found = faults(shared_data / "text", *(f"stsa.binary.{part}.gz" for part in ("train", "dev", "test")))
    assert counts(found) == {("duplicate", "train"): 9, ("leak", "test"): 2, ("near-leak", "selection"): 1}


def test_validation_images_are_in_training(shared_data: Path) -> None:
    found = faults(shared_data / "image", "pneumoniamnist.npz")
    assert counts(found) == {("duplicate", "train"): 17, ("leak", "selection"): 8, ("duplicate", "test"): 3}


def test_credit_clients_repeat_conflict_and_have_undocumented_codes(shared_data: Path) -> None:
    raw = read_raw([shared_data / "tabular" / "UCI_Credit_Card.csv.gz"], DataOptions())
    codes = {"EDUCATION": (1, 2, 3, 4), "MARRIAGE": (1, 2, 3)}
    found = find_faults({"all": raw}, kinds=["duplicate", "conflict", "missing", "undocumented-code"], codes=codes)
    assert Counter((fault.kind, fault.column) for fault in found) == {
        ("duplicate", ""): 35,
        ("conflict", ""): 21,
        ("missing", "AGE"): 2,
        ("undocumented-code", "EDUCATION"): 345,
        ("undocumented-code", "MARRIAGE"): 54,
    }
    assert [fault.row for fault in found if fault.kind == "missing"] == [2, 3]


def test_zeros_of_three_hospitals_are_gaps_in_disguise(shared_data: Path) -> None:
    hospitals = ("cleveland", "hungarian", "switzerland", "va")
    raw = {name: read_raw([shared_data / "tabular" / f"heart_{name}.csv"], DataOptions()) for name in hospitals}
    found = find_faults(raw, kinds=["disguised-missing"])
    cholesterol = raw["va"].inputs.columns[4]
    pressure = raw["va"].inputs.columns[3]
    numbers = Counter((fault.column, fault.part) for fault in found)
    assert {part: count for (column, part), count in numbers.items() if column == cholesterol} == {
        "hungarian": 23,
        "switzerland": 123,
        "va": 56,
    }
    assert numbers[pressure, "va"] == 57
    assert not any(part == "cleveland" for _, part in numbers)


def test_slow_sensors_repeat_their_readings(shared_data: Path) -> None:
    found = faults(shared_data / "sensor", "occupancy_train.csv.gz", options=DataOptions(ignore=("date",)))
    assert counts(found) == {("duplicate", "train"): 867, ("near-duplicate", "train"): 7}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param("image/mnist.npz", "image", marks=pytest.mark.slow),
        ("image/usps.npz", "image"),
        ("tabular/gas_drift.npz", "table"),
    ],
)
def test_data_in_order_has_neither_repeats_nor_disguises(shared_data: Path, name: str, kind: str) -> None:
    kinds = (*REPEATS, "missing", "disguised-missing", "non-finite")
    assert faults(shared_data, name, kinds=kinds, options=DataOptions(kind=kind)) == []


@pytest.mark.slow
def test_film_ratings_are_in_order(shared_data: Path) -> None:
    with gzip.open(shared_data / "recommendation" / "movietweetings_100k_ratings.dat.gz", "rt") as file:
        cells = np.array([line.strip().split("::") for line in file])
    inputs = pd.DataFrame(cells[:, [0, 1, 3]], columns=["user", "film", "time"])
    raw = RawData("films", "table", inputs, cells[:, 2].astype(float), instance_table(len(cells)))
    assert find_faults({"all": raw}, kinds=[*REPEATS, "missing", "disguised-missing"]) == ()


@pytest.mark.slow
def test_spoken_digits_are_in_order(shared_data: Path) -> None:
    assert faults(shared_data / "speech", "fsdd_wav.zip", kinds=(*REPEATS, "missing")) == []
