"""How are tables read? CSV, TSV and Parquet, with a header or without, one file or several with the same columns."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polyculture.errors import FileError, InputError, PolycultureError, near

from ..data_options import DataOptions, name_of, part_of, stem_of
from ..labels import number_of
from ..raw_data import RawData, instance_table, object_array
from .decimal_comma import decimal_number, without_commas
from .times import time_values

LABEL_NAMES = ("label", "labels", "target", "class", "y", "outcome", "diagnosis")
ID_NAMES = ("id", "index", "instance", "instance_id", "unnamed: 0")
MISSING_VALUES = ("", "?", "NA", "N/A", "na", "nan", "NaN", "null", "NULL", "None")


def read_tables(paths: Sequence[Path], options: DataOptions) -> RawData:
    """The rows of one table, or of several with the same columns; ``file`` is then the file of each row.

    The label is the column that the user names, or one with a common name, or the last. A column called id (or the
    like) with a distinct value in every row is the instance's id; it, what the user ignores, and the columns of
    groups, clusters and times are no inputs.

    Raises FileError for what cannot be read, InputError for unknown columns and for files with different columns.
    """
    table, files, parts = read_frames(paths, options.ignore)
    label = _require(table, options.label or default_label(table), paths[0])
    for name in options.ignore:
        _require(table, name, paths[0])
    unlabelled = table[label].isna().to_numpy()
    table, files, parts = table[~unlabelled], files[~unlabelled], parts[~unlabelled]
    instances, ids = _instances(table, options, files)
    excluded = {label, *options.ignore, *instances.columns, *ids}
    note = f"the label is column {label!r}" + (
        f" ({int(unlabelled.sum())} rows without are left out)" if unlabelled.any() else ""
    )
    return RawData(
        name_of(paths),
        "table",
        table.drop(columns=[name for name in table.columns if name in excluded]),
        object_array(table[label].tolist()),
        instances,
        parts,
        note,
    )


def read_frames(paths: Sequence[Path], ignore: Sequence[str] = ()) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """All rows, and for each the stem of its file and the part in the file's name.

    Numbers with decimal commas are written with a point, in all columns but those to ignore.

    Raises FileError for a file that cannot be read; InputError for one without rows or with other columns.
    """
    frames = [_frame(path, ignore) for path in paths]
    for path, frame in zip(paths, frames, strict=True):
        if not len(frame):
            raise InputError(f"{path} has a header but no rows", "one row per instance")
    for path, frame in zip(paths[1:], frames[1:], strict=True):
        if list(frame.columns) != list(frames[0].columns):
            difference = next(iter(set(map(str, frame.columns)) ^ set(map(str, frames[0].columns))), "their order")
            raise InputError(
                f"{path} has other columns than {paths[0]}: {difference}", "the same columns in every file"
            )
    files = np.repeat([stem_of(path) for path in paths], [len(frame) for frame in frames])
    parts = np.repeat([part_of(path) for path in paths], [len(frame) for frame in frames])
    return pd.concat(frames, ignore_index=True), files, parts


def _frame(path: Path, ignore: Sequence[str]) -> pd.DataFrame:
    expected = "a table in CSV, TSV or Parquet"
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
            if frame.index.name or isinstance(frame.index, pd.DatetimeIndex):
                frame = frame.reset_index()
            return without_commas(frame.set_axis(list(map(str, frame.columns)), axis="columns"), path, "", ignore)
        layout = text_layout(path)
        separator, headed = layout.separator, layout.headed
        frame = pd.read_csv(
            io.StringIO("\n".join(text_lines(path)).rstrip("\n")),
            sep=separator,
            header=0 if headed else None,
            dtype=str,
            keep_default_na=False,
            na_values=list(MISSING_VALUES),
            skipinitialspace=True,
            skip_blank_lines=False,  # in a table of one column an empty line is a gap
        )
    except PolycultureError:
        raise
    except (OSError, ValueError, EOFError, zlib.error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FileError(f"cannot read {path}: {reason}", expected) from error
    names = [str(name).strip() for name in frame.columns] if headed else [str(k + 1) for k in range(frame.shape[1])]
    return without_commas(frame.set_axis(names, axis="columns"), path, separator, ignore)


@dataclass(frozen=True)
class TextLayout:
    """How a table is written as text: the mark between cells, and whether the first row names the columns."""

    separator: str
    headed: bool


def text_layout(path: Path) -> TextLayout:
    """The layout of a CSV or TSV file, from its first lines; InputError for an empty file."""
    preview = text_lines(path, 50)
    if not preview:
        raise InputError(f"{path} is empty", "a table with one row per instance")
    separator = "\t" if ".tsv" in path.suffixes else _separator(preview)
    return TextLayout(separator, _has_header(_rows(preview, separator), separator))


def _separator(lines: Sequence[str]) -> str:
    """The most frequent separator of the first line outside of quotes; commas may stand in numbers between others."""
    counts = [{mark: line.count(mark) for mark in ",;\t"} for line in (re.sub('"[^"]*"', "", line) for line in lines)]
    constant = [mark for mark in ";\t" if counts[0][mark] and all(row[mark] == counts[0][mark] for row in counts)]
    return max(constant or ",;\t", key=lambda mark: counts[0][mark])


def _rows(lines: Sequence[str], separator: str) -> list[list[str]]:
    """The cells of these lines. Unlike the csv module it takes a cell of any length."""
    cell = re.compile(rf' *(?:"([^"]*(?:""[^"]*)*)"?)?([^{separator}\n]*)({separator}|\n|$)')
    rows: list[list[str]] = [[]]
    for match in cell.finditer("\n".join(lines)):
        rows[-1].append((match[1] or "").replace('""', '"') + match[2])
        if not match[3]:
            break
        if match[3] == "\n":
            rows.append([])
    return rows


def text_lines(path: Path, limit: int | None = None) -> list[str]:
    """The first lines of a text file, gzipped or not, without their line ends.

    Decoded as UTF-8, or as Latin-1, in which many old collections are written. FileError for binary files.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            lines = [_decoded(line).rstrip("\r\n") for line in islice(file, limit)]
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"cannot read {path}: {reason}", "a file of text, plain or gzipped") from error
    if any("\0" in line for line in lines):
        raise FileError(f"{path} holds binary data", "a file of text, plain or gzipped")
    return lines


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _has_header(rows: list[list[str]], separator: str) -> bool:
    """Whether the first row names the columns: it has no number, or a word in a column of numbers."""
    number = number_of if separator == "," else decimal_number
    first, body = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    numeric = [number(cell) is not None for cell in first]
    if not any(numeric):
        return True
    words = [k for k, has_number in enumerate(numeric) if not has_number and first[k].strip() not in MISSING_VALUES]
    return any(body and all(number(row[k]) is not None for row in body) for k in words)


