"""Which answers are remembered? The last ones, with their ids, so that labels that arrive later find them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from .answer_columns import AnswerColumns
from .reference import MOST_GROUPS
from .ring_buffer import RingBuffer

MOST_COLUMNS = 20
"""Columns of groups that are watched; answers to further ones are counted nowhere."""
OTHER = "(other)"
"""What values of a group are called beyond the number that is watched."""


class AnswerWindow:
    """The last answers, by column, with ids and groups.

    Parameters
    ----------
    capacity : answers that are remembered; a label of an older one finds nothing.
    members, profile, alarms : numbers of members, of numbers of an input, and of alarms on answers.
    """

    def __init__(self, capacity: int, members: int, profile: int, alarms: int) -> None:
        row, values = (members,), ((members,), np.float64)
        self.rows = RingBuffer(
            capacity,
            {
                "time": ((), np.float64),
                "answer": ((), np.int32),
                "value": ((), np.float64),
                "confidence": ((), np.float32),
                "member_answers": (row, np.int32),
                "member_values": values,
                "quorum": ((), np.int32),
                "latency_ms": ((), np.float32),
                "profile": ((profile,), np.float64),
                "dissent": (row, np.int8),
                "disagreeing": ((), np.int8),
                "absent": (row, np.int8),
                "events": ((alarms,), np.int8),
                "label": ((), np.float64),
                "own_wrong": ((), np.int8),
                "wrong": (row, np.int8),
                "groups": ((MOST_COLUMNS,), np.int16),
            },
        )
        self._capacity = capacity
        self._ids: list[str] = [""] * capacity
        self._place_by_id: dict[str, int] = {}
        self._earlier: dict[int, int] = {}
        self.group_columns: dict[str, dict[str, int]] = {}
        """By column the code of each value."""

    def append(self, columns: AnswerColumns, computed: Mapping[str, Any]) -> None:
        """Add answers.

        Parameters
        ----------
        computed : dissent, disagreeing, absent and events of the answers.
        """
        first, n = self.rows.total, len(columns)
        names = ("time", "answer", "value", "confidence", "member_answers", "member_values", "quorum", "latency_ms")
        unlabelled = {
            "label": np.full(n, math.nan),
            "own_wrong": np.full(n, -1),
            "wrong": np.full(columns.member_answers.shape, -1),
        }
        cells = {name: getattr(columns, name) for name in (*names, "profile")}
        self.rows.append(cells | dict(computed) | unlabelled | {"groups": self._group_codes(columns)})
        for number, name in enumerate(columns.ids, first):
            self._remember(name, number)

    def _remember(self, name: str, number: int) -> None:
        place = number % self._capacity
        if number >= self._capacity:
            oldest = self._ids[place]
            if self._place_by_id.get(oldest) == number - self._capacity:
                del self._place_by_id[oldest]
            self._earlier.pop(number - self._capacity, None)
        if name in self._place_by_id:
            self._earlier[number] = self._place_by_id[name]
        self._ids[place] = name
        self._place_by_id[name] = number

    def _group_codes(self, columns: AnswerColumns) -> Int[np.ndarray, "n g"]:
        codes = np.full((len(columns), MOST_COLUMNS), -1, np.int16)
        for name, values in columns.groups.items():
            if name not in self.group_columns and len(self.group_columns) == MOST_COLUMNS:
                continue
            levels = self.group_columns.setdefault(name, {})
            for value in dict.fromkeys(values):
                if value and value not in levels:
                    levels[value if len(levels) < MOST_GROUPS else OTHER] = min(len(levels), MOST_GROUPS)
            place = list(self.group_columns).index(name)
            codes[:, place] = [levels.get(value, levels.get(OTHER, -1)) if value else -1 for value in values]
        return codes

    def numbers(self, name: str) -> list[int]:
        """Numbers of the remembered answers of that id, counted from 0 at the start."""
        oldest = max(0, self.rows.total - self._capacity)
        numbers, number = [], self._place_by_id.get(name)
        while number is not None and number >= oldest:
            numbers.append(number)
            number = self._earlier.get(number)
        return numbers

    def at(self, name: str, numbers: Sequence[int]) -> Any:
        """Cells of a column of those answers."""
        return self.rows.cells(name)[np.asarray(numbers, int) % self._capacity]

    def put(self, name: str, numbers: Sequence[int], values: Any) -> None:
        """Replace cells of a column of those answers."""
        self.rows.cells(name)[np.asarray(numbers, int) % self._capacity] = values

    def ids(self, numbers: Sequence[int]) -> list[str]:
        """Ids of those answers."""
        return [self._ids[number % self._capacity] for number in numbers]

    def recent(self, name: str, limit: int) -> Any:
        """The last cells of a column, oldest first."""
        return self.rows.column(name, limit)
