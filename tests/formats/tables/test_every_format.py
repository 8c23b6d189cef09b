"""Is the same table read the same way in every format, wide and long?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from polyculture.formats import read, read_shards

TRUTH = np.array(["yes", "no"] * 30)
IDS = [f"q{i}" for i in range(60)]
WRONG = {"ann": np.arange(60) % 4 == 0, "bob": np.arange(60) % 5 == 1}
WIDE = {"id": IDS, "label": TRUTH.tolist()} | {
    model: np.where(wrong, TRUTH[::-1], TRUTH).tolist() for model, wrong in WRONG.items()
}
LONG = {
    "id": IDS * 2,
    "model": ["ann"] * 60 + ["bob"] * 60,
    "answer": WIDE["ann"] + WIDE["bob"],
    "label": WIDE["label"] * 2,
}


def as_csv(columns, folder):
    pd.DataFrame(columns).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def as_lines(columns, folder):
    pd.DataFrame(columns).to_json(folder / "t.jsonl", orient="records", lines=True)
    return folder / "t.jsonl"


def as_parquet(columns, folder):
    pa.parquet.write_table(pa.table(columns), folder / "t.parquet")
    return folder / "t.parquet"


def as_feather(columns, folder):
    pa.feather.write_feather(pa.table(columns), folder / "t.feather")
    return folder / "t.feather"


FORMATS = {
    "csv": as_csv,
    "jsonl": as_lines,
    "parquet": as_parquet,
    "feather": as_feather,
    "pandas": lambda columns, folder: pd.DataFrame(columns),
    "polars": lambda columns, folder: pl.DataFrame(columns),
    "arrow": lambda columns, folder: pa.table(columns),
}


def check_errors(predictions):
    assert predictions.model_ids == ["ann", "bob"]
    assert predictions.shape == (2, 60)
    np.testing.assert_array_equal(predictions.wrong, list(WRONG.values()))


@pytest.mark.parametrize("columns", [WIDE, LONG], ids=["wide", "long"])
@pytest.mark.parametrize("form", FORMATS)
def test_a_table_is_the_same_in_every_format(form, columns, tmp_path):
    check_errors(read(FORMATS[form](columns, tmp_path)))


@pytest.mark.parametrize("columns", [WIDE, LONG], ids=["wide", "long"])
@pytest.mark.parametrize("index", [pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.int8()], ids=str)
def test_dictionaries_with_codes_of_any_type_are_read_as_text_is(columns, index, tmp_path):
    kind = pa.dictionary(index, pa.string())
    table = pa.table({name: pa.array(cells).dictionary_encode().cast(kind) for name, cells in columns.items()})
    check_errors(read(table))
    pa.parquet.write_table(table, tmp_path / "t.parquet")
    check_errors(read(tmp_path / "t.parquet"))
    pa.feather.write_feather(table, tmp_path / "t.feather")
    check_errors(read(tmp_path / "t.feather"))
    if columns is WIDE:
        (part,) = (part for shard in read_shards(tmp_path / "t.parquet") for part in shard)
        check_errors(part)


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["yes", "no"])], ids=str)
def test_categories_of_polars_are_read_as_text_is(kind):
    coded = {name: pl.Series(WIDE[name], dtype=kind) for name in ("label", "ann", "bob")}
    check_errors(read(pl.DataFrame({"id": IDS, **coded})))
    gap = pl.Series([None, *WIDE["ann"][1:]], dtype=kind)
    assert read(pl.DataFrame({**coded, "ann": gap})).answers[0, 0] == -1
