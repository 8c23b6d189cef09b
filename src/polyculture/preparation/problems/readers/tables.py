"""How are tables read? CSV, TSV and Parquet, with a header or without, one file or several with the same columns."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polyculture.errors import FileError, InputError, PolycultureError, near

from ..data_options import DataOptions, name_of, part_of, stem_of
from ..labels import number_of
from ..raw_data import RawData, listed, numbered

USUAL_LABELS = ("label", "labels", "target", "class", "y", "outcome", "diagnosis")
USUAL_IDS = ("id", "index", "instance", "instance_id", "unnamed: 0")
UNKNOWN = ("", "?", "NA", "N/A", "na", "nan", "NaN", "null", "NULL", "None")


def read_tables(paths: Sequence[Path], source: DataOptions) -> RawData:
    """The rows of one table, or of several with the same columns; which file a row is from is known of it.

    The label is the column that the user names, or one with a usual name, or the last. A column called id (or the
    like) with a different value in every row is the instance's id; it, what the user ignores, and the columns of
    groups, clusters and moments are not learned from.

    Raises FileError for what cannot be read, InputError for unknown columns and files that do not fit together.
    """
    table, files, parts = read_frames(paths, source)
    label = _label(table, source, paths[0])
    for name in source.ignore:
        _need(table, name, paths[0])
    gone = table[label].isna().to_numpy()
    table, files, parts = table[~gone], files[~gone], parts[~gone]
    known, ids = _known(table, source, files)
    aside = {label, *source.ignore, *known.columns, *ids}
    told = f"the label is column {label!r}" + (f" ({int(gone.sum())} rows without are left out)" if gone.any() else "")
    return RawData(
        name_of(paths),
        "table",
        table.drop(columns=[name for name in table.columns if name in aside]),
        listed(table[label].tolist()),
        known,
        parts if (parts != "").any() else np.array([], dtype=str),
        told,
    )


def read_frames(paths: Sequence[Path], source: DataOptions) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:  # noqa: ARG001
    """All rows, and for each the stem of its file and the part that the file's name tells."""
    frames = [_frame(path) for path in paths]
    for path, frame in zip(paths[1:], frames[1:], strict=True):
        if list(frame.columns) != list(frames[0].columns):
            odd = next(iter(set(map(str, frame.columns)) ^ set(map(str, frames[0].columns))), "their order")
            raise InputError(f"{path} has other columns than {paths[0]}: {odd}", "the same columns in every file")
    files = np.repeat([stem_of(path) for path in paths], [len(frame) for frame in frames])
    parts = np.repeat([part_of(path) for path in paths], [len(frame) for frame in frames])
    return pd.concat(frames, ignore_index=True), files, parts


def _frame(path: Path) -> pd.DataFrame:
    expected = "a table in CSV, TSV or Parquet"
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
            return frame.set_axis(list(map(str, frame.columns)), axis="columns")
        first = text_lines(path, 50)
        if not first:
            raise InputError(f"{path} is empty", "a table with one row per instance")
        separator = "\t" if ".tsv" in path.suffixes else max(",;\t", key=first[0].count)
        headed = _has_header(list(csv.reader(first, delimiter=separator)))
        frame = pd.read_csv(
            io.StringIO("\n".join(text_lines(path)).rstrip("\n")),
            sep=separator,
            header=0 if headed else None,
            dtype=str,
            keep_default_na=False,
            na_values=list(UNKNOWN),
            skipinitialspace=True,
            skip_blank_lines=False,  # in a table of one column an empty line is a gap
        )
    except PolycultureError:
        raise
    except (OSError, ValueError, EOFError, zlib.error, csv.Error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FileError(f"cannot read {path}: {reason}", expected) from error
    names = [str(name).strip() for name in frame.columns] if headed else [str(k + 1) for k in range(frame.shape[1])]
    return frame.set_axis(names, axis="columns")


def text_lines(path: Path, most: int | None = None) -> list[str]:
    """The first lines of a text file, plain or gzipped, without their ends.

    In UTF-8; a line that is not is read as Latin-1, as many old collections are. FileError for what holds no text.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            lines = [_decoded(line).rstrip("\r\n") for line in islice(file, most)]
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


def _has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: it has no number, or a word above numbers only."""
    first, rest = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    numbers = [number_of(cell) is not None for cell in first]
    if not any(numbers):
        return True
    above = [k for k, number in enumerate(numbers) if not number and first[k].strip() not in UNKNOWN]
    return any(rest and all(number_of(row[k]) is not None for row in rest) for k in above)


def _label(table: pd.DataFrame, source: DataOptions, path: Path) -> str:
    if source.label:
        return _need(table, source.label, path)
    usual = {str(name).lower(): str(name) for name in table.columns}
    return next((usual[name] for name in USUAL_LABELS if name in usual), str(table.columns[-1]))


def _need(table: pd.DataFrame, name: str, path: Path) -> str:
    if name not in table.columns:
        raise InputError(f"{path} has no column {name!r}", "", near(name, map(str, table.columns)))
    return name


def _known(table: pd.DataFrame, source: DataOptions, files: np.ndarray) -> tuple[pd.DataFrame, list[str]]:
    """The instance table, and the column that became its index."""
    named = [name for name in dict.fromkeys((source.group, source.cluster, source.time)) if name in table.columns]
    known = numbered(len(table), **{name: _plain(table[name], name == source.time) for name in named})
    if len(set(files)) > 1 and "file" not in known:
        known["file"] = files
    ids = [name for name in table.columns if name.lower() in USUAL_IDS and table[name].is_unique and name not in named]
    if ids:
        known.index = pd.Index(table[ids[0]].astype(str), name="instance")
    return known, ids[:1]


def _plain(column: pd.Series, moment: bool) -> list[Any]:
    """Values as they are; moments as numbers where they are numbers, so that 9 comes before 10."""
    numbers = pd.to_numeric(column, errors="coerce") if moment else column
    whole = moment and not numbers.isna().any()
    return (numbers if whole else column.astype(object).where(column.notna(), "(missing)").astype(str)).tolist()
