"""How does a table give the truth? By labels, by right/wrong cells, or by both.

Where both are given and disagree, the right/wrong cells count, because they are judgements of those answers; the label
is still the class of the instance. A label that is missing for some instances becomes a column of the instance table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from polyculture.errors import InputError
from polyculture.predictions import MISSING, Predictions, code_counts

from ..json_lines import shorten
from .categorical import UNPARSED, CategoricalColumn, check_answers, is_integer, merge
from .column_roles import NAME_MODELS
from .files import gap_cure

MIN_CELLS = 10
"""With fewer cells nothing is said about whether a column is a model."""
MIN_SHARE = 0.05
"""Of a model's answers, at least this share is a label or an answer of another model."""


@dataclass(frozen=True, eq=False)
class TableContents:
    """The content of a table before its truth is determined; all in the order of models and instances.

    Parameters
    ----------
    models, instances : one row each, indexed by id.
    answers : one column per model; none if the table has no answers.
    label : the true answers, if given.
    correct : right (1), wrong (0) or MISSING, if given.
    unparsed : where there is no answer because none could be parsed; None for nowhere.
    classes : the classes in their order, if the table's metadata names them.
    more : options, probabilities and fixed_classes, as in Predictions.
    """

    models: pd.DataFrame
    instances: pd.DataFrame
    answers: Sequence[CategoricalColumn] = ()
    label: CategoricalColumn | None = None
    correct: Int[np.ndarray, "m n"] | None = None
    classes: Sequence[str] = ()
    more: dict[str, Any] = field(default_factory=dict)
    unparsed: Bool[np.ndarray, "m n"] | None = None


def parsed(parts: TableContents) -> TableContents:
    """The content with no answer where none could be parsed: a wrong one that is like no other."""
    if not any(UNPARSED in column.values for column in parts.answers):
        return parts
    mask = np.stack([np.isin(c.codes, [k for k, v in enumerate(c.values) if v == UNPARSED]) for c in parts.answers])
    answers = [
        replace(
            column,
            codes=np.where(row, MISSING, column.codes),
            values=tuple(v.replace(UNPARSED, "") for v in column.values),
        )
        for column, row in zip(parts.answers, mask, strict=True)
    ]
    return replace(parts, answers=answers, unparsed=mask)


def assemble(parts: TableContents) -> Predictions:
    """Predictions; with `labels` if every instance has one, with `correct` if those do not explain all outcomes."""
    if parts.correct is None:
        for model, column in zip(parts.models.index, parts.answers, strict=bool(parts.answers)):
            check_answers(f"model column {model!r}", column)
    if parts.label is not None and parts.correct is None:
        _check_label(parts.label, parts.instances)
        _check_verdicts(parts.label, parts.answers)
    label = parts.label
    if label is not None and (label.fraction or (label.codes == MISSING).any()):
        label = None
    merged = merge([*parts.answers, *([] if label is None else [label])], parts.classes)
    m = len(parts.answers)
    answers, labels = merged.table[:m] if m else None, None if label is None else merged.table[m]
    correct = parts.correct
    if correct is None and parts.unparsed is not None:
        assert answers is not None
        assert labels is not None
        implied = np.where(answers == MISSING, MISSING, (answers == labels).astype(np.int8))
        correct = np.where(parts.unparsed, 0, implied)
    if correct is not None and answers is not None and labels is not None:
        implied = np.where(answers == MISSING, MISSING, answers == labels)
        correct = None if np.array_equal(implied, correct) else correct
    instances = parts.instances
    if parts.label is not None and label is None:
        instances = instances.assign(label=np.array([*parts.label.values, None], dtype=object)[parts.label.codes])
    return Predictions(parts.models, instances, answers, labels, correct, merged.classes, **parts.more)


def _check_label(label: CategoricalColumn, instances: pd.DataFrame) -> None:
    check_answers("the label column", label)
    missing = np.flatnonzero(label.codes == MISSING)
    if missing.size:
        raise InputError(
            f"the label is missing in {missing.size} row{'s' if missing.size > 1 else ''}, "
            f"such as that of instance {instances.index.tolist()[missing[0]]!r}",
            "a true answer for every instance",
            gap_cure(label.gap) if label.gap else "fill it in or drop those rows",
        )


def _check_verdicts(label: CategoricalColumn, answers: Sequence[CategoricalColumn]) -> None:
    """Raise InputError for right/wrong cells that would be taken for answers."""
    values = {value for column in answers for value in column.values}
    if values and values <= {"", "True", "False"} and not set(label.values) <= {"", "True", "False", "0", "1"}:
        raise InputError(
            f"the model columns hold only true and false but the labels are such as {label.values[0]!r}",
            "answers of the same kind as the labels",
            "if true means right, say so with correct=True (--correct)",
        )


