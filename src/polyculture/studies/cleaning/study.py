"""What is wrong with the data, and what would be left of them without it? Found, shown, and on request left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from polyculture.errors import InputError, visible
from polyculture.preparation.cleaning import Fault, find_faults
from polyculture.results import Section

from ..progress import Progress, phase_progress
from ..run_folder import PAGE, writable_folder
from ..shell_words import source_words
from .copies import write_copy
from .copies.manifest import CLEAN, LOG
from .copies.writing import names_in_copy, require_copy
from .fault_table import fault_table, write_table
from .label_section import label_section
from .masks import Masks, keep_key, key_in
from .options import LABEL_ERROR, CleanOptions, option_columns
from .removal import TRAINING, require_rest, row_faults, rows_left_out
from .section import cleaning_section
from .sources import FOLDER, CleaningSource, cleaning_source
from .suspects import Suspects, find_suspects

SECTIONS, FAULTS = "clean.json", "faults.csv"
"""The sections, next to their page; and every fault, row by row."""


@dataclass(frozen=True, eq=False)
class CleanResult:
    """What was found in the data, and what was left out.

    Parameters
    ----------
    faults : that need no model to be found, row by row.
    suspects : labels that models contradict; None where they were not looked for.
    removed : rows that were left out of the copy: part, row, kind, reason.
    next_command : what to run next.
    copy : folder of the cleaned copy; None where nothing was asked to be left out or hidden.
    sections : the answer; `polyculture.report` makes its page.
    folder : of the page, the table of faults and the cleaned copy.
    """

    faults: tuple[Fault, ...]
    suspects: Suspects | None
    removed: pd.DataFrame
    sections: tuple[Section, ...]
    folder: Path
    next_command: str = ""
    copy: Path | None = None

    @property
    def sentence(self) -> str:
        """The answer in words."""
        return self.sections[0].sentence

    def frame(self) -> pd.DataFrame:
        """Every fault, one row each."""
        return pd.read_csv(self.folder / FAULTS, dtype={"instance": str, "other_instance": str})

    def __repr__(self) -> str:
        return visible(f"CleanResult in {self.folder}: {self.sentence}") + "\nnext: result.frame()"


def clean(
    source: str | Path | Sequence[str | Path],
    options: CleanOptions | None = None,
    *,
    out: str | Path = "polyculture-clean",
    progress: Progress | None = None,
) -> CleanResult:
    """What is wrong with the data: repeats, leaks, hidden gaps, personal fields, and labels that may be wrong.

    Nothing is left out unless `options.apply` names it; then a cleaned copy is written with a log of every row, from
    which `undo_clean` gives back the original. Personal fields that `options.mask` names are hidden before anything is
    stored.

    Parameters
    ----------
    source : a problem by name, or files, as for `run`.
    options : what is searched for, hidden and left out, and how files are read.
    out : folder of the page, the table of faults and the cleaned copy.
    progress : called in the phases reading, searching and training.

    Raises InputError for a field or kind that does not exist, a folder that holds other files, and what cannot be left
    out; FileError for files that cannot be read or written.

    Examples
    --------
    >>> flowers = pd.DataFrame({"petal": [1.4, 4.7, 1.4, 5.9], "kind": ["setosa", "other", "setosa", "other"]})
    >>> flowers.to_csv("flowers.csv", index=False)
    >>> result = pc.clean("flowers.csv", pc.CleanOptions(apply=["duplicate"]), out="flowers-clean")
    >>> len(pd.read_csv("flowers-clean/clean/flowers.csv"))
    3
    """
    options = options or CleanOptions()
    names = [source] if isinstance(source, (str, Path)) else list(source)
    folder = _free_folder(Path(out), names)
    report = phase_progress(progress, "reading")
    masks = _masks(options)
    data = cleaning_source(names, options.data, masks)
    if options.apply or options.mask:
        require_copy(data)  # before work that would be in vain
    if options.key is not None:
        keep_key(masks.key, Path(options.key))
    report(1, 1, f"{data.raw.name}: {len(data.raw):,} rows")
    report = phase_progress(progress, "searching")
    report(0, 1, "")
    faults = find_faults(data.parts, kinds=options.kinds or None, codes=options.codes or None)
    report(1, 1, f"{len(faults):,} faults")
    suspects = _suspects(data, options, folder, progress) if options.label_errors else None
    removed = _left_out(data, faults, suspects, options)
    require_rest(sum(len(data.rows[part]) for part in data.rows if part in TRAINING), removed)
    write_table(fault_table(data, faults, suspects), folder / FAULTS)
    if options.apply or options.mask:
        write_copy(data, _places(data, removed), folder)
    contradicted = suspects.errors.count if suspects is not None else None
    sections = [cleaning_section(data, faults, removed, options, contradicted)]
    if suspects is not None:
        sections.append(label_section(data, suspects, removed))
    copy = folder / CLEAN if options.apply or options.mask else None
    next_command = _next(data, faults, folder, options)
    return CleanResult(faults, suspects, removed, tuple(sections), folder, next_command, copy)


def _next(data: CleaningSource, faults: Sequence[Fault], folder: Path, options: CleanOptions) -> str:
    """Train on the copy; or leave out what may be left out without a look; or train on the data as they are."""
    columns = option_columns(options.data)
    words = source_words([str(path) for path in data.paths], **columns)
    if options.apply or options.mask:
        names = names_in_copy(data.paths)
        copies = [str(folder / CLEAN)] if data.layout == FOLDER else [str(folder / CLEAN / name) for name in names]
        return f"polyculture run {source_words(copies, **columns)}"
    kinds = [kind for kind in ("leak", "duplicate") if any(fault.kind == kind for fault in faults)]
    if not kinds:
        return f"polyculture run {words}"
    if not data.layout:
        return f"polyculture run {words} --clean"
    return f"polyculture clean {words}{''.join(f' --apply {kind}' for kind in kinds)}"


def _masks(options: CleanOptions) -> Masks:
    if options.key is None:
        return Masks(dict(options.mask))
    return Masks(dict(options.mask), key_in(Path(options.key)))


def _free_folder(folder: Path, names: Sequence[str | Path]) -> Path:
    """The folder, if it is one of clean or empty, and lies in none of those that are read."""
    for name in names:
        path = Path(name)
        if path.is_dir() and (path.resolve() == folder.resolve() or path.resolve() in folder.resolve().parents):
            raise InputError(f"the folder {folder} lies in {path}, which is read", "another one", "name it with --out")
    own = {SECTIONS, FAULTS, PAGE, LOG, CLEAN}
    if folder.is_dir() and (entries := {path.name for path in folder.iterdir()}) and not entries & own:
        raise InputError(
            f"{folder} holds other files, such as {min(entries)}",
            "an empty folder, or one of clean",
            "name another with --out",
        )
    for path in map(Path, names):
        if path.exists() and folder.resolve() in path.resolve().parents:
            raise InputError(f"{path} lies in {folder}, which is written anew", "another folder", "name it with --out")
    return writable_folder(folder)


def _suspects(data: CleaningSource, options: CleanOptions, folder: Path, progress: Progress | None) -> Suspects:
    rows = np.sort(np.concatenate([rows for part, rows in data.rows.items() if part in TRAINING]))
    return find_suspects(
        data.raw,
        rows,
        options.data,
        folder,
        models=options.models,
        folds=options.folds,
        seed=options.seed,
        workers=options.workers,
        progress=phase_progress(progress, "training"),
    )


def _left_out(
    data: CleaningSource, faults: Sequence[Fault], suspects: Suspects | None, options: CleanOptions
) -> pd.DataFrame:
    """The rows that are left out, at most once each."""
    training = [part for part in data.rows if part in TRAINING]
    removed = rows_left_out(row_faults(data.parts, faults, options.apply), options.apply, training)
    if suspects is None or LABEL_ERROR not in options.apply:
        return removed
    positions = {int(place): (part, k) for part, rows in data.rows.items() for k, place in enumerate(rows)}
    table = suspects.table(data.raw)
    rows = [
        (*positions[int(row["place"])], LABEL_ERROR, f"labelled {row['label']}; models suggest {row['suggested']}")
        for row in table.to_dict("records")
    ]
    both = pd.concat([removed, pd.DataFrame(rows, columns=removed.columns)])
    unique: pd.DataFrame = both.drop_duplicates(["part", "row"]).sort_values(["part", "row"], ignore_index=True)
    return unique


def _places(data: CleaningSource, removed: pd.DataFrame) -> pd.DataFrame:
    """The rows that are left out, with their place among all rows and their instance."""
    pairs = list(zip(removed["part"], removed["row"], strict=True))
    return removed.assign(
        place=np.array([data.rows[part][row] for part, row in pairs], np.int64),
        instance=[data.instance(part, row) for part, row in pairs],
    )
