"""What is cleaned, and where does each row stand in its file? The instances by part, personal fields already hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int, Shaped

from polyculture.errors import InputError
from polyculture.preparation import DataOptions
from polyculture.preparation.cleaning import parts_of
from polyculture.preparation.problems import PROBLEMS, RawData, read_raw
from polyculture.preparation.problems.data_options import is_visible
from polyculture.preparation.problems.raw_data import Inputs
from polyculture.preparation.problems.readers.tables import ID_NAMES, default_label, read_frames

from .masks import Masks
from .records import text_records

ARCHIVE, FOLDER, PARQUET, TABLE, TEXT = "archive", "folder", "parquet", "table", "text"
"""How the rows are kept in files: arrays, a file for each row, Parquet, CSV or TSV, lines of label and text."""
TABLE_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
TRAINING = ("train", "all")
"""Parts that rows may be left out of; `all` where files define no parts."""


@dataclass(frozen=True, eq=False)
class CleaningSource:
    """Instances that are to be cleaned.

    Parameters
    ----------
    raw : all that was read, masked.
    parts : the same by part, then what else is tested on.
    rows : for every part of the files, which rows of `raw` it has.
    file : for every row of `raw`, the number of its file in `paths`.
    place : and its position among the rows of this file.
    paths : the files; of a folder of pictures or sounds the folder alone.
    layout : how the files keep rows; empty where no cleaned copy can be written, then `obstacle` says why.
    label : name of the column of labels; empty where the label is no column.
    identity : name of the column of ids; empty where there is none.
    masks : what was hidden, and how.
    unmasked : the inputs with nothing hidden; never stored.
    """

    raw: RawData
    parts: Mapping[str, RawData]
    rows: Mapping[str, Int[np.ndarray, " k"]]
    file: Int[np.ndarray, " n"]
    place: Int[np.ndarray, " n"]
    paths: tuple[Path, ...]
    layout: str
    obstacle: str = ""
    label: str = ""
    identity: str = ""
    masks: Masks = field(default_factory=Masks)
    unmasked: Inputs | None = field(default=None, repr=False)

    @property
    def texts(self) -> tuple[Inputs, Inputs]:
        """The inputs with nothing hidden, and with all that is to be hidden."""
        return self.raw.inputs if self.unmasked is None else self.unmasked, self.raw.inputs

    def instance(self, part: str, row: int) -> str:
        """The id of a row of a part."""
        return str(self.parts[part].instances.index[row])


def cleaning_source(names: Sequence[str | Path], options: DataOptions, masks: Masks) -> CleaningSource:
    """The instances of a problem by name, or of files, and of what else is tested on.

    Raises InputError and FileError for what cannot be read, and for fields that cannot be hidden.
    """
    raw = read_raw(names, options)
    if not len(raw):
        raise InputError(f"{raw.name} holds no instance", "one or more", "check the files")
    paths, layout, obstacle = _layout(names, raw)
    tables = _labelled_tables(paths, options) if layout in (TABLE, PARQUET) else None
    label = tables.label if tables else ""
    columns = tables.columns if tables else ()
    masks.require(raw, columns, label)
    identity = _id_column(raw, columns)
    masked = masks.applied(raw, identity)
    rows = {name: _rows_of(raw, name) for name in parts_of(raw)}
    parts = {name: masked.take(places) for name, places in rows.items()}
    for test in options.test_on:
        parts[_free_name(Path(test).name, parts)] = masks.applied(read_raw([test], options), identity)
    file, place = (tables.file, tables.place) if tables else _places(paths, layout, len(raw))
    return CleaningSource(masked, parts, rows, file, place, paths, layout, obstacle, label, identity, masks, raw.inputs)


def _places(paths: Sequence[Path], layout: str, n: int) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """File and position of every row where each of the files is read in its order."""
    counts = [len(text_records(path).rows) for path in paths] if layout == TEXT else [n]
    return np.repeat(np.arange(len(counts)), counts), np.concatenate([np.arange(count) for count in counts])


@dataclass(frozen=True, eq=False)
class _LabelledTables:
    """Which rows of which file have a label: the rows that are read."""

    columns: tuple[str, ...]
    label: str
    file: Int[np.ndarray, " n"]
    place: Int[np.ndarray, " n"]


def _labelled_tables(paths: Sequence[Path], options: DataOptions) -> _LabelledTables:
    frames = [read_frames([path], options.ignore)[0] for path in paths]
    label = options.label or default_label(frames[0])
    places = [np.flatnonzero(frame[label].notna().to_numpy()) for frame in frames]
    file = np.repeat(np.arange(len(paths)), [len(rows) for rows in places])
    return _LabelledTables(tuple(map(str, frames[0].columns)), label, file, np.concatenate(places))


def _layout(names: Sequence[str | Path], raw: RawData) -> tuple[tuple[Path, ...], str, str]:
    """The files, how they keep rows, and why no copy can be written where that is so."""
    paths = tuple(Path(name) for name in names)
    if len(paths) == 1 and str(names[0]) in PROBLEMS:
        return paths, "", "a problem by name has no file"
    if len(paths) == 1 and paths[0].is_dir():
        if raw.modality in ("image", "audio"):
            return paths, FOLDER, ""
        visible = (path for path in sorted(paths[0].iterdir()) if path.is_file() and is_visible(Path(path.name)))
        paths = tuple(path for path in visible if not path.name.lower().startswith("readme"))
    name = paths[0].name.lower()
    if raw.modality in ("tags", "series"):
        return paths, "", "a row of tagged tokens or of a time series cannot be taken out of its sequence"
    if name.endswith(".npz"):
        return paths, ARCHIVE, ""
    if name.endswith(".zip") or "idx3-ubyte" in name or "idx1-ubyte" in name:
        return paths, "", "packed recordings and IDX files are only read"
    if name.endswith(".parquet"):
        return paths, PARQUET, ""
    table = raw.modality == "table" or name.endswith(TABLE_ENDINGS)
    return paths, TABLE if table else TEXT, ""


def _id_column(raw: RawData, columns: Sequence[str]) -> str:
    """The column whose values are the ids of the instances."""
    named = raw.instances.index.dtype.kind not in "iu"
    return next((name for name in columns if named and name.lower() in ID_NAMES), "")


def _rows_of(raw: RawData, part: str) -> Int[np.ndarray, " k"]:
    if not len(raw.part):
        return np.arange(len(raw))
    return np.flatnonzero(raw.part == ("" if part == "all" else part))


def _free_name(name: str, taken: Mapping[str, RawData]) -> str:
    return name if name not in taken else f"{name} elsewhere"


def labels_as_text(raw: RawData) -> Shaped[np.ndarray, " n"]:
    """The labels as people read them."""
    return np.array([" ".join(map(str, x)) if isinstance(x, tuple) else str(x) for x in raw.labels], dtype=object)
