"""Which of two outputs does each judge prefer, verdict by verdict? Files of preferences as `PairedComparisons`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polyculture.errors import InputError
from polyculture.measures.panels import PairedComparisons

from .detection import find_sources, kind_of_names
from .json_lines import BadLines
from .logs import records
from .logs.presentations import Presentation, presentations_of
from .rules import ReadingRules
from .tables.dataframes import is_frame, open_frame

CREDITS = (1.0, 0.0, 0.5)
"""What the first output gets for the choices 0, 1 and tie."""


def holds_preferences(source: Any, rules: ReadingRules | None = None) -> bool:
    """Whether a source is a table, or files, of comparisons of two outputs."""
    if is_frame(source):
        return kind_of_names(open_frame(source).names) == "preferences"
    sources = _files(source, rules or ReadingRules())
    return any(kind == "preferences" for _, _, kind in sources)


def read_comparisons(source: Any, rules: ReadingRules | None = None) -> PairedComparisons:
    """The verdicts of a source that `holds_preferences`, in the order of its rows.

    Parameters
    ----------
    source : a path, several, {judge: path} for files that name no judge, or a dataframe.
    rules : whether rows that cannot be read are skipped.

    Raises InputError where no row holds a verdict.
    """
    rules = rules or ReadingRules()
    bad = BadLines(rules.skip_bad)
    if is_frame(source):
        rows = [("judge", row) for row in records.rows_of_table(open_frame(source))]
    else:
        files = _files(source, rules)
        rows = [(name or path.stem, row) for path, name, _ in files for row in records.rows_of(path, bad)]
    verdicts = [part for judge, row in rows for part in presentations_of(row, judge, bad)]
    if not any(part.comparison.choice is not None for part in verdicts):
        raise InputError("preferences without a single verdict", "rows that say which output is preferred")
    return _coded(verdicts)


def _files(source: Any, rules: ReadingRules) -> list[tuple[Path, str | None, str]]:
    """Files of a source with the judge that each is of, and their kinds; none where it is no path."""
    paths: Sequence[Any] = [source] if isinstance(source, (str, Path)) else source
    if isinstance(source, Mapping):
        named = [(str(path), str(name)) for name, path in source.items() if isinstance(path, (str, Path))]
    elif isinstance(paths, (list, tuple)) and all(isinstance(path, (str, Path)) for path in paths):
        named = [(str(path), "") for path in paths]
    else:
        return []
    sources = [part for path, name in named for part in find_sources(path, rules, name or None)]
    return [(part.file, part.model, part.kind) for part in sources]


def _coded(verdicts: Sequence[Presentation]) -> PairedComparisons:
    judges, judge = _codes([part.comparison.judge for part in verdicts])
    items, item = _codes([part.comparison.question for part in verdicts])
    candidates, outputs = _codes([name for part in verdicts for name in part.comparison.outputs])
    lengths = np.array([part.lengths for part in verdicts], dtype=float)
    return PairedComparisons(
        judges,
        candidates,
        items,
        judge,
        item,
        outputs.reshape(-1, 2),
        np.array([_credit(part) for part in verdicts]),
        np.array([part.ordered for part in verdicts]),
        None if np.isnan(lengths).all() else lengths,
    )


def _credit(part: Presentation) -> float:
    """What the first output gets: a probability where the judge gives one."""
    comparison = part.comparison
    if comparison.choice is None:
        return math.nan
    return 1 - comparison.weight if math.isfinite(comparison.weight) else CREDITS[comparison.choice]


def _codes(names: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """The names in the order of their first appearance, and the code of each."""
    place = {name: code for code, name in enumerate(dict.fromkeys(names))}
    return tuple(place), np.array([place[name] for name in names], dtype=np.int64)
