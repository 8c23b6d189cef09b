"""What should a portfolio be good at? Quantities by name, weighted, bounded, and a floor for single models."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, Shaped

from polyculture.errors import InputError, near
from polyculture.measures.calibration import reliability
from polyculture.measures.effective import effective
from polyculture.stats import influence_interval

from .combination import Combination, Outcome
from .evaluation import EvaluationSet
from .questions import Questions

HOPELESS = 3.0
"""A model that errs so many times as often as the best is better left out of an equal vote; see `Goal`."""
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class ScoredSet:
    """One blend on one exam, with what several quantities need computed once."""

    blend: Combination
    exam: EvaluationSet

    @cached_property
    def outcome(self) -> Outcome:
        """What the blend does on each instance."""
        return self.blend.outcome(self.exam)

    @cached_property
    def wrong(self) -> Bool[np.ndarray, "k n"]:
        """Where each member is wrong."""
        rows: Bool[np.ndarray, "k n"] = self.exam.wrong[self.blend.rows]
        return rows

    @cached_property
    def complete(self) -> Bool[np.ndarray, " n"]:
        """Instances that every member answered."""
        observed = self.exam.observed
        if observed is None:
            return np.ones(self.exam.n, dtype=bool)
        return np.asarray(observed[self.blend.rows].all(axis=0))

    def elsewhere(self, shifted: EvaluationSet) -> ScoredSet:
        """The same blend on another exam."""
        return ScoredSet(self.blend, shifted)


def _mean(values: Float[np.ndarray, " n"]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _error(trial: ScoredSet) -> float:
    return _mean(trial.outcome.wrong)


def _log_loss(trial: ScoredSet) -> float:
    return float(trial.blend.log_losses(trial.exam).mean()) if trial.exam.has_probabilities else math.nan


def _calibration(trial: ScoredSet) -> float:
    known = ~np.isnan(trial.outcome.confidence) & ~np.isnan(trial.outcome.wrong)
    return reliability(trial.outcome.confidence[known], trial.outcome.wrong[known] < 0.5).debiased


def _worst_group(trial: ScoredSet) -> float:
    wrong = trial.outcome.wrong
    return max((_mean(wrong[here]) for here in trial.exam.members_of_groups.values()), default=math.nan)


def _worst_shift(trial: ScoredSet) -> float:
    return max((_error(trial.elsewhere(there)) for there in trial.exam.shifted.values()), default=math.nan)


def _worst_shift_log_loss(trial: ScoredSet) -> float:
    return max((_log_loss(trial.elsewhere(there)) for there in trial.exam.shifted.values()), default=math.nan)


def _all_wrong(trial: ScoredSet) -> float:
    return float(trial.wrong[:, trial.complete].all(axis=0).mean()) if trial.complete.any() else math.nan


def _co_failure(trial: ScoredSet) -> float:
    return float((trial.wrong[:, trial.complete].mean(axis=0) ** 2).mean()) if trial.complete.any() else math.nan


def _n_eff(trial: ScoredSet) -> float:
    """At most the number of members; that number, too, where nothing can be said (one member, perfect ones)."""
    k, observed = len(trial.blend.rows), trial.exam.observed
    found = effective(trial.wrong, trial.exam.strata, None if observed is None else observed[trial.blend.rows])
    return float(k) if math.isnan(found.n_eff) else min(found.n_eff, float(k))


QUANTITIES: Mapping[str, Callable[[ScoredSet], float]] = {
    "log_loss": _log_loss,
    "error": _error,
    "accuracy": lambda trial: 1 - _error(trial),
    "calibration": _calibration,
    "worst_group": _worst_group,
    "worst_shift": _worst_shift,
    "worst_shift_log_loss": _worst_shift_log_loss,
    "all_wrong": _all_wrong,
    "co_failure": _co_failure,
    "n_eff": _n_eff,
}
"""What a goal can speak of, by name; besides these any numeric column of the model table, added up over members."""

LARGER_IS_BETTER = ("accuracy", "n_eff")
COMPARISONS = ("<=", ">=")


@dataclass(frozen=True)
class Goal:
    """What to look for.

    Parameters
    ----------
    minimize : importance of each quantity that should be small, by a name in `QUANTITIES` or a numeric column of the
        model table such as seconds, bytes or a price. Those of which more is better (accuracy, n_eff) count with
        their sign turned.
    subject_to : bounds that a portfolio must keep, such as ``{"accuracy": (">=", 0.9)}``. While none keeps them the
        one that misses them least is preferred.
    floor : models with a lower accuracy are left out. ``"hopeless"``, the default, leaves a model out that is shown
        (one-sided, paired, 95 %) to err more than three times as often as the best: beside the best model, with equal
        weights, it makes the mean squared share of wrong members larger even if the two never fail together, as
        (e + e_best)/4 > e_best. Rules that fit weights need no floor and have none unless it is a number. None: no
        floor.
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
    def of(cls, wanted: str | Goal) -> Goal:
        """A goal from the name of one quantity, or as it is."""
        return wanted if isinstance(wanted, Goal) else cls({wanted: 1.0})

    @property
    def words(self) -> str:
        """Such as ``log_loss + 0.5 all_wrong; accuracy >= 0.9``."""
        terms = [name if weight == 1 else f"{weight:g} {name}" for name, weight in self.minimize.items()]
        bounds = [f"{name} {sign} {value:g}" for name, (sign, value) in self.subject_to.items()]
        return "; ".join([" + ".join(terms), *bounds])

    @property
    def names(self) -> tuple[str, ...]:
        """Every quantity that it speaks of."""
        return (*self.minimize, *self.subject_to)

    def value(self, trial: ScoredSet) -> tuple[float, float]:
        """By how much the bounds are missed, and the weighted sum; lower is better, the first before the second."""
        return self.weigh(lambda name: quantity(name, trial))

    def weigh(self, of: Callable[[str], float]) -> tuple[float, float]:
        """The same from a function that gives each quantity by its name."""
        missed = 0.0
        for name, (sign, bound) in self.subject_to.items():
            found = of(name)
            missed += max(0.0, found - bound if sign == "<=" else bound - found)
        total = 0.0
        for name, weight in self.minimize.items():
            total += weight * of(name) * (-1 if name in LARGER_IS_BETTER else 1)
        return missed, total


