"""What labels cannot be used is said in one sentence with its cure."""

from __future__ import annotations

import pandas as pd
import pytest

import polyculture as pc
from polyculture.errors import InputError

ROWS = {
    "worker": ["ann", "bob", "ann", "bob", "ann"],
    "item": [1, 1, 2, 2, 3],
    "label": ["a", "a", "b", "a", "b"],
    "gold": ["a", "a", "b", "b", "b"],
}


def frame(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(ROWS | columns)


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (frame(worker="ann", item=range(5)), {}, "all 5 labels are of one worker"),
        (frame(item=range(5)), {}, "no item has labels of two workers"),
        (frame(label=None), {}, "all labels of the dataframe are missing"),
        (frame(label="a", gold="a"), {}, "annotations of one class"),
        (frame(gold=["a", "a", "z", "z", "b"]), {}, "the truth 'z' of the dataframe is a class that no worker gives"),
        (frame(item=1, gold="a"), {}, "worker 'ann' labels item '1' of the dataframe 3 times"),
        (frame(gold=["a", "b", "b", "b", "b"]), {}, "item '1' of the dataframe has the truths 'a' and 'b'"),
        (frame(), {"worker": "wroker"}, "the dataframe has no column 'wroker'"),
        (pd.DataFrame({"worker": ["a"], "label": ["x"]}), {}, "the dataframe has no column of items"),
        (pd.DataFrame({"worker": ["a"], "item": ["x"]}), {}, "the dataframe has no column of labels"),
        (pd.DataFrame({"item": [1], "truth": ["x"], "ann": ["x"]}), {}, "the dataframe has 1 column of labels"),
        (pd.DataFrame({"item": [1, 1], "ann": [0, 1], "bob": [0, 1]}), {}, "the dataframe has several rows for one"),
        (pd.DataFrame({"item": [1], "ann": [0], "bob": [0]}), {"label": "ann"}, "a column of labels without one of"),
    ],
)
def test_labels_that_cannot_be_used_are_refused_in_one_sentence(tmp_path, table, options, message):
    with pytest.raises(InputError) as error:
        pc.crowd(table, pc.CrowdOptions(**options), out=tmp_path / "out")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.expected or error.value.cure


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "dawid"}, "no method 'dawid' to combine labels; expected one of vote, dawid-skene"),
        ({"n_eff": 0.5}, "n_eff is 0.5; expected a number of 1 or more"),
        ({"sure": 1.0}, "sure is 1.0; expected a number between 0 and 1"),
        ({"level": 0.0}, "level is 0.0; expected a number between 0 and 1"),
        ({"iterations": 0}, "iterations is 0; expected a whole number of 1 or more"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match="expected") as error:
        pc.CrowdOptions(**options)
    assert str(error.value).startswith(message)


def test_a_named_class_may_be_one_that_no_worker_gives(tmp_path):
    table = frame(gold=["a", "a", "z", "z", "b"])
    result = pc.crowd(table, pc.CrowdOptions(classes=("a", "b", "z")), out=tmp_path / "out")
    assert result.labels.classes == ("a", "b", "z")


def test_a_folder_is_not_one_table(tmp_path):
    (tmp_path / "one.csv").write_text("worker,item,label\na,1,x\n")
    with pytest.raises(InputError, match="is not one table"):
        pc.crowd(tmp_path, out=tmp_path / "out")


def test_many_classes_leave_out_the_confusion_matrices(tmp_path, monkeypatch):
    monkeypatch.setattr("polyculture.studies.crowds.study.MOST_CONFUSIONS", 1)
    result = pc.crowd(frame(), out=tmp_path / "out")
    assert result.method == "one-coin"
    assert "Dawid–Skene is left out" in result.sentence
