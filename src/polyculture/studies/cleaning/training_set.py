"""What is left out before a run? Repeats of a training row, and training rows that are in the selection or test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from polyculture.preparation import DataOptions
from polyculture.preparation.cleaning import Fault, find_faults
from polyculture.preparation.problems import Problem, load_problem
from polyculture.results import Section
from polyculture.stats import Interval, percent, plural

from ..progress import Progress, phase_progress
from .copies.manifest import LOG
from .fault_table import write_table
from .masks import KEY_FILE, Masks, keep_key, key_in
from .removal import require_rest, row_faults, rows_left_out
from .section import SPEC, kind_table, left_out_table, row_counts

KINDS_OF_RUN = ("duplicate", "conflict", "leak")
"""What is looked for before a run: exact comparisons, which take seconds."""
LEFT_OUT = ("duplicate", "leak")
CLEANED, MASKED = "clean", "mask"
"""Names in the origin of a problem."""


@dataclass(frozen=True, eq=False)
class CleanedProblem:
    """A problem whose training set is cleaned.

    Parameters
    ----------
    problem : with fewer training instances; its tests are unchanged.
    removed : training rows that were left out: part, row, kind, reason, instance.
    section : what was found and left out, for the page of the run.
    """

    problem: Problem
    removed: pd.DataFrame
    section: Section


def cleaned_problem(problem: Problem, progress: Progress | None = None) -> CleanedProblem:
    """The problem without training instances that repeat another one or that are in the selection or test set.

    What models are chosen and tested on stays as it is, so that numbers can be compared with those of other runs.
    Raises InputError where no training instance would be left.
    """
    report = phase_progress(progress, "searching")
    report(0, 1, problem.name)
    split = problem.split
    parts = {"train": split.train, "selection": split.selection, "test": split.test}
    faults = find_faults(parts, kinds=KINDS_OF_RUN)
    removed = rows_left_out(row_faults(parts, faults, LEFT_OUT), LEFT_OUT, ("train",))
    require_rest(len(split.train), removed)
    rows = removed["row"].to_numpy(np.int64)
    removed = removed.assign(instance=split.train.instances.index[rows].astype(str))
    remainder = split.train.take(np.setdiff1d(np.arange(len(split.train)), rows))
    origin = {**problem.origin, CLEANED: True} if problem.origin else problem.origin
    cleaned = replace(problem, split=replace(split, train=remainder), origin=origin)
    report(1, 1, f"{len(rows):,} training rows left out")
    return CleanedProblem(cleaned, removed, _section(problem, faults, removed))


def _section(problem: Problem, faults: tuple[Fault, ...], removed: pd.DataFrame) -> Section:
    split = problem.split
    sizes = {"train": len(split.train), "selection": len(split.selection), "test": len(split.test)}
    tables = {"faults": kind_table(faults, sizes), "left_out": left_out_table(removed)}
    numbers = row_counts(faults, sizes) | {
        "left_out": Interval(float(len(removed)), n=sizes["train"], method="counted")
    }
    return SPEC.answer(_sentence(sizes, removed), numbers, {name: t for name, t in tables.items() if len(t)})


def _sentence(sizes: Mapping[str, int], removed: pd.DataFrame) -> str:
    count = len(removed)
    if not count:
        return (
            f"Of {plural(sizes['train'], 'training row')} none was left out: no row repeats another one, and none is "
            "in the selection or test set."
        )
    kinds = removed["kind"].value_counts()
    reasons = {"duplicate": "repeat another one", "leak": "are in the selection or test set"}
    listing = ", ".join(f"{kinds[kind]:,} that {words}" for kind, words in reasons.items() if kind in kinds)
    share = percent(count / sizes["train"])
    return (
        f"Of {plural(sizes['train'], 'training row')} {count:,} ({share}) were left out before training: {listing}. "
        "The selection and test set are as they were."
    )


def load_masked(
    names: str | Path | Sequence[str | Path],
    seed: int,
    options: DataOptions | None,
    fields: Mapping[str, str],
    folder: Path,
) -> Problem:
    """The problem of this name or in these files, with fields hidden in all that models see and that is stored.

    The secret of the hashes lies in the folder of the run, so that the same hashes are made when it is resumed.
    """
    masks = Masks(dict(fields), key_in(folder / KEY_FILE))
    problem = load_problem(names, seed, options, prepare=masks.strict)
    keep_key(masks.key, folder / KEY_FILE)
    return replace(problem, origin={**problem.origin, MASKED: dict(fields)})


def store_removed(removed: pd.DataFrame, folder: Path) -> None:
    """Write in the folder of a run which training rows it left out; the file goes where none were."""
    if len(removed):
        write_table(removed[["part", "row", "instance", "kind", "reason"]], folder / LOG)
    else:
        (folder / LOG).unlink(missing_ok=True)
