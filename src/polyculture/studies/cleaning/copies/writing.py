"""How is a cleaned copy written? Rows are left out of files of the same kind, and kept in a log next to them."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.errors import InputError
from polyculture.formats.folders.atomic_folder import replacing
from polyculture.preparation.problems.data_options import is_visible
from polyculture.preparation.problems.readers.arrays import LAYOUTS
from polyculture.preparation.problems.readers.tables import read_frames

from ..records import TextRecords, changed_cells, changed_texts, table_records, text_records, with_records
from ..sources import ARCHIVE, FOLDER, PARQUET, TABLE, TEXT, CleaningSource
from .manifest import CLEAN, LOG, MANIFEST, REMOVED, CopiedFile, CopyManifest, checksum, manifest_text, packed

LOG_COLUMNS = ("file", "line", "part", "row", "instance", "kind", "reason", "content")
"""Of the log; line is that of a text file, or the position of the row in any other, and content is the row itself."""


def require_copy(source: CleaningSource) -> None:
    """Raise InputError where files of this layout have no cleaned copy, or none with fields hidden."""
    if not source.layout:
        raise InputError(
            f"a cleaned copy of {source.raw.name}: {source.obstacle}",
            "tables, lines of text, Parquet, .npz, or folders of pictures or recordings",
            "polyculture run --clean leaves rows out when it trains",
        )
    if source.masks and source.layout in (ARCHIVE, FOLDER):
        raise InputError(f"fields to hide in {source.paths[0]}", "a table or lines of text", "leave the mask out")


def write_copy(source: CleaningSource, removed: pd.DataFrame, folder: Path) -> None:
    """Write a copy of the files without these rows, and the log of what was left out.

    Parameters
    ----------
    source : what was read.
    removed : rows of `source.raw` (``place``), with part, row, instance, kind and reason.
    folder : gets the folder of the copy, the log, and a manifest, which is written last.

    Raises FileError where nothing can be written.
    """
    (folder / MANIFEST).unlink(missing_ok=True)
    with replacing(folder / CLEAN) as clean, replacing(folder / REMOVED) as rest:
        files, log = WRITERS[source.layout](source, removed, clean, rest)
    if not any((folder / REMOVED).iterdir()):
        (folder / REMOVED).rmdir()
    content = _log_text(log)
    _replace(folder / LOG, content)
    manifest = CopyManifest(source.layout, tuple(files), checksum(content), dict(source.masks.fields))
    _replace(folder / MANIFEST, manifest_text(manifest))


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def _log_text(log: pd.DataFrame) -> bytes:
    """The log as CSV; bytes that are no UTF-8 are kept."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(LOG_COLUMNS)
    writer.writerows(log[list(LOG_COLUMNS)].itertuples(index=False, name=None))
    return text.getvalue().encode("utf-8", "surrogateescape")


def names_in_copy(paths: Sequence[Path]) -> list[str]:
    """What files are called in the copy: their own names, with that of their folder where two are equal."""
    names = [path.name for path in paths]
    return [f"{path.parent.name}/{path.name}" if names.count(path.name) > 1 else path.name for path in paths]


def _text_files(
    source: CleaningSource,
    removed: pd.DataFrame,
    clean: Path,
    rest: Path,  # noqa: ARG001
) -> tuple[list[CopiedFile], pd.DataFrame]:
    """Tables and lines of text: bytes of records are left out."""
    files, logs = [], []
    for number, (path, name) in enumerate(zip(source.paths, names_in_copy(source.paths), strict=True)):
        records = _masked_records(source, number, path)
        own = removed[source.file[removed["place"].to_numpy(np.int64)] == number]
        positions = records.rows[source.place[own["place"].to_numpy(np.int64)]]
        content = with_records(records, dict.fromkeys(positions.tolist()))
        (clean / name).parent.mkdir(parents=True, exist_ok=True)
        (clean / name).write_bytes(packed(content, path))
        rows = [records.contents[position].decode("utf-8", "surrogateescape") for position in positions]
        logs.append(own.assign(file=name, line=records.lines[positions], content=rows))
        files.append(CopiedFile(name, checksum(b"".join(records.contents)), checksum(content)))
    return files, pd.concat(logs, ignore_index=True)


def _masked_records(source: CleaningSource, number: int, path: Path) -> TextRecords:
    """The records of a file, with the fields hidden."""
    if source.layout == TEXT:
        records, rows = text_records(path), np.flatnonzero(source.file == number)
        before, after = ([str(text) for text in np.asarray(inputs)[rows]] for inputs in source.texts)
        return changed_texts(records, before, after) if source.masks else records
    frame = read_frames([path])[0]
    records = table_records(path, len(frame))
    return changed_cells(records, frame, source.masks.of_frame(frame, source.identity)) if source.masks else records


