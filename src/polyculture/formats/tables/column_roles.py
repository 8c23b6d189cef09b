"""What is each column of a table? By the names that the user gives, or else by the usual names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from polyculture.errors import InputError, near

from .files import ColumnTable

LABEL_NAMES = (
    *("label", "labels", "target", "truth", "ground_truth", "gold"),
    *("y_true", "y", "true", "reference", "references"),
)
INSTANCE_NAMES = ("instance", "instance_id", "item", "item_id", "example", "example_id", "id", "index", "idx")
UNNAMED_INDEX = ("", "Unnamed: 0", "__index_level_0__")
MODEL_NAMES = ("model", "model_id", "model_name")
ANSWER_NAMES = ("answer", "prediction", "predicted", "pred", "output", "response", "predictions")
OUTCOME_NAMES = ("correct", "is_correct", "outcome")
OPTIONS_NAME = "options"


@dataclass(frozen=True)
class ColumnOptions:
    """The user's options about the columns of a table; see `polyculture.formats.read`."""

    label: Any = None
    instance: str | None = None
    models: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    correct: bool = False


@dataclass(frozen=True)
class ColumnRoles:
    """The role of every column of a table; None where there is no such column.

    Parameters
    ----------
    instance, label, options : ids, true answers, and counts of the answers to choose from.
    groups : columns that describe the instance.
    models : in a wide table, the columns with one model each.
    model, answer, outcome : in a long table, the model, its answer, and whether that is right.
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


def name_tuple(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """Names that an option gives: a single one, several or none."""
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)


def find_roles(table: ColumnTable, options: ColumnOptions) -> ColumnRoles:
    """The role of every column; named columns must exist, the others are found by their usual names."""
    exact = [name for name in options.models if name in table.names]
    unassigned = [name for name in table.names if name not in exact]
    label, instance = options.label, options.instance
    label = table.require(label, "label") if label else first_name(unassigned, LABEL_NAMES)
    instance = (
        table.require(instance, "instance id")
        if instance
        else first_name(unassigned, INSTANCE_NAMES) or first_name(unassigned, UNNAMED_INDEX)
    )
    groups = tuple(table.require(name, "group") for name in options.groups)
    options_column = first_name([name for name in unassigned if name not in groups], (OPTIONS_NAME,))
    roles = ColumnRoles(instance, label, options_column, groups)
    unassigned = [name for name in unassigned if name not in (instance, label, options_column)]
    model, answer, outcome = (first_name(unassigned, names) for names in (MODEL_NAMES, ANSWER_NAMES, OUTCOME_NAMES))
    if model and (answer or outcome) and not exact:
        return replace(roles, model=model, answer=answer, outcome=outcome)
    used_names = {instance, label, options_column, *groups, *UNNAMED_INDEX} - set(exact)
    candidates = [name for name in table.names if name not in used_names]
    if instance is not None and not options.models:
        ids = [name for name in candidates if name.lower() in INSTANCE_NAMES]
        candidates = [name for name in candidates if name not in ids]
        table.remarks.extend(f"column {name!r} is named like an id and is no model" for name in ids)
    flat = [name for name in candidates if name in exact or name not in table.nested]
    if len(candidates) > len(flat) > 1:
        nested = ", ".join(repr(name) for name in candidates if name not in flat)
        table.remarks.append(f"columns that hold lists or objects are no models: {nested}")
        candidates = flat
    return replace(roles, models=matching(candidates, options.models, table.source))


def matching(names: Iterable[str], patterns: Sequence[str], source: str) -> tuple[str, ...]:
    """The names that match a pattern, in their own order; all if there is no pattern."""
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
    """The error for a table without a label column."""
    listing = ", ".join(table.names[:6]) + (", …" if len(table.names) > 6 else "")
    cure = "name the column of true answers with label (--label)"
    if cells_are_binary:
        cure += ", or say with correct=True (--correct) that 1 means right and 0 wrong"
    return InputError(
        f"{table.source} has no label column (its columns: {listing})", "one called " + ", ".join(LABEL_NAMES), cure
    )


def first_name(names: Sequence[str], candidates: Sequence[str]) -> str | None:
    """The column with the first of these names, in any case."""
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[name.lower()] for name in candidates if name.lower() in by_lower), None)
