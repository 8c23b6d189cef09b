"""Which cells are lists of one answer? They are that answer, as evaluation tools wrap it; longer lists stay lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa

from .dataframes import column_of
from .files import ColumnTable


def with_single_answers(table: ColumnTable) -> ColumnTable:
    """The table whose columns of lists with one element each hold that element; they are no models unless named."""
    if not table.nested:
        return table

    def load(names: Iterable[str]) -> dict[str, pa.ChunkedArray]:
        return {name: _single(column) for name, column in table.load(list(names)).items()}

    return replace(table, load=load)


def _single(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column out of its lists, where none is longer than one."""
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        return column
    cells = column.to_pylist()
    if any(cell and (len(cell) > 1 or isinstance(cell[0], (list, dict))) for cell in cells):
        return column
    return pa.chunked_array([column_of([cell[0] if cell else None for cell in cells])])
