"""What does a CSV file of any size hold? It is read block by block; each distinct text is stored once, as codes."""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from polyculture.errors import InputError

from ..json_lines import MAX_EXAMPLES, BadLines, shorten
from ..text_lines import CUT_OFF, TextLines, plain_lines
from ..unpacking import open_bytes
from .growing_column import EMPTY_CELLS, GrowingColumn
from .plain_cells import THREADS, WORD, CommonTexts, PlainColumn, plain_columns

BLOCK = 1 << 21
"""Bytes that are read at a time; a row that spans several lines must not be longer."""
_PLAIN_SHARE = 6
"""Plain blocks are as many times shorter, so that what is computed from one stays in the cache of a core."""
_BLOCKS_AT_ONCE = 4
_COLUMNS_PER_BLOCK = 512
"""Blocks of tables with many times more columns are as many times longer, for each takes some time in each block."""
_SAMPLE_ROWS = 1000
_NUMBER = r"^[-+]?(\d+|\d*,\d+)$"
_POINT_NUMBER = re.compile(r"[-+]?\d*\.\d+")
_DECIMALS = re.compile(r"[-+]?0?,\d{2,}|[-+]\d+,(\d{1,2}|\d{4,})|\d+,\d{4,}")
"""A number with a decimal comma, which is neither a list of two choices nor a number of thousands."""
_CELLS = "the same number of cells in every row; cells that contain the separator in quotes"


