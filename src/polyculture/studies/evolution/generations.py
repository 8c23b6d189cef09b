"""When is a population good enough? Train a generation, propose the next from its failures, stop without gain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError, need
from polyculture.predictions import Predictions
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.selection.mixture_weights import SMALLEST, mixture_weights
from polyculture.stats import Interval, influence_interval
from polyculture.training.engine.executors import check_engine

from .archive import Archive, failure_groups
from .proposals import Axes, Proposals, RecipeBuilder

Evaluate = Callable[[list[Recipe]], Predictions]
"""Trains recipes that are not trained yet and predicts the selection instances with all of them; a row per model, by
recipe id, without those that could not be trained."""
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class EvolutionOptions:
    """Budget, generations and stopping rule of an evolution.

    Parameters
    ----------
    budget : number of models to train in total.
    first : random models of the first generation.
    generation : models per later generation; half are children of elites, half are suggestions of a model.
    groups : groups of instances by failures; cells of the archive are pairs of them.
    worthwhile : smallest gain in log-loss, in nats; the evolution stops when the upper limit of the gain is below it.
    level : confidence level of that gain's interval, in (0, 1).
    workers : processes that train; None for one per core.
    seed : of every draw.

    Raises MissingExtraError without optuna, and InputError for fewer than 2 first models, groups or models per
    generation, or a budget below the first generation.

    Examples
    --------
    >>> options = pc.EvolutionOptions(budget=24, first=8, generation=8)
    >>> options.worthwhile
    0.002
    """

    budget: int = 48
    first: int = 16
    generation: int = 8
    groups: int = 6
    worthwhile: float = 0.002
    level: float = 0.95
    seed: int = 0
    workers: int | None = None

    def __post_init__(self) -> None:
        check_engine("auto", self.workers)
        need("optuna", extra="search")
        if not 2 <= self.first <= self.budget:
            raise InputError(
                f"{self.first} first models and a budget of {self.budget}",
                "2 or more, within the budget",
                f"give a budget of {self.first} or more (--budget), or begin with fewer (--first)"
                if self.first >= 2
                else "begin with 2 or more (--first)",
            )
        if not np.isfinite(self.worthwhile):
            raise InputError(f"worthwhile is {self.worthwhile}", "a finite gain in nats")
        if self.generation < 2 or self.groups < 2:
            raise InputError(f"generations of {self.generation}, {self.groups} groups", "2 or more of each")


@dataclass(frozen=True, eq=False)
class Generations:
    """The models of an evolution, generation by generation.

    Parameters
    ----------
    recipes : of every model that could be trained, in the order of training.
    predictions : on the selection instances.
    archive : the final elites.
    history : one row per generation: generation, models, loss (of the best mixture, on instances that had no part in
        its weights), gain with low and high (its reduction by the generation), elites and advised
        (models by kind of proposal).
    reason : why the evolution stopped.
    """

    recipes: tuple[Recipe, ...]
    predictions: Predictions
    archive: Archive
    history: pd.DataFrame
    reason: str

    def frame(self) -> pd.DataFrame:
        """The history."""
        return self.history


def evolve_recipes(
    axes: Axes,
    build: RecipeBuilder,
    evaluate: Evaluate,
    options: EvolutionOptions | None = None,
    progress: Progress | None = None,
) -> Generations:
    """Complementary models, trained generation by generation until the gain stops.

    The mixture of all models is fitted on one half of the selection instances and evaluated on the other, before and
    after each generation. The evolution stops when the upper limit of that gain is below `worthwhile`, when the budget
    is spent, or when the axes offer nothing new. Stopping uses these instances: report the result on others.

    Parameters
    ----------
    axes : levels by axis.
    build : makes a recipe from a level of each axis.
    evaluate : trains recipes and predicts with them.
    progress : called with models trained, the budget, and the loss.

    Raises InputError for predictions without probabilities, and MissingExtraError without optuna.
    """
    options = options or EvolutionOptions()
    proposals = Proposals(axes, build, stream(options.seed, "breeding"))
    recipes = proposals.at_random(options.first)
    if len(recipes) < 2:
        raise InputError(f"axes that make {len(recipes)} recipe", "two recipes or more", "add levels")
    models = _evaluate_models(recipes, evaluate)
    groups = failure_groups(models.predictions.wrong, options.groups, stream(options.seed, "groups"))
    holdout = stream(options.seed, "judges").permutation(models.truth.shape[1]) % 2 == 0
    rows = [_row(0, models, None, holdout, options.level)]
    _report(progress, len(recipes), options, rows)
    reason = "the budget is spent"
    while len(recipes) < options.budget:
        archive = models.archive(groups)
        count = min(options.generation, options.budget - len(recipes))
        advised = proposals.from_model(models.gains(), count // 2)
        offspring = proposals.from_elites(archive, count - len(advised)), advised
        if not any(offspring):
            reason = "the axes offer nothing new"
            break
        recipes = [*recipes, *offspring[0], *offspring[1]]
        earlier_models, models = models, _evaluate_models(recipes, evaluate)
        rows.append(_row(len(rows), models, earlier_models, holdout, options.level, [len(part) for part in offspring]))
        _report(progress, len(recipes), options, rows)
        if rows[-1]["high"] < options.worthwhile:
            reason = f"another generation gains less than {options.worthwhile:g}"
            break
    return Generations(tuple(models.recipes), models.predictions, models.archive(groups), pd.DataFrame(rows), reason)


def _report(progress: Progress | None, trained: int, options: EvolutionOptions, rows: list[dict[str, Any]]) -> None:
    if progress:
        progress(trained, options.budget, f"log-loss {rows[-1]['loss']:.4f}")


@dataclass(frozen=True, eq=False)
class _EvaluatedModels:
    """Models trained until now, and their predictions.

    Parameters
    ----------
    truth : probability of the true class.
    """

    recipes: list[Recipe]
    predictions: Predictions
    truth: Float[np.ndarray, "m n"]

    def archive(self, groups: Int[np.ndarray, " n"]) -> Archive:
        return Archive.of(self.recipes, self.predictions.wrong, -np.log(self.truth).mean(axis=1), groups)

    def gains(self) -> Mapping[Recipe, float]:
        """How fast the log-loss of the best mixture of the others would fall if this model got some weight."""
        weights = mixture_weights(self.truth).weights
        mixture = weights @ self.truth
        gains = {}
        for row, recipe in enumerate(self.recipes):
            reference = mixture
            if weights[row] > 0:
                reduced = np.delete(self.truth, row, axis=0)
                reference = mixture_weights(reduced).weights @ reduced
            gains[recipe] = float((self.truth[row] / reference).mean() - 1)
        return gains


def _evaluate_models(recipes: list[Recipe], evaluate: Evaluate) -> _EvaluatedModels:
    predictions = evaluate(recipes)
    if predictions.probabilities is None or predictions.labels is None:
        raise InputError("predictions without probabilities or labels", "both, to estimate what a model would add")
    recipes_by_id = {recipe.id: recipe for recipe in recipes}
    instances = np.arange(len(predictions.labels))
    truth = predictions.probabilities[:, instances, predictions.labels].astype(np.float64)
    return _EvaluatedModels(
        [recipes_by_id[name] for name in predictions.model_ids], predictions, np.maximum(truth, SMALLEST)
    )


def _row(
    generation: int,
    models: _EvaluatedModels,
    earlier_models: _EvaluatedModels | None,
    holdout: Bool[np.ndarray, " n"],
    level: float,
    offspring: list[int] | None = None,
) -> dict[str, Any]:
    losses = _holdout_losses(models, holdout)
    gain = Interval.undefined("the first generation")
    if earlier_models is not None:
        loss_reductions = _holdout_losses(earlier_models, holdout) - losses
        gain = influence_interval(float(loss_reductions.mean()), loss_reductions - loss_reductions.mean(), level=level)
    counts = offspring or [0, 0]
    numbers = {"generation": generation, "models": len(models.recipes), "loss": float(losses.mean())}
    limits = {"gain": gain.estimate, "low": gain.low, "high": gain.high}
    return numbers | limits | {"elites": counts[0], "advised": counts[1]}


def _holdout_losses(models: _EvaluatedModels, holdout: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " j"]:
    """Log-loss of each held-out instance under the mixture that is best on the others."""
    weights = mixture_weights(models.truth[:, ~holdout]).weights
    losses: Float[np.ndarray, " j"] = -np.log(weights @ models.truth[:, holdout])
    return losses