def _parquet_files(
    source: CleaningSource, removed: pd.DataFrame, clean: Path, rest: Path
) -> tuple[list[CopiedFile], pd.DataFrame]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files, logs = [], []
    for number, (path, name) in enumerate(zip(source.paths, names_in_copy(source.paths), strict=True)):
        table, frame = pq.read_table(path), read_frames([path])[0]
        masked = source.masks.of_frame(frame, source.identity)
        for column in [column for column in table.column_names if column in frame]:
            if column not in masked:
                table = table.drop_columns([column])
            elif not masked[column].equals(frame[column]):
                place = table.column_names.index(column)
                table = table.set_column(place, column, pa.array(masked[column].astype(object), from_pandas=True))
        own = removed[source.file[removed["place"].to_numpy(np.int64)] == number]
        rows = source.place[own["place"].to_numpy(np.int64)]
        for folder, chosen in ((clean, np.setdiff1d(np.arange(len(table)), rows)), (rest, np.sort(rows))):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table.take(pa.array(chosen)), folder / name)
        texts = ["; ".join(map(str, values)) for values in masked.iloc[rows].itertuples(index=False, name=None)]
        logs.append(own.assign(file=name, line=rows, content=texts))
        totals = [checksum((folder / name).read_bytes()) for folder in (clean, rest)]
        files.append(CopiedFile(name, "", totals[0], totals[1], {"": np.sort(rows).tolist()}))
    return files, pd.concat(logs, ignore_index=True)


def _archive(
    source: CleaningSource, removed: pd.DataFrame, clean: Path, rest: Path
) -> tuple[list[CopiedFile], pd.DataFrame]:
    """The arrays of one .npz file; what has as many rows as the inputs of a part loses the same rows."""
    path = source.paths[0]
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    rows = _archive_rows(arrays, removed["place"].to_numpy(np.int64))
    kept = {name: np.delete(array, rows[name], axis=0) if name in rows else array for name, array in arrays.items()}
    np.savez_compressed(clean / path.name, **kept)
    np.savez_compressed(rest / path.name, **{name: arrays[name][rows[name]] for name in rows})
    totals = [checksum((folder / path.name).read_bytes()) for folder in (clean, rest)]
    places = {name: values.tolist() for name, values in rows.items()}
    copied = CopiedFile(path.name, "", totals[0], totals[1], places)
    return [copied], removed.assign(file=path.name, line=removed["row"], content="")


def _archive_rows(arrays: dict[str, np.ndarray], places: Int[np.ndarray, " k"]) -> dict[str, Int[np.ndarray, " r"]]:
    """Which rows are left out of which array."""
    lower = {name.lower(): name for name in arrays}
    layout = next(parts for parts in LAYOUTS if set(parts[0][:2]) <= set(lower))
    rows: dict[str, Int[np.ndarray, " r"]] = {}
    start = 0
    for x, y, _ in layout:
        if x not in lower or y not in lower:
            continue
        count = len(arrays[lower[x]])
        own = np.sort(places[(places >= start) & (places < start + count)]) - start
        word = x.replace("x_", "").replace("_images", "") if len(layout) > 1 else ""
        alike = [name for key, name in lower.items() if word in key and arrays[name].shape[:1] == (count,)]
        rows |= dict.fromkeys(alike, own)
        start += count
    return rows


def _file_folder(
    source: CleaningSource, removed: pd.DataFrame, clean: Path, rest: Path
) -> tuple[list[CopiedFile], pd.DataFrame]:
    """A folder with a file for each row: files are left out."""
    folder = source.paths[0]
    gone = set(source.raw.instances.index[removed["place"].to_numpy(np.int64)].astype(str))
    files = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if not path.is_file() or not is_visible(name):
            continue
        target = (rest if name.as_posix() in gone else clean) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
        total = checksum(path.read_bytes())
        files.append(CopiedFile(name.as_posix(), total, *(("", total) if name.as_posix() in gone else (total, ""))))
    return files, removed.assign(file=removed["instance"], line=0, content="")


WRITERS: dict[str, Callable[[CleaningSource, pd.DataFrame, Path, Path], tuple[list[CopiedFile], pd.DataFrame]]] = {
    TABLE: _text_files,
    TEXT: _text_files,
    PARQUET: _parquet_files,
    ARCHIVE: _archive,
    FOLDER: _file_folder,
}
"""By layout of the files."""
