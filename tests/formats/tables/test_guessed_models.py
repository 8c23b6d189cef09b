"""Is a column that is plainly no model refused by name in every format, and a bad model still a model?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import InputError
from polyculture.formats import align, read, read_shards

from .test_every_format import FORMATS, TRUTH, WIDE, as_csv, as_parquet, check_errors

DIGITS = {"label": [i % 3 for i in range(60)], "ann": [i % 3 for i in range(60)], "bob": [i % 2 for i in range(60)]}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "extra",
    [
        {"question": [f"What is {i}?" for i in range(60)]},
        {"subject": ["law", "math"] * 30},
        {"split": ["test"] * 60},
        {"time": [f"2024-01-{1 + i % 28:02d}" for i in range(60)]},
        {"subject": ["law", "math"] * 30, "area": ["law", "math"] * 30},
        {"age": [20 + i % 50 for i in range(60)]},
    ],
    ids=lambda extra: "-".join(extra),
)
def test_a_column_of_other_values_is_refused_by_name(extra, form, tmp_path):
    source = FORMATS[form](extra | WIDE, tmp_path)
    with pytest.raises(InputError) as error:
        read(source)
    assert f"column {next(iter(extra))!r} does not look like a model" in str(error.value)
    assert "name the columns that are models with models (--models)" in str(error.value)
    check_errors(read(source, models=["ann", "bob"]))
    check_errors(read(source, groups=list(extra)))


@pytest.mark.parametrize("form", FORMATS)
def test_an_index_beside_an_id_is_no_model(form, tmp_path):
    aligned = align(FORMATS[form]({"index": range(60)} | WIDE, tmp_path))
    check_errors(aligned.predictions)
    assert "column 'index' is named like an id and is no model" in aligned.report.sentence


@pytest.mark.parametrize("form", FORMATS)
def test_a_counter_among_labels_that_are_numbers_is_refused(form, tmp_path):
    with pytest.raises(InputError, match="'row' does not look like a model"):
        read(FORMATS[form]({"row": range(60)} | DIGITS, tmp_path))


def test_the_columns_of_shards_are_judged_once(tmp_path):
    with pytest.raises(InputError, match="'split' does not look like a model"):
        read_shards(as_parquet(WIDE | {"split": ["test"] * 60}, tmp_path))
    order = np.argsort(TRUTH)
    columns = {name: np.array(cells)[order].tolist() for name, cells in WIDE.items()}
    columns["bad"] = TRUTH[order][::-1].tolist()  # always the other class
    path = as_parquet(columns, tmp_path)
    assert next(iter(read_shards(path)[0])).model_ids == ["ann", "bob", "bad"]


def test_a_model_of_several_files_is_named_as_well(tmp_path):
    for name in ("ann", "bob"):
        (tmp_path / name).mkdir()
        as_csv({"id": WIDE["id"], "label": WIDE["label"], name: WIDE[name], "split": ["test"] * 60}, tmp_path / name)
    paths = [tmp_path / name / "t.csv" for name in ("ann", "bob")]
    with pytest.raises(InputError, match="'split' does not look like a model"):
        read(paths)
    check_errors(read(paths, models=["ann", "bob"]))


def test_a_model_that_is_always_wrong_is_one():
    assert read(pd.DataFrame(WIDE | {"bad": TRUTH[::-1]})).shape == (3, 60)


def test_a_model_that_says_the_same_stranger_as_another_is_one():
    said = {"ann": ["?"] * 20 + ["yes", "no"] * 20, "bob": ["?"] * 60}
    assert read(pd.DataFrame({"label": TRUTH} | said)).shape == (2, 60)


def test_few_rows_tell_nothing():
    assert read(pd.DataFrame({"label": ["x"] * 9, "a": ["x"] * 9, "b": ["y"] * 9})).shape == (2, 9)