@dataclass(eq=False)
class DelimitedFile:
    """A CSV file: its header is read at once, its columns on demand.

    Parameters
    ----------
    path : the file, packed or not.
    bad : records rows that cannot be read.
    header : names of the columns in order.
    cells : columns that were read, by position.
    gaps : how often each of EMPTY_CELLS that is not empty occurs in them.
    dropped : numbers of lines that are not text.
    ragged : numbers of rows, from 1, that have more or fewer cells than the header.
    streamed : whether all rows were read before.
    empty_cells : the cells that count as missing.
    common : texts of the columns that have few different ones.
    has_hint : whether its first line only names the separator.
    has_commas : whether its numbers have a decimal comma; its columns of numbers then get a point.
    """

    path: Path
    bad: BadLines
    header: list[str] = field(default_factory=list)
    separator: str = ","
    cells: dict[int, pa.ChunkedArray] = field(default_factory=dict)
    gaps: dict[int, Counter[str]] = field(default_factory=dict)
    dropped: frozenset[int] = frozenset()
    ragged: array[int] = field(default_factory=lambda: array("q"))
    streamed: bool = False
    empty_cells: Sequence[str] = EMPTY_CELLS
    common: CommonTexts = field(default_factory=CommonTexts)
    has_hint: bool = False
    has_commas: bool = False

    def open(self, min_columns: int) -> None:
        """Read the header, which must have at least this number of names."""
        with TextLines(self.path, BadLines(self.bad.skip, self.bad.cure), BLOCK) as text:
            line, rows, separator = text.header, text.has_more(), text.separator
            block = text.next_lines() if rows else b""
        if not line.strip():
            raise InputError(f"{self.path} is empty", "a table with a header and one row per instance")
        self.separator = separator or _separator(line)
        self.has_hint = separator is not None
        self.header = self._names(line)
        if len(self.header) < min_columns:
            raise InputError(
                f"{self.path} is not a table: its first line {shorten(line)!r} names a single column",
                "a header with two or more names between commas, semicolons or tabs",
            )
        self.has_commas = self.separator != "," and _has_decimal_commas(block, self.separator)
        if not rows:
            raise InputError(f"{self.path} has a header but no rows", "one row per instance")

    def _names(self, line: str) -> list[str]:
        try:
            return [name.strip() for name in next(csv.reader([line], delimiter=self.separator))]
        except csv.Error as error:
            raise InputError(
                f"{self.path} is not a table: its first line {shorten(line)!r} has {len(line):,} characters",
                f"a header with column names of at most {csv.field_size_limit():,} characters",
            ) from error

    def load(self, positions: Sequence[int]) -> list[pa.ChunkedArray]:
        """These columns; those that were not read before are read in one go."""
        unread = [position for position in dict.fromkeys(positions) if position not in self.cells]
        if unread:
            bad = BadLines(self.bad.skip, self.bad.cure) if self.streamed else self.bad  # bad rows count once
            with TextLines(self.path, bad, BLOCK) as text:
                columns = self._stream(text, unread, bad)
            with ThreadPoolExecutor(THREADS) as pool:
                cells = pool.map(GrowingColumn.finished, columns)
                self.cells |= zip(unread, map(_with_points, cells) if self.has_commas else cells, strict=True)
            self.gaps |= {position: column.gaps for position, column in zip(unread, columns, strict=True)}
            self.streamed = True
        return [self.cells[position] for position in positions]

    def places(self, rows: Sequence[int]) -> list[str]:
        """Line numbers of these rows, counted from 0 among those that were read."""
        gaps = np.array(self.ragged, np.int64)
        gaps_above = np.searchsorted(gaps - np.arange(len(gaps)), np.asarray(rows) + 1, side="right")
        return self._lines_of([row + 1 + int(gap_count) for row, gap_count in zip(rows, gaps_above, strict=True)])

    def _stream(self, text: TextLines, positions: Sequence[int], bad: BadLines) -> list[GrowingColumn]:
        columns = [GrowingColumn(self.common, self.empty_cells) for _ in positions]
        ragged: dict[int, str] = {}
        try:
            self._add_plain(text, positions, columns)
            rows_above = columns[0].rows
            for batch in self._reader(text, positions, ragged, rows_above) if text.has_more() else ():
                for column, cells in zip(columns, batch.columns, strict=True):
                    column.add(cells)
        except pa.ArrowInvalid as error:
            if not ragged or self.bad.skip:  # a ragged row stops the parser only where it may not be skipped
                raise self._not_a_table(str(error)) from error
        self.dropped, self.ragged = frozenset(text.dropped), array("q", ragged)
        for place, reason in zip(self._lines_of(list(ragged)[:MAX_EXAMPLES]), ragged.values(), strict=False):
            bad.add(place, reason, "" if reason == CUT_OFF else _CELLS)
        bad.count += max(0, len(ragged) - MAX_EXAMPLES)
        if not columns[0].rows:
            raise InputError(f"{self.path} has no row that can be read", "one row per instance")
        return columns

    def _add_plain(self, text: TextLines, positions: Sequence[int], columns: Sequence[GrowingColumn]) -> None:
        """Add the blocks that are plain, split in several threads; the first that is not and all below stay in text."""
        text.block = BLOCK // _PLAIN_SHARE * max(1, len(self.header) // _COLUMNS_PER_BLOCK)
        block = text.next_lines()
        parts = self._plain_columns(block, positions)  # of the first block, which tells which texts are common
        if parts is None:
            text.push_back(block)
            return
        _add(parts, columns)
        pending: deque[tuple[list[bytes], Future[_PlainBlocks]]] = deque()
        with ThreadPoolExecutor(THREADS) as pool:
            while True:
                while len(pending) <= THREADS and (blocks := _next_blocks(text)):
                    pending.append((blocks, pool.submit(self._plain_blocks, blocks, positions)))
                if not pending:
                    return
                content = pending[0][1].result()
                for column_parts, column in zip(content.columns, columns, strict=True):
                    for cells in column_parts:
                        column.add(cells)
                text.accept(content.rows)
                blocks, _ = pending.popleft()
                if content.blocks < len(blocks):
                    text.refuse(b"".join([*blocks[content.blocks :], *(b for queue, _ in pending for b in queue)]))
                    return

    def _plain_blocks(self, blocks: Sequence[bytes], positions: Sequence[int]) -> _PlainBlocks:
        """The cells of the blocks that stand before the first that is not plain."""
        parts: list[list[PlainColumn]] = []
        for block in blocks:
            columns = self._plain_columns(block, positions)
            if columns is None:
                break
            parts.append(columns)
        rows = sum(len(columns[0]) for columns in parts)
        by_column = [_joined(column_parts) for column_parts in zip(*parts, strict=True)]
        return _PlainBlocks(len(parts), rows, by_column or [[] for _ in positions])

    def _plain_columns(self, block: bytes, positions: Sequence[int]) -> list[PlainColumn] | None:
        lines = plain_lines(block)
        if lines is None:
            return None
        return plain_columns(lines, self.separator, len(self.header), positions, self.common)

    def _reader(
        self, text: TextLines, positions: Sequence[int], ragged: dict[int, str], rows_above: int
    ) -> pa_csv.CSVStreamingReader:
        # Positions as names: unnamed columns may be several, and pyarrow looks types up by name.
        keys = [str(position) for position in range(len(self.header))]
        return pa_csv.open_csv(
            text,
            pa_csv.ReadOptions(column_names=keys, block_size=BLOCK, use_threads=False),
            pa_csv.ParseOptions(
                delimiter=self.separator,
                newlines_in_values=True,
                invalid_row_handler=_row_handler(text, ragged, self.bad.skip, rows_above),
            ),
            pa_csv.ConvertOptions(
                include_columns=[str(position) for position in positions],
                column_types=dict.fromkeys(keys, pa.dictionary(pa.int32(), pa.string())),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )

    def _not_a_table(self, message: str) -> InputError:
        if "straddl" in message:
            return InputError(
                f"{self.path} has a row of more than {BLOCK / 2**20:g} MiB",
                "one row per instance",
                "close the quotation mark that is left open",
            )
        return InputError(f"{self.path} is not a table: {message.splitlines()[0]}", "one row per instance")

    def _lines_of(self, rows: Sequence[int]) -> list[str]:
        """Lines of rows that are counted from 1 below the header; reads the file again, for error messages only."""
        if not rows:
            return []
        numbers: dict[int, int] = {}
        targets, row, in_quotes = set(rows), -2 if self.has_hint else -1, False
        opening = re.compile(rf'(?:^|{re.escape(self.separator)})"')
        with io.TextIOWrapper(open_bytes(self.path), "utf-8", "replace") as file:
            for number, line in enumerate(file, 1):
                if number in self.dropped or (line == "\n" and not in_quotes):
                    continue
                odd_quotes = line.count('"') % 2 == 1
                if in_quotes:
                    in_quotes = not odd_quotes
                    continue
                row += 1
                in_quotes = odd_quotes and opening.search(line) is not None
                if row in targets:
                    numbers[row] = number
                    if len(numbers) == len(targets):
                        break
        return [
            f"line {numbers[row]} of {self.path}" if row in numbers else f"row {row} of {self.path}" for row in rows
        ]


@dataclass(frozen=True, eq=False)
class _PlainBlocks:
    """Number of blocks and rows, and the parts of each column."""

    blocks: int
    rows: int
    columns: Sequence[Sequence[PlainColumn]]


def _next_blocks(text: TextLines) -> list[bytes]:
    """The next blocks that one thread splits; none at the end."""
    blocks: list[bytes] = []
    while len(blocks) < _BLOCKS_AT_ONCE and (block := text.next_block()):
        blocks.append(block)
    return blocks


def _joined(parts: Sequence[PlainColumn]) -> Sequence[PlainColumn]:
    """The parts of a column as one, if all are codes of the same size."""
    arrays = [part for part in parts if isinstance(part, np.ndarray) and part.dtype.itemsize < WORD]
    if len(arrays) < len(parts) or len({part.dtype for part in arrays}) > 1:
        return parts
    return [np.concatenate(arrays)]


def _add(parts: Sequence[PlainColumn], columns: Sequence[GrowingColumn]) -> None:
    for column, cells in zip(columns, parts, strict=True):
        column.add(cells)


def _row_handler(text: TextLines, ragged: dict[int, str], skip: bool, rows_above: int) -> Callable[[Any], str]:
    """The handler of rows of another length: records them, and skips them or stops."""

    def note(row: Any) -> str:
        cut = bool(text.tail) and row.text.encode() == text.tail
        cells = f"has {row.actual_columns} cell{'s' if row.actual_columns != 1 else ''}"
        ragged[rows_above + row.number] = CUT_OFF if cut else f"{cells} but the header has {row.expected_columns}"
        return "skip" if skip else "error"

    return note


def _has_decimal_commas(block: bytes, separator: str) -> bool:
    """Whether the first rows hold numbers whose comma stands before decimals, and none with a point."""
    lines = block.decode().split("\n", _SAMPLE_ROWS)[:_SAMPLE_ROWS]
    cells = [cell.strip('"') for line in lines for cell in line.split(separator)]
    return any(map(_DECIMALS.fullmatch, cells)) and not any(map(_POINT_NUMBER.fullmatch, cells))


def _with_points(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column with points for commas where all cells are numbers and some have a comma."""
    if pa.types.is_dictionary(column.type):
        chunk = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        texts = _with_points(pa.chunked_array([chunk.dictionary])).combine_chunks()
        return pa.chunked_array([pa.DictionaryArray.from_arrays(chunk.indices, texts)])
    has_words = pc.all(pc.match_substring_regex(column[:_SAMPLE_ROWS], _NUMBER)).as_py() is not True
    if has_words or not pc.all(pc.match_substring_regex(column, _NUMBER)).as_py():
        return column
    return pc.replace_substring(column, ",", ".")


def _separator(header: str) -> str:
    """The most frequent separator of the header line, outside of quotes; a comma if there is none."""
    counts = Counter(re.sub(r'"[^"]*"', "", header))
    return max(",;\t|", key=lambda mark: counts[mark])
