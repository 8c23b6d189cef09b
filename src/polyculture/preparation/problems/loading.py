"""How is a problem loaded? By its name, or from files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from polyculture.errors import InputError, near

from .bundled import BUNDLED
from .data_options import DataOptions, stem_of
from .downloaded import DOWNLOADED
from .problem import Problem
from .raw_data import RawData
from .readers.files import read_files
from .splitting import build_problem

PROBLEMS: dict[str, Callable[[], RawData]] = {**BUNDLED, **DOWNLOADED}
"""Problems that need no files: a function that returns the raw data, from scikit-learn or by a checked download."""

PARTS = ("train", "selection", "test")


def load_problem(
    name_or_files: str | Path | Sequence[str | Path],
    seed: int = 0,
    source: DataOptions | None = None,
    *,
    prepare: Callable[[RawData], RawData] | None = None,
) -> Problem:
    """The problem of that name, or in those files; its split and its shifted test sets are drawn by `seed`.

    Parameters
    ----------
    name_or_files : a name from `PROBLEMS`; or a file, a folder, or several files of one kind: tables (CSV, TSV,
        Parquet), .npz and IDX images, folders of images or recordings, lines of text, tagged tokens.
    seed : of the split, of the shifts, and of samples where there is a limit.
    source : how files are read and split.
    prepare : what is done to all that was read before it is split, such as hiding personal fields; nothing by default.

    Raises InputError for an unknown name and what does not fit, FileError for what cannot be read or fetched, and
    MissingExtraError without scikit-learn or Pillow, where they are needed.

    Examples
    --------
    >>> pc.load_problem("iris").split.test
    Dataset iris: 60 instances, table of shape (4,), 3 classes, classification
    """
    options = source or DataOptions()
    names = [name_or_files] if isinstance(name_or_files, (str, Path)) else list(name_or_files)
    prepare = prepare or _unchanged
    raw = prepare(read_raw(names, options))
    external_tests = {_external_name(name): prepare(read_raw([name], options)) for name in options.test_on}
    problem = build_problem(raw, options, seed, external_tests)
    return replace(problem, origin={"source": [str(name) for name in names], "seed": seed, "options": asdict(options)})


def _unchanged(raw: RawData) -> RawData:
    return raw


def read_raw(names: Sequence[str | Path], options: DataOptions) -> RawData:
    """The instances of a problem by name, or of files, before they are split."""
    first = str(names[0]) if names else ""
    if len(names) == 1 and first in PROBLEMS:
        for option in ("kind", "label", "ignore"):
            if getattr(options, option):
                raise InputError(f"{option} with the problem {first!r}", "it for files only", "leave it out")
        return PROBLEMS[first]()
    paths = [Path(name) for name in names]
    if len(paths) == 1 and not paths[0].exists() and len(paths[0].parts) == 1 and not paths[0].suffix:
        raise InputError(f"no problem {first!r}", "", near(first, PROBLEMS))
    return read_files(paths, options)


def _external_name(test: str) -> str:
    """The name of a test on other files; never that of a part of the split."""
    name = test if test in PROBLEMS else stem_of(Path(test))
    return f"{name} elsewhere" if name in PARTS else name
