"""What is each column of a table? By the names that the user gives, or else by the usual names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from polyculture.errors import InputError, near

from ..rules import ReadingRules
from .files import ColumnTable

LABEL_NAMES = (
    *("label", "labels", "target", "truth", "ground_truth", "gold"),
    *("y_true", "y", "true", "reference", "references"),
)
INSTANCE_NAMES = (
    *("instance", "instance_id", "item", "item_id", "example", "example_id", "id", "index", "idx"),
    *("question_id", "sample_id", "image_id", "doc_id"),
)
UNNAMED_INDEX = ("", "Unnamed: 0", "__index_level_0__")
MODEL_NAMES = ("model", "model_id", "model_name")
ANSWER_NAMES = ("answer", "prediction", "predicted", "pred", "output", "response", "predictions")
OUTCOME_NAMES = ("correct", "is_correct", "outcome")
OPTIONS_NAME = "options"
REPEAT_NAMES = ("repeat", "run", "seed", "epoch", "replicate", "attempt", "iteration", "trial", "fold")
"""Columns that tell the runs of one model apart, in a long table that has several answers per model and instance."""
OTHER_NAMES = frozenset(
    (
        *("trial", "trials", "trial_id", "rt", "rts", "reaction_time", "response_time", "latency", "timestamp", "date"),
        *("fold", "cv_fold", "split", "question", "prompt", "row", "epoch", "step", "seed", "random_seed", "run"),
        *("repeat", "replicate", "iteration", "session", "block", "subj", "subject", "participant", "participant_id"),
        *("worker", "worker_id", "annotator", "difficulty", "confidence", "weight", "sample_weight"),
        *(*ANSWER_NAMES, *OUTCOME_NAMES),
    )
)
"""Names of columns that are not models, unless the user says so."""
NAME_MODELS = "name the columns that are models with models (--models)"
ROW_CURE = "if a row is one answer, name its columns with model, answer and instance (--model, --answer, --instance)"


@dataclass(frozen=True)
class ColumnOptions:
    """The user's options about the columns of a table; see `polyculture.formats.read`."""

    label: Any = None
    instance: str | None = None
    models: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    correct: bool | str = False
    model: str | None = None
    answer: str | None = None
    repeat: str | None = None
    classes: tuple[Any, ...] = ()
    rules: ReadingRules = field(default_factory=ReadingRules)

    @property
    def outcome(self) -> str | None:
        """The column that says what is right, if it is named."""
        return self.correct if isinstance(self.correct, str) and self.correct else None

    @property
    def named(self) -> dict[str, str]:
        """The columns that are named, by role."""
        label = self.label if isinstance(self.label, str) else None
        roles = {"label": label, "instance": self.instance, "model": self.model, "answer": self.answer}
        roles |= {"correct": self.outcome, "repeat": self.repeat}
        return {role: name for role, name in roles.items() if name}

    @property
    def of_rows(self) -> bool:
        """Whether the named columns are those of a table with a row per answer."""
        return bool({"model", "answer", "correct", "repeat"} & set(self.named))


