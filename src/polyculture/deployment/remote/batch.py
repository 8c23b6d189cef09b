"""What are the instances that a remote member is asked about? Arrays, texts, or records with columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from polyculture.errors import InputError

from .prompts import TEXT


@runtime_checkable
class NamedColumn(Protocol):
    """A column of a table, as a manifest describes it."""

    @property
    def name(self) -> str:
        """Of the column."""

    @property
    def kind(self) -> str:
        """``"number"`` or ``"category"``."""

    @property
    def categories(self) -> tuple[str, ...]:
        """In the order of their positions."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Instances as columns of equal length.

    Parameters
    ----------
    columns : by name an array whose first axis are the instances.
    n : instances.
    """

    columns: Mapping[str, np.ndarray]
    n: int

    def records(self) -> list[dict[str, Any]]:
        """The instances one by one: values by column."""
        values = {name: _scalars(column) for name, column in self.columns.items()}
        return [{name: column[row] for name, column in values.items()} for row in range(self.n)]

    @property
    def usable(self) -> np.ndarray:
        """Which instances have no missing number, (n,) bool: JSON has no way to write one."""
        finite = np.ones(self.n, bool)
        for column in self.columns.values():
            if column.dtype.kind == "f":
                finite &= np.isfinite(column).reshape(self.n, -1).all(axis=1)
        return finite

    def take(self, rows: np.ndarray) -> Batch:
        """These instances."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Batch(columns, int(rows.sum()) if rows.dtype == bool else len(rows))


def as_batch(raw: Any, table: Sequence[NamedColumn] = ()) -> Batch:
    """Instances as a caller has them.

    Parameters
    ----------
    raw : an array (n, …), texts, records (a mapping each), or a mapping of columns.
    table : the columns of an array (n, d), in which categories are positions: they get their names back.

    Raises InputError for anything else, and for columns of different lengths.
    """
    if table and isinstance(raw, np.ndarray) and raw.ndim == 2 and raw.shape[1] == len(table):
        return Batch({column.name: _named(column, raw[:, i]) for i, column in enumerate(table)}, len(raw))
    if isinstance(raw, Mapping):
        columns = {str(name): np.asarray(column) for name, column in raw.items()}
    elif isinstance(raw, np.ndarray):
        columns = {TEXT if raw.dtype.kind in "OUS" and raw.ndim == 1 else "": raw}
    elif isinstance(raw, Sequence) and not isinstance(raw, (str, bytes)):
        columns = _columns_of(raw)
    else:
        raise InputError(f"the instances are a {type(raw).__name__}", "an array, texts, records or columns")
    lengths = {len(column) if column.ndim else -1 for column in columns.values()}
    if len(lengths) > 1 or -1 in lengths:
        raise InputError("the columns of the instances differ in length", "as many values in each")
    return Batch(columns, lengths.pop() if lengths else 0)


def _named(column: NamedColumn, values: np.ndarray) -> np.ndarray:
    """The values of a column, categories by name; None where one is missing or unknown."""
    if column.kind != "category":
        return values
    positions = np.where(np.isfinite(values), values, -1).astype(int)
    names = [*column.categories, None]
    return np.array([names[p] if 0 <= p < len(column.categories) else None for p in positions], object)


def _columns_of(rows: Sequence[Any]) -> dict[str, np.ndarray]:
    """The columns of texts or records; a record without a column has None in it."""
    if all(isinstance(row, str) for row in rows):
        return {TEXT: np.array(rows, object)}
    if not all(isinstance(row, Mapping) for row in rows):
        return {"": np.asarray(rows)}
    names = dict.fromkeys(str(name) for row in rows for name in row)
    return {name: _column([row.get(name) for row in rows]) for name in names}


def _column(values: Sequence[Any]) -> np.ndarray:
    """Numbers as numbers, all else as it is."""
    if all(isinstance(value, (bool, int, float)) or value is None for value in values) and None not in values:
        return np.array(values)
    return np.array(values, object)


def _scalars(column: np.ndarray) -> list[Any]:
    """The values of a column, as Python has them."""
    values: list[Any] = column.tolist()
    return values
