"""What are the rows of a file of records? A JSON array, JSON Lines, CSV, Parquet or Arrow, each row as a mapping."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from polyculture.errors import InputError

from ..json_lines import BadLines, first_object, json_lines, load_json
from ..tables.dataframes import ARROW_SUFFIXES, open_arrow
from ..tables.files import ColumnTable, open_table
from ..tables.json_tables import is_json_table, open_json_table
from ..unpacking import open_bytes

Row = tuple[str, Mapping[str, Any]]
"""Where a row is, and its cells by column."""
_JSON_LINES = {".jsonl", ".ndjson"}
_HEADER = 2**16


def rows_of(path: Path, bad: BadLines) -> Iterator[Row]:
    """The rows with their places; nested cells as they are."""
    if _JSON_LINES & set(path.suffixes[-2:]):
        yield from ((f"line {number} of {path}", row) for number, row in json_lines(path, bad))
        return
    if path.suffix == ".json":
        value = load_json(path)
        if isinstance(value, list):
            for number, row in enumerate(value, 1):
                if isinstance(row, dict):
                    yield f"record {number} of {path}", row
                else:
                    bad.add(f"record {number} of {path}", "is no object", "an object per record")
            return
        yield from rows_of_table(open_json_table(path))
        return
    is_arrow = bool(ARROW_SUFFIXES & set(path.suffixes[-1:]))
    yield from rows_of_table(open_arrow([path], str(path)) if is_arrow else open_table(path, bad=bad))


def rows_of_table(table: ColumnTable) -> Iterator[Row]:
    """The rows of a table with their places."""
    columns = {name: column.to_pylist() for name, column in table.load(table.names).items()}
    for number, cells in enumerate(zip(*columns.values(), strict=True), 1):
        yield f"row {number} of {table.source}", dict(zip(columns, cells, strict=True))


def column_names(path: Path) -> tuple[str, ...]:
    """The names of the columns by the start of the file; none where it is no file of records."""
    suffixes = set(path.suffixes[-2:])
    if _JSON_LINES & suffixes:
        return tuple(first_object(path))
    if {".parquet", ".pq"} & suffixes:
        try:
            return tuple(pq.read_schema(path).names)
        except (OSError, ValueError):
            return ()  # the error is that of the reader of tables
    if {".csv", ".tsv"} & suffixes:
        return _header(path)
    return ()


def names_of_records(value: Any) -> tuple[str, ...]:
    """The names of the fields of a JSON array of records; none where it is something else."""
    if not isinstance(value, list) or not is_json_table(value):
        return ()
    return tuple(dict.fromkeys(str(name) for row in value[:100] for name in row))


def _header(path: Path) -> tuple[str, ...]:
    """The names in the first line of a text table."""
    try:
        with open_bytes(path) as file:
            line = file.readline(_HEADER).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError, InputError):
        return ()
    line = re.split(r"[\r\n]", line)[0]
    try:
        return tuple(map(str.strip, next(csv.reader([line], delimiter=max(",;\t", key=line.count)), [])))
    except csv.Error:
        return ()
