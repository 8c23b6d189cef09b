"""How does a model's answer change with one feature? On average over the instances: partial dependence, and ALE.

Partial dependence sets the feature to every value in every instance, also where the two never occur together;
accumulated local effects (ALE) move instances only to the next value, so that correlated features do not mix.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped

from polyculture.dataset import Dataset
from polyculture.errors import InputError, near

from ..perturbation.outputs import outputs_of

Models = Mapping[str, Callable[[np.ndarray], np.ndarray]]


@dataclass(frozen=True, eq=False)
class Dependence:
    """Each model's mean answer as a function of one feature.

    Parameters
    ----------
    models : their names.
    feature : its name.
    grid : values of the feature, increasing.
    values : mean probability of each class (or number) there; for ALE less its mean over the instances.
    kind : ``"partial"`` or ``"ale"``.
    counts : instances in each interval between two values of the grid, or for partial dependence at each value.
    classes : what each output stands for; empty for regression.
    """

    models: tuple[str, ...]
    feature: str
    grid: Float[np.ndarray, " k"]
    values: Float[np.ndarray, "m k c"]
    kind: str
    counts: Int[np.ndarray, " k2"]
    classes: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """One row per model, value of the feature and class."""
        index = pd.MultiIndex.from_product(
            [self.models, self.grid.tolist(), self.classes or ("number",)], names=["model", self.feature, "class"]
        )
        return pd.DataFrame({"answer": self.values.ravel()}, index=index).reset_index()


def partial_dependence(
    models: Models, dataset: Dataset, feature: int | str, points: int = 20, names: tuple[str, ...] = ()
) -> Dependence:
    """Mean answer over all instances with the feature set to each value of a grid.

    Parameters
    ----------
    models : by name, callables from inputs to n × c probabilities or n × 1 numbers.
    dataset : a table.
    feature : its column, by number or (given `names`) by name.
    points : values of the grid: quantiles of the feature, or its own values where these are no more.

    Source: Friedman 2001, section 8.2.
    """
    inputs, column, name = _column(dataset, feature, names)
    grid = _grid(inputs[:, column], points)
    values = []
    for model in models.values():
        curves = []
        for value in grid:
            changed = inputs.copy()
            changed[:, column] = value
            curves.append(outputs_of(model, changed).mean(axis=0))
        values.append(curves)
    near_value = np.abs(inputs[:, column, None] - grid).argmin(axis=1)
    counts = np.bincount(near_value, minlength=len(grid))
    return Dependence(tuple(models), name, grid, np.array(values), "partial", counts, dataset.classes)


def accumulated_local_effects(
    models: Models, dataset: Dataset, feature: int | str, points: int = 20, names: tuple[str, ...] = ()
) -> Dependence:
    """Sum of the mean local effects of a feature up to each value, less its mean over the instances.

    Parameters
    ----------
    models, dataset, feature, names : as in `partial_dependence`.
    points : ends of the intervals: quantiles of the feature, which has two values or more.

    Each instance is moved to both ends of its own interval only. Source: Apley and Zhu 2020, equations 15 and 16.
    """
    inputs, column, name = _column(dataset, feature, names)
    grid = _grid(inputs[:, column], points)
    if len(grid) < 2:
        raise InputError(f"the feature {name} has the one value {grid[0]:g}", "two values or more", "choose another")
    # An instance on an end belongs to the interval below it; the lowest ones to the first.
    cell = np.clip(np.searchsorted(grid, inputs[:, column], side="left") - 1, 0, len(grid) - 2)
    counts = np.bincount(cell, minlength=len(grid) - 1)
    lower, upper = inputs.copy(), inputs.copy()
    lower[:, column], upper[:, column] = grid[cell], grid[cell + 1]
    values = []
    for model in models.values():
        effects = outputs_of(model, upper) - outputs_of(model, lower)
        sums = np.stack([np.bincount(cell, part, len(counts)) for part in effects.T], axis=1)
        steps = sums / np.maximum(counts, 1)[:, None]
        curve = np.concatenate([np.zeros((1, steps.shape[1])), steps.cumsum(axis=0)])
        middle = (curve[:-1] + curve[1:]) / 2
        values.append(curve - (counts[:, None] * middle).sum(axis=0) / counts.sum())
    return Dependence(tuple(models), name, grid, np.array(values), "ale", counts, dataset.classes)


def _column(dataset: Dataset, feature: int | str, names: tuple[str, ...]) -> tuple[Shaped[np.ndarray, "n d"], int, str]:
    """The table, the number of the column, and its name."""
    if dataset.modality != "table" or not len(dataset):
        problem = f"dependence on a feature of {len(dataset)} instances of {dataset.modality}"
        raise InputError(problem, "a table with instances", "choose occlusion for other inputs")
    inputs = np.asarray(dataset.array, np.float64)
    columns = inputs.shape[1]
    if isinstance(feature, str):
        if feature not in names:
            raise InputError(f"no feature {feature!r}", "", near(feature, names))
        feature = names.index(feature)
    if not 0 <= feature < columns:
        raise InputError(f"no feature {feature}", f"a column from 0 to {columns - 1}")
    return inputs, feature, names[feature] if names else str(feature)


def _grid(column: Float[np.ndarray, " n"], points: int) -> Float[np.ndarray, " k"]:
    if points < 2:
        raise InputError(f"a grid of {points} values", "2 or more")
    values = np.unique(column)
    if len(values) <= points:
        return values
    # Quantiles that are values of instances: a model is not asked about numbers between two categories.
    grid: np.ndarray = np.unique(np.quantile(column, np.linspace(0, 1, points), method="inverted_cdf"))
    return grid
