"""Where is the truth, if not in the tables? In a file next to them, as of a competition: solution.csv and submissions.

A truth file has a row per instance: its id and the true answer, or the true answers alone, by line. A table next to it
is of one model (an id and an answer, whatever that column is called), or has a column per model. All are joined by
their ids, or by their rows where there are none, into one wide table, which is read as any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Int

from polyculture.errors import FileError, InputError

from .tables.categorical import encode
from .tables.column_roles import (
    ANSWER_NAMES,
    INSTANCE_NAMES,
    LABEL_NAMES,
    MODEL_NAMES,
    OUTCOME_NAMES,
    UNNAMED_INDEX,
    ColumnOptions,
    first_name,
)
from .tables.files import ColumnTable, open_table
from .text_lines import read_lines

TRUTH_STEMS = (
    *("solution", "truth", "ground_truth", "groundtruth", "gold", "labels", "label", "y_true", "test_labels"),
    *("targets", "target", "references", "reference", "answer_key"),
)
"""Names of files with the true answers, without their endings."""
SAMPLE = "sample_submission"
"""How the name of a file starts that only shows the form of a submission."""
_USAGES = ("usage", "split", "fold", "public", "private")


@dataclass(frozen=True)
class TruthTable:
    """The true answers of all instances.

    Parameters
    ----------
    source : the file, for messages.
    ids : the instances' ids; None where rows count.
    labels : the column with the true answers.
    name, id_name : what the columns are called.
    groups : further columns, by name.
    """

    source: str
    ids: list[str] | None
    labels: pa.Array
    name: str
    id_name: str
    groups: Mapping[str, pa.Array]


def is_truth(path: Path) -> bool:
    """Whether a file is named as one with the true answers."""
    return path.name.partition(".")[0].lower() in TRUTH_STEMS


def is_label_file(label: Any) -> bool:
    """Whether a label is a file or a mapping rather than a column."""
    return isinstance(label, Mapping) or (isinstance(label, (str, Path)) and Path(label).is_file())


def open_lines(path: Path) -> ColumnTable:
    """A text file with an answer per line; an empty line is no answer."""
    answers = pa.chunked_array([pa.array(read_lines(path), pa.string())])
    return ColumnTable(str(path), ("answer",), lambda names: dict.fromkeys(names, answers), typed=False)


def open_text_table(path: Path) -> ColumnTable:
    """A text file as a table if its first line names a column of ids, else as lines."""
    try:
        table = open_table(path)
    except FileError:
        raise
    except InputError:
        return open_lines(path)
    return table if first_name(table.names, INSTANCE_NAMES) else open_lines(path)


def truth_table(label: Any, options: ColumnOptions) -> TruthTable:
    """The true answers in a file or mapping."""
    if isinstance(label, Mapping):
        ids, labels = [str(key) for key in label], pa.array([str(answer) for answer in label.values()])
        return TruthTable("label", ids, labels, "label", "instance", {})
    path = Path(label)
    table = open_text_table(path) if path.suffix == ".txt" else open_table(path, min_columns=1)
    return _truth_of(table, options)


def _truth_of(table: ColumnTable, options: ColumnOptions) -> TruthTable:
    id_name = _id_name(table, options)
    names = [name for name in table.names if name != id_name]
    name = first_name(names, LABEL_NAMES)
    if id_name is None and len(names) > 1:
        id_name = next(n for n in names if n != name)
        names.remove(id_name)
    candidates = [n for n in names if n.lower() not in _USAGES and n not in options.groups]
    if name is None and len(candidates) != 1:
        raise InputError(
            f"{table.source} has {len(candidates)} columns that may be the truth ({', '.join(candidates[:6])})",
            "a column of ids and one of true answers",
            "call the second one label",
        )
    name = name or candidates[0]
    groups = {n: _texts(table, n) for n in options.groups if n in table.names}
    ids = None if id_name is None else _ids(table, id_name)
    return TruthTable(table.source, ids, _texts(table, name), name, id_name or "", groups)


def with_truth(tables: Sequence[tuple[str, ColumnTable]], truth: TruthTable, options: ColumnOptions) -> ColumnTable:
    """One wide table of these tables, each with a name, and the truth; a single long table has the truth added."""
    if len(tables) == 1 and _is_long(tables[0][1]):
        return _long(tables[0][1], truth, options)
    repeated = {n for n, k in Counter(name for _, table in tables for name in table.names).items() if k > 1}
    columns: dict[str, pa.Array] = {}
    gaps: dict[str, Mapping[str, int]] = {}
    for name, table in tables:
        if _is_long(table):
            raise InputError(
                f"{table.source} has a row per answer, and {len(tables) - 1} other tables are next to {truth.source}",
                "a table per model, or one long table",
            )
        table.load(table.names)  # at once, because a CSV file is streamed
        rows = _rows(table, truth, options)
        for model, column in _models(name, table, truth, repeated, options).items():
            if model in columns:
                raise InputError(f"two tables have a model {model!r}", "a model of its own in each", "rename one")
            columns[model] = _texts(table, column).take(pa.array(rows, mask=rows < 0))
            gaps[model] = table.gaps(column)
    return _joined(truth, columns, gaps, ", ".join(table.source for _, table in tables[:3]))


def _joined(
    truth: TruthTable, columns: dict[str, pa.Array], gaps: dict[str, Mapping[str, int]], source: str
) -> ColumnTable:
    answered = np.zeros(len(truth.labels), bool)
    for column in columns.values():
        answered |= column.is_valid().to_numpy(zero_copy_only=False)
    remarks = [f"the true answers are those of {truth.source}"]
    if not answered.all():
        remarks.append(f"{(~answered).sum():,} instances of {truth.source} have no answer and are left out")
    ids = truth.ids or [str(row) for row in range(len(truth.labels))]
    fields = {"instance": pa.array(ids), "label": truth.labels, **truth.groups, **columns}
    fields = {name: column.filter(pa.array(answered)) for name, column in fields.items()}
    joined = {name: pa.chunked_array([column]) for name, column in fields.items()}
    return ColumnTable(
        source,
        tuple(joined),
        lambda names: {name: joined[name] for name in names},
        typed=False,
        gaps=lambda name: gaps.get(name, {}),
        remarks=remarks,
    )


def _long(table: ColumnTable, truth: TruthTable, options: ColumnOptions) -> ColumnTable:
    """A long table with the truth as its label."""
    rows = _places(table, truth, options)
    labels = pa.chunked_array([truth.labels.take(pa.array(rows))])
    names = tuple(name for name in table.names if name.lower() not in LABEL_NAMES)

    def load(selected: Iterable[str]) -> dict[str, pa.ChunkedArray]:
        loaded = table.load([name for name in selected if name != "label"])
        return {name: labels if name == "label" else loaded[name] for name in selected}

    remarks = [*table.remarks, f"the true answers are those of {truth.source}"]

    def gaps(name: str) -> Mapping[str, int]:
        return {} if name == "label" else table.gaps(name)

    return replace(table, names=(*names, "label"), load=load, gaps=gaps, remarks=remarks)


def _is_long(table: ColumnTable) -> bool:
    return bool(first_name(table.names, MODEL_NAMES) and first_name(table.names, (*ANSWER_NAMES, *OUTCOME_NAMES)))


def _id_name(table: ColumnTable, options: ColumnOptions) -> str | None:
    if options.instance and options.instance in table.names:
        return options.instance
    return first_name(table.names, INSTANCE_NAMES) or first_name(table.names, UNNAMED_INDEX)


def _models(
    name: str, table: ColumnTable, truth: TruthTable, repeated: Set[str], options: ColumnOptions
) -> dict[str, str]:
    """The columns of answers by model: one called by its file, or one per model.

    Columns that several tables have are not models: among them, the one called as the truth is the answer.
    """
    ids = {_id_name(table, options), first_name(table.names, (truth.id_name,)), *options.groups}
    names = [column for column in table.names if column not in ids]
    answer = first_name(names, ANSWER_NAMES)
    if answer is None and len(names) == 1:
        answer = names[0]
    if answer is None and repeated >= set(names):
        answer = first_name(names, (truth.name,))
    if answer is not None:
        return {name: answer}
    labels = {truth.name.lower(), *LABEL_NAMES}  # of several columns one called so is an older truth
    return {column: column for column in names if column not in table.nested and column.lower() not in labels}


def _places(table: ColumnTable, truth: TruthTable, options: ColumnOptions) -> Int[np.ndarray, " rows"]:
    """The row of the truth that each row of a table belongs to."""
    name = first_name(table.names, (truth.id_name,)) or _id_name(table, options)
    n_rows = len(next(iter(table.load(table.names[:1]).values())))
    if truth.ids is None or name is None:
        if n_rows != len(truth.labels):
            raise InputError(
                f"{table.source} has {n_rows:,} rows but {truth.source} has {len(truth.labels):,}",
                "a row for every true answer, in the same order",
                "add the ids of the instances to both",
            )
        return np.arange(n_rows)
    ids = _ids(table, name, unique=not _is_long(table))
    places = pd.Index(truth.ids).get_indexer(pd.Index(ids))
    if (places < 0).any():
        first = ids[int((places < 0).argmax())]
        times = f"{(places < 0).sum():,} of {len(ids):,}"
        raise InputError(
            f"{times} ids of {table.source}, such as {first!r}, are not in {truth.source}",
            "a true answer for every instance",
            "write the ids in the same form, or name their column with instance (--instance)",
        )
    return np.asarray(places)


def _rows(table: ColumnTable, truth: TruthTable, options: ColumnOptions) -> Int[np.ndarray, " n"]:
    """The row of a table that holds each true instance; −1 where there is none."""
    places = _places(table, truth, options)
    rows = np.full(len(truth.labels), -1, np.int64)
    rows[places] = np.arange(len(places))
    return rows


def _ids(table: ColumnTable, name: str, unique: bool = True) -> list[str]:
    ids = table.instance_ids(name).astype(str).tolist()
    if unique and len(set(ids)) < len(ids):
        repeated = pd.Series(ids)[pd.Series(ids).duplicated()].iloc[0]
        raise InputError(f"{table.source} has the id {repeated!r} more than once", "one row per instance")
    return ids


def _texts(table: ColumnTable, name: str) -> pa.Array:
    """The cells of a column as texts in their common form; null where they are empty."""
    coded = encode(name, table.load([name])[name])
    texts = pa.array([value or None for value in coded.values] or [None], pa.string())
    return texts.take(pa.array(coded.codes.astype(np.int64), mask=np.asarray(coded.codes < 0)))
