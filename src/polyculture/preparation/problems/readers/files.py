"""What kind of problem do these files hold? Told by their endings, their places and their first lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from polyculture.errors import FileError, InputError

from ..data_options import DataOptions
from ..raw_data import RawData
from .arrays import read_archive, read_idx_folder
from .audio import read_sounds
from .images import ENDINGS as PICTURES
from .images import read_pictures
from .series import read_series
from .tables import read_tables, text_lines
from .texts import read_lines, read_text_tables
from .tokens import DOCUMENT, read_tokens

Reader = Callable[[Sequence[Path], DataOptions], RawData]

TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
TOKENS = (".conll", ".conll.gz", ".conllu", ".conllu.gz", ".iob", ".bio")
SEEN = 500
"""Lines that are looked at to tell what a file of text holds."""


def read_files(paths: Sequence[Path], source: DataOptions) -> RawData:
    """The instances of these files, or of the files in one folder.

    Raises FileError where there is no such file and where nothing can be read, InputError for what does not fit.
    """
    for path in paths:
        if not path.exists():
            raise FileError(f"no such file or folder: {path}", "files or a folder to learn from", "check the path")
    if len(paths) == 1 and paths[0].is_dir():
        return _of_folder(paths[0], source)
    return _reader(paths, source)(paths, source)


def _of_folder(folder: Path, source: DataOptions) -> RawData:
    inside = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    if any(path.suffix.lower() == ".wav" for path in inside):
        return read_sounds([folder], source)
    if any(path.suffix.lower() in PICTURES for path in inside):
        return read_pictures([folder], source)
    files = [path for path in inside if path.parent == folder and not path.name.lower().startswith("readme")]
    if not files:
        raise FileError(f"{folder} holds nothing to learn from", "pictures, recordings, tables or texts")
    return _reader(files, source)(files, source)


def _reader(paths: Sequence[Path], source: DataOptions) -> Reader:
    """The function that reads such files."""
    name = paths[0].name.lower()
    if name.endswith(".npz"):
        return read_archive
    if name.endswith(".zip"):
        return read_sounds
    if "idx3-ubyte" in name or "idx1-ubyte" in name:
        return read_idx_folder
    if name.endswith(PICTURES) or name.endswith(".wav"):
        raise InputError(f"the single file {paths[0]}", "the folder that it lies in")
    chosen: dict[str, Reader] = {"series": read_series, "tags": read_tokens}
    if source.kind in chosen:
        return chosen[source.kind]
    if name.endswith(TOKENS) or (not source.kind and not name.endswith(".parquet") and _blank_lines(paths[0])):
        return read_tokens
    if source.kind == "text":
        return read_text_tables if name.endswith(TABLES) else read_lines
    if source.kind == "table" or name.endswith(TABLES):
        return _table_or_texts if not source.kind else read_tables
    return read_lines


def _blank_lines(path: Path) -> bool:
    """Whether blank lines stand between groups of lines with equally many cells, a tag in the last of them."""
    lines = [line for line in text_lines(path, SEEN) if not line.startswith(DOCUMENT)]
    blank = sum(not line.strip() for line in lines[:-1])
    cells = {len(line.split("\t") if "\t" in line else line.split()) for line in lines if line.strip()}
    return blank >= 2 and len(cells - {1}) == 1 and min(cells) > 1


def _table_or_texts(paths: Sequence[Path], source: DataOptions) -> RawData:
    """A table whose only other column is a column of texts is texts."""
    import pandas as pd

    from .texts import text_column

    material = read_tables(paths, source)
    assert isinstance(material.inputs, pd.DataFrame)
    if material.inputs.shape[1] == 1 and text_column(material.inputs):
        return read_text_tables(paths, source)
    return material