def check_decimal_commas(source: str, parts: TableContents) -> None:
    """Raise InputError for labels or answers that are numbers with a decimal comma, and would be compared as texts."""
    for kind, column in [("labels", parts.label), *(("answers", answers) for answers in parts.answers)]:
        texts = [value for value in column.values if value] if column else []
        first = next((text for text in texts if _DECIMAL_COMMA.fullmatch(text)), "")
        if first and all(is_integer(text.replace(".", "").replace(",", "", 1)) for text in texts):
            raise InputError(
                f"the {kind} of {source} are numbers with a decimal comma, such as {first!r}",
                "decimals after a point",
                "give the dataframe of pandas.read_csv(path, sep=';', decimal=','), or say with the rule categorical "
                "(--categorical) that they are names",
            )


_DECIMAL_COMMA = re.compile(r"[-+]?\d{1,3}(\.\d{3})+,\d+|[-+]?\d*,(\d{1,2}|\d{4,})|[-+]?0,\d+|[-+]?\d{4,},\d+")
"""A number whose comma cannot stand before thousands."""


def check_guessed_models(parts: TableContents) -> None:
    """Raise InputError for a column that was taken for a model but holds only words where the labels are numbers."""
    if parts.label is None:
        return
    _check_answers_overlap(parts)
    if not all(map(is_integer, parts.label.values)):
        return
    for model, column in zip(parts.models.index, parts.answers, strict=True):
        words = [value for value in column.values if value and value not in ("True", "False")]
        if words and not any(map(is_integer, words)):
            check_answers(f"model column {model!r}", column)
            raise InputError(
                f"column {model!r} holds text such as {shorten(words[0], 30)!r} but the labels are whole numbers",
                "answers of the same kind as the labels",
                NAME_MODELS,
            )


def _check_answers_overlap(parts: TableContents) -> None:
    """Raise InputError for a column whose cells are neither labels nor answers of other models, or all different."""
    assert parts.label is not None
    labels = set(parts.label.values) - {""}
    pairs = zip(parts.models.index, parts.answers, strict=True)
    unclear = [(model, column) for model, column in pairs if not labels.issuperset(filter(None, column.values))]
    counts = [code_counts(column.codes, len(column.values)) for _, column in unclear]
    shares = [_share(column, times, labels) for (_, column), times in zip(unclear, counts, strict=True)]
    common = labels.union(*(c.values for (_, c), share in zip(unclear, shares, strict=True) if share >= 0.5)) - {""}
    for (model, column), times in zip(unclear, counts, strict=True):
        distinct = int(np.count_nonzero(times))
        first = next((value for value in column.values if value and value not in common), "")
        if column.fraction or not first:
            continue
        if times.sum() < MIN_CELLS or len(labels) < 2:
            share = _share(column, times, common)
            _check_few_cells(str(model), column, distinct, labels, first, share)
            continue
        few_labels = 2 * len(labels) <= len(parts.label.codes)
        if _share(column, times, common) < MIN_SHARE:
            reason = f"its values, such as {shorten(first, 30)!r}, are neither labels nor answers of other columns"
        elif few_labels and distinct == times.sum() >= 2 * MIN_CELLS:
            reason = f"its {distinct} values, such as {shorten(first, 30)!r}, are all different"
        else:
            continue
        raise InputError(
            f"column {model!r} does not look like a model: {reason}", "a column of answers for every model", NAME_MODELS
        )


def _check_few_cells(
    model: str, column: CategoricalColumn, distinct: int, labels: set[str], first: str, share: float
) -> None:
    """Raise InputError for two or more different words, none of which is a label or an answer of another column."""
    if distinct < 2 or share or is_integer(first) or any(map(is_integer, labels)):
        return
    if distinct == (column.codes != MISSING).sum():
        raise InputError(
            f"column {model!r} does not look like a model: its values, such as {shorten(first, 30)!r}, are all "
            "different, and neither labels nor answers of other columns",
            "a column of answers for every model",
            NAME_MODELS,
        )


def _share(column: CategoricalColumn, times: Int[np.ndarray, " k"], texts: set[str]) -> float:
    """The share of cells that hold one of these texts, among those that are not empty; `times` each value occurs."""
    are_in = np.array([value in texts for value in column.values], bool)
    return float(times[are_in].sum() / max(1, times.sum()))
