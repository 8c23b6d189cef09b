"""What can be chosen about cleaning? What is searched for, what is hidden, and what, if anything, is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from polyculture.errors import InputError, near
from polyculture.preparation import DataOptions
from polyculture.preparation.cleaning import KINDS, MODES

LABEL_ERROR = "label-error"
"""What a label that models contradict is called next to the kinds of fault that need no model."""


def removable_kinds() -> list[str]:
    """Kinds of fault whose rows can be left out."""
    return [*(name for name, kind in KINDS.items() if kind.removable), LABEL_ERROR]


@dataclass(frozen=True)
class CleanOptions:
    """Options of `clean`. Nothing is left out or changed by default.

    Parameters
    ----------
    data : how files are read, as for `run`.
    mask : by field what to do with it: ``"mask"``, ``"hash"`` or ``"drop"``. A field is a column, ``"instance"`` for
        the ids, or ``"e-mail"``, ``"phone"``, ``"iban"`` and ``"card"`` in all texts.
    key : file with the secret of the hashes; made where it is not there. None for a new secret that nobody keeps.
    kinds : of fault to search for; all if left out.
    codes : by column the codes that its documentation lists.
    label_errors : whether models are trained to find labels that may be wrong.
    models : that are trained for it.
    folds : of the training.
    apply : kinds of fault whose rows are left out of a cleaned copy; training rows only.
    seed : of the split in folds and of the models.
    workers : processes that train; None for one per core.

    Raises InputError for an unknown kind or mask, a kind that names no row, and numbers out of range.

    Examples
    --------
    >>> pc.CleanOptions(apply=["duplicate", "leak"], mask={"e-mail": "hash"}).label_errors
    False
    """

    data: DataOptions = field(default_factory=DataOptions)
    mask: Mapping[str, str] = field(default_factory=dict)
    key: str | Path | None = None
    kinds: Sequence[str] = ()
    codes: Mapping[str, Sequence[object]] = field(default_factory=dict)
    label_errors: bool = False
    models: int = 6
    folds: int = 5
    apply: Sequence[str] = ()
    seed: int = 0
    workers: int | None = None

    def __post_init__(self) -> None:
        check_masks(self.mask)
        for name in self.kinds:
            if name not in KINDS:
                raise InputError(f"no kind of fault {name!r}", "", near(name, KINDS))
        self._check_apply()
        for name, least in {"models": 2, "folds": 2, "seed": 0}.items():
            value = getattr(self, name)
            if isinstance(value, bool) or int(value) != value or value < least:
                raise InputError(f"{name} of cleaning is {value}", f"a whole number of {least} or more")

    def _check_apply(self) -> None:
        choices = removable_kinds()
        for name in self.apply:
            if name in KINDS and name not in choices:
                raise InputError(f"rows left out for {name!r}", f"one of {', '.join(choices)}", KINDS[name].remedy)
            if name not in choices:
                raise InputError(f"no kind of fault {name!r}", "", near(name, choices))
            if name != LABEL_ERROR and self.kinds and name not in self.kinds:
                raise InputError(f"{name!r} is to be left out, but is not searched for", "it among the kinds")
        if LABEL_ERROR in self.apply and not self.label_errors:
            raise InputError(
                f"rows left out for {LABEL_ERROR!r}", "models that find them", "add label_errors (--label-errors)"
            )


def option_columns(data: DataOptions) -> dict[str, Any]:
    """The options that are not the default, as `polyculture.studies.shell_words.source_words` takes them."""
    values = {f.name: getattr(data, f.name) for f in fields(data)}
    plain = DataOptions()
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value != getattr(plain, name)
    }


def check_masks(fields: Mapping[str, str]) -> None:
    """Raise InputError for a field that is to be hidden in an unknown form."""
    for name, how in fields.items():
        if how not in MODES:
            raise InputError(f"the mask {how!r} of {name!r}", "", near(how, MODES))
