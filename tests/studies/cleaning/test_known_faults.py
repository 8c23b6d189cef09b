"""Public data with known faults: the rows leave the copy, the tests stay, and undo gives every byte back."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

import polyculture as pc

KINDS = ("duplicate", "conflict", "leak")


def content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@pytest.mark.parametrize(
    ("files", "apply", "removed"),
    [
        (["text/SMSSpamCollection.gz"], ("duplicate",), {"duplicate": 409}),
        (["text/TREC.train.all.gz", "text/TREC.test.all.gz"], ("leak", "duplicate"), {"leak": 10, "duplicate": 71}),
        (["tabular/UCI_Credit_Card.csv.gz"], ("duplicate", "conflict"), {"duplicate": 35, "conflict": 42}),
        (["tabular/heart_hungarian.csv", "tabular/heart_va.csv"], ("duplicate",), {"duplicate": 2}),
    ],
)
def test_a_copy_and_the_way_back(shared_data, tmp_path, files, apply, removed):
    paths = [shared_data / name for name in files]
    result = pc.clean(paths, pc.CleanOptions(apply=apply, kinds=KINDS), out=tmp_path / "out")
    assert result.removed["kind"].value_counts().to_dict() == removed
    lines = [content(path).count(b"\n") for path in paths]
    copies = [content(tmp_path / "out" / "clean" / path.name).count(b"\n") for path in paths]
    assert sum(lines) - sum(copies) == sum(removed.values())
    original = pc.undo_clean(tmp_path / "out")
    assert [content(original / path.name) == content(path) for path in paths] == [True] * len(paths)


def test_validation_pictures_leave_the_training_set(shared_data, tmp_path):
    path = shared_data / "image" / "pneumoniamnist.npz"
    result = pc.clean(path, pc.CleanOptions(apply=("leak", "duplicate"), kinds=KINDS), out=tmp_path / "out")
    assert result.removed["kind"].value_counts().to_dict() == {"duplicate": 17, "leak": 8}
    assert "Of selection, 8 of 524 rows (1.5 %) are in train, too." in result.sentence
    original = pc.undo_clean(tmp_path / "out") / path.name
    with np.load(path) as before, np.load(original) as after, np.load(result.copy / path.name) as copy:
        assert before.files == after.files
        assert all(np.array_equal(before[name], after[name]) for name in before.files)
        assert len(copy["train_images"]) == len(before["train_images"]) - 25
        assert len(copy["val_images"]) == len(before["val_images"])