def default_label(table: pd.DataFrame) -> str:
    """The column with a common name of labels, or else the last; nothing if there are no columns."""
    columns = [str(name) for name in table.columns]
    by_lower_case = {name.lower(): name for name in columns}
    return next((by_lower_case[name] for name in LABEL_NAMES if name in by_lower_case), "".join(columns[-1:]))


def _require(table: pd.DataFrame, name: str, path: Path) -> str:
    if name not in table.columns:
        raise InputError(f"{path} has no column {name!r}", "", near(name, map(str, table.columns)))
    return name


def _instances(table: pd.DataFrame, options: DataOptions, files: np.ndarray) -> tuple[pd.DataFrame, list[str]]:
    """The instance table, and the column that became its index."""
    columns = [name for name in dict.fromkeys((options.group, options.cluster, options.time)) if name in table.columns]
    instances = instance_table(
        len(table), **{name: _column_values(table[name], name == options.time) for name in columns}
    )
    if len(set(files)) > 1 and "file" not in instances:
        instances["file"] = files
    ids = [name for name in table.columns if name.lower() in ID_NAMES and table[name].is_unique and name not in columns]
    if ids:
        instances.index = pd.Index(table[ids[0]].astype(str), name="instance")
    return instances, ids[:1]


def _column_values(column: pd.Series, time: bool) -> list[Any]:
    """Values as text; times as numbers or as dates that sort in the order of time."""
    if time:
        return time_values(column, "the table")
    return column.astype(object).where(column.notna(), "(missing)").astype(str).tolist()
