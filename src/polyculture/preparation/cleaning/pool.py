"""How are all parts searched at once? Rows of all parts are numbered through; each knows its part and position."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Int64, Shaped

from .columns import PooledColumn
from .fault import Fault
from .part import DataPart

SIGNIFICANT_DIGITS = 4
"""Numbers with fractions that agree in so many digits are nearly equal."""


@dataclass(frozen=True, eq=False)
class Pool:
    """The rows of all parts, numbered through in the order of the parts.

    Parameters
    ----------
    parts : in their order; inputs that not all of them have are searched in the parts that have them.
    documented_codes : by column the codes that its documentation lists.
    """

    parts: tuple[DataPart, ...]
    documented_codes: Mapping[str, Sequence[object]]

    def __len__(self) -> int:
        return int(self.starts[-1])

    @cached_property
    def starts(self) -> Int64[np.ndarray, " p"]:
        """Number of the first row of each part, and of all rows."""
        return np.cumsum([0, *map(len, self.parts)], dtype=np.int64)

    @cached_property
    def part_numbers(self) -> Int64[np.ndarray, " n"]:
        """Number of the part of each row."""
        return np.repeat(np.arange(len(self.parts)), np.diff(self.starts))

    def place(self, row: int) -> tuple[str, int]:
        """Part, and position in it, of the row with this number."""
        number = int(self.part_numbers[row])
        return self.parts[number].name, int(row - self.starts[number])

    def fault(self, kind: str, row: int, reason: str, column: str = "", other: int | None = None) -> Fault:
        """A fault of the row with this number, which resembles that other one."""
        part, position = self.place(row)
        other_part, other_position = self.place(other) if other is not None else ("", None)
        return Fault(kind, part, position, reason, column, other_part, other_position)

    @cached_property
    def labels(self) -> list[object]:
        """The labels of all rows."""
        return [label for part in self.parts for label in part.labels.tolist()]

    def label_difference(self, row: int, other: int) -> str:
        """Words to add where the labels of two rows differ."""
        return "" if self.labels[row] == self.labels[other] else ", under another label"

    @cached_property
    def columns(self) -> tuple[PooledColumn, ...]:
        """The columns of all tables; absent ones of a part are gaps."""
        columns = []
        names = dict.fromkeys(name for part in self.parts for name in part.inputs)
        for name in names:
            tables = [_table(part, name) for part in self.parts]
            if not len(self) or all(table is None for table in tables):
                continue
            pairs = zip(self.parts, tables, strict=True)
            frames = [
                pd.DataFrame(index=range(len(part))) if table is None else table for part, table in pairs if len(part)
            ]
            frame = pd.concat([f.set_axis(list(map(str, f.columns)), axis=1) for f in frames], ignore_index=True)
            prefix = f"{name}: " if len(names) > 1 else ""
            columns += [PooledColumn.of(f"{prefix}{column}", frame[column]) for column in frame.columns]
        return tuple(columns)

    def other_inputs(self) -> Iterator[tuple[DataPart, int, str, np.ndarray]]:
        """Inputs that are no tables: their part, the number of its first row, their name, and the array."""
        for part, start in zip(self.parts, self.starts.tolist(), strict=False):
            for name, inputs in part.inputs.items():
                if part.modalities[name] != "table":
                    yield part, start, name, np.asarray(inputs)

    def input_label(self, name: str) -> str:
        """The name of an input where there are several, else nothing."""
        return name if len({name for part in self.parts for name in part.inputs}) > 1 else ""

    @cached_property
    def digests(self) -> list[bytes]:
        """A hash of all inputs of each row: equal for equal inputs, whatever the type of their numbers."""
        return self._digests(lambda column: column.values)

    def rounded_digests(self) -> list[bytes]:
        """The same with the numbers of columns that hold fractions rounded to `SIGNIFICANT_DIGITS`."""
        return self._digests(lambda column: _rounded(column.values) if column.numeric else column.values)

    def _digests(self, values_of: Callable[[PooledColumn], np.ndarray]) -> list[bytes]:
        streams = []
        if self.columns:
            streams.append(_rows_as_bytes([PooledColumn(c.name, values_of(c), c.gaps) for c in self.columns]))
        names = dict.fromkeys(name for part in self.parts for name in part.inputs)
        untabular = [n for n in names if any(part.modalities.get(n, "table") != "table" for part in self.parts)]
        streams += [_inputs_as_bytes(self.parts, name) for name in untabular]
        return [_digest(b"\x1e".join(row)) for row in zip(*streams, strict=True)]


def _table(part: DataPart, name: str) -> pd.DataFrame | None:
    """The input of that name as a frame if it is a table."""
    if part.modalities.get(name) != "table":
        return None
    inputs = part.inputs[name]
    return inputs if isinstance(inputs, pd.DataFrame) else pd.DataFrame(np.asarray(inputs).reshape(len(inputs), -1))


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _rows_as_bytes(columns: Sequence[PooledColumn]) -> Iterator[bytes]:
    codes = [c.values + 0.0 if c.numeric else c.codes for c in columns]
    matrix = np.stack([np.where(np.isnan(v), np.nan, v).view(np.int64) if v.dtype.kind == "f" else v for v in codes], 1)
    return (row.tobytes() for row in np.ascontiguousarray(matrix))


def _rounded(numbers: np.ndarray) -> np.ndarray:
    finite = numbers[np.isfinite(numbers)]
    if not (finite % 1).any():
        return numbers
    with np.errstate(all="ignore"):
        step = 10.0 ** (np.floor(np.log10(np.abs(numbers))) - SIGNIFICANT_DIGITS + 1)
        codes = (np.round(numbers / step) * step).astype(np.float32).astype(np.float64)  # without the last bits
    return np.where(np.isfinite(codes), codes, numbers)


def _inputs_as_bytes(parts: Sequence[DataPart], name: str) -> Iterator[bytes]:
    arrays = [np.asarray(part.inputs[name]) for part in parts if name in part.inputs and len(part)]
    types = {array.dtype for array in arrays}
    for part in parts:
        if name not in part.inputs:
            yield from (b"" for _ in range(len(part)))
            continue
        array = np.asarray(part.inputs[name])
        numeric = array.dtype.kind in "fiub"
        for row in array if numeric and len(types) == 1 else _comparable(array, part.white):
            yield content_of(row)


def _comparable(array: Shaped[np.ndarray, "n ..."], white: float) -> Iterator[object]:
    """Rows of numbers in single precision on the scale of a full pixel; anything else as it is."""
    if array.dtype.kind not in "fiub":
        yield from array
        return
    for row in array:
        yield np.round(row / np.float64(white), 6).astype(np.float32)


def content_of(value: object) -> bytes:
    """The bytes of one input: equal for equal arrays, texts or sequences of tokens."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        numbers = (
            np.where(np.isnan(value), np.nan, value + 0.0).astype(value.dtype) if value.dtype.kind == "f" else value
        )
        return str(value.shape).encode() + np.ascontiguousarray(numbers).tobytes()
    if isinstance(value, (tuple, list, np.ndarray)):
        return b"\x1f".join(content_of(item) for item in value)
    return b"\0" if value is None or value != value else content_of(str(value))
