"""What are the columns of a CSV or Parquet file? Everything else is refused in one line."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int

from polyculture.errors import FileError, InputError, near
from polyculture.predictions import MISSING

from ..json_lines import MAX_EXAMPLES, BadLines
from ..text_lines import KINDS
from ..unpacking import PACKED_SUFFIXES, member_name
from .delimited import DelimitedFile
from .growing_column import EMPTY_CELLS

_SUFFIXES = {
    ".csv",
    ".tsv",
    ".txt",
    ".parquet",
    ".pq",
    *PACKED_SUFFIXES,
    ".jsonl",
    ".ndjson",
    ".arrow",
    ".feather",
    ".ipc",
}
_SUFFIXES |= {".json", ".eval", ".npy"}


_SAMPLE = 64
_WHOLE = re.compile(r"-?(0|[1-9]\d*)(\.0)?")
NO_NESTED_MODEL = "leave the column out by naming the model columns with models (--models)"


@dataclass(frozen=True)
class ColumnTable:
    """Named columns of one file; only the names are read before `load`.

    Parameters
    ----------
    source : the path as the user gave it, for messages.
    names : column names, each once; an empty name is an unnamed column.
    load : reads these columns.
    typed : whether the file stores the types of its columns (Parquet) or only text (CSV).
    metadata : of a Parquet file.
    bad : records cells that cannot be read.
    gaps : how often a column that was loaded has each word that counts as an empty cell, such as NA.
    nested : columns of lists, objects or bytes, which are no models unless named.
    remarks : what was assumed about the columns, for the alignment report.
    places : names rows, counted from 0, in messages; as rows of the source if left out.
    """

    source: str
    names: tuple[str, ...]
    load: Callable[[Sequence[str]], dict[str, pa.ChunkedArray]]
    typed: bool
    metadata: dict[bytes, bytes] = field(default_factory=dict)
    bad: BadLines = field(default_factory=BadLines)
    places: Callable[[Sequence[int]], list[str]] | None = None
    gaps: Callable[[str], Mapping[str, int]] = field(default=lambda _: {})
    nested: frozenset[str] = frozenset()
    remarks: list[str] = field(default_factory=list)

    def require(self, name: str, option: str) -> str:
        """The name itself if there is such a column; else an error that names the near ones."""
        if name not in self.names:
            raise unknown_column(self.source, name, option, self.names)
        return name

    def values(self, name: str) -> pd.Series[Any]:
        """One column as pandas values; text of a CSV file becomes numbers where all of it is numeric."""
        return self._series(name, self.load([name])[name])

    def _series(self, name: str, column: pa.ChunkedArray) -> pd.Series[Any]:
        values = column if self.typed else _numbers(column.cast(pa.string()), pa.float64())
        return pd.Series(values.to_pandas(), name=name)

    def ids(self, name: str) -> pd.Series[Any]:
        """One column of ids: integers or text, never fractions, in which 0.10 would become 0.1."""
        column = self._flat(name)
        if not self.typed:
            column = _numbers(column.cast(pa.string()), pa.string())
        self._check_ids(name, column)
        return pd.Series(column.to_pandas(), name=name)

    def instance_ids(self, name: str) -> pd.Series[Any]:
        """One column of ids of instances; 3.0 is 3 where all of them are whole numbers, as a merge leaves them."""
        ids = self.ids(name)
        if ids.dtype.kind in "iu" or (len(ids) and not _WHOLE.fullmatch(str(ids.iloc[0]))):  # most are names
            return ids
        return pd.Series(whole_ids(ids.tolist()), name=name)

    def codes(self, name: str) -> tuple[Int[np.ndarray, " rows"], list[Any]]:
        """One column as codes in the order of appearance, MISSING where it is empty; and the values of the codes."""
        column = self._flat(name)
        if self.typed:
            codes, values = pd.factorize(self.values(name))
            return codes, values.tolist()
        if not pa.types.is_dictionary(column.type) or column.num_chunks != 1:
            column = column.dictionary_encode().unify_dictionaries()
        coded = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        values = _numbers(pa.chunked_array([coded.dictionary]), pa.string()).to_pylist()
        indices = coded.indices.fill_null(MISSING) if coded.null_count else coded.indices
        return indices.to_numpy(zero_copy_only=False), values

    def id_codes(self, name: str) -> tuple[Int[np.ndarray, " rows"], list[Any]]:
        """One column of ids as codes, and the ids."""
        self._check_ids(name, self.load([name])[name])
        return self.codes(name)

    def instance_table(self, instance: str | None, groups: Sequence[str]) -> pd.DataFrame:
        """Ids and other columns of instances that have a row each; numbered where there is no column of ids."""
        columns = {name: self._series(name, self._flat(name)).to_numpy() for name in groups}
        if instance is not None:
            return pd.DataFrame(columns, index=pd.Index(self.instance_ids(instance), name="instance"))
        first = next(iter(self.load(self.names[:1]).values()))
        return pd.DataFrame(columns, index=pd.RangeIndex(len(first), name="instance"))

    def _flat(self, name: str) -> pa.ChunkedArray:
        """One column, whose cells must be single values."""
        column = self.load([name])[name]
        if pa.types.is_nested(column.type):
            raise InputError(
                f"column {name!r} of {self.source} holds values of the type {column.type}",
                "integers, strings or booleans",
                "write one value in each cell",
            )
        return column

    def _check_ids(self, name: str, column: pa.ChunkedArray) -> None:
        empty = column.null_count
        if empty:
            first = int(np.argmax(column.is_null().to_numpy()))
            word = next(iter(self.gaps(name)), "")
            raise InputError(
                f"column {name!r} of {self.source} is empty in {empty} row{'s' if empty > 1 else ''}, "
                f"first in row {first + 1}",
                "an id in every row",
                gap_cure(word) if word else "",
            )

    def refuse_cells(self, name: str, rows: Int[np.ndarray, " k"], cells: Sequence[str], expected: str) -> None:
        """Refuse the first of these cells of a column, or count all where bad lines may be skipped."""
        first = rows[:MAX_EXAMPLES].tolist()
        places = self.places(first) if self.places else [f"row {row + 1} of {self.source}" for row in first]
        for place, cell in zip(places, cells, strict=False):
            self.bad.add(place, f"holds {cell!r} in the column {name!r}", expected)
        self.bad.count += max(0, len(rows) - MAX_EXAMPLES)


def _numbers(text: pa.ChunkedArray, otherwise: pa.DataType) -> pa.ChunkedArray:
    """The column as integers if it holds nothing else, or as the other type if possible, else as it is."""
    for kind in (pa.int64(), otherwise):
        try:
            text[:_SAMPLE].cast(kind)  # which is slow to fail
            numbers = text.cast(kind)
        except pa.ArrowInvalid:
            continue
        is_integer = kind == pa.int64()
        return (
            text if is_integer and not numbers.cast(pa.string()).equals(text) else numbers
        )  # 007 is a name, not seven
    return text


def whole_ids(ids: list[Any]) -> list[Any]:
    """The ids as integers where all are whole numbers and some have a fraction of zero; else as they are."""
    if not all(_WHOLE.fullmatch(str(value)) for value in ids):  # stops at the first name
        return ids
    texts = [str(value) for value in ids]
    if not any(text.endswith(".0") for text in texts):
        return ids
    numbers = [int(text.removesuffix(".0")) for text in texts]
    return numbers if len(set(numbers)) == len(set(ids)) else ids


def open_table(path: Path, min_columns: int = 2, bad: BadLines | None = None, keep_na: bool = False) -> ColumnTable:
    """The columns of a CSV or Parquet file, recognised by content; text in fewer columns is not a table.

    With `keep_na` only cells that hold nothing are empty in CSV, and NA, null and the like are texts.

    Raises FileError if it cannot be read and InputError if it is not a table.
    """
    start = check_readable(path)
    if start == b"PAR1" or {".parquet", ".pq"} & set(path.suffixes[-1:]):
        return _open_parquet(path)
    return _open_csv(path, min_columns, bad or BadLines(), keep_na)


def check_readable(path: Path) -> bytes:
    """The first bytes of a file that can be read and is not empty; else an error."""
    if not set(path.suffixes[-2:]) & _SUFFIXES and path.exists():
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
    if start == b"PK\3\4" and path.suffix != ".eval":
        member_name(path)
    return start


def is_visible(path: Path, folder: Path | None = None) -> bool:
    """Whether no part of the path, below the folder, is hidden or one that macOS or Jupyter leaves behind."""
    parts = path.relative_to(folder).parts if folder else path.parts[-1:]
    return not any(part.startswith((".", "__MACOSX")) for part in parts)


def unknown_column(source: str, name: str, option: str, names: Sequence[str]) -> InputError:
    """The error for an option that names a column that does not exist."""
    return InputError(f"{source} has no column {name!r}", f"a column to use as {option}", near(name, names))


def _no_such_file(path: Path) -> FileError:
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    similar = difflib.get_close_matches(path.name, siblings, n=1, cutoff=0.75)
    return FileError(
        f"no such file: {path}",
        f"{KINDS}, or a Predictions folder",
        f"did you mean {similar[0]!r}?" if similar else "check the path",
    )


def _open_parquet(path: Path) -> ColumnTable:
    def load(names: Sequence[str]) -> dict[str, pa.ChunkedArray]:
        try:
            table = pq.ParquetFile(path).read(columns=list(names))
        except (pa.ArrowException, OSError) as error:
            raise broken_parquet(path, error) from error
        return {name: table.column(name) for name in names}

    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise broken_parquet(path, error) from error
    check_unique(str(path), schema.names)
    metadata = dict(schema.metadata or {})
    return ColumnTable(
        str(path), tuple(schema.names), load, typed=True, metadata=metadata, nested=nested_columns(schema)
    )


def nested_columns(schema: pa.Schema) -> frozenset[str]:
    """The columns whose cells are lists, objects or bytes."""
    types = {field.name: field.type for field in schema}
    return frozenset(
        name
        for name, kind in types.items()
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    )


def broken_parquet(path: Path, error: Exception) -> FileError:
    reason = "it ends too early" if "magic bytes" in str(error) else re.split(r"[.:\n]", str(error))[0]
    return FileError(f"{path} is not a complete Parquet file: {reason}", "", "copy or write it again")


def _open_csv(path: Path, min_columns: int, bad: BadLines, keep_na: bool = False) -> ColumnTable:
    file = DelimitedFile(path, bad, empty_cells=("",) if keep_na else EMPTY_CELLS)
    file.open(min_columns)
    check_unique(str(path), [name for name in file.header if name])
    unnamed = [index for index, name in enumerate(file.header) if not name]
    empty = {
        index for index, column in zip(unnamed, file.load(unnamed), strict=True) if column.null_count == len(column)
    }
    positions = {name: index for index, name in enumerate(file.header) if index not in empty}

    def load(names: Sequence[str]) -> dict[str, pa.ChunkedArray]:
        return dict(zip(names, file.load([positions[name] for name in names]), strict=True))

    def gaps(name: str) -> Mapping[str, int]:
        return file.gaps.get(positions[name], {})

    remarks = [f"numbers of {path} have a decimal comma, 0,5 is 0.5"] if file.has_commas else []
    return ColumnTable(
        str(path), tuple(positions), load, typed=False, bad=bad, places=file.places, gaps=gaps, remarks=remarks
    )


def gap_cure(word: str) -> str:
    """How a word that a CSV file has for an empty cell can be what it says."""
    return (
        f"{word!r} counts as an empty cell in CSV; if it is a value, write the table as Parquet or JSON Lines, "
        f"or keep it with the rule keep_na=True (--keep-na)"
    )


def check_unique(source: str, names: Sequence[str]) -> None:
    """Raise InputError for a table with two columns of one name."""
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise InputError(
            f"{source} has {Counter(names)[repeated[0]]} columns called {repeated[0]!r}",
            "a name of its own for every column",
            "rename one of them",
        )
