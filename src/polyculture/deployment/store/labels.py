"""Is a label a class of the bundle? It is compared as text, and a whole number is the class of the same number."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from polyculture.errors import InputError, near
from polyculture.stats.interval import plural


@dataclass(frozen=True)
class LabelReport:
    """What became of labels that were handed in.

    Parameters
    ----------
    matched : how many ids have an answer in the store.
    pending : how many have none yet; their labels are kept until it comes.
    changed : how many replaced another label of the same id.
    earlier : how many were given before the label that the id has, and changed nothing.
    empty : rows without a label.
    store : where they are, without password.

    Examples
    --------
    >>> from polyculture.deployment.store import LabelReport
    >>> print(LabelReport(matched=2, pending=1, changed=1).sentence)
    3 labels: 2 have an answer, 1 of an id that is not known yet; 1 replaced another label.
    """

    matched: int = 0
    pending: int = 0
    changed: int = 0
    earlier: int = 0
    empty: int = 0
    store: str = ""

    @property
    def sentence(self) -> str:
        """The report in one sentence."""
        answered = f"{self.matched:,} {'has' if self.matched == 1 else 'have'} an answer"
        pending = f"{self.pending:,} of {'an id' if self.pending == 1 else 'ids'} that "
        parts = [f"{answered}, {pending}{'is' if self.pending == 1 else 'are'} not known yet"]
        parts += [f"{self.changed:,} replaced another label"] if self.changed else []
        parts += [f"{self.earlier:,} changed nothing, as a later label is there"] if self.earlier else []
        parts += [f"{plural(self.empty, 'row')} without label"] if self.empty else []
        return f"{plural(self.matched + self.pending, 'label')}: {'; '.join(parts)}."

    def __add__(self, report: LabelReport) -> LabelReport:
        return LabelReport(*(getattr(self, name) + getattr(report, name) for name in self.__dataclass_fields__))


def is_empty(label: Any) -> bool:
    """Whether a cell holds no label: None, nan, or nothing but spaces."""
    return label is None or (isinstance(label, float) and math.isnan(label)) or label != label or not str(label).strip()


def label_texts(labels: Sequence[Any], task: str, classes: Sequence[str]) -> list[str]:
    """Labels as the store holds them: names of classes, or numbers as Python writes them.

    Raises InputError for the first label that is neither.
    """
    if task == "regression":
        return [_number(row, label) for row, label in enumerate(labels, 1)]
    shared = Counter(map(plain_form, classes))
    forms = {plain_form(name): name for name in classes if shared[plain_form(name)] == 1}
    forms |= {name: name for name in classes}  # where 7 and 007 are classes, only the exact text is one
    texts_by_label: dict[Any, str] = {}
    texts = []
    for row, label in enumerate(labels, 1):
        key = (type(label), label)
        if key not in texts_by_label:
            texts_by_label[key] = _class(row, label, forms, classes)
        texts.append(texts_by_label[key])
    return texts


def plain_form(label: Any) -> str:
    """The label without spaces around it; true for True, and 3 for 3.0."""
    if hasattr(label, "item"):
        label = label.item()
    text = str(label).strip()
    if text in ("True", "False"):
        return text.lower()
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 and "_" not in text else text


def _class(row: int, label: Any, forms: dict[str, str], classes: Sequence[str]) -> str:
    text = str(label.item() if hasattr(label, "item") else label)
    name = forms.get(text) or forms.get(plain_form(label))
    if name is None:
        raise InputError(
            f"label {row} is {text!r}, which is no class of the bundle", "a class name", near(text, classes)
        )
    return name


def _number(row: int, label: Any) -> str:
    try:
        number = math.nan if isinstance(label, bool) else float(label)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"label {row} is {str(label)!r}", "a finite number, as the bundle predicts numbers")
    return repr(number)


_Row = dict[str, Any]


def sort_labels(
    rows: Sequence[_Row], current: Mapping[str, _Row], answered: Set[str]
) -> tuple[dict[str, _Row], list[_Row], LabelReport]:
    """Which of these labels are the latest of their ids, which labels they replace or come too late for, and a report.

    Parameters
    ----------
    rows : id, label, time and received of each label, in the order in which they were handed in.
    current : by id the label that the store has.
    answered : ids that have an answer.
    """
    latest: dict[str, _Row] = {}
    replaced: list[_Row] = []
    changed = earlier = 0
    for row in rows:
        previous = latest.get(row["id"]) or current.get(row["id"])
        if previous and row["time"] < previous["time"]:
            replaced.append(row)
            earlier += 1
            continue
        if previous and previous["label"] != row["label"]:
            replaced.append(previous)
            changed += 1
        latest[row["id"]] = row
    matched = sum(row["id"] in answered for row in rows)
    return latest, replaced, LabelReport(matched, len(rows) - matched, changed, earlier)
