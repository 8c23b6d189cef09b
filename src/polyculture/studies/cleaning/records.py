"""Which bytes of a text file are which row? Records that can be left out and put back without loss."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.errors import FileError, InputError
from polyculture.preparation.problems.readers.tables import text_layout, text_lines


@dataclass(frozen=True, eq=False)
class TextRecords:
    """A text file as its records.

    Parameters
    ----------
    path : of the file, gzipped or not.
    contents : bytes of every record with its line ends; together they are the content of the file.
    lines : number of the first line of every record, from 1.
    rows : the record of every row that a reader makes of the file.
    separator : the mark between cells of a table; empty where a record is a line of label and text.
    header : the names of the columns, where the first record has them.
    """

    path: Path
    contents: tuple[bytes, ...]
    lines: Int[np.ndarray, " r"]
    rows: Int[np.ndarray, " n"]
    separator: str = ""
    header: tuple[str, ...] = ()

    @property
    def zipped(self) -> bool:
        """Whether the file is gzipped."""
        return self.path.suffix == ".gz"


def content_of(path: Path) -> bytes:
    """The content of a file, unpacked where it is gzipped; FileError where it cannot be read."""
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise FileError(f"cannot read {path}: {error}", "a file of text, plain or gzipped") from error


def text_records(path: Path) -> TextRecords:
    """The records of lines of label and text: every line that is not blank is a row."""
    contents = tuple(io.BytesIO(content_of(path)).readlines())
    rows = np.flatnonzero([bool(line.strip()) for line in text_lines(path)])
    return TextRecords(path, contents, np.arange(1, len(contents) + 1), rows)


def table_records(path: Path, count: int) -> TextRecords:
    """The records of a CSV or TSV file of so many rows; a quoted cell may run over several lines.

    Raises InputError where the file has another number of records than rows were read from it.
    """
    layout, lines = text_layout(path), text_lines(path)
    source = io.BytesIO(content_of(path)).readlines()
    header: tuple[str, ...] = ()
    ends = [0]
    with _cells_of_any_length():
        reader = csv.reader((f"{line}\n" for line in lines), delimiter=layout.separator, skipinitialspace=True)
        for cells in reader:
            header = tuple(cell.strip() for cell in cells) if layout.headed and len(ends) == 1 else header
            ends.append(reader.line_num)
    contents = tuple(b"".join(source[start:end]) for start, end in itertools.pairwise(ends))
    rows = np.arange(layout.headed, layout.headed + count)
    surplus = contents[layout.headed + count :]
    if len(contents) < layout.headed + count or any(record.strip() for record in surplus):
        raise InputError(
            f"{path} has {len(contents) - layout.headed:,} records but {count:,} rows were read",
            "a line for each row, or cells in plain double quotes",
            "write it again as CSV or Parquet",
        )
    return TextRecords(path, contents, np.array(ends[:-1]) + 1, rows, layout.separator, header)


def changed_cells(records: TextRecords, before: pd.DataFrame, after: pd.DataFrame) -> TextRecords:
    """The records with the cells that differ written anew; columns that are gone are taken out of every record.

    Parameters
    ----------
    records : of a table.
    before, after : n rows of cells as text, nan where a cell is empty; `after` may lack columns.
    """
    gone = [place for place, name in enumerate(before.columns) if name not in after.columns]
    columns = [(place, name) for place, name in enumerate(before.columns) if name in after.columns]
    changes: dict[int, dict[int, str]] = {}
    for place, name in columns:
        old, new = before[name].fillna("").astype(str), after[name].fillna("").astype(str)
        for row in np.flatnonzero((old != new).to_numpy()):
            changes.setdefault(int(records.rows[row]), {})[place] = str(new.iloc[row])
    contents = list(records.contents)
    touched = range(len(contents)) if gone else sorted(changes)
    for position in touched:
        contents[position] = _rewritten(contents[position], records.separator, changes.get(position, {}), gone)
    header = tuple(name for place, name in enumerate(records.header) if place not in gone)
    return TextRecords(records.path, tuple(contents), records.lines, records.rows, records.separator, header)


def changed_texts(records: TextRecords, before: Sequence[str], after: Sequence[str]) -> TextRecords:
    """The records of lines of label and text with the texts that differ."""
    contents = list(records.contents)
    for position, old, new in zip(records.rows, before, after, strict=True):
        if old != new:
            line, encoding, end = _decoded(contents[position])
            start = line.rindex(old) if old in line else 0
            text = line[:start] + new + line[start + len(old) :]
            contents[position] = (text + end).encode(encoding, "replace")
    return TextRecords(records.path, tuple(contents), records.lines, records.rows)


def with_records(records: TextRecords, changes: Mapping[int, bytes | None]) -> bytes:
    """The content of the file with these records replaced, or left out where there is None."""
    return b"".join(changes.get(k, content) or b"" for k, content in enumerate(records.contents))


def _rewritten(content: bytes, separator: str, changes: Mapping[int, str], gone: Sequence[int]) -> bytes:
    """One record with other cells."""
    text, encoding, end = _decoded(content)
    if not text.strip():
        return content
    with _cells_of_any_length():
        cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True))
    cells = [changes.get(place, cell) for place, cell in enumerate(cells) if place not in gone]
    line = io.StringIO(newline="")
    csv.writer(line, delimiter=separator, lineterminator="").writerow(cells)
    return (line.getvalue() + end).encode(encoding, "replace")


def _decoded(content: bytes) -> tuple[str, str, str]:
    """A record as text, in which encoding it was, and its line end."""
    try:
        text, encoding = content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        text, encoding = content.decode("latin-1"), "latin-1"
    body = text.rstrip("\r\n")
    return body, encoding, text[len(body) :]


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    """The csv module refuses long cells unless it is told otherwise."""
    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(limit)
