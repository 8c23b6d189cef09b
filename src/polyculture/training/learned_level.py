"""What is a level of the data axis that has to be learned? One that fits models while it makes the training set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from polyculture.dataset import Dataset, Modality, Task
from polyculture.errors import InputError, need
from polyculture.models.fitted import Fitted
from polyculture.recipe import Recipe

from .context import TrainingContext

Fit = Callable[[Recipe, Dataset, TrainingContext], Fitted]
"""Recipe whose data are "all", training set and context → the fitted model, as `Architecture.fit`."""
Amounts = Mapping[str, Any]
"""The amounts in a level's name, by what they are called."""
Round = Mapping[str, float | int | str]
"""What one round of a learned level did: named numbers and words that JSON can hold."""


@dataclass(frozen=True, eq=False)
class LearnedFit:
    """A model that a learned level gave, and what the level did.

    Parameters
    ----------
    fitted : the model; its cost includes that of every model that was fitted for it.
    history : a row for each round, as it is kept in ``recipe.json``.
    """

    fitted: Fitted
    history: tuple[Round, ...] = ()


@runtime_checkable
class Accepted(Protocol):
    """Which texts are accepted as an amount, such as `BoundedAmount`."""

    @property
    def description(self) -> str:
        """The accepted amounts, for error messages."""

    def parse(self, text: str) -> int | float | str | None:
        """The amount; None for other text."""


@dataclass(frozen=True)
class LevelAmount:
    """One amount that may follow the name of a learned level.

    Parameters
    ----------
    name : what it counts or measures, such as ``"labels"``.
    accepted : what is accepted, with `parse` and `description` as those of `BoundedAmount`; or the words, as a tuple.
    default : where the level's name has none.
    """

    name: str
    accepted: Accepted | tuple[str, ...]
    default: int | float | str

    def parse(self, level: str, text: str) -> int | float | str:
        """The amount; InputError, which names the level, for another text."""
        if isinstance(self.accepted, tuple):
            number: int | float | str | None = text if text in self.accepted else None
            expected = " or ".join(self.accepted)
        else:
            number, expected = self.accepted.parse(text), self.accepted.description
        if number is None:
            raise InputError(f"{self.name} of the data level {level!r} is {text!r}", expected)
        return number


@dataclass(frozen=True)
class LearnedLevel:
    """One level of the data axis that fits models itself, such as ``"pseudo-label:100"``.

    Its name may be followed by amounts, each after a colon. The recipe that it gets is fitted by `learn` as often as it
    wants, each time with the data level ``"all"``; all randomness comes from the recipe's seed.

    Parameters
    ----------
    summary : what is learned from, in one line, for docs/levels.md.
    learn : from recipe, amounts, full training set, context and the function that fits a recipe to the model.
    amounts : that may follow the name.
    refuse : raises InputError where recipe, amounts and training set do not go together; None where all do.
    rows : from amounts, full training set and seed to the part of it whose labels may be read, for what is trained
        further; None for all of it.
    modalities, tasks : what it fits; empty for all.
    nets_only : whether only torch nets can learn from it.
    package, extra : the package that it needs, if any, and the extra that brings it.
    fits : about how many times as long as a plain fit it takes, to start long jobs first.
    """

    summary: str
    learn: Callable[[Recipe, Amounts, Dataset, TrainingContext, Fit], LearnedFit]
    amounts: tuple[LevelAmount, ...] = ()
    refuse: Callable[[Recipe, Amounts, Dataset], None] | None = None
    rows: Callable[[Amounts, Dataset, int], Dataset] | None = None
    modalities: tuple[Modality, ...] = ()
    tasks: tuple[Task, ...] = field(default=("classification",))
    nets_only: bool = False
    package: str = ""
    extra: str = "augment"
    fits: float = 2.0

    def parse(self, level: str) -> dict[str, Any]:
        """The amounts of ``name:amount:amount`` by name, defaults included.

        Raises InputError for more amounts than there are and for one that is not accepted.
        """
        name, *texts = level.split(":")
        if len(texts) > len(self.amounts):
            pattern = ":".join([name, *(amount.name.upper() for amount in self.amounts)])
            raise InputError(f"the data level {level!r} has {len(texts)} amounts", f"at most {pattern!r}")
        amounts: dict[str, Any] = {amount.name: amount.default for amount in self.amounts}
        for amount, text in zip(self.amounts, texts, strict=False):
            amounts[amount.name] = amount.parse(level, text)
        return amounts

    def check(self, level: str, train: Dataset, recipe: Recipe) -> None:
        """Refuse, before training, a training set or a recipe that the level of this name does not fit.

        Raises InputError, and MissingExtraError where the level needs a package that is not installed.
        """
        amounts = self.parse(level)
        if len(train.inputs) > 1:
            raise InputError(f"the data level {level!r} with {len(train.inputs)} kinds of inputs", "one")
        for actual, accepted in ((train.modality, self.modalities), (train.task, self.tasks)):
            if accepted and actual not in accepted:
                raise InputError(f"the data level {level!r} does not fit {actual}", " or ".join(accepted))
        if self.nets_only and recipe.optimizer == "own":
            wrong = f"the data level {level!r} does not fit {recipe.architecture!r}"
            raise InputError(wrong, "a net, such as 'lenet' or 'mlp'")
        if self.package:
            need(self.package, extra=self.extra)
        if self.refuse is not None:
            self.refuse(recipe, amounts, train)

    def fit(self, recipe: Recipe, level: str, train: Dataset, context: TrainingContext, fit: Fit) -> LearnedFit:
        """The model that a recipe gives at the level of this name.

        Parameters
        ----------
        recipe : its data level does not matter.
        level : name and amounts.
        train : the full training set.
        context : time limit, device and inputs without labels.
        fit : fits a recipe whose data are ``"all"`` to a dataset.
        """
        return self.learn(recipe, self.parse(level), train, context, fit)

    def readable(self, level: str, train: Dataset, seed: int) -> Dataset:
        """The part of the training set whose labels a model of this level may learn from further."""
        return train if self.rows is None else self.rows(self.parse(level), train, seed)

    def row(self, name: str) -> str:
        """The line of the level's table in docs/levels.md: name, default amounts, summary."""
        pattern = ":".join([name, *(amount.name.upper() for amount in self.amounts)])
        defaults = ", ".join(str(amount.default) for amount in self.amounts)
        return f"| `{pattern}` | {defaults} | {self.summary} |"
