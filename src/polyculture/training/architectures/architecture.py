"""What must a learner be able to do? Say what can be set, be fitted, be written down and be read back."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from polyculture.dataset import Dataset
from polyculture.errors import InputError, near
from polyculture.recipe import Recipe

from ..context import FitCost, TrainingContext


class Fitted(ABC):
    """A learner after learning: a model (inputs → probabilities) that can be written down.

    Attributes: `parameters`, how many numbers the fit determined; `curve`, the mean training loss of each epoch
    (empty for learners without epochs); `effort`, what the fit took.
    """

    parameters: int
    curve: tuple[float, ...]
    effort: FitCost

    @abstractmethod
    def __call__(self, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "k c"]:
        """Class probabilities, float32: a row per input, or for tagging a row per token in reading order.

        For regression one column, the predicted number.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the weights into this folder."""


class Architecture(ABC):
    """A kind of learner; `packages` are the distributions that its numbers depend on."""

    packages: ClassVar[tuple[str, ...]]

    @abstractmethod
    def settable(self, recipe: Recipe) -> Mapping[str, Any]:
        """What this recipe can set, with its default; None stands for a number that is chosen when it is needed."""

    @property
    @abstractmethod
    def optimizers(self) -> tuple[str, ...]:
        """Optimizers that it can be fitted with."""

    @abstractmethod
    def fit(self, recipe: Recipe, train: Dataset, setting: TrainingContext = TrainingContext()) -> Fitted:
        """Learn; `train` is already what the recipe's data axis asks for."""

    @abstractmethod
    def load(self, recipe: Recipe, train: Dataset, folder: Path) -> Fitted:
        """What `Fitted.save` wrote into this folder; of `train` only the task, the modality and the classes matter."""

    def check(self, recipe: Recipe) -> None:
        """Refuse what this learner cannot be told, before anything is trained."""
        if recipe.optimizer not in self.optimizers:
            raise InputError(
                f"{recipe.architecture!r} cannot use the optimizer {recipe.optimizer!r}",
                " or ".join(repr(o) for o in self.optimizers),
            )
        known = self.settable(recipe)
        for name, value in recipe.hyperparameters.items():
            if name not in known:
                raise InputError(f"{recipe.architecture!r} has no hyperparameter {name!r}", "", near(name, known))
            default = known[name]
            if not _same_kind(value, default):
                wanted = "a number" if default is None else f"something like {default!r}"
                raise InputError(f"{name} of {recipe.architecture!r} is {value!r}", wanted)

    def suits(self, recipe: Recipe, train: Dataset) -> None:  # noqa: B027
        """Refuse a task or modality that this learner, made so, cannot learn; nothing is refused by itself."""

    def settings(self, recipe: Recipe) -> dict[str, Any]:
        """The recipe's hyperparameters; whole numbers where fractions are usual become floats again."""
        known = self.settable(recipe)
        return {
            name: value if isinstance(known[name], (str, int)) else float(value)
            for name, value in recipe.hyperparameters.items()
        }


def options(build: Callable[..., Any]) -> dict[str, Any]:
    """The keyword-only parameters of a builder, with their defaults: these are its hyperparameters."""
    parameters = inspect.signature(build).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def _same_kind(value: Any, default: Any) -> bool:
    if isinstance(value, bool) or isinstance(default, (str, bool)):
        return type(value) is type(default)
    return isinstance(value, int) if isinstance(default, int) else isinstance(value, (int, float))


__all__ = ["Architecture", "FitCost", "Fitted", "TrainingContext", "options"]
