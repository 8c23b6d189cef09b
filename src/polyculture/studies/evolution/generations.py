"""Breed: train some models, see whom they fail, propose the next ones, and stop when nothing more is gained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.selection.mixture_weights import SMALLEST, mixture_weights
from polyculture.stats import Interval, influence_interval

from .archive import Archive, alike
from .proposals import Axes, Proposals, RecipeBuilder

Examine = Callable[[list[Recipe]], Predictions]
"""Trains the recipes that are not trained yet and asks all of them about the selection instances; a row per model, by
recipe id, without those that could not be trained."""
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class EvolutionOptions:
    """How long is bred, and how boldly.

    Parameters
    ----------
    budget : models trained in all, the first ones included.
    first : models drawn by chance to begin with.
    generation : models per generation after that; half are children of elites, half are a model's advice.
    groups : of instances that are failed alike; cells of the archive are pairs of them.
    worthwhile : gain in log-loss, in nats, that a generation must still be able to bring; below it breeding stops.
    level : confidence level of that gain's interval, in (0, 1).
    seed : of every draw.
    """

    budget: int = 48
    first: int = 16
    generation: int = 8
    groups: int = 6
    worthwhile: float = 0.002
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.first <= self.budget:
            raise InputError(f"{self.first} first models and a budget of {self.budget}", "2 or more, within the budget")
        if not np.isfinite(self.worthwhile):
            raise InputError(f"worthwhile is {self.worthwhile}", "a finite gain in nats")
        if self.generation < 2 or self.groups < 2:
            raise InputError(f"generations of {self.generation}, {self.groups} groups", "2 or more of each")


@dataclass(frozen=True, eq=False)
class EvolutionResult:
    """All that was bred.

    Parameters
    ----------
    recipes : of every model that could be trained, in the order of training.
    predictions : their answers on the selection instances.
    archive : the elites at the end.
    history : one row per generation: generation, models, loss (of the best mixture, on instances that had no part in
        its weights), gain with low and high (what the generation took off it), cells, elites, advised.
    reason : why breeding stopped.
    """

    recipes: tuple[Recipe, ...]
    predictions: Predictions
    archive: Archive
    history: pd.DataFrame
    reason: str

    def frame(self) -> pd.DataFrame:
        """The history."""
        return self.history


def breed(
    axes: Axes,
    cook: RecipeBuilder,
    examine: Examine,
    terms: EvolutionOptions | None = None,
    progress: Progress | None = None,
) -> EvolutionResult:
    """Models that cover for each other, trained generation by generation until nothing more is gained.

    The mixture of all models so far is weighed on one half of the selection instances and judged on the other, before
    and after each generation. Breeding stops when the upper limit of that gain is below what is worthwhile, when the
    budget is spent, or when the axes offer nothing new. The stopping looks at the data; report the result on others.

    Parameters
    ----------
    axes : levels by axis, among which the models may differ.
    cook : makes a recipe that can be trained of a level of each axis.
    examine : trains recipes and asks them.
    progress : called with models trained, the budget, and what was found.

    Raises InputError for predictions without probabilities, and MissingExtraError without optuna.
    """
    terms = terms or EvolutionOptions()
    proposals = Proposals(axes, cook, stream(terms.seed, "breeding"))
    recipes = proposals.at_random(terms.first)
    if len(recipes) < 2:
        raise InputError(f"axes that make {len(recipes)} recipe", "two recipes or more", "add levels")
    herd = _herd(recipes, examine)
    groups = alike(herd.wrong, terms.groups, stream(terms.seed, "groups"))
    judges = stream(terms.seed, "judges").permutation(herd.truth.shape[1]) % 2 == 0
    rows = [_row(0, herd, None, judges, terms.level)]
    _tell(progress, len(recipes), terms, rows)
    reason = "the budget is spent"
    while len(recipes) < terms.budget:
        archive = herd.archive(groups)
        offspring = _offspring(proposals, archive, herd, min(terms.generation, terms.budget - len(recipes)))
        if not any(offspring):
            reason = "the axes offer nothing new"
            break
        recipes = [*recipes, *offspring[0], *offspring[1]]
        before, herd = herd, _herd(recipes, examine)
        rows.append(_row(len(rows), herd, before, judges, terms.level, [len(part) for part in offspring]))
        _tell(progress, len(recipes), terms, rows)
        if rows[-1]["high"] < terms.worthwhile:
            reason = f"another generation gains less than {terms.worthwhile:g}"
            break
    return EvolutionResult(tuple(herd.recipes), herd.predictions, herd.archive(groups), pd.DataFrame(rows), reason)


def _tell(progress: Progress | None, trained: int, terms: EvolutionOptions, rows: list[dict[str, Any]]) -> None:
    if progress:
        progress(trained, terms.budget, f"log-loss {rows[-1]['loss']:.4f}")


@dataclass(frozen=True, eq=False)
class _Herd:
    """Models trained so far, and how they did.

    Parameters
    ----------
    truth : probability of the true class.
    """

    recipes: list[Recipe]
    predictions: Predictions
    truth: Float[np.ndarray, "m n"]

    @property
    def wrong(self) -> Bool[np.ndarray, "m n"]:
        return self.predictions.wrong

    def archive(self, groups: Int[np.ndarray, " n"]) -> Archive:
        return Archive.of(self.recipes, self.wrong, -np.log(self.truth).mean(axis=1), groups)

    def gains(self) -> Mapping[Recipe, float]:
        """How fast the log-loss of the best mixture of the others would fall if this model were given some weight."""
        weights = mixture_weights(self.truth).weights
        whole = weights @ self.truth
        gains = {}
        for row, recipe in enumerate(self.recipes):
            rest = whole
            if weights[row] > 0:
                others = np.delete(self.truth, row, axis=0)
                rest = mixture_weights(others).weights @ others
            gains[recipe] = float((self.truth[row] / rest).mean() - 1)
        return gains


def _herd(recipes: list[Recipe], examine: Examine) -> _Herd:
    predictions = examine(recipes)
    if predictions.probabilities is None or predictions.labels is None:
        raise InputError("predictions without probabilities or labels", "both, to see what a model would add")
    there = {recipe.id: recipe for recipe in recipes}
    instances = np.arange(len(predictions.labels))
    truth = predictions.probabilities[:, instances, predictions.labels].astype(np.float64)
    return _Herd([there[name] for name in predictions.model_ids], predictions, np.maximum(truth, SMALLEST))


def _offspring(proposals: Proposals, archive: Archive, herd: _Herd, count: int) -> tuple[list[Recipe], list[Recipe]]:
    advised = proposals.from_model(herd.gains(), count // 2)
    return proposals.from_elites(archive, count - len(advised)), advised


def _row(
    generation: int,
    herd: _Herd,
    before: _Herd | None,
    judges: Bool[np.ndarray, " n"],
    level: float,
    offspring: list[int] | None = None,
) -> dict[str, Any]:
    after = _judged(herd, judges)
    gain = Interval.undefined("the first generation")
    if before is not None:
        gained = _judged(before, judges) - after
        gain = influence_interval(float(gained.mean()), gained - gained.mean(), level=level)
    made = offspring or [0, 0]
    numbers = {"generation": generation, "models": len(herd.recipes), "loss": float(after.mean())}
    limits = {"gain": gain.estimate, "low": gain.low, "high": gain.high}
    return numbers | limits | {"elites": made[0], "advised": made[1]}


def _judged(herd: _Herd, judges: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " j"]:
    """Log-loss of each judging instance under the mixture that is best on the others."""
    weights = mixture_weights(herd.truth[:, ~judges]).weights
    losses: Float[np.ndarray, " j"] = -np.log(weights @ herd.truth[:, judges])
    return losses
