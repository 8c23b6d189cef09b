"""How is the original given back? The rows of the log are put into the cleaned copy again, where they were."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from polyculture.errors import FileError, InputError
from polyculture.formats.folders.atomic_folder import replacing

from ..records import content_of
from ..sources import ARCHIVE, FOLDER, PARQUET, TABLE, TEXT
from .manifest import CLEAN, LOG, ORIGINAL, REMOVED, CopiedFile, checksum, packed, read_manifest


def undo_clean(folder: str | Path) -> Path:
    """Give back the files that were cleaned, as they were; only fields that were hidden stay hidden.

    Texts and tables of text are equal byte by byte (of a gzipped file its content), pictures and recordings as files,
    arrays and Parquet tables row by row.

    Parameters
    ----------
    folder : of `clean` with rows left out.

    Returns the folder with the original files. Raises FileError where there is no cleaned copy, InputError where it
    was changed since.

    Examples
    --------
    >>> notes = pd.DataFrame({"text": ["see you at noon", "call me now", "see you at noon"], "spam": [0, 1, 0]})
    >>> notes.to_csv("notes.csv", index=False)
    >>> _ = pc.clean("notes.csv", pc.CleanOptions(apply=["duplicate"]), out="notes-clean")
    >>> folder = pc.undo_clean("notes-clean")
    >>> len((folder / "notes.csv").read_text().splitlines())
    4
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    log = _checked(folder / LOG, manifest.log)
    rows: dict[str, dict[int, bytes]] = {}
    text = log.decode("utf-8", "surrogateescape")
    for row in csv.DictReader(io.StringIO(text, newline="")):
        rows.setdefault(row["file"], {})[int(row["line"])] = row["content"].encode("utf-8", "surrogateescape")
    with replacing(folder / ORIGINAL) as original:
        for file in manifest.files:
            (original / file.name).parent.mkdir(parents=True, exist_ok=True)
            RESTORERS[manifest.layout](folder, file, rows.get(file.name, {}), original / file.name)
    return folder / ORIGINAL


def _checked(path: Path, total: str, content: bytes | None = None) -> bytes:
    """The content of a file that clean wrote; InputError where it is another one."""
    try:
        content = path.read_bytes() if content is None else content
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}", "the file that clean wrote", "clean again") from error
    if checksum(content) != total:
        raise InputError(
            f"{path} was changed after it was cleaned", "the file that clean wrote", "put it back, or clean again"
        )
    return content


def _text_file(folder: Path, file: CopiedFile, rows: dict[int, bytes], target: Path) -> None:
    path = folder / CLEAN / file.name
    content = _checked(path, file.clean, content_of(path))
    lines = io.BytesIO(content).readlines()
    parts: list[bytes] = []
    number, position = 1, 0
    while position < len(lines) or rows.get(number):
        record = rows.get(number)
        if record is None:
            record = lines[position]
            position += 1
        parts.append(record)
        number += max(1, len(io.BytesIO(record).readlines()))
    whole = b"".join(parts)
    _checked(path, file.original, whole)
    target.write_bytes(packed(whole, path))


def _parquet_file(folder: Path, file: CopiedFile, rows: dict[int, bytes], target: Path) -> None:  # noqa: ARG001
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for name, total in ((CLEAN, file.clean), (REMOVED, file.removed)):
        tables.append(pq.read_table(pa.BufferReader(_checked(folder / name / file.name, total))))
    places = np.array((file.rows or {}).get("", []), np.int64)
    others = np.setdiff1d(np.arange(sum(map(len, tables))), places)
    order = np.argsort(np.concatenate([others, places]), kind="stable")
    pq.write_table(pa.concat_tables(tables).take(pa.array(order)), target)


def _archive(folder: Path, file: CopiedFile, rows: dict[int, bytes], target: Path) -> None:  # noqa: ARG001
    clean, rest = (
        np.load(io.BytesIO(_checked(folder / name / file.name, total)), allow_pickle=False)
        for name, total in ((CLEAN, file.clean), (REMOVED, file.removed))
    )
    arrays = {}
    for name in clean.files:
        array, places = clean[name], np.array((file.rows or {}).get(name, []), np.int64)
        if len(places):
            others = np.setdiff1d(np.arange(len(array) + len(places)), places)
            array = np.concatenate([array, rest[name]])[np.argsort(np.concatenate([others, places]), kind="stable")]
        arrays[name] = array
    np.savez_compressed(target, **arrays)


def _file(folder: Path, file: CopiedFile, rows: dict[int, bytes], target: Path) -> None:  # noqa: ARG001
    path = folder / (CLEAN if file.clean else REMOVED) / file.name
    _checked(path, file.original)
    shutil.copy2(path, target)


RESTORERS: dict[str, Callable[[Path, CopiedFile, dict[int, bytes], Path], None]] = {
    **{TABLE: _text_file, TEXT: _text_file, PARQUET: _parquet_file},
    **{ARCHIVE: _archive, FOLDER: _file},
}
"""By layout of the files."""
