"""What does this file hold? CSV text or Parquet, opened as named columns; everything else is refused in one line."""

from __future__ import annotations

import csv
import difflib
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from polyculture.errors import FileError, InputError, near

EMPTY_CELLS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "<NA>")
"""Cells of a CSV file that count as missing."""

KINDS = ".csv, .csv.gz, .tsv or .parquet"
_SUFFIXES = {".csv", ".tsv", ".txt", ".parquet", ".pq", ".gz"}
_MAX_BLOCK = 2**31 - 1


@dataclass(frozen=True)
class Table:
    """Named columns of one file; nothing but the names is read before `load`.

    Parameters
    ----------
    source : the path as the user gave it, for messages.
    names : column names, each once; an empty name is an unnamed column.
    load : reads these columns.
    metadata : what the writer of a Parquet file noted about it.
    typed : whether the file knows the types of its columns (Parquet) or holds text only (CSV).
    """

    source: str
    names: tuple[str, ...]
    load: Callable[[Sequence[str]], dict[str, pa.ChunkedArray]]
    metadata: dict[bytes, bytes]
    typed: bool

    def require(self, name: str, option: str) -> str:
        """The name itself if there is such a column; else an error that names the near ones."""
        if name not in self.names:
            raise unknown_column(self.source, name, option, self.names)
        return name

    def values(self, name: str) -> pd.Series[Any]:
        """One column as pandas values; text of a CSV file becomes numbers where all of it reads as numbers."""
        column = self.load([name])[name]
        if self.typed:
            return pd.Series(column.to_pandas(), name=name)
        return pd.Series(_numbers(column.cast(pa.string()), pa.float64()).to_pandas(), name=name)

    def ids(self, name: str) -> pd.Series[Any]:
        """One column of ids: whole numbers or text, never fractions, in which 0.10 would become 0.1."""
        column = self.load([name])[name]
        if not self.typed:
            column = _numbers(column.cast(pa.string()), pa.string())
        ids = pd.Series(column.to_pandas(), name=name)
        missing = ids.isna()
        if missing.any():
            raise InputError(
                f"column {name!r} of {self.source} is empty in {missing.sum()} row{'s' if missing.sum() > 1 else ''}, "
                f"first in row {int(missing.argmax()) + 1}",
                "an id in every row",
            )
        return ids


def _numbers(text: pa.ChunkedArray, otherwise: pa.DataType) -> pa.ChunkedArray:
    """The column as whole numbers if it holds nothing else, or as the other type if it can be that, or as it is."""
    for kind in (pa.int64(), otherwise):
        try:
            numbers = text.cast(kind)
        except pa.ArrowInvalid:
            continue
        whole = kind == pa.int64()
        return text if whole and not numbers.cast(pa.string()).equals(text) else numbers  # 007 is a name, not seven
    return text


def open_table(path: Path, least: int = 2) -> Table:
    """The columns of a CSV or Parquet file, told apart by what is in it; text in fewer columns is not a table.

    Raises FileError if it cannot be read and InputError if it is not a table.
    """
    if not set(path.suffixes[-2:]) & _SUFFIXES:
        raise InputError(f"{path} is not a table that can be read", f"a file that ends in {KINDS}", "export it as CSV")
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except FileNotFoundError:
        raise _no_such_file(path) from None
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
    if not start:
        raise InputError(f"{path} is empty", "a table with a header and one row per instance")
    if start == b"PAR1" or {".parquet", ".pq"} & set(path.suffixes[-1:]):
        return _open_parquet(path)
    return _open_csv(path, _text_bytes(path), least)


def unknown_column(source: str, name: str, option: str, names: Sequence[str]) -> InputError:
    """The error for a column that an option names but nobody has."""
    return InputError(f"{source} has no column {name!r}", f"a column to use as {option}", near(name, names))


def _no_such_file(path: Path) -> FileError:
    beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.75)
    return FileError(
        f"no such file: {path}",
        f"{KINDS}, or a Predictions folder",
        f"did you mean {close[0]!r}?" if close else "check the path",
    )


