"""How does a set of models become one model? By a student that learns from all of them; what is lost is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np

from polyculture.dataset import Dataset
from polyculture.models.fitted import Fitted
from polyculture.recipe import Recipe

from .context import Teacher
from .levels import Step, level_of

LEVEL = level_of((Step("distil-ensemble", 0.0),))
"""Level of the compression of a model that was taught by a set and is as wide as its recipe says."""


@runtime_checkable
class FitRecipe(Protocol):
    """Fits a student: a net of a recipe with a share of its width taken away, taught by a teacher."""

    def __call__(
        self, recipe: Recipe, train: Dataset, share: float, teacher: Teacher, seed: int
    ) -> tuple[Recipe, Fitted]: ...


def mean_of(models: Sequence[Fitted], weights: Sequence[float] | None = None) -> Teacher:
    """A teacher that predicts the mean of the predictions of some models, with equal weights where there are none."""

    def teacher(inputs: np.ndarray) -> np.ndarray:
        outputs = [np.asarray(model(inputs), np.float64) for model in models]
        return np.asarray(np.average(outputs, axis=0, weights=weights), np.float32)

    return teacher


def distil_into_one(
    recipe: Recipe, train: Dataset, teacher: Teacher, fit_student: FitRecipe, seed: int = 0
) -> tuple[Recipe, Fitted]:
    """One net of a recipe, taught by a set of models; its recipe has the compression ``"distil-ensemble=0"``.

    What a set has and one model has not, such as abstention where models differ, is lost with it.

    Parameters
    ----------
    recipe : of the student, of any net; its compression is replaced.
    train : the training set of the student.
    teacher : what the set predicts, such as `mean_of` its models.
    fit_student : the trainer's function.

    Raises InputError for a recipe of what is no net.
    """
    fitted_recipe, student = fit_student(replace(recipe, compression="none"), train, 0.0, teacher, seed)
    return replace(fitted_recipe, compression=LEVEL), student
