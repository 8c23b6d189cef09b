"""Is NA the name of a class wherever the format can tell it from an empty cell, and is it said where it cannot?"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import InputError
from polyculture.formats import align, read

from .test_every_format import FORMATS

CLASSES = np.array(["NA", "null", "nan"])
TRUTH = CLASSES[np.arange(30) % 3]
WRONG = {"ann": np.arange(30) % 4 == 0, "bob": np.arange(30) % 5 == 1}
WIDE = {"id": [f"q{i}" for i in range(30)], "label": TRUTH.tolist()} | {
    model: np.where(wrong, np.roll(TRUTH, 1), TRUTH).tolist() for model, wrong in WRONG.items()
}
LONG = {
    "id": WIDE["id"] * 2,
    "model": ["ann"] * 30 + ["bob"] * 30,
    "answer": WIDE["ann"] + WIDE["bob"],
    "label": WIDE["label"] * 2,
}


@pytest.mark.parametrize("columns", [WIDE, LONG], ids=["wide", "long"])
@pytest.mark.parametrize("form", [form for form in FORMATS if form != "csv"])
def test_text_is_what_it_says_in_typed_formats(form, columns, tmp_path):
    predictions = read(FORMATS[form](columns, tmp_path))
    assert set(predictions.classes) == set(CLASSES)
    np.testing.assert_array_equal(predictions.wrong, list(WRONG.values()))


def test_null_and_absent_keys_are_missing_in_json_lines(tmp_path):
    rows = [{"label": "NA", "ann": "NA", "bob": None}, {"label": "x", "ann": float("nan")}]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert (read(tmp_path / "t.jsonl").answers == -1).tolist() == [[False, True], [True, True]]


@pytest.mark.parametrize("columns", [WIDE, LONG], ids=["wide", "long"])
@pytest.mark.parametrize("word", ["NA", "null", "nan"])
def test_a_label_that_csv_has_for_an_empty_cell_is_named_with_the_cure(word, columns, tmp_path):
    label = ["x" if text != word else word for text in columns["label"]]
    path = FORMATS["csv"](columns | {"label": label}, tmp_path)
    with pytest.raises(InputError) as error:
        read(path)
    assert f"{word!r} counts as an empty cell in CSV; if it is a value, write the table as Parquet" in str(error.value)
    pd.read_csv(path, keep_default_na=False).to_parquet(tmp_path / "t.parquet")
    assert word in read(tmp_path / "t.parquet").classes


@pytest.mark.parametrize("packed", ["t.csv", "t.csv.gz"])
def test_answers_that_count_as_none_are_reported(packed, tmp_path):
    columns = {"label": ["x", "y"] * 20, "ann": ["x", "NA"] * 20, "bob": ["x", "y"] * 19 + ["", ""]}
    pd.DataFrame(columns).to_csv(tmp_path / packed, index=False)
    sentence = align(tmp_path / packed).report.sentence
    assert "'NA' counts as no answer in 20 cells (with keep_na, --keep-na, it is one)" in sentence


def test_a_model_called_na_is_named_with_the_cure(tmp_path):
    path = FORMATS["csv"](LONG | {"model": ["NA"] * 30 + ["bob"] * 30}, tmp_path)
    with pytest.raises(InputError, match=r"'model' of .* is empty in 30 rows.*'NA' counts as an empty cell in CSV"):
        read(path)
