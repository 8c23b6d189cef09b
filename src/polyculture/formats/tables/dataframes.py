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

from ..json_lines import BadLines, distinct_keys, json_lines, load_json
from .column_roles import MODEL_NAMES, first_name
from .files import NO_NESTED_MODEL, ColumnTable, check_unique, nested_columns

ARROW_SUFFIXES = {".arrow", ".feather", ".ipc"}


def open_json_lines(path: Path, bad: BadLines) -> ColumnTable:
    """The columns of a JSON Lines file, read line by line; a key that a line lacks is an empty cell."""
    columns: dict[str, _JsonColumn] = {}
    numbers = array("q")
    for number, row in json_lines(path, bad, distinct_keys):
        for name, value in row.items():
            columns.setdefault(name, _JsonColumn()).add(len(numbers), value)
        numbers.append(number)
    if not numbers:
        raise InputError(f"{path} is empty", "a JSON object per line")

    def places(selected: Sequence[int]) -> list[str]:
        return [f"line {numbers[row]} of {path}" for row in selected]

    def load(names: Sequence[str]) -> dict[str, pa.ChunkedArray]:
        for name in names:
            column = columns[name]
            for row, kind in () if column.is_single else column.nested:
                place, reason = places([row])[0], f"holds a {kind} in {name!r}"
                if column.is_nested:
                    raise InputError(f"{place} {reason}", "texts and numbers", NO_NESTED_MODEL)
                bad.add(place, reason, "texts and numbers")
            column.nested = []
        return {name: columns[name].finished(len(numbers)) for name in names}

    nested = frozenset(name for name, column in columns.items() if column.is_nested)
    return ColumnTable(str(path), tuple(columns), load, typed=False, bad=bad, places=places, nested=nested)


class _JsonColumn:
    """One key of JSON Lines as it grows: codes of its texts, and where it holds lists or objects."""

    def __init__(self) -> None:
        self.codes = array("i")
        self.values: dict[str, int] = {}
        self.nested: list[tuple[int, str]] = []
        self.is_single = True
        """Whether all cells that are not empty are lists of one text or number, which is the cell then."""

    def add(self, row: int, value: Any) -> None:
        """Add the value of this row."""
        self.codes.extend([-1] * (row - len(self.codes)))
        is_nested = isinstance(value, (dict, list))
        if is_nested:
            self.nested.append((row, type(value).__name__))
        if isinstance(value, list) and len(value) < 2 and not any(isinstance(cell, (dict, list)) for cell in value):
            value, is_nested = next(iter(value), None), False
        elif is_nested or not (value is None or value == ""):
            self.is_single = False
        empty = is_nested or value is None or value != value or value == ""
        self.codes.append(-1 if empty else self.values.setdefault(str(value), len(self.values)))

    @property
    def is_nested(self) -> bool:
        """Whether most cells that are not empty are lists or objects."""
        return 2 * len(self.nested) > sum(code >= 0 for code in self.codes) + len(self.nested)

    def finished(self, rows: int) -> pa.ChunkedArray:
        """The column with this number of rows."""
        self.codes.extend([-1] * (rows - len(self.codes)))
        indices = np.frombuffer(self.codes, np.int32).copy()
        texts = pa.array(list(self.values), pa.string())
        return pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), texts)])


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
        check_unique(source, part.column_names)
        parts.append(part)
    return table_of(pa.concat_tables(parts, promote_options="default"), source)


def open_split_table(path: Path) -> ColumnTable:
    """The columns of a table that MLflow logged: JSON with columns and data."""
    value = load_json(path)
    names, rows = [str(name) for name in value["columns"]], value["data"]
    check_unique(str(path), names)
    if any(len(row) != len(names) for row in rows):
        raise InputError(f"{path} has rows that are not as long as its columns", f"{len(names)} cells in every row")
    return table_of(pa.table({name: column_of([row[i] for row in rows]) for i, name in enumerate(names)}), str(path))


def is_frame(value: Any) -> bool:
    """Whether this is a dataframe of any library that narwhals knows, or a data set of Hugging Face."""
    if isinstance(value, (np.ndarray, Mapping, str, Path)):
        return False
    if _is_data_set(value) or isinstance(value, (pd.DataFrame, pa.Table)):
        return True
    return isinstance(nw.from_native(value, pass_through=True), (nw.DataFrame, nw.LazyFrame))


def _is_data_set(value: Any) -> bool:
    """Whether this is a data set of Hugging Face in memory, which narwhals does not know."""
    return hasattr(value, "with_format") and hasattr(value, "column_names") and hasattr(value, "select")


def open_frame(frame: Any, source: str = "the dataframe") -> ColumnTable:
    """The columns of a dataframe; the index of a pandas one is the instance, unless it only counts the rows."""
    if isinstance(frame, pd.DataFrame):
        frame = _with_index(frame, source)
    if isinstance(frame, pa.Table):
        check_unique(source, frame.column_names)
    if _is_data_set(frame):
        frame = frame.with_format("arrow")[:]  # in the order chosen with select or shuffle
    wrapped = nw.from_native(frame)
    if isinstance(wrapped, nw.LazyFrame):
        wrapped = wrapped.collect()
    try:
        return table_of(wrapped.to_arrow(), source)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        columns = {name: column_of(wrapped[name].to_list()) for name in wrapped.columns}
        return table_of(pa.table(columns), source)


def _with_index(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """The dataframe with its index as the first column, unless that only counts the rows or is a column already."""
    index = frame.index
    names = ["/".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in frame.columns]
    check_unique(source, names)
    frame = frame.set_axis(names, axis=1)
    if isinstance(index, pd.RangeIndex) and index.name is None:
        return frame
    if isinstance(index, pd.MultiIndex) and first_name([str(level) for level in index.names], MODEL_NAMES) is not None:
        check_unique(source, [*map(str, index.names), *names])
        return frame.reset_index()  # the index of a long table: model and instance
    name = "instance" if index.name is None else str(index.name)
    if isinstance(index, pd.MultiIndex):
        index = pd.Index(["/".join(map(str, key)) for key in index])
    if name in names:
        if index.name is not None and not pd.Series(frame[name].to_numpy()).equals(pd.Series(index.to_numpy())):
            check_unique(source, [name, *names])
        return frame.reset_index(drop=True)
    frame = frame.reset_index(drop=True)
    frame.insert(0, name, index)
    return frame


def table_of(table: pa.Table, source: str) -> ColumnTable:
    """An Arrow table as a ColumnTable."""
    check_unique(source, table.column_names)
    if not len(table):
        raise InputError(f"{source} has no rows", "one row per instance")
    return ColumnTable(
        source,
        tuple(table.column_names),
        lambda names: {name: table.column(name) for name in names},
        typed=True,
        nested=nested_columns(table.schema),
    )


def column_of(values: list[Any]) -> pa.Array:
    """A column of values as they are, or as text where they are of several types."""
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # of a whole number beyond 64 bits
        return pa.array([None if v is None or v != v else str(v) for v in values])
