"""Are JSON tables of every orient, nested columns and repeated names read or refused alike in every format?"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from polyculture.errors import InputError
from polyculture.formats import align, read

from .test_every_format import FORMATS, IDS, LONG, WIDE, as_lines, as_parquet, check_errors

ORIENTS = ["records", "split", "columns", "index", "table"]


@pytest.mark.parametrize("columns", [WIDE, LONG], ids=["wide", "long"])
@pytest.mark.parametrize("orient", ORIENTS)
def test_json_of_every_orient_is_the_table(orient, columns, tmp_path):
    pd.DataFrame(columns).to_json(tmp_path / "t.json", orient=orient)
    check_errors(read(tmp_path / "t.json"))
    check_errors(read(tmp_path))


@pytest.mark.parametrize("orient", ["split", "columns", "index", "table"])
def test_the_index_of_json_is_the_instance(orient, tmp_path):
    frame = pd.DataFrame(WIDE).drop(columns="id").set_axis(IDS)
    frame.to_json(tmp_path / "t.json", orient=orient)
    predictions = read(tmp_path / "t.json")
    check_errors(predictions)
    if orient != "table":
        assert predictions.instances.index.tolist() == IDS


def test_lists_by_column_are_a_table(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps(WIDE))
    check_errors(read(tmp_path / "t.json"))


def test_json_without_names_is_refused(tmp_path):
    pd.DataFrame(WIDE).to_json(tmp_path / "t.json", orient="values")
    with pytest.raises(
        InputError, match=r"is a list of lists, as pandas writes with orient='values'.*to_json\(path, orient='split'\)"
    ):
        read(tmp_path / "t.json")


@pytest.mark.parametrize("form", ["jsonl", "parquet", "feather", "arrow", "polars", "pandas"])
@pytest.mark.parametrize("nested", [{"source": "web"}, ["a", "b"]], ids=["object", "list"])
@pytest.mark.parametrize("columns", [WIDE, LONG], ids=["wide", "long"])
def test_a_nested_column_is_no_model(columns, nested, form, tmp_path):
    source = FORMATS[form](columns | {"meta": [nested] * len(columns["id"])}, tmp_path)
    aligned = align(source)
    check_errors(aligned.predictions)
    assert (columns is LONG) or "columns that hold lists or objects are no models: 'meta'" in aligned.report.sentence
    if columns is WIDE:
        check_errors(read(source, models=["ann", "bob"]))
        with pytest.raises(InputError, match="--models"):
            read(source, models=["ann", "meta"])


def test_a_nested_column_of_json_records_is_no_model(tmp_path):
    rows = [dict(zip(WIDE, cells, strict=True), meta={"n": 1}) for cells in zip(*WIDE.values(), strict=True)]
    (tmp_path / "t.json").write_text(json.dumps(rows))
    check_errors(read(tmp_path / "t.json"))


def test_a_single_nested_cell_of_a_model_is_a_bad_cell(tmp_path):
    lines = as_lines(WIDE, tmp_path).read_text().splitlines()
    broken = json.loads(lines[3]) | {"ann": {"text": "yes"}}
    (tmp_path / "t.jsonl").write_text("\n".join([*lines[:3], json.dumps(broken), *lines[4:]]) + "\n")
    with pytest.raises(InputError, match=r"line 4 of .* holds a dict in 'ann'"):
        read(tmp_path / "t.jsonl")


def repeated(kind, tmp_path):
    frame = pd.DataFrame(np.arange(36).reshape(9, 4) % 2, columns=["id", "label", "ann", "ann"])
    table = pa.table([pa.array(range(9))] * 4, names=list(frame.columns))
    if kind == "pandas":
        return frame
    if kind == "arrow":
        return table
    path = tmp_path / f"t.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "json":
        path.write_text(json.dumps({"columns": list(frame.columns), "data": frame.to_numpy().tolist()}))
    elif kind == "parquet":
        pa.parquet.write_table(table, path)
    else:
        pa.feather.write_feather(table, path)
    return path


@pytest.mark.parametrize("kind", ["pandas", "arrow", "csv", "json", "parquet", "feather"])
def test_two_columns_of_one_name_are_named(kind, tmp_path):
    source = repeated(kind, tmp_path)
    with pytest.raises(InputError, match="has 2 columns called 'ann'; expected a name of its own for every column"):
        read(source)
    if kind in ("pandas", "arrow"):
        with pytest.raises(InputError, match="the dataframe of m has 2 columns called 'ann'"):
            read({"m": source})


@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_a_key_that_an_object_has_twice_is_named(kind, tmp_path):
    row = '{"id": 1, "label": 0, "ann": 0, "bob": 1, "ann": 1}'
    path = tmp_path / f"t.{kind}"
    path.write_text(f"[{row}]" if kind == "json" else f"{row}\n")
    with pytest.raises(InputError, match="has the key 'ann' twice"):
        read(path)


@pytest.mark.parametrize("kind", ["json", "jsonl", "pandas", "csv"])
@pytest.mark.parametrize("number", [10**30, -(10**25), 2**64])
def test_whole_numbers_of_any_size_are_answers(kind, number, tmp_path):
    rows = [{"id": i, "label": i % 2, "ann": i % 2 if i != 3 else number, "bob": 1} for i in range(12)]
    path = tmp_path / f"t.{kind}"
    if kind == "json":
        path.write_text(json.dumps(rows))
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    predictions = read(pd.DataFrame(rows) if kind == "pandas" else path)
    assert predictions.wrong.sum(axis=1).tolist() == [1, 6]
    assert str(number) in predictions.classes


def test_columns_whose_names_are_the_same_as_text_are_named():
    with pytest.raises(InputError, match="2 columns called '1'"):
        read(pd.DataFrame([[0, 0, 0]], columns=["label", 1, "1"]))


def test_an_index_that_is_a_column_as_well_is_read_once():
    check_errors(read(pd.DataFrame(WIDE).set_index("id", drop=False)))
    with pytest.raises(InputError, match="2 columns called 'id'"):
        read(pd.DataFrame(WIDE).set_index(pd.Index(range(1, 61), name="id")))


def test_an_index_of_several_levels_is_the_instance():
    frame = pd.DataFrame(WIDE).assign(part=["a", "b"] * 30).set_index(["part", "id"])
    predictions = read(frame)
    check_errors(predictions)
    assert predictions.instances.index[1] == "b/q1"


def test_parquet_with_a_nested_column_is_read_in_a_folder(tmp_path):
    as_parquet(WIDE | {"meta": [{"n": 1}] * 60}, tmp_path)
    check_errors(read(tmp_path))
