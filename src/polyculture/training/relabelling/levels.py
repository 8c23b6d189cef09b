"""Which labels of a training set does a small crew contradict, and what is left without them?

The crew is the recipe itself, a linear model and a forest, each fitted out of fold on the training set only: a strong
member finds random errors, unlike ones find those that the recipe's own kind would make.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.measures.label_errors import LabelErrors, label_errors
from polyculture.models.fitted import FitCost, Fitted
from polyculture.preparation.duplicates import undivided_folds
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed

from ..architectures import find_architecture
from ..context import TrainingContext
from ..learned_level import Amounts, Fit, LearnedFit, Round

FIXED = ("logistic", "forest")
"""The members of every crew next to the recipe itself."""


def drop_label_errors(
    recipe: Recipe, amounts: Amounts, train: Dataset, context: TrainingContext, fit: Fit
) -> LearnedFit:
    """The recipe fitted to the training set without the labels that its crew contradicts."""
    errors, cost = crew_errors(recipe, amounts["folds"], train, context, fit)
    cleaned = train.take(np.flatnonzero(~errors.flagged))
    return _fitted(fit(recipe, cleaned, context), cost, _round(errors, len(cleaned)))


def relabel(recipe: Recipe, amounts: Amounts, train: Dataset, context: TrainingContext, fit: Fit) -> LearnedFit:
    """The recipe fitted to the training set with the labels that its crew contradicts replaced by the crew's."""
    errors, cost = crew_errors(recipe, amounts["folds"], train, context, fit)
    labels = np.where(errors.flagged, errors.suggested, train.labels).astype(train.labels.dtype)
    return _fitted(fit(recipe, replace(train, labels=labels), context), cost, _round(errors, len(train)))


def crew_of(recipe: Recipe) -> list[Recipe]:
    """The recipe itself and the fixed members; a recipe that is one of them is in the crew once."""
    member = replace(recipe, data="all")
    fixed = [name for name in FIXED if name != recipe.architecture]
    return [member, *(Recipe(name, seed=derived_seed(recipe.seed, "crew", name) % 2**31) for name in fixed)]


def crew_errors(
    recipe: Recipe, folds: int, train: Dataset, context: TrainingContext, fit: Fit
) -> tuple[LabelErrors, FitCost]:
    """The labels that the crew of this recipe contradicts out of fold, and what its fits cost."""
    crew, cost = crew_of(recipe), FitCost(flops=0.0)
    probabilities: Float[np.ndarray, "m n c"] = np.empty((len(crew), len(train), len(train.classes)), np.float32)
    for rows in undivided_folds(train, folds, recipe.seed):
        remainder = train.take(np.setdiff1d(np.arange(len(train)), rows))
        for member, block in zip(crew, probabilities, strict=True):
            fitted = fit(member, remainder, context)
            block[rows] = fitted(train.array[rows])
            cost += fitted.cost
    return label_errors(probabilities, train.labels, [member.architecture for member in crew]), cost


def refuse_crew(recipe: Recipe, amounts: Amounts, train: Dataset) -> None:
    """Refuse a training set that a fixed member cannot learn, one class only, and fewer than two folds."""
    if amounts["folds"] < 2:
        raise InputError(f"{amounts['folds']} fold of the data level {recipe.data!r}", "2 or more")
    if len(np.unique(train.labels)) < 2:
        raise InputError(f"the data level {recipe.data!r} was given labels of one class", "two classes or more")
    for member in crew_of(recipe):
        find_architecture(member.architecture).suits(member, train)


def _round(errors: LabelErrors, instances: int) -> Round:
    """What was found, as it is kept next to the model; a wrong label and a hard instance are not told apart by it."""
    return {
        "flagged": errors.count,
        "estimated": round(errors.estimated_count, 1),
        "instances": instances,
        "flagged that all of the crew fail": errors.all_wrong_flagged,
        "share that all of the crew fail": round(errors.all_wrong_rate, 4),
        "the same without the flagged": round(errors.all_wrong_rate_without, 4),
    }


def _fitted(model: Any, cost: FitCost, history: Round) -> LearnedFit:
    fitted: Fitted = replace(model, cost=cost + model.cost)
    return LearnedFit(fitted, (history,))
