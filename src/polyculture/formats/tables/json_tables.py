"""What are the columns of a JSON file that is no log? Records, lists by column, and every orient of pandas."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from polyculture.errors import InputError

from ..json_lines import distinct_keys, load_json
from .column_roles import ANSWER_NAMES, INSTANCE_NAMES, LABEL_NAMES, MODEL_NAMES, OUTCOME_NAMES, first_name
from .dataframes import column_of, table_of
from .files import ColumnTable, check_unique

_LISTS = (("predictions", "references"), ("prediction", "reference"))


def open_json_table(path: Path) -> ColumnTable:
    """The columns of a JSON file: records, columns with data, or lists or cells by column or by row."""
    value = load_json(path, distinct_keys)
    index, columns = _columns(str(path), value)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        listing = " and ".join(f"{n} {name}" for name, n in lengths.items())
        raise InputError(f"{path} has {listing}", "one of each per instance")
    keys = [str(key) for key in index]
    if first_name(list(columns), INSTANCE_NAMES) is None and keys != [str(row) for row in range(len(keys))]:
        columns = {"instance": keys, **columns}
    return table_of(pa.table({name: column_of(column) for name, column in columns.items()}), str(path))


def is_json_table(value: Any) -> bool:
    """Whether a JSON value is a table."""
    return _form(value) != ""


def names_of(value: Any) -> list[str]:
    """The names of the columns of a JSON table; none if it is no table."""
    form = _form(value)
    return [str(name) for name in value["columns"]] if form == "split" else list(_columns("", value)[1]) if form else []


def holds_predictions(value: Any) -> bool:
    """Whether a JSON value is a table with columns that are named like true answers, or answers of a model."""
    names = names_of(value)
    answers = first_name(names, MODEL_NAMES) and first_name(names, (*ANSWER_NAMES, *OUTCOME_NAMES))
    return bool(first_name(names, LABEL_NAMES) or answers)


def _form(value: Any) -> str:
    if isinstance(value, list):
        return "records" if value and all(isinstance(row, dict) for row in value) else ""
    if not isinstance(value, dict) or not value:
        return ""
    names, rows = value.get("columns"), value.get("data")
    if isinstance(rows, list) and isinstance(names, list) and all(isinstance(row, list) for row in rows):
        return "split"
    if isinstance(rows, list) and "schema" in value and _form(rows):
        return "table"
    if any(isinstance(value.get(p), list) and isinstance(value.get(r), list) for p, r in _LISTS):
        return "lists"
    cells = list(value.values())
    if len(cells) > 1 and all(isinstance(column, list) and column for column in cells):
        return "lists" if len({len(column) for column in cells}) == 1 else ""
    if not all(isinstance(part, dict) and part and not any(map(_is_nested, part.values())) for part in cells):
        return ""
    keys = [str(key) for key in cells[0]]
    row_numbers = [str(row) for row in range(len(keys))]
    same_keys = all(list(part) == list(cells[0]) for part in cells)
    if same_keys and keys == row_numbers:
        return "columns"  # as pandas writes a table by default
    if same_keys and list(map(str, value)) == [str(row) for row in range(len(cells))]:
        return "rows"
    if len(cells) > 1 and same_keys and first_name(list(value), LABEL_NAMES):
        return "columns"
    return "rows" if first_name(keys, (*LABEL_NAMES, *ANSWER_NAMES, *OUTCOME_NAMES)) else ""


def _columns(source: str, value: Any) -> tuple[list[Any], dict[str, list[Any]]]:
    """The index, empty if there is none, and the cells of every column."""
    form = _form(value)
    if form == "split":
        names = [str(name) for name in value["columns"]]
        check_unique(source, names)
        if any(len(row) != len(names) for row in value["data"]):
            raise InputError(
                f"{source} has rows that are not as long as its columns", f"{len(names)} cells in every row"
            )
        return value.get("index") or [], {name: [row[i] for row in value["data"]] for i, name in enumerate(names)}
    if form == "lists":
        return [], {name: [_only(cell) for cell in cells] for name, cells in value.items() if isinstance(cells, list)}
    if form == "columns":
        return list(next(iter(value.values()))), {name: list(cells.values()) for name, cells in value.items()}
    rows = value["data"] if form == "table" else list(value.values()) if form == "rows" else value
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    return list(value) if form == "rows" else [], {name: [row.get(name) for row in rows] for name in names}


def _is_nested(cell: Any) -> bool:
    return isinstance(cell, (Mapping, list))


def _only(cell: Any) -> Any:
    """A reference, out of the list of one that some metrics expect."""
    return cell[0] if isinstance(cell, list) and len(cell) == 1 else cell
