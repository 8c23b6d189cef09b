"""What is a fault of the data? A kind, the row or column that has it, the reason, and what one may do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

from polyculture.errors import InputError, near


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault.

    Parameters
    ----------
    title : its name in reports, for several faults.
    meaning : what it is.
    remedy : what one may do about it.
    removable : whether leaving out the row is such a remedy.
    """

    title: str
    meaning: str
    remedy: str
    removable: bool = False


KINDS: MappingProxyType[str, FaultKind] = MappingProxyType(
    {
        "empty": FaultKind("empty parts", "a part of the data without a row", "check the files and how they are split"),
        "duplicate": FaultKind(
            "exact duplicates",
            "a row with the inputs and the label of an earlier row of its part",
            "leave the later row out, unless the world repeats itself (slow sensors, short texts)",
            removable=True,
        ),
        "conflict": FaultKind(
            "conflicting labels",
            "a row with the inputs of an earlier row of its part under another label",
            "look at both labels; no model can be right on both rows",
            removable=True,
        ),
        "near-duplicate": FaultKind(
            "near duplicates",
            "a row that is almost an earlier row of its part",
            "look at both, and leave one out if they are one thing; never let them lie on both sides of a split",
            removable=True,
        ),
        "leak": FaultKind(
            "leaked rows",
            "a row with the inputs of a row in an earlier part, such as a test row in the training part",
            "leave the training row out, and report accuracy without these rows",
            removable=True,
        ),
        "near-leak": FaultKind(
            "nearly leaked rows",
            "a row that is almost a row in an earlier part",
            "look at both, and leave the training row out if they are one thing",
            removable=True,
        ),
        "missing": FaultKind(
            "missing values",
            "a cell that is empty, blank or declared missing; a text, picture or sound without content",
            "ask why it is missing; fill and flag it, or leave the row out",
            removable=True,
        ),
        "disguised-missing": FaultKind(
            "disguised missing values",
            "a value that stands apart from all others of its column and is repeated, such as a blood pressure of 0",
            "read the documentation; if the value means that nothing was measured, make it a gap",
        ),
        "undocumented-code": FaultKind(
            "undocumented codes",
            "a code that the documentation does not list; without one, a rare code of a column of few codes",
            "read the documentation; merge it with another code, or make it a gap",
        ),
        "non-finite": FaultKind(
            "infinite numbers",
            "a number that is infinite",
            "make it a gap, or find the division by zero",
            removable=True,
        ),
        "outlier": FaultKind(
            "outliers",
            "a number far from the median of its column, in units of the median absolute deviation",
            "check unit and decimal point; an extreme value may be true",
            removable=True,
        ),
        "constant-column": FaultKind(
            "constant columns", "a column with the same value in every row", "leave the column out"
        ),
        "copied-column": FaultKind(
            "copied columns",
            "a column that says the same as another column, or as the label",
            "leave the copy out; a copy of the label makes every result worthless",
        ),
        "imbalance": FaultKind(
            "imbalance",
            "a class or group with few rows, or with none in the first part",
            "report accuracy by class and by group; weigh or collect more rows",
        ),
        "personal": FaultKind(
            "personal fields",
            "a column or text that may identify a person: an e-mail address, phone number, account, card, name or id",
            "mask, hash or leave it out before anything is stored",
        ),
        "normalization": FaultKind(
            "lack of normalization",
            "inputs on different scales or in different spellings: pixels, sampling rates, Unicode, white space",
            "bring all inputs to one form",
        ),
    }
)
"""Kinds of fault by name, in the order of reports."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the data that may be wrong. It is a reason to look, not a verdict.

    Parameters
    ----------
    kind : a name from `KINDS`.
    part : name of the part that has it.
    row : position of the row in that part, from 0; None for a whole column or part.
    reason : what was seen, in words; never quotes a personal field.
    column : the column, or the input of several; empty for all of them.
    other_part, other_row : the row that it resembles, for the kinds that compare rows.

    Examples
    --------
    >>> from polyculture.preparation.cleaning import Fault
    >>> Fault("duplicate", "train", 7, "repeats row 3", other_part="train", other_row=3).row
    7
    """

    kind: str
    part: str
    row: int | None
    reason: str
    column: str = ""
    other_part: str = ""
    other_row: int | None = None

    def __post_init__(self) -> None:
        require_kinds([self.kind])


def require_kinds(names: Iterable[str]) -> None:
    """Raise InputError, with the near ones, for a name that is not in `KINDS`."""
    for name in names:
        if name not in KINDS:
            raise InputError(f"no kind of fault {name!r}", "", near(name, KINDS))
