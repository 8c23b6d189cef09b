"""Is a list of one answer that answer, in every format, and are other lists no answers?"""

from __future__ import annotations

import json

import pandas as pd
import pytest

from polyculture.errors import InputError
from polyculture.formats import read

LONG = {
    "model": ["ann", "ann", "bob", "bob"],
    "item": [1, 2, 1, 2],
    "prediction": [["x"], ["y"], ["y"], []],
    "reference": [["x"], ["y"], ["x"], ["y"]],
}
WIDE = {"id": [1, 2], "label": [["x"], ["y"]], "ann": [["x"], ["y"]], "bob": [["y"], []], "tags": [["a", "b"], ["c"]]}


def stored(columns, form, folder):
    frame = pd.DataFrame(columns)
    if form == "frame":
        return frame
    path = folder / f"t.{form}"
    if form == "parquet":
        frame.to_parquet(path)
    elif form == "json":
        path.write_text(json.dumps(frame.to_dict(orient="records")))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict(orient="records")))
    return path


@pytest.mark.parametrize("form", ["frame", "parquet", "json", "jsonl"])
def test_lists_of_one_answer_are_answers(form, tmp_path):
    predictions = read(stored(LONG, form, tmp_path))
    assert predictions.wrong.tolist() == [[False, False], [True, False]]
    assert predictions.observed.tolist() == [[True, True], [True, False]]
    wide = read(stored(WIDE, form, tmp_path), models=["ann", "bob"])
    assert wide.wrong.tolist() == [[False, False], [True, False]]


@pytest.mark.parametrize("form", ["frame", "parquet", "json", "jsonl"])
def test_longer_lists_are_refused(form, tmp_path):
    source = stored(LONG | {"prediction": [["x"], ["y", "x"], ["y"], ["y"]]}, form, tmp_path)
    with pytest.raises(InputError, match="list"):
        read(source)
