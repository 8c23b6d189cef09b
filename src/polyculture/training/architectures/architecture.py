"""What must an architecture be able to do? List its hyperparameters, fit, and load what was saved."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from polyculture.dataset import Dataset
from polyculture.errors import InputError, near
from polyculture.models.fitted import Fitted
from polyculture.recipe import Recipe

from ..context import TrainingContext
from ..hyperparameters import same_kind, select


class Architecture(ABC):
    """A kind of model; `packages` are the distributions that its numbers depend on."""

    packages: ClassVar[tuple[str, ...]]

    @abstractmethod
    def settable(self, recipe: Recipe) -> Mapping[str, Any]:
        """Hyperparameters of this recipe, with their defaults; None stands for a number that depends on others."""

    @property
    @abstractmethod
    def optimizers(self) -> tuple[str, ...]:
        """Optimizers that it can be fitted with."""

    @abstractmethod
    def fit(self, recipe: Recipe, train: Dataset, context: TrainingContext = TrainingContext()) -> Fitted:
        """Fit; `train` is already at the recipe's level of the data axis."""

    @abstractmethod
    def load(self, recipe: Recipe, train: Dataset, folder: Path) -> Fitted:
        """What `Fitted.save` wrote into this folder; of `train` only the task, the modality and the classes matter."""

    def check(self, recipe: Recipe) -> None:
        """Refuse what this architecture cannot do, before anything is trained."""
        if recipe.optimizer not in self.optimizers:
            raise InputError(
                f"{recipe.architecture!r} cannot use the optimizer {recipe.optimizer!r}",
                " or ".join(repr(o) for o in self.optimizers),
            )
        defaults = self.settable(recipe)
        for name, value in recipe.hyperparameters.items():
            if name not in defaults:
                raise InputError(f"{recipe.architecture!r} has no hyperparameter {name!r}", "", near(name, defaults))
            if not same_kind(value, defaults[name]):
                expected = "a number" if defaults[name] is None else f"something like {defaults[name]!r}"
                raise InputError(f"{name} of {recipe.architecture!r} is {value!r}", expected)

    def suits(self, recipe: Recipe, train: Dataset) -> None:  # noqa: B027
        """Refuse a task or modality that this recipe cannot learn; by default none is refused."""

    def settings(self, recipe: Recipe) -> dict[str, Any]:
        """The recipe's hyperparameters; whole numbers whose default is a fraction become floats again."""
        return select(recipe.hyperparameters, self.settable(recipe))