def _open_parquet(path: Path) -> Table:
    def load(names: Sequence[str]) -> dict[str, pa.ChunkedArray]:
        try:
            table = pq.ParquetFile(path).read(columns=list(names))
        except (pa.ArrowException, OSError) as error:
            raise _broken_parquet(path, error) from error
        return {name: table.column(name) for name in names}

    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise _broken_parquet(path, error) from error
    _check_unique(str(path), schema.names)
    return Table(str(path), tuple(schema.names), load, dict(schema.metadata or {}), typed=True)


def _broken_parquet(path: Path, error: Exception) -> FileError:
    why = "it ends too early" if "magic bytes" in str(error) else re.split(r"[.:\n]", str(error))[0]
    return FileError(f"{path} is not a whole Parquet file: {why}", "", "copy or write it again")


def _text_bytes(path: Path) -> bytes:
    """The whole text of a CSV file, unpacked; pyarrow guesses types per block, so it must not be read in pieces."""
    raw = path.read_bytes()
    if raw.startswith(b"\x1f\x8b"):
        try:
            raw = gzip.decompress(raw)
        except (EOFError, OSError, zlib.error) as error:
            raise FileError(f"{path} is not a whole gzip file: {error}", "", "copy or pack it again") from error
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in raw:
        raise InputError(f"{path} holds binary data, not a table", f"{KINDS}, text in UTF-8")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path} is not UTF-8 text (line {line} has the byte 0x{raw[error.start]:02x})",
            "text in UTF-8",
            f"convert it: iconv -f latin1 -t utf-8 {path.name}",
        ) from error
    if not raw.strip():
        raise InputError(f"{path} is empty", "a table with a header and one row per instance")
    return raw.lstrip(b"\r\n")


def _open_csv(path: Path, text: bytes, least: int) -> Table:
    header, _, body = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").partition(b"\n")
    separator = _separator(header.decode())
    names = [name.strip() for name in next(csv.reader([header.decode()], delimiter=separator))]
    if len(names) < least:
        raise InputError(
            f"{path} is not a table: its first line {_short(header.decode())!r} names a single column",
            "a header with two or more names between commas, semicolons or tabs",
        )
    _check_unique(str(path), [name for name in names if name])
    if not body.strip():
        raise InputError(f"{path} has a header but no rows", "one row per instance")
    # Positions as names: unnamed columns may be several, and pyarrow looks types up by name.
    keys = [str(i) for i in range(len(names))]
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(body),
            pa_csv.ReadOptions(column_names=keys, block_size=min(len(body) + 1, _MAX_BLOCK), use_threads=False),
            pa_csv.ParseOptions(delimiter=separator, newlines_in_values=b'"' in body),
            pa_csv.ConvertOptions(
                column_types=dict.fromkeys(keys, pa.dictionary(pa.int32(), pa.string())),
                null_values=list(EMPTY_CELLS),
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        raise _ragged(path, str(error)) from error
    columns = {name: table.column(i) for i, name in enumerate(names) if name or table.column(i).null_count < len(table)}
    return Table(str(path), tuple(columns), lambda wanted: {name: columns[name] for name in wanted}, {}, typed=False)


def _separator(header: str) -> str:
    """The most frequent separator of the header line, outside of quotes; a comma if there is none."""
    counts = Counter(re.sub(r'"[^"]*"', "", header))
    return max(",;\t|", key=lambda mark: counts[mark])


def _short(line: str) -> str:
    return line if len(line) <= 40 else line[:39] + "…"


def _ragged(path: Path, message: str) -> InputError:
    cells = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", message)
    if cells is None:
        return InputError(f"{path} is not a table: {message.splitlines()[0]}", "one row per instance")
    row, expected, got = map(int, cells.groups())
    return InputError(
        f"line {row + 1} of {path} has {got} cell{'s' if got != 1 else ''} but the header has {expected}",
        "as many cells in every row; cells that contain the separator in quotes",
    )


def _check_unique(source: str, names: Sequence[str]) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise InputError(
            f"{source} has {Counter(names)[twice[0]]} columns called {twice[0]!r}",
            "a name of its own for every column",
            "rename one of them",
        )
