"""Labels in files of any kind reach the store through Python and the command line, or are refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from polyculture.cli import main
from polyculture.deployment.store import AnswerRecord, VersionNames, label_file, open_store
from polyculture.errors import FileError, InputError

CLASSES = ("0", "1", "007", "yes")


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store with answers 1 to 4, and one with the id 0042."""
    path = str(tmp_path / "answers.sqlite")
    with open_store(path) as opened:
        opened.register(VersionNames("v1", "classification", CLASSES, ("a", "b")))
        opened.append([AnswerRecord(key, 1.0, "v1", member_answers=(0, 1)) for key in ("1", "2", "3", "4", "0042")])
    return path


def labels(store: str) -> dict[str, str]:
    with open_store(store) as opened:
        (piece,) = opened.since()
        return {key: (*CLASSES, "")[code] for key, code in zip(piece.ids, piece.labels, strict=True) if code != -1}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".parquet":
        pd.DataFrame(rows).to_parquet(path)
    else:
        pd.DataFrame(rows).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["truth.csv", "truth.csv.gz", "truth.jsonl", "truth.parquet"])
def test_every_kind_of_table_gives_the_same_labels(store: str, tmp_path: Path, name: str) -> None:
    rows = [
        {"id": "1", "label": "0"},
        {"id": "2", "label": "007"},
        {"id": "0042", "label": "yes"},
        {"id": "9", "label": "1"},
    ]
    report = label_file(write(tmp_path / name, rows), store)
    assert (report.matched, report.pending, report.changed, report.empty) == (3, 1, 0, 0)
    assert labels(store) == {"1": "0", "2": "007", "0042": "yes"}


@pytest.mark.parametrize("name", ["truth.csv", "truth.jsonl", "truth.parquet"])
def test_numbers_are_the_classes_and_ids_of_the_same_number(store: str, tmp_path: Path, name: str) -> None:
    rows = [{"request": 1, "outcome": 1.0}, {"request": 2, "outcome": 0.0}, {"request": 3, "outcome": None}]
    report = label_file(write(tmp_path / name, rows), store, id="request", label="outcome")
    assert (report.matched, report.empty) == (2, 1)
    assert labels(store) == {"1": "1", "2": "0"}


def test_of_two_columns_one_needs_no_usual_name(store: str, tmp_path: Path) -> None:
    label_file(write(tmp_path / "a.csv", [{"id": 1, "verdict": "yes"}]), store)
    label_file(write(tmp_path / "b.csv", [{"key": 2, "label": "yes"}]), store)
    label_file(write(tmp_path / "c.csv", [{"key": 3, "verdict": "yes"}]), store, id="key")
    assert labels(store) == {"1": "yes", "2": "yes", "3": "yes"}


def test_times_say_which_label_is_the_later_one(store: str, tmp_path: Path) -> None:
    rows = [{"id": 1, "label": "yes", "at": 50.0}, {"id": 1, "label": "0", "at": 40.0}]
    report = label_file(write(tmp_path / "a.csv", rows), store, time="at")
    assert (report.matched, report.earlier) == (2, 1)
    assert labels(store) == {"1": "yes"}


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_times_may_be_dates(store: str, tmp_path: Path, name: str) -> None:
    dates = ["2026-11-30T12:00:00Z", "2026-11-30T12:00:00+02:00", "2026-11-30 11:00:00"]
    rows = [{"id": 1, "label": label, "at": date} for label, date in zip(("yes", "0", "1"), dates, strict=True)]
    assert label_file(write(tmp_path / name, rows), store, time="at").earlier == 2
    with open_store(store) as opened:
        (piece,) = opened.find(["1"])
        assert piece.label_times.tolist() == [1796040000.0]
    frame = pd.DataFrame({"id": [2], "label": ["yes"], "at": [pd.Timestamp("2026-11-30T12:00:00")]})
    frame.to_parquet(tmp_path / "b.parquet")
    label_file(tmp_path / "b.parquet", store, time="at")
    with open_store(store) as opened:
        (piece,) = opened.find(["2"])
        assert piece.label_times.tolist() == [1796040000.0]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (
            [{"id": 1, "label": "no"}],
            {},
            "label 1 is 'no', which is no class of the bundle; expected a class name; known",
        ),
        ([{"id": 1, "label": "ye"}], {}, "did you mean 'yes'?"),
        ([{"a": 1, "b": "no"}], {}, "the columns of .* are a, b; expected a column of ids and one of labels"),
        ([{"a": 1, "b": "no", "c": 1}], {"label": "b"}, r"name the column \(--id\)"),
        (
            [{"id": 1, "label": "yes", "at": "soon"}],
            {"time": "at"},
            "row 1 of .* has the time 'soon'; expected seconds",
        ),
        ([{"id": 1, "label": "yes", "at": 1.0}, {"id": 2, "label": "yes"}], {"time": "at"}, "row 2 of .* the time nan"),
        ([{"id": 1, "label": "no"}], {"label": "lable"}, "has no column 'lable'.* did you mean 'label'?"),
        ([{"id": 1, "label": "no"}], {"id": "label", "label": "label"}, "cannot be both ids and labels"),
        (
            [{"id": None, "label": "yes"}, {"id": "2", "label": "yes"}],
            {},
            "is empty in 1 row, first in row 1; expected an id in every row",
        ),
    ],
)
def test_files_that_cannot_be_used_are_refused_and_change_nothing(
    store: str, tmp_path: Path, rows: list[dict[str, Any]], options: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        label_file(write(tmp_path / "truth.csv", rows), store, **options)
    assert labels(store) == {}


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    file = write(tmp_path / "truth.csv", [{"id": 1, "label": "yes"}])
    with pytest.raises(FileError, match="there is no store"):
        label_file(file, str(tmp_path / "absent.sqlite"))
    assert not (tmp_path / "absent.sqlite").exists()


def test_a_bundle_names_the_classes_before_anything_was_answered(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    from .bundles import make_bundle

    bundle = make_bundle(tmp_path / "bundle")
    file = write(tmp_path / "truth.csv", [{"id": 1, "label": "c1"}])
    report = label_file(file, str(tmp_path / "new.sqlite"), bundle=bundle)
    assert (report.matched, report.pending) == (0, 1)
    with pytest.raises(InputError, match="'c9', which is no class of the bundle"):
        label_file(write(tmp_path / "b.csv", [{"id": 1, "label": "c9"}]), str(tmp_path / "new.sqlite"), bundle=bundle)


def test_the_command_says_what_it_did_and_what_comes_next(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "truth.csv", [{"id": 1, "label": "yes"}, {"id": 8, "label": "yes"}, {"id": 2, "label": ""}])
    assert main(["label", str(file), "--store", store]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "2 labels: 1 has an answer, 1 of an id that is not known yet; 1 row without label.",
        f"next  polyculture watch {store}",
    ]
    monkeypatch.setenv("POLYCULTURE_STORE", store)
    assert main(["label", str(write(tmp_path / "other.csv", [{"id": 1, "label": "007"}]))]) == 0
    assert "1 replaced another label" in capsys.readouterr().out
    assert main(["label", str(tmp_path / "absent.csv"), "--store", store]) == 2
    assert main(["label", str(file), "--store", "mysql://u:secret@h/d"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert "secret" not in "".join(errors)
