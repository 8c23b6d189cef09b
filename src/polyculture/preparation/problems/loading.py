"""Which problem is meant? One by its name, or what lies in files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from polyculture.errors import InputError, near

from .bundled import CARRIED
from .data_options import DataOptions, stem_of
from .downloaded import DOWNLOADED
from .problem import Problem
from .raw_data import RawData
from .readers.files import read_files
from .splitting import cut

PROBLEMS: dict[str, Callable[[], RawData]] = {**CARRIED, **DOWNLOADED}
"""Problems that need no files: a function that gets the material, from scikit-learn or by a checked download."""

PARTS = ("train", "selection", "test")


def load_problem(what: str | Path | Sequence[str | Path], seed: int = 0, source: DataOptions | None = None) -> Problem:
    """The problem of that name, or in those files; its split and its shifted tests drawn by `seed`.

    Parameters
    ----------
    what : a name from `PROBLEMS`; or a file, a folder, or several files of one kind: tables (CSV, TSV, Parquet), .npz
        and IDX images, folders of pictures or recordings, texts by line, tagged tokens (see `DataOptions`).
    seed : of the split, of the shifts, and of samples where there is a limit.
    source : how files are read and cut.

    Raises InputError for an unknown name and what does not fit, FileError for what cannot be read or fetched, and
    MissingExtraError without scikit-learn or Pillow, where they are needed.
    """
    source = source or DataOptions()
    named = [what] if isinstance(what, (str, Path)) else list(what)
    elsewhere = {_apart(other): _material([other], source) for other in source.test_on}
    return cut(_material(named, source), source, seed, elsewhere)


def _material(named: Sequence[str | Path], source: DataOptions) -> RawData:
    first = str(named[0]) if named else ""
    if len(named) == 1 and first in PROBLEMS:
        for option in ("kind", "label", "ignore"):
            if getattr(source, option):
                raise InputError(f"{option} with the problem {first!r}", "that for files only", "leave it out")
        return PROBLEMS[first]()
    paths = [Path(name) for name in named]
    if len(paths) == 1 and not paths[0].exists() and len(paths[0].parts) == 1 and not paths[0].suffix:
        raise InputError(f"no problem {first!r}", "", near(first, PROBLEMS))
    return read_files(paths, source)


def _apart(other: str) -> str:
    """The name of a test on other files; never that of a part of the split."""
    name = other if other in PROBLEMS else stem_of(Path(other))
    return f"{name} elsewhere" if name in PARTS else name
