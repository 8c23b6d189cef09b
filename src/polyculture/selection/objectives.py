"""What should a portfolio be good at? Quantities by name, weighted, bounded, and a floor for single models."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError, near
from polyculture.measures.calibration import reliability
from polyculture.measures.effective import EffectiveNumber, effective
from polyculture.measures.effective_vectors import effective_residuals
from polyculture.stats import influence_interval

from .combination import Combination, Outcome
from .evaluation import EvaluationSet

HOPELESS = 3.0
"""A model whose error is this many times that of the best is better left out of equal weights; see `Goal`."""
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class ScoredSet:
    """One combination on one evaluation set, with what several quantities need computed once."""

    combination: Combination
    evaluation: EvaluationSet

    @cached_property
    def outcome(self) -> Outcome:
        """What the combination predicts on each instance."""
        return self.combination.outcome(self.evaluation)

    @cached_property
    def losses(self) -> Float[np.ndarray, " n"]:
        """Whether the combination is wrong on each instance; where the truth is a number, its squared error."""
        loss = self.outcome.squared_error
        return self.outcome.wrong if loss is None else loss

    @cached_property
    def wrong(self) -> Bool[np.ndarray, "k n"]:
        """Where each member is wrong."""
        return np.asarray(self.evaluation.wrong[self.combination.rows])

    @cached_property
    def complete(self) -> Bool[np.ndarray, " n"]:
        """Instances that every member answered."""
        observed = self.evaluation.observed
        if observed is None:
            return np.ones(self.evaluation.n, dtype=bool)
        return np.asarray(observed[self.combination.rows].all(axis=0))

    @property
    def effective(self) -> EffectiveNumber:
        """Effective number of the members, given the true class; where the truth is a number, of their residuals."""
        rows, evaluation = self.combination.rows, self.evaluation
        if evaluation.is_regression:
            return effective_residuals(evaluation.residuals[rows])
        observed = None if evaluation.observed is None else evaluation.observed[rows]
        return effective(self.wrong, evaluation.strata, observed)

    def on(self, evaluation: EvaluationSet) -> ScoredSet:
        """The same combination on other instances."""
        return ScoredSet(self.combination, evaluation)


def _mean(values: Float[np.ndarray, " n"]) -> float:
    finite = values[~np.isnan(values)]
    return float(finite.mean()) if len(finite) else math.nan


def _error(scored: ScoredSet) -> float:
    """Error rate; where the truth is a number, the mean squared error."""
    if scored.evaluation.is_regression:
        return scored.combination.mean_loss(scored.evaluation, "squared_error")
    return _mean(scored.outcome.wrong)


def _log_loss(scored: ScoredSet) -> float:
    if not scored.evaluation.has_probabilities:
        return math.nan
    return scored.combination.mean_loss(scored.evaluation, "log_loss")


def _calibration(scored: ScoredSet) -> float:
    defined = ~np.isnan(scored.outcome.confidence) & ~np.isnan(scored.outcome.wrong)
    return reliability(scored.outcome.confidence[defined], scored.outcome.wrong[defined] < 0.5).debiased


def _worst_group(scored: ScoredSet) -> float:
    masks = scored.evaluation.members_of_groups.values()
    return max((_mean(scored.losses[mask]) for mask in masks), default=math.nan)


def _worst_shift(scored: ScoredSet, measure: Callable[[ScoredSet], float] = _error) -> float:
    return max((measure(scored.on(shifted)) for shifted in scored.evaluation.shifted.values()), default=math.nan)


def all_wrong(scored: ScoredSet) -> float:
    """Share of the instances that every member fails, of those that every member answered."""
    return float(scored.wrong[:, scored.complete].all(axis=0).mean()) if scored.complete.any() else math.nan


def _co_failure(scored: ScoredSet) -> float:
    return float((scored.wrong[:, scored.complete].mean(axis=0) ** 2).mean()) if scored.complete.any() else math.nan


def n_eff(scored: ScoredSet) -> float:
    """At most the number of members; that number, too, where it is undefined (one member, perfect ones)."""
    k = float(len(scored.combination.rows))
    estimate = scored.effective.n_eff if k > 1 or not scored.evaluation.is_regression else math.nan
    return k if math.isnan(estimate) else min(estimate, k)


QUANTITIES: Mapping[str, Callable[[ScoredSet], float]] = {
    "log_loss": _log_loss,
    "error": _error,
    "accuracy": lambda scored: 1 - _error(scored),
    "calibration": _calibration,
    "worst_group": _worst_group,
    "worst_shift": _worst_shift,
    "worst_shift_log_loss": lambda scored: _worst_shift(scored, _log_loss),
    "all_wrong": all_wrong,
    "co_failure": _co_failure,
    "n_eff": n_eff,
}
"""Quantities of a goal by name; besides these any numeric column of the model table, added up over members."""

REGRESSION_QUANTITIES: Mapping[str, Callable[[ScoredSet], float]] = {
    "squared_error": _error,
    "worst_group": _worst_group,
    "worst_shift": _worst_shift,
    "n_eff": n_eff,
}
"""The same where the truth is a number."""

PRICES = ("price", "cost", "usd", "price_per_item")
"""Columns of the model table that are taken for prices if none is named."""
LARGER_IS_BETTER = ("accuracy", "n_eff")
COMPARISONS = ("<=", ">=")


@dataclass(frozen=True)
class Goal:
    """What to look for.

    Parameters
    ----------
    minimize : importance, above 0, of each quantity that should be small, by a name in `QUANTITIES` or a numeric
        column of the model table such as seconds or a price. Those of which more is better (accuracy, n_eff) count
        with their sign turned. Where the truth is a number: squared_error, worst_group, worst_shift, n_eff or a column.
    subject_to : bounds of a portfolio, such as ``{"accuracy": (">=", 0.9)}``; if none keeps them, the nearest wins.
    floor : models with a lower accuracy (where the truth is a number, R²) are left out. ``"hopeless"``, the default,
        leaves out a model that is shown (one-sided, paired, 95 %) to have more than three times the error of the best:
        in equal parts with the best it does harm even if their errors are uncorrelated, as (e + e_best)/4 > e_best.
        Rules that fit weights have no floor unless it is a number. None: no floor. InputError for anything else.

    Examples
    --------
    >>> pc.Goal({"log_loss": 1.0, "seconds": 0.1}, {"accuracy": (">=", 0.9)}).words
    'log_loss + 0.1 seconds; accuracy >= 0.9'
    """

    minimize: Mapping[str, float]
    subject_to: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    floor: float | str | None = "hopeless"

    def __post_init__(self) -> None:
        if not self.minimize:
            raise InputError("a goal without a quantity to minimize", "one or more, such as {'log_loss': 1}")
        for name, weight in self.minimize.items():
            if not weight > 0:
                raise InputError(f"importance {weight} of {name!r}", "a number above 0")
        for name, bound in self.subject_to.items():
            if bound[0] not in COMPARISONS:
                raise InputError(f"bound {bound[0]!r} on {name!r}", "'<=' or '>='")
        if isinstance(self.floor, str) and self.floor != "hopeless":
            raise InputError(f"floor {self.floor!r}", "an accuracy, 'hopeless' or None")
        if isinstance(self.floor, float) and not 0 <= self.floor < 1:
            raise InputError(f"floor {self.floor}", "an accuracy in [0, 1)")

    @classmethod
    def of(cls, goal: str | Goal) -> Goal:
        """A goal from the name of one quantity, or as it is."""
        return goal if isinstance(goal, Goal) else cls({goal: 1.0})

    @property
    def words(self) -> str:
        """Such as ``log_loss + 0.5 all_wrong; accuracy >= 0.9``."""
        terms = [name if weight == 1 else f"{weight:g} {name}" for name, weight in self.minimize.items()]
        bounds = [f"{name} {sign} {value:g}" for name, (sign, value) in self.subject_to.items()]
        return "; ".join([" + ".join(terms), *bounds])

    @property
    def names(self) -> tuple[str, ...]:
        """Every quantity in it."""
        return (*self.minimize, *self.subject_to)

    def is_only(self, name: str) -> bool:
        """Whether it is this quantity and nothing else."""
        return tuple(self.minimize) == (name,) and not self.subject_to

    def value(self, scored: ScoredSet) -> tuple[float, float]:
        """By how much the bounds are missed, and the weighted sum; lower is better, the first before the second."""
        excess = 0.0
        for name, (sign, bound) in self.subject_to.items():
            level = quantity(name, scored)
            excess += max(0.0, level - bound if sign == "<=" else bound - level)
        total = 0.0
        for name, weight in self.minimize.items():
            total += weight * quantity(name, scored) * (-1 if name in LARGER_IS_BETTER else 1)
        return excess, total


def _quantities(evaluation: EvaluationSet) -> Mapping[str, Callable[[ScoredSet], float]]:
    return REGRESSION_QUANTITIES if evaluation.is_regression else QUANTITIES


def quantity(name: str, scored: ScoredSet) -> float:
    """One quantity, or the sum of a numeric column of the model table over the members."""
    quantities = _quantities(scored.evaluation)
    if name in quantities:
        return quantities[name](scored)
    return float(costs(name, scored.evaluation)[scored.combination.rows].sum())


def costs(name: str, evaluation: EvaluationSet) -> Float[np.ndarray, " m"]:
    """A numeric column of the model table; where there is none of this name the error lists the quantities, too."""
    models = evaluation.predictions.models
    numeric = [str(c) for c in models.columns if pd.api.types.is_numeric_dtype(models[c])]
    if name not in numeric:
        cure = near(name, [*_quantities(evaluation), *numeric])
        raise InputError(f"no quantity or numeric model column {name!r}", cure=cure)
    column: Float[np.ndarray, " m"] = models[name].to_numpy(dtype=np.float64)
    if np.isnan(column).any():
        missing = evaluation.model_ids[int(np.flatnonzero(np.isnan(column))[0])]
        raise InputError(f"model {missing!r} has no {name!r}", "a number for every model")
    return column


def affordable_goal(goal: str | Goal, rule: str, evaluation: EvaluationSet, cost: str, budget: float) -> Goal:
    """The goal, bounded by what the members may cost together.

    Without a goal it is the log-loss of probabilities, the squared error of numbers, and the error of votes.

    Raises InputError for a budget that is no number above 0 or buys no model, for prices below 0, and where no column
    has prices.
    """
    column = cost or next((name for name in PRICES if name in evaluation.predictions.models.columns), "")
    if not column:
        expected = "a numeric column of what each model costs"
        raise InputError(f"a budget of {budget:g} without prices", expected, "name the column with cost")
    if not 0 < budget < np.inf:
        raise InputError(f"a budget of {budget:g}", "what the members may cost together, above 0")
    prices = costs(column, evaluation)
    if prices.min() < 0:
        name = evaluation.model_ids[int(prices.argmin())]
        raise InputError(f"{column} of the model {name!r} is {prices.min():g}", "0 or more")
    if prices.min() > budget:
        cheapest = f"{evaluation.model_ids[int(prices.argmin())]!r} costs {prices.min():g}"
        raise InputError(f"a budget of {budget:g}", f"{prices.min():g} or more, as the cheapest model, {cheapest}")
    default = "log_loss" if evaluation.has_probabilities and rule != "vote" else "error"
    bounded = Goal.of(goal or ("squared_error" if evaluation.is_regression else default))
    bounds = {**bounded.subject_to, column: ("<=", float(budget))}
    return Goal(bounded.minimize, bounds, bounded.floor)


def check(goal: Goal, evaluation: EvaluationSet) -> None:
    """Refuse a goal whose quantities are not of the task, or need what the evaluation set does not have."""
    quantities = _quantities(evaluation)
    needs = {
        "log_loss": (evaluation.has_probabilities, "probabilities and labels"),
        "worst_shift_log_loss": (evaluation.has_probabilities, "probabilities and labels"),
        "worst_group": (bool(evaluation.members_of_groups), "instance columns with groups of 10 instances or more"),
        "worst_shift": (bool(evaluation.shifted), "shifted test sets"),
    }
    for name in goal.names:
        if name in QUANTITIES and name not in quantities:
            expected = f"{', '.join(quantities)} or a numeric model column"
            raise InputError(f"the goal {name!r} where the truth is a number", expected)
        available, requirement = needs.get(name, (True, ""))
        if not available:
            raise InputError(f"the goal {name!r} without {requirement}", requirement)
        if name not in quantities:
            costs(name, evaluation)
    if "worst_shift_log_loss" in goal.names and not evaluation.shifted:
        raise InputError("the goal 'worst_shift_log_loss' without shifted test sets", "shifted test sets")


def above_floor(goal: Goal, evaluation: EvaluationSet, fitted_weights: bool, k: int) -> Int[np.ndarray, " j"]:
    """Positions of the models that are good enough to be considered; see `Goal`.

    Parameters
    ----------
    fitted_weights : whether the rule fits weights.
    k : where the floor is not a number, at least the k best models stay.
    """
    candidates = np.flatnonzero(~np.isnan(evaluation.errors))
    errors = evaluation.errors[candidates]
    if isinstance(goal.floor, (int, float)):
        if evaluation.is_regression:
            measure, passed = "R²", errors <= (1 - goal.floor) * evaluation.variance
        else:
            measure, passed = "accuracy", 1 - errors >= goal.floor
        if passed.sum() < k:
            raise InputError(
                f"{passed.sum()} models have an {measure} of {goal.floor:g} or more", f"{k} or more", "lower the floor"
            )
        return candidates[passed]
    if goal.floor is None or fitted_weights:
        return candidates
    order = candidates[np.argsort(errors, kind="stable")]
    competitive = [row for row in order[k:] if not _hopeless(evaluation, int(row), int(order[0]))]
    return np.sort(np.concatenate([order[:k], np.array(competitive, dtype=np.int64)]))


def _hopeless(evaluation: EvaluationSet, row: int, best: int) -> bool:
    """Whether a model's mean loss is shown (one-sided, 95 %) to be more than three times the best one's, paired."""
    pair = np.array([row, best])
    if evaluation.is_regression:
        losses = evaluation.residuals[pair] ** 2
    else:
        observed = evaluation.observed
        losses = evaluation.wrong[pair] if observed is None else evaluation.wrong[pair][:, observed[pair].all(axis=0)]
    excess: Float[np.ndarray, " n"] = losses[0] - HOPELESS * losses[1]
    if len(excess) < 2 or excess.mean() <= 0:
        return False
    return influence_interval(float(excess.mean()), excess - excess.mean(), level=2 * LEVEL - 1).low > 0
