"""What were the last answers? Columns of a fixed number of rows, in which new rows replace the oldest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


class RingBuffer:
    """The last rows of several columns.

    Parameters
    ----------
    capacity : rows that are remembered.
    columns : by name the shape of a cell and its type, as ``{"dissent": ((3,), np.int8)}``.
    """

    def __init__(self, capacity: int, columns: Mapping[str, tuple[tuple[int, ...], Any]]) -> None:
        self.capacity, self.total = capacity, 0
        self._columns = {name: np.zeros((capacity, *shape), dtype) for name, (shape, dtype) in columns.items()}

    def __len__(self) -> int:
        return min(self.total, self.capacity)

    def append(self, rows: Mapping[str, Any]) -> None:
        """Add rows; every column must be there, all of the same length."""
        count = len(next(iter(rows.values())))
        skip = max(0, count - self.capacity)
        places = (self.total + np.arange(skip, count)) % self.capacity
        for name, column in self._columns.items():
            column[places] = rows[name][skip:]
        self.total += count

    def column(self, name: str, limit: int | None = None, item: int | None = None) -> Any:
        """The last rows of a column (all, if there is no limit), oldest first; only one item of each cell, if named."""
        count = min(len(self), self.capacity if limit is None else limit)
        places = np.arange(self.total - count, self.total) % self.capacity
        return self._columns[name][places] if item is None else self._columns[name][places, item]

    def cells(self, name: str) -> Any:
        """The cells of a column as they lie in memory: row k is at k modulo the capacity."""
        return self._columns[name]