def quantity(name: str, trial: ScoredSet) -> float:
    """One quantity, or the sum of a numeric column of the model table over the members."""
    if name in QUANTITIES:
        return QUANTITIES[name](trial)
    return float(costs(name, trial.exam)[trial.blend.rows].sum())


def costs(name: str, exam: Questions, quantities: Iterable[str] = QUANTITIES) -> Float[np.ndarray, " m"]:
    """A numeric column of the model table; where there is none of this name the error tells the quantities, too."""
    models = exam.models
    numeric = [str(c) for c in models.columns if pd.api.types.is_numeric_dtype(models[c])]
    if name not in numeric:
        raise InputError(f"no quantity or numeric model column {name!r}", cure=near(name, [*quantities, *numeric]))
    column: Float[np.ndarray, " m"] = models[name].to_numpy(dtype=np.float64)
    if np.isnan(column).any():
        missing = exam.model_ids[int(np.flatnonzero(np.isnan(column))[0])]
        raise InputError(f"model {missing!r} has no {name!r}", "a number for every model")
    return column


def check(goal: Goal, exam: EvaluationSet) -> None:
    """Refuse a goal that speaks of what the exam does not have."""
    needs = {
        "log_loss": (exam.has_probabilities, "probabilities and labels"),
        "worst_shift_log_loss": (exam.has_probabilities, "probabilities and labels"),
        "worst_group": (bool(exam.members_of_groups), "instance columns with groups of 10 instances or more"),
        "worst_shift": (bool(exam.shifted), "shifted test sets"),
    }
    for name in goal.names:
        there, what = needs.get(name, (True, ""))
        if not there:
            raise InputError(f"the goal {name!r} without {what}", what)
        if name not in QUANTITIES:
            costs(name, exam)
    if "worst_shift_log_loss" in goal.names and not exam.shifted:
        raise InputError("the goal 'worst_shift_log_loss' without shifted test sets", "shifted test sets")


def above_floor(goal: Goal, exam: EvaluationSet, fitted_weights: bool, k: int) -> Int[np.ndarray, " j"]:
    """Positions of the models that are good enough to be considered; see `Goal`.

    Parameters
    ----------
    fitted_weights : whether the rule fits weights.
    k : at least so many models are kept where the floor is not a number, the best ones.
    """
    everyone = np.flatnonzero(~np.isnan(exam.errors))
    if isinstance(goal.floor, (int, float)):
        good = everyone[1 - exam.errors[everyone] >= goal.floor]
        if len(good) < k:
            raise InputError(
                f"{len(good)} models have an accuracy of {goal.floor:g} or more", f"{k} or more", "lower the floor"
            )
        return good
    if goal.floor is None or fitted_weights:
        return everyone
    order = everyone[np.argsort(exam.errors[everyone], kind="stable")]
    rest = [row for row in order[k:] if not _hopeless(exam, int(row), int(order[0]))]
    return np.sort(np.concatenate([order[:k], np.array(rest, dtype=np.int64)]))


def _hopeless(exam: EvaluationSet, row: int, best: int) -> bool:
    """Whether a model is shown to err more than three times as often as the best, on the instances of both."""
    shared = np.ones(exam.n, dtype=bool) if exam.observed is None else exam.observed[row] & exam.observed[best]
    return shown_hopeless(exam.wrong[row, shared], exam.wrong[best, shared])


def shown_hopeless(losses: Shaped[np.ndarray, " n"], best: Shaped[np.ndarray, " n"]) -> bool:
    """Whether a model's mean loss is shown (one-sided, 95 %) to be more than three times the best one's, paired."""
    more: Float[np.ndarray, " n"] = losses - HOPELESS * best
    if len(more) < 2 or more.mean() <= 0:
        return False
    return influence_interval(float(more.mean()), more - more.mean(), level=2 * LEVEL - 1).low > 0