@dataclass(frozen=True)
class ColumnRoles:
    """The role of every column of a table; None where there is no such column.

    Parameters
    ----------
    instance, label, options : ids, true answers, and counts of the answers to choose from.
    groups : columns that describe the instance.
    models : in a wide table, the columns with one model each.
    model, answer, outcome : in a long table, the model, its answer, and whether that is right.
    repeat : in a long table, the column that tells the runs of a model apart.
    """

    instance: str | None
    label: str | None
    options: str | None
    groups: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    model: str | None = None
    answer: str | None = None
    outcome: str | None = None
    repeat: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that have a role."""
        single = (self.instance, self.label, self.options, self.model, self.answer, self.outcome, self.repeat)
        return tuple(dict.fromkeys((*(name for name in single if name is not None), *self.groups, *self.models)))

    @property
    def long(self) -> bool:
        """Whether a row is one answer of one model, rather than all answers to one instance."""
        return self.model is not None

    @property
    def sentence(self) -> str:
        """What each column is taken for; empty where all are called what they are."""
        roles = {"model": self.model, "answer": self.answer, "correct": self.outcome, "label": self.label}
        roles |= {"instance": self.instance, "repeat": self.repeat}
        listed = {role: "an unnamed column" if name == "" else name for role, name in roles.items() if name is not None}
        if all(
            name.lower() in (role, f"{role}_id") or (role, name) == ("instance", "id") for role, name in listed.items()
        ):
            return ""
        return "columns: " + ", ".join(f"{role} = {name}" for role, name in listed.items())


def name_tuple(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """Names that an option gives: a single one, several or none."""
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)


def find_roles(table: ColumnTable, options: ColumnOptions) -> ColumnRoles:
    """The role of every column; named columns must exist, the others are found by their usual names."""
    column_by_role = _named_columns(table, options)
    exact = [name for name in options.models if name in table.names]
    groups = tuple(table.require(name, "group") for name in options.groups)
    unassigned = [name for name in table.names if name not in {*exact, *column_by_role.values()}]

    def role(option: str, candidates: Sequence[str]) -> str | None:
        return column_by_role.get(option) or first_name(unassigned, candidates)

    label = role("label", LABEL_NAMES)
    instance = role("instance", INSTANCE_NAMES)
    if instance is None:
        instance = first_name(unassigned, UNNAMED_INDEX)
    options_column = first_name([name for name in unassigned if name not in groups], (OPTIONS_NAME,))
    roles = ColumnRoles(instance, label, options_column, groups)
    unassigned = [name for name in unassigned if name not in (instance, label, options_column)]
    model, answer, outcome = role("model", MODEL_NAMES), role("answer", ANSWER_NAMES), role("correct", OUTCOME_NAMES)
    if options.of_rows or (model and (answer or outcome) and not exact):
        _check_row_roles(table, options, model, answer, outcome)
        return replace(roles, model=model, answer=answer, outcome=outcome, repeat=options.repeat)
    return replace(roles, models=_model_columns(table, options, roles, exact))


def _named_columns(table: ColumnTable, options: ColumnOptions) -> dict[str, str]:
    """The columns that the user names, by role; each must exist and have one role."""
    column_by_role = {role: table.require(name, _WORDS.get(role, role)) for role, name in options.named.items()}
    for role, name in column_by_role.items():
        other_roles = [
            other_role for other_role, column in column_by_role.items() if column == name and other_role != role
        ]
        if other_roles:
            raise InputError(
                f"column {name!r} is named as {role} and as {other_roles[0]}", "a column of its own for each"
            )
    return column_by_role


_WORDS = {"instance": "instance id", "correct": "outcome"}


def _check_row_roles(
    table: ColumnTable, options: ColumnOptions, model: str | None, answer: str | None, outcome: str | None
) -> None:
    listing = _listing(table)
    if model is None:
        raise InputError(
            f"{table.source} has no column of models (its columns: {listing})",
            "a row per answer, with the name of the model",
            "name it with model (--model), or give a file per model",
        )
    if answer is None and outcome is None:
        raise InputError(
            f"{table.source} has no column of answers or outcomes (its columns: {listing})",
            "a row per answer",
            "name it with answer (--answer) or correct (--correct COL)",
        )
    if options.correct is True and outcome is None:
        raise InputError(
            f"{table.source} has a row per answer but no column that says what is right (its columns: {listing})",
            "one called correct",
            "name it with correct (--correct COL)",
        )


def _model_columns(
    table: ColumnTable, options: ColumnOptions, roles: ColumnRoles, exact: Sequence[str]
) -> tuple[str, ...]:
    """The columns of a wide table that are models: all that have no other role, or those that match."""
    used_names = {roles.instance, roles.label, roles.options, *roles.groups, *UNNAMED_INDEX} - set(exact)
    candidates = [name for name in table.names if name not in used_names]
    if roles.instance is not None and not options.models:
        ids = [name for name in candidates if name.lower() in INSTANCE_NAMES]
        candidates = [name for name in candidates if name not in ids]
        table.remarks.extend(f"column {name!r} is named like an id and is no model" for name in ids)
    flat = [name for name in candidates if name in exact or name not in table.nested]
    if len(candidates) > len(flat) > 1:
        nested = ", ".join(repr(name) for name in candidates if name not in flat)
        table.remarks.append(f"columns that hold lists or objects are no models: {nested}")
        candidates = flat
    return matching(candidates, options.models, table.source)


def check_model_names(roles: ColumnRoles, options: ColumnOptions) -> None:
    """Raise InputError for a column that was taken for a model but is named like something else."""
    names = [name for name in roles.models if re.sub(r"[\s.-]+", "_", name.strip().lower()) in OTHER_NAMES]
    if options.models or not names:
        return
    listing = ", ".join(map(repr, names[:5])) + (", …" if len(names) > 5 else "")
    words = (
        "column {} does not look like a model: its name says"
        if len(names) == 1
        else ("columns {} do not look like models: their names say")
    )
    raise InputError(
        f"{words.format(listing)} something else",
        "a column of answers for every model",
        f"{NAME_MODELS}, or keep it with groups (--group); {ROW_CURE}",
    )


def matching(
    names: Iterable[str], patterns: Sequence[str], source: str, ids: Iterable[Any] | None = None
) -> tuple[str, ...]:
    """The names that match a pattern, in their own order; all if there is no pattern.

    A model with an id is meant by its id, too, and by a pattern of ids. A name or an id that is written out means that
    model only, even where it reads as a pattern.
    """
    names = tuple(names)
    if not patterns:
        return names
    keys = [(name, name) for name in names]
    keys += [] if ids is None else zip(map(str, ids), names, strict=True)
    selected: set[str] = set()
    for pattern in patterns:
        matches = {pattern} & set(names) or {name for key, name in keys if key == pattern}
        matches = matches or {name for key, name in keys if fnmatchcase(key, pattern)}
        if not matches:
            raise InputError(
                f"no model of {source} is called {pattern!r}", cure=_near_models(pattern, dict(keys), names)
            )
        selected |= matches
    return tuple(name for name in names if name in selected)


def _near_models(pattern: str, keys: Iterable[str], names: Sequence[str]) -> str:
    """A pattern for the names that begin like this, else the near names and ids, else the names."""
    if pattern and any(name.startswith(pattern) for name in names):
        return f"did you mean {pattern + '*'!r}?"
    words = near(pattern, keys)
    return words if words.startswith("did") else near(pattern, names)


def no_label(table: ColumnTable, cells_are_binary: bool) -> InputError:
    """The error for a table without a label column."""
    cure = "name the column of true answers with label (--label)"
    if cells_are_binary:
        cure += ", or say with correct=True (--correct) that 1 means right and 0 wrong"
    if first_name(table.names, MODEL_NAMES) is not None and first_name(table.names, ANSWER_NAMES) is None:
        cure += "; if a row is a model, add a row of true answers called label, "
        cure += "or say with correct=True (--correct) that cells are right or wrong"
    cure += f"; {ROW_CURE}"
    return InputError(
        f"{table.source} has no label column (its columns: {_listing(table)})",
        "one called " + ", ".join(LABEL_NAMES),
        cure,
    )


def _listing(table: ColumnTable) -> str:
    return ", ".join(table.names[:6]) + (", …" if len(table.names) > 6 else "")


def first_name(names: Sequence[str], candidates: Sequence[str]) -> str | None:
    """The column with the first of these names, in any case."""
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[name.lower()] for name in candidates if name.lower() in by_lower), None)
