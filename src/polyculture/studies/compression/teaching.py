"""What does a method get beside the model? Its training set, teachers, and the trainer of its recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from polyculture.compression import CompressionContext
from polyculture.compression.context import Teacher
from polyculture.compression.one_model import mean_of
from polyculture.dataset import Dataset
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_net import FittedNet
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed
from polyculture.training import predict
from polyculture.training.data_levels import training_set

from .originals import Originals


@dataclass(eq=False)
class Trainer:
    """Fits a net further, or a narrower one; then its recipe is another one.

    Parameters
    ----------
    recipe : of the net as it is now.
    train : at the level of the recipe's data axis.
    seed : of everything random.
    """

    recipe: Recipe
    train: Dataset
    seed: int

    def fine_tune(self, model: Fitted, epochs: int, teacher: Teacher | None = None) -> Fitted:
        """The net after further epochs; see `polyculture.training.finetuning`."""
        from polyculture.training.finetuning import finetune

        return finetune(model, self.recipe, self.train, epochs, self.seed, teacher)  # type: ignore[arg-type]

    def fit_student(self, share: float, teacher: Teacher) -> Fitted:
        """A net with this share of the width taken away, taught by a teacher."""
        from polyculture.training.students import fit_student

        self.recipe, student = fit_student(self.recipe, self.train, share, teacher, self.seed)
        return student


@dataclass(frozen=True, eq=False)
class Teaching:
    """The teachers of each model, and its training set.

    Parameters
    ----------
    originals : all of them teach.
    seed : of everything random.
    unlike : by model the one that errs least with it; empty where there is one model only.
    """

    originals: Originals
    seed: int = 0
    unlike: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, originals: Originals, seed: int) -> Teaching:
        """Every other model is compared on the selection instances."""
        return cls(originals, seed, _least_alike(originals) if len(originals.models) > 1 else {})

    def trainer(self, name: str, recipe: Recipe) -> Trainer:
        """The trainer of a model whose recipe is now this one."""
        train = training_set(recipe, self.originals.problem.split.train)
        return Trainer(recipe, train, derived_seed(self.seed, "compression", name) % 2**31)

    def context(self, name: str, trainer: Trainer) -> CompressionContext:
        """What a method may use for this model."""
        model = self.originals.models[name]
        teachers: dict[str, Teacher] = {"self": model, "ensemble": self.ensemble}
        if name in self.unlike:
            teachers["unlike"] = self.originals.models[self.unlike[name]]
        trained = isinstance(model, FittedNet)
        return CompressionContext(
            trainer.train,
            trainer.seed,
            teachers,
            trainer.fine_tune if trained else None,
            trainer.fit_student if trained else None,
        )

    @property
    def ensemble(self) -> Teacher:
        """The mean of what all originals predict, by their weights."""
        models = self.originals.models
        return mean_of(list(models.values()), [self.originals.weights[name] for name in models])


def _least_alike(originals: Originals) -> dict[str, str]:
    """By model the other one whose errors go least with its own: the smallest correlation of losses."""
    predictions = predict(originals.population, originals.problem.split.selection)
    if predictions.values is not None and predictions.targets is not None:
        errors = predictions.values - predictions.targets
    else:
        errors = predictions.wrong.astype(np.float64)
    centred = errors - errors.mean(axis=1, keepdims=True)
    scale = np.sqrt((centred**2).sum(axis=1))
    correlation = centred @ centred.T / np.maximum(np.outer(scale, scale), np.finfo(float).tiny)
    np.fill_diagonal(correlation, np.inf)
    names = list(originals.models)
    return {name: names[int(row.argmin())] for name, row in zip(names, correlation, strict=True)}
