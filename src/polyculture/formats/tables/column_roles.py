"""Which column is which? By the names that the user gives, or else by the names that people use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from polyculture.errors import InputError, near

from .files import ColumnTable

_PLAIN_LABELS = ("label", "labels", "target", "truth", "ground_truth", "gold")
LABEL_NAMES = (*_PLAIN_LABELS, "y_true", "y", "true", "reference", "references")
INSTANCE_NAMES = ("instance", "instance_id", "item", "item_id", "example", "example_id", "id", "index", "idx")
UNNAMED_INDEX = ("", "Unnamed: 0", "__index_level_0__")
MODEL_NAMES = ("model", "model_id", "model_name")
ANSWER_NAMES = ("answer", "prediction", "predicted", "pred", "output", "response", "predictions")
OUTCOME_NAMES = ("correct", "is_correct", "outcome")
OPTIONS_NAME = "options"


@dataclass(frozen=True)
class ColumnOptions:
    """What the user says about the columns of a table; see `polyculture.formats.read`."""

    label: Any = None
    instance: str | None = None
    models: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    correct: bool = False


@dataclass(frozen=True)
class ColumnRoles:
    """What every column of a table is; None where there is no such column.

    Parameters
    ----------
    instance, label, options : ids, true answers, and counts of the answers one could choose from.
    groups : columns that tell about the instance.
    models : in a wide table, the columns with one model each.
    model, answer, outcome : in a long table, who answered, what, and whether that was right.
    """

    instance: str | None
    label: str | None
    options: str | None
    groups: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    model: str | None = None
    answer: str | None = None
    outcome: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that have a role."""
        single = (self.instance, self.label, self.options, self.model, self.answer, self.outcome)
        return tuple(dict.fromkeys((*(name for name in single if name is not None), *self.groups, *self.models)))

    @property
    def long(self) -> bool:
        """Whether a row is one answer of one model, rather than all answers to one instance."""
        return self.model is not None


def find_roles(table: ColumnTable, column_options: ColumnOptions) -> ColumnRoles:
    """The role of every column; named columns must exist, the others are found by their usual names."""
    exact = [name for name in column_options.models if name in table.names]
    free = [name for name in table.names if name not in exact]
    label = table.require(column_options.label, "label") if column_options.label else _first(free, LABEL_NAMES)
    instance = (
        table.require(column_options.instance, "instance id")
        if column_options.instance
        else _first(free, INSTANCE_NAMES) or _first(free, UNNAMED_INDEX)
    )
    groups = tuple(table.require(name, "group") for name in column_options.groups)
    options = _first([name for name in free if name not in groups], (OPTIONS_NAME,))
    common = ColumnRoles(instance, label, options, groups)
    free = [name for name in free if name not in (instance, label, options)]
    model, answer, outcome = (_first(free, names) for names in (MODEL_NAMES, ANSWER_NAMES, OUTCOME_NAMES))
    if model and (answer or outcome) and not exact:
        return replace(common, model=model, answer=answer, outcome=outcome)
    used_names = {instance, label, options, *groups, *UNNAMED_INDEX} - set(exact)
    candidates = [name for name in table.names if name not in used_names]
    return replace(common, models=matching(candidates, column_options.models, table.source))


def matching(names: Iterable[str], patterns: Sequence[str], source: str) -> tuple[str, ...]:
    """The names that a pattern asks for, in their own order; all of them if there is no pattern."""
    names = tuple(names)
    if not patterns:
        return names
    selected: set[str] = set()
    for pattern in patterns:
        matches = {pattern} & set(names) or {name for name in names if fnmatchcase(name, pattern)}
        if not matches:
            raise InputError(f"no model of {source} is called {pattern!r}", cure=near(pattern, names))
        selected |= matches
    return tuple(name for name in names if name in selected)


def no_label(table: ColumnTable, cells_are_binary: bool) -> InputError:
    """The error for a table whose truth cannot be found."""
    listing = ", ".join(table.names[:6]) + (", …" if len(table.names) > 6 else "")
    cure = "name the column of true answers with label (--label)"
    if cells_are_binary:
        cure += ", or say with correct=True (--correct) that 1 means right and 0 wrong"
    return InputError(
        f"{table.source} has no label column (its columns: {listing})", "one called " + ", ".join(LABEL_NAMES), cure
    )


def _first(names: Sequence[str], candidates: Sequence[str]) -> str | None:
    """The column with the first of the usual names, whatever its case."""
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[name.lower()] for name in candidates if name.lower() in by_lower), None)
