"""What is a level of the data axis? A selection of the training set, an augmentation, and the data that it fits."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from polyculture.dataset import Dataset, Modality, Task
from polyculture.errors import InputError, need

View = Callable[[Dataset, np.random.Generator], tuple[np.ndarray, np.ndarray | None]]
"""Training set → its inputs, augmented, and where labels are mixed their n × c shares (else None)."""


def unchanged(train: Dataset, seed: int) -> Dataset:  # noqa: ARG001
    """The training set as it is."""
    return train


@dataclass(frozen=True)
class BoundedAmount:
    """An amount that may follow a level's name after a colon: a number above 0, at most `maximum`."""

    maximum: int | float
    integer: bool = False

    @property
    def description(self) -> str:
        """The accepted amounts, for error messages."""
        return f"a {'whole ' if self.integer else ''}number above 0, at most {self.maximum:g}"

    def parse(self, text: str) -> int | float | None:
        """The number; None for other text and for a number out of range."""
        try:
            number = int(text) if self.integer else float(text)
        except ValueError:
            return None
        return number if 0 < number <= self.maximum else None


@dataclass(frozen=True)
class PartAmount:
    """An amount such as ``2/3``: the second of three parts."""

    description: str = "which part of how many, such as '1/2' or '3/3'"

    def parse(self, text: str) -> tuple[int, int] | None:
        """Number of the part and number of parts; None if there is no such part."""
        number, slash, parts = text.partition("/")
        if not (slash and number.isdecimal() and parts.isdecimal()):
            return None
        return (int(number), int(parts)) if 1 <= int(number) <= int(parts) else None


@dataclass(frozen=True)
class Transform:
    """One level of the data axis.

    Parameters
    ----------
    take : from the training set and the recipe's seed to the dataset that is learned from.
    view : augments its inputs anew in each epoch, a `View`; learners without epochs get `with_augmented_copy`.
    amount : the amounts that may follow the name after a colon; the third argument of `take` or `view`, which has a
        default. None for a level without amount.
    modalities, tasks : what it fits; empty for all.
    package : the package of the extra ``augment`` that it needs, if any.
    """

    take: Callable[..., Dataset] = unchanged
    view: Callable[..., Any] | None = None
    amount: BoundedAmount | PartAmount | None = None
    modalities: tuple[Modality, ...] = ()
    tasks: tuple[Task, ...] = ()
    package: str = ""

    def with_amount(self, amount: Any) -> Transform:
        """The same level with this amount instead of the default."""
        if self.view is None:
            return replace(self, take=_with_third_argument(self.take, amount), amount=None)
        return replace(self, view=_with_third_argument(self.view, amount), amount=None)

    def check(self, name: str, train: Dataset) -> None:
        """Refuse, before training, a training set that this level of that name does not fit.

        Raises InputError, and MissingExtraError where the level needs a package that is not installed.
        """
        for actual, accepted in ((train.modality, self.modalities), (train.task, self.tasks)):
            if accepted and actual not in accepted:
                raise InputError(f"the data level {name!r} does not fit {actual}", " or ".join(accepted))
        if self.package:
            need(self.package, extra="augment")


def _with_third_argument(function: Callable[..., Any], amount: Any) -> Callable[..., Any]:
    third = list(inspect.signature(function).parameters)[2]
    return partial(function, **{third: amount})
