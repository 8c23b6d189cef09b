"""What is a level of the data axis? What is learned from, how it is seen anew, and which inputs that fits."""

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
"""A training set seen anew: inputs as many as there are, and where labels are mixed their n × c shares (else None)."""


def everything(train: Dataset, seed: int) -> Dataset:  # noqa: ARG001
    """The training set as it is."""
    return train


@dataclass(frozen=True)
class UpTo:
    """An amount that may follow a level's name after a colon: a number above 0, at most `most`."""

    most: int | float
    whole: bool = False

    @property
    def words(self) -> str:
        """What is accepted."""
        return f"a {'whole ' if self.whole else ''}number above 0{f', at most {self.most:g}' * (self.most < 1e9)}"

    def read(self, text: str) -> int | float | None:
        """The number; None if it is none or out of range."""
        try:
            number = int(text) if self.whole else float(text)
        except ValueError:
            return None
        return number if 0 < number <= self.most else None


@dataclass(frozen=True)
class PartOf:
    """An amount such as ``2/3``: the second of three parts."""

    words: str = "which part of how many, such as '1/2' or '3/3'"

    def read(self, text: str) -> tuple[int, int] | None:
        """Which part and of how many; None if there is no such part."""
        which, slash, parts = text.partition("/")
        if not (slash and which.isdecimal() and parts.isdecimal()):
            return None
        return (int(which), int(parts)) if 1 <= int(which) <= int(parts) else None


@dataclass(frozen=True)
class Level:
    """One level of the data axis.

    Parameters
    ----------
    take : from the training set and the recipe's seed to what is learned from, once and for all.
    view : how that is seen anew in each epoch, a `View`; learners without epochs get `with_copy`.
    amount : what may follow the name after a colon; it becomes the third argument of `take` or `view`, which has a
        default. None where nothing may.
    modalities, tasks : what it fits; empty for all.
    package : what has to be importable for it, of the extra ``augment``; empty for nothing.
    """

    take: Callable[..., Dataset] = everything
    view: Callable[..., Any] | None = None
    amount: UpTo | PartOf | None = None
    modalities: tuple[Modality, ...] = ()
    tasks: tuple[Task, ...] = ()
    package: str = ""

    def at(self, amount: Any) -> Level:
        """The same level with another amount than the usual one."""
        if self.view is None:
            return replace(self, take=_told(self.take, amount), amount=None)
        return replace(self, view=_told(self.view, amount), amount=None)

    def check(self, name: str, train: Dataset) -> None:
        """Refuse, before anything is trained, a training set that this level of that name does not fit.

        Raises InputError, and MissingExtraError where the level needs a package that is not installed.
        """
        for given, wanted in ((train.modality, self.modalities), (train.task, self.tasks)):
            if wanted and given not in wanted:
                raise InputError(f"the data level {name!r} does not fit {given}", " or ".join(wanted))
        if self.package:
            need(self.package, extra="augment")


def _told(function: Callable[..., Any], amount: Any) -> Callable[..., Any]:
    third = list(inspect.signature(function).parameters)[2]
    return partial(function, **{third: amount})
