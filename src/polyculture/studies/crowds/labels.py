"""Which column of a table is what? Labels of workers, from tables with a row per label or a column per worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from polyculture.errors import InputError
from polyculture.formats.detection import find_sources, open_source
from polyculture.formats.json_lines import BadLines
from polyculture.formats.rules import ReadingRules
from polyculture.formats.tables.categorical import CategoricalTable, encode, merge
from polyculture.formats.tables.column_roles import INSTANCE_NAMES
from polyculture.formats.tables.column_roles import LABEL_NAMES as WIDE_TRUTH_NAMES
from polyculture.formats.tables.dataframes import is_frame, open_frame
from polyculture.formats.tables.files import ColumnTable
from polyculture.measures.annotators import Annotations

from .options import CrowdOptions

WORKER_NAMES = ("worker", "worker_id", "annotator", "annotator_id", "rater", "labeler", "performer", "user", "model")
ITEM_NAMES = ("item", "item_id", "task", "task_id", *INSTANCE_NAMES)
LABEL_NAMES = ("label", "answer", "annotation", "response", "class", "prediction")
TRUTH_NAMES = ("gold", "truth", "true_label", "ground_truth", "gt", "y_true")
"""Usual names of the columns of a table with a row per label."""


@dataclass(frozen=True, eq=False)
class CrowdLabels:
    """Labels of workers with the names of all that their codes stand for.

    Parameters
    ----------
    annotations : who labelled what as what.
    truth : code of the true class of each item; negative where it is not known.
    workers, items, classes : names, in the order of the codes.
    empty : cells without a label, which are left out.
    columns : of a table with a row per label, by role; of a wide one without worker and label.
    """

    annotations: Annotations
    truth: Int[np.ndarray, " n"]
    workers: tuple[str, ...]
    items: tuple[str, ...]
    classes: tuple[str, ...]
    empty: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)


def read_labels(source: Any, options: CrowdOptions) -> CrowdLabels:
    """Labels of a table (a path or a dataframe), long or wide.

    Raises FileError for a file that cannot be read, and InputError for columns that are not there, a worker who labels
    an item twice, a truth that no worker ever gives, and labels that nothing can be learned from.
    """
    table = _open(source)
    for role in ("worker", "item", "label", "truth"):
        if (name := getattr(options, role)) is not None:
            table.require(name, role)
    worker = options.worker or _usual(table, WORKER_NAMES)
    return _long(table, worker, options) if worker is not None else _wide(table, options)


def _open(source: Any) -> ColumnTable:
    if is_frame(source):
        return open_frame(source)
    found = find_sources(str(source), ReadingRules())
    if len(found) != 1 or Path(str(source)).is_dir():
        raise InputError(f"{source} is not one table", "a file with labels of workers", "name the file itself")
    return open_source(found[0], BadLines())


def _usual(table: ColumnTable, candidates: Sequence[str], used: Sequence[str | None] = ()) -> str | None:
    """The first column with a usual name, in any case."""
    names = {name.lower(): name for name in table.names if name not in used}
    return next((names[name] for name in candidates if name in names), None)


def _needed(table: ColumnTable, name: str | None, role: str) -> str:
    if name is None:
        raise InputError(
            f"{table.source} has no column of {role}s (its columns: {', '.join(table.names)})",
            "a row per label with worker, item and label",
            f"name it with {role} (--{role})",
        )
    return name


def _long(table: ColumnTable, worker: str, options: CrowdOptions) -> CrowdLabels:
    """A row per label."""
    item = _needed(table, options.item or _usual(table, ITEM_NAMES, (worker, options.label)), "item")
    label = _needed(table, options.label or _usual(table, LABEL_NAMES, (worker, item, options.truth)), "label")
    truth = options.truth or _usual(table, TRUTH_NAMES, (worker, item, label))
    (worker_codes, worker_names), (item_codes, item_names) = table.id_codes(worker), table.id_codes(item)
    texts = _encoded(table, [label, *([truth] if truth else [])], options)
    given = texts.table[0].astype(np.int64)
    known = texts.table[1].astype(np.int64) if truth else np.full(len(given), -1, np.int64)
    codes = np.asarray(worker_codes, np.int64), np.asarray(item_codes, np.int64)
    names = tuple(map(str, worker_names)), tuple(map(str, item_names))
    truths = _truth_of_items(table.source, codes[1], known, names[1], texts)
    labels = _checked(table.source, (*codes, given), truths, names, texts, options)
    columns = {"worker": worker, "item": item, "label": label} | ({"truth": truth} if truth else {})
    return replace(labels, columns=columns)


def _wide(table: ColumnTable, options: CrowdOptions) -> CrowdLabels:
    """A row per item, a column per worker."""
    if options.label is not None:
        raise InputError("a column of labels without one of workers", "both, or a column per worker", "add --worker")
    item = options.item or _usual(table, ITEM_NAMES)
    truth = options.truth or _usual(table, (*TRUTH_NAMES, *WIDE_TRUTH_NAMES), (item,))
    workers = tuple(name for name in table.names if name not in (item, truth, "") and name.lower() not in ITEM_NAMES)
    if len(workers) < 2:
        raise InputError(
            f"{table.source} has {len(workers)} column{'s' * (len(workers) != 1)} of labels",
            "a column per worker, two or more; or a row per label with worker, item and label",
            "name the columns with --worker, --item and --label",
        )
    texts = _encoded(table, [*workers, *([truth] if truth else [])], options)
    answers, n = texts.table[: len(workers)], texts.table.shape[1]
    known = texts.table[-1].astype(np.int64) if truth else np.full(n, -1, np.int64)
    ids = tuple(map(str, table.instance_ids(item))) if item else tuple(map(str, range(n)))
    if len(set(ids)) < n:
        raise InputError(f"{table.source} has several rows for one item", "one row per item", "drop the repeated rows")
    grid = np.indices(answers.shape).reshape(2, -1)
    codes = grid[0], grid[1], answers.reshape(-1).astype(np.int64)
    columns = ({"item": item} if item else {}) | ({"truth": truth} if truth else {})
    return replace(_checked(table.source, codes, known, (workers, ids), texts, options), columns=columns)


def _encoded(table: ColumnTable, names: Sequence[str], options: CrowdOptions) -> CategoricalTable:
    columns = table.load(list(names))
    return merge([encode(name, columns[name]) for name in names], tuple(map(str, options.classes)))


def _truth_of_items(
    source: str,
    item: Int[np.ndarray, " a"],
    known: Int[np.ndarray, " a"],
    items: Sequence[str],
    texts: CategoricalTable,
) -> Int[np.ndarray, " n"]:
    """The truth of each item from its rows, which must agree."""
    truth = np.full(len(items), -1, np.int64)
    rows = known >= 0
    truth[item[rows]] = known[rows]
    contrary = rows & (truth[item] != known)
    if contrary.any():
        row = int(np.argmax(contrary))
        raise InputError(
            f"item {items[item[row]]!r} of {source} has the truths {texts.classes[known[row]]!r} and "
            f"{texts.classes[truth[item[row]]]!r}",
            "one truth per item",
            "correct the table",
        )
    return truth


def _checked(
    source: str,
    codes: tuple[Int[np.ndarray, " a"], Int[np.ndarray, " a"], Int[np.ndarray, " a"]],
    truth: Int[np.ndarray, " n"],
    names: tuple[tuple[str, ...], tuple[str, ...]],
    texts: CategoricalTable,
    options: CrowdOptions,
) -> CrowdLabels:
    """The labels without empty cells, if something can be learned from them."""
    given = codes[2] >= 0
    worker, item, label = (part[given] for part in codes)
    workers, items = names
    if not len(label):
        raise InputError(f"all labels of {source} are missing", "labels of two workers or more", "check the column")
    _check_truth(source, truth, label, texts, options)
    pairs = worker * len(items) + item
    _, first, counts = np.unique(pairs, return_index=True, return_counts=True)
    if (counts > 1).any():
        row = int(first[np.argmax(counts > 1)])
        raise InputError(
            f"worker {workers[worker[row]]!r} labels item {items[item[row]]!r} of {source} {counts.max()} times",
            "one label per worker and item",
            "keep the first or the last of them",
        )
    annotations = Annotations(worker, item, label, len(workers), len(items), max(len(texts.classes), 1))
    return CrowdLabels(annotations, truth, workers, items, texts.classes, int((~given).sum()))


def _check_truth(
    source: str,
    truth: Int[np.ndarray, " n"],
    label: Int[np.ndarray, " a"],
    texts: CategoricalTable,
    options: CrowdOptions,
) -> None:
    """Raise InputError for a truth that no worker ever gives and that is not named as a class."""
    named = set(map(str, options.classes))
    unknown = [texts.classes[c] for c in np.setdiff1d(truth[truth >= 0], label) if texts.classes[c] not in named]
    if unknown:
        raise InputError(
            f"the truth {unknown[0]!r} of {source} is a class that no worker gives",
            f"one of {', '.join(repr(texts.classes[c]) for c in np.unique(label)[:5])}",
            "write labels and truth alike, or name it as a class (--class)",
        )
