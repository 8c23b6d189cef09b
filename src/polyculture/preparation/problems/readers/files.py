"""Which reader do these files need? Recognised by their endings, their folders and their first lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from polyculture.errors import FileError, InputError

from ..data_options import DataOptions, is_visible
from ..raw_data import RawData
from .arrays import read_archive, read_idx_folder
from .audio import read_audio
from .images import ENDINGS as IMAGE_ENDINGS
from .images import read_images
from .series import read_series
from .tables import read_tables, text_lines
from .texts import read_lines, read_text_tables
from .tokens import DOCUMENT, read_tokens, token_rows

Reader = Callable[[Sequence[Path], DataOptions], RawData]

TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
TOKENS = (".conll", ".conll.gz", ".conllu", ".conllu.gz", ".iob", ".bio")
PREVIEW_LINES = 500
"""Lines that are read to recognise what a file of text holds."""


def read_files(paths: Sequence[Path], options: DataOptions) -> RawData:
    """The instances of these files, or of the files in one folder.

    Raises FileError where there is no such file and where nothing can be read, InputError for what does not fit.
    """
    for path in paths:
        if not path.exists():
            raise FileError(f"no such file or folder: {path}", "files or a folder to learn from", "check the path")
    if len(paths) == 1 and paths[0].is_dir():
        return _of_folder(paths[0], options)
    return _reader(paths, options)(paths, options)


def _of_folder(folder: Path, options: DataOptions) -> RawData:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and is_visible(path.relative_to(folder))]
    if any(path.suffix.lower() == ".wav" for path in paths):
        return read_audio([folder], options)
    if any(path.suffix.lower() in IMAGE_ENDINGS for path in paths):
        return read_images([folder], options)
    files = [path for path in paths if path.parent == folder and not path.name.lower().startswith("readme")]
    if not files:
        raise FileError(f"{folder} holds nothing to learn from", "pictures, recordings, tables or texts")
    return _reader(files, options)(files, options)


def _reader(paths: Sequence[Path], options: DataOptions) -> Reader:
    """The function that reads such files."""
    name = paths[0].name.lower()
    if name.endswith(".npz"):
        return read_archive
    if name.endswith(".zip"):
        return read_audio
    if "idx3-ubyte" in name or "idx1-ubyte" in name:
        return read_idx_folder
    if name.endswith(IMAGE_ENDINGS) or name.endswith(".wav"):
        raise InputError(f"the single file {paths[0]}", "the folder that it lies in")
    readers: dict[str, Reader] = {"series": read_series, "tags": read_tokens}
    if options.kind in readers:
        return readers[options.kind]
    if name.endswith(TOKENS) or (not options.kind and not name.endswith(".parquet") and _blank_lines(paths[0])):
        return read_tokens
    if options.kind == "text":
        return read_text_tables if name.endswith(TABLES) else read_lines
    if options.kind == "table" or name.endswith(TABLES):
        return _table_or_texts if not options.kind else read_tables
    return read_lines


def _blank_lines(path: Path) -> bool:
    """Whether blank lines separate groups of lines with a constant number of cells, the last of them a tag."""
    lines = [line for line in text_lines(path, PREVIEW_LINES) if not line.startswith(DOCUMENT)]
    blank = sum(not line.strip() for line in lines[:-1])
    cells = {len(row) for row in token_rows(lines)}
    return blank >= 2 and len(cells) == 1 and min(cells) > 1


def _table_or_texts(paths: Sequence[Path], options: DataOptions) -> RawData:
    """Texts if the only column of the table, next to the label, holds texts; else the table."""
    import pandas as pd

    from .texts import text_column

    raw = read_tables(paths, options)
    assert isinstance(raw.inputs, pd.DataFrame)
    if raw.inputs.shape[1] == 1 and text_column(raw.inputs):
        return read_text_tables(paths, options)
    return raw
