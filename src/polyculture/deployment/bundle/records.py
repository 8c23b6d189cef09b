"""How do records with named columns become rows of numbers? In the order of the training table, each cell checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from polyculture.errors import InputError, near

from .manifest import Column, Manifest

UNKNOWN = -1.0
"""Position of a category that was not seen in training."""
LARGEST = float(np.finfo(np.float32).max)


def is_columns(inputs: Any) -> bool:
    """Whether these are cells by column."""
    return isinstance(inputs, Mapping)


def from_frame(inputs: Any) -> Any:
    """A dataframe as cells by column, a column as its cells; anything else as it is.

    By name, never by position: the columns of a frame may be in another order than in training.
    """
    if hasattr(inputs, "columns") and hasattr(inputs, "__getitem__") and not is_columns(inputs):
        return {name: inputs[name].to_list() for name in inputs.columns}
    return inputs.to_list() if hasattr(inputs, "to_list") else inputs


def is_records(inputs: Any) -> bool:
    """Whether these are records, a mapping from columns to a cell each."""
    return isinstance(inputs, (list, tuple)) and len(inputs) > 0 and isinstance(inputs[0], Mapping)


def check_names(inputs: Any) -> None:
    """Refuse records of which one is no mapping, and columns without a name."""
    for row, record in enumerate([inputs] if is_columns(inputs) else inputs):
        if not isinstance(record, Mapping):
            raise InputError(f"record {row} is {type(record).__name__}", "a mapping from columns to cells")
        nameless = next((name for name in record if not isinstance(name, str)), None)
        if nameless is not None:
            raise InputError(f"the column {nameless!r}", "columns whose names are texts")


def rows_of(records: Sequence[Mapping[str, Any]], name: str) -> Iterator[tuple[int, Any]]:
    """The cell of that column in each record; InputError where one has none."""
    for row, record in enumerate(records):
        if name not in record:
            raise InputError(f"record {row} has no column {name!r}", "a cell for every column of the model")
        yield row, record[name]


def read_columns(manifest: Manifest, inputs: Any) -> Float[np.ndarray, "n d"]:
    """Rows of numbers, float64, from cells by column or from records.

    Numbers are as they are, categories their positions (−1 where unknown), missing cells nan.
    Raises InputError for a missing and an unknown column, text among numbers, infinity, and for cells that are missing
    where none were in training.
    """
    columns = manifest.columns
    names = [column.name for column in columns]
    present = list(inputs) if is_columns(inputs) else list(dict.fromkeys(key for r in inputs for key in r))
    absent = [name for name in names if name not in present]
    if absent:
        raise InputError(f"no column {absent[0]!r}", "every column of the model", near(absent[0], map(str, present)))
    unknown = [name for name in present if name not in set(names)]
    if unknown:
        raise InputError(
            f"the unknown column {unknown[0]!r}", "the columns of the model only", near(str(unknown[0]), names)
        )
    cells = {name: _cells(inputs, name) for name in names}
    lengths = {name: len(values) for name, values in cells.items()}
    longest = max(lengths.values())
    short = next((name for name, length in lengths.items() if length != longest), None)
    if short is not None:
        raise InputError(f"{lengths[short]} cells in the column {short!r} and {longest} in others", "as many in each")
    table = np.empty((longest, len(columns)), np.float64)
    for position, column in enumerate(columns):
        table[:, position] = _column(column, cells[column.name])
    return table if reads_doubles(manifest) else table.astype(np.float32)


def reads_doubles(manifest: Manifest) -> bool:
    """Whether raw inputs are in double precision: for graphs that read it, and where columns are encoded."""
    return any(view.dtype == "float64" or view.kind == "columns" or view.file for view in manifest.views)


def _cells(inputs: Any, name: str) -> list[Any]:
    if not is_columns(inputs):
        return [cell for _, cell in rows_of(inputs, name)]
    values = inputs[name]
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise InputError(f"one cell in the column {name!r}", "a list of cells")
    return list(values)


def _column(column: Column, cells: Sequence[Any]) -> list[float]:
    if column.kind == "category":
        positions = {category: float(i) for i, category in enumerate(column.categories)}
        names = [None if _missing(cell) else _name(cell) for cell in cells]
        return [
            _gap(column, row) if name is None else positions.get(name, positions.get(name.strip(), UNKNOWN))
            for row, name in enumerate(names)
        ]
    return [_number(column, row, cell) for row, cell in enumerate(cells)]


def _number(column: Column, row: int, cell: Any) -> float:
    if _missing(cell):
        return _gap(column, row)
    if isinstance(cell, (bool, np.bool_)):
        return float(cell)
    if not isinstance(cell, (int, float, np.integer, np.floating)):
        text = repr(cell)
        raise InputError(f"{text[:40]} in row {row} of the number column {column.name!r}", "a number")
    try:
        number = float(cell)
    except OverflowError:
        number = np.inf
    if abs(number) > LARGEST:
        text = repr(cell) if isinstance(cell, float) else "a number"
        raise InputError(
            f"{text} in row {row} of the column {column.name!r}", "a finite number within single precision"
        )
    return number


def _missing(cell: Any) -> bool:
    if type(cell).__name__ in ("NAType", "NaTType"):  # of pandas, which is not loaded here
        return True
    return cell is None or (isinstance(cell, (float, np.floating)) and bool(np.isnan(cell)))


def _gap(column: Column, row: int) -> float:
    if not column.missing:
        raise InputError(f"row {row} of the column {column.name!r} is missing", "a cell in every row")
    return float("nan")


def _name(cell: Any) -> str:
    """A category as training names it; 3.0 is "3.0", as pandas writes it."""
    return str(cell.item() if isinstance(cell, np.generic) else cell)
