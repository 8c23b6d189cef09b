"""Which other sources have named columns? JSON Lines, Arrow and Feather files, MLflow tables, and any dataframe."""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa

from polyculture.errors import FileError, InputError

from ..json_lines import BadLines, json_lines, load_json
from .files import ColumnTable, check_unique

ARROW_SUFFIXES = {".arrow", ".feather", ".ipc"}


def open_json_lines(path: Path, bad: BadLines) -> ColumnTable:
    """The columns of a JSON Lines file of flat objects, read line by line; a key that a line lacks is an empty cell."""
    columns: dict[str, tuple[array[int], dict[str, int]]] = {}
    rows, numbers = 0, array("q")
    for number, row in json_lines(path, bad):
        nested = next((name for name, value in row.items() if isinstance(value, (dict, list))), None)
        if nested is not None:
            bad.add(
                f"line {number} of {path}", f"holds a {type(row[nested]).__name__} in {nested!r}", "texts and numbers"
            )
            continue
        for name, value in row.items():
            codes, values = columns.setdefault(name, (array("i"), {}))
            codes.extend([-1] * (rows - len(codes)))
            empty = value is None or value != value or value == ""
            codes.append(-1 if empty else values.setdefault(str(value), len(values)))
        rows += 1
        numbers.append(number)
    if not rows:
        raise InputError(f"{path} is empty", "a JSON object per line")
    for codes, _ in columns.values():
        codes.extend([-1] * (rows - len(codes)))
    arrays = {name: _dictionary(codes, list(values)) for name, (codes, values) in columns.items()}

    def places(selected: Sequence[int]) -> list[str]:
        return [f"line {numbers[row]} of {path}" for row in selected]

    def load(names: Sequence[str]) -> dict[str, pa.ChunkedArray]:
        return {name: arrays[name] for name in names}

    return ColumnTable(str(path), tuple(arrays), load, typed=False, bad=bad, places=places)


def open_arrow(paths: Sequence[Path], source: str) -> ColumnTable:
    """The columns of Arrow or Feather files, or of a data set that Hugging Face saved; mapped, not copied."""
    parts = []
    for path in paths:
        try:
            mapped = pa.memory_map(str(path))
            try:
                part = pa.ipc.open_file(mapped).read_all()
            except pa.ArrowInvalid:
                mapped.seek(0)
                part = pa.ipc.open_stream(mapped).read_all()
        except (pa.ArrowException, OSError) as error:
            reason = re.split(r"[:\n]", str(error))[0]
            raise FileError(f"{path} is not a complete Arrow file: {reason}", "", "copy or write it again") from error
        parts.append(part)
    return table_of(pa.concat_tables(parts, promote_options="default"), source)


def open_split_table(path: Path) -> ColumnTable:
    """The columns of a table that MLflow logged: JSON with columns and data."""
    value = load_json(path)
    names, rows = [str(name) for name in value["columns"]], value["data"]
    if any(len(row) != len(names) for row in rows):
        raise InputError(f"{path} has rows that are not as long as its columns", f"{len(names)} cells in every row")
    return table_of(pa.table({name: _column([row[i] for row in rows]) for i, name in enumerate(names)}), str(path))


def is_split_table(value: Any) -> bool:
    """Whether a JSON value is such a table."""
    return isinstance(value, dict) and isinstance(value.get("columns"), list) and isinstance(value.get("data"), list)


def open_lists(path: Path) -> ColumnTable:
    """The columns of predictions and references, as Hugging Face's `evaluate` takes them, in JSON."""
    value = load_json(path)
    cells = {name: [_only(cell) for cell in column] for name, column in value.items() if isinstance(column, list)}
    lengths = {name: len(column) for name, column in cells.items()}
    if len(set(lengths.values())) > 1:
        listing = " and ".join(f"{n} {name}" for name, n in lengths.items())
        raise InputError(f"{path} has {listing}", "one of each per instance")
    return table_of(pa.table({name: _column(column) for name, column in cells.items()}), str(path))


def is_lists(value: Any) -> bool:
    """Whether a JSON value is such lists."""
    return isinstance(value, dict) and any(
        isinstance(value.get(p), list) and isinstance(value.get(r), list)
        for p, r in (("predictions", "references"), ("prediction", "reference"))
    )


def _only(cell: Any) -> Any:
    """A reference, out of the list of one that some metrics expect."""
    return cell[0] if isinstance(cell, list) and len(cell) == 1 else cell


def is_frame(value: Any) -> bool:
    """Whether this is a dataframe of any library that narwhals knows, or a data set of Hugging Face."""
    if isinstance(value, (np.ndarray, Mapping, str, Path)):
        return False
    return _is_data_set(value) or isinstance(nw.from_native(value, pass_through=True), (nw.DataFrame, nw.LazyFrame))


def _is_data_set(value: Any) -> bool:
    """Whether this is a data set of Hugging Face in memory, which narwhals does not know."""
    return hasattr(value, "with_format") and hasattr(value, "column_names") and hasattr(value, "select")


def open_frame(frame: Any, source: str = "the dataframe") -> ColumnTable:
    """The columns of a dataframe; the index of a pandas one is the instance, unless it only counts the rows."""
    if isinstance(frame, pd.DataFrame):
        row_numbers = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
        indexed = frame.rename_axis(index="instance") if not row_numbers and frame.index.name is None else frame
        frame = frame if row_numbers else indexed.reset_index()
        frame = frame.rename(columns=str)
    if _is_data_set(frame):
        frame = frame.with_format("arrow")[:]  # in the order chosen with select or shuffle
    wrapped = nw.from_native(frame)
    if isinstance(wrapped, nw.LazyFrame):
        wrapped = wrapped.collect()
    try:
        return table_of(wrapped.to_arrow(), source)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        columns = {name: _column(wrapped[name].to_list()) for name in wrapped.columns}
        return table_of(pa.table(columns), source)


def table_of(table: pa.Table, source: str) -> ColumnTable:
    """An Arrow table as a ColumnTable."""
    check_unique(source, table.column_names)
    if not len(table):
        raise InputError(f"{source} has no rows", "one row per instance")
    names = tuple(table.column_names)
    return ColumnTable(source, names, lambda selected: {name: table.column(name) for name in selected}, typed=True)


def _column(values: list[Any]) -> pa.Array:
    """A column of values as they are, or as text where they are of several types."""
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if v is None or v != v else str(v) for v in values])


def _dictionary(codes: array[int], values: list[str]) -> pa.ChunkedArray:
    indices = np.frombuffer(codes, np.int32)
    return pa.chunked_array(
        [pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), pa.array(values, pa.string()))]
    )
