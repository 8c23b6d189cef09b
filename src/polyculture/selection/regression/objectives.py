"""What can a goal speak of where the truth is a number?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Int

from polyculture.errors import InputError
from polyculture.measures.effective_vectors import effective_residuals

from .. import objectives
from ..objectives import Goal, costs, shown_hopeless
from .averages import Average
from .evaluation import ValueEvaluationSet


def _worst_group(average: Average, exam: ValueEvaluationSet) -> float:
    losses = average.losses(exam)
    return max((float(losses[here].mean()) for here in exam.members_of_groups.values()), default=math.nan)


def _worst_shift(average: Average, exam: ValueEvaluationSet) -> float:
    return max((average.squared_error(there) for there in exam.shifted.values()), default=math.nan)


def _n_eff(average: Average, exam: ValueEvaluationSet) -> float:
    """At most the number of members; that number, too, where nothing can be said (one member, perfect ones)."""
    k = len(average.rows)
    found = effective_residuals(exam.residuals[average.rows]).n_eff if k > 1 else math.nan
    return float(k) if math.isnan(found) else min(found, float(k))


QUANTITIES: Mapping[str, Callable[[Average, ValueEvaluationSet], float]] = {
    "squared_error": lambda average, exam: average.squared_error(exam),
    "worst_group": _worst_group,
    "worst_shift": _worst_shift,
    "n_eff": _n_eff,
}
"""What a goal can speak of, by name; besides these any numeric column of the model table, added up over members."""


def value(goal: Goal, average: Average, exam: ValueEvaluationSet) -> tuple[float, float]:
    """By how much the goal's bounds are missed, and its weighted sum; lower is better."""

    def of(name: str) -> float:
        if name in QUANTITIES:
            return QUANTITIES[name](average, exam)
        return float(costs(name, exam, QUANTITIES)[average.rows].sum())

    return goal.weigh(of)


def check(goal: Goal, exam: ValueEvaluationSet) -> None:
    """Refuse a goal that speaks of right and wrong, or of what the exam does not have."""
    needs = {
        "worst_group": (bool(exam.members_of_groups), "instance columns with groups of 10 instances or more"),
        "worst_shift": (bool(exam.shifted), "shifted test sets"),
    }
    for name in goal.names:
        if name in objectives.QUANTITIES and name not in QUANTITIES:
            known = f"{', '.join(QUANTITIES)} or a numeric model column"
            raise InputError(f"the goal {name!r} where the truth is a number", known)
        there, what = needs.get(name, (True, ""))
        if not there:
            raise InputError(f"the goal {name!r} without {what}", what)
        if name not in QUANTITIES:
            costs(name, exam, QUANTITIES)


def above_floor(goal: Goal, exam: ValueEvaluationSet, fitted_weights: bool, k: int) -> Int[np.ndarray, " j"]:
    """Positions of the models that are good enough to be considered.

    A floor that is a number is the lowest R² on this exam. ``"hopeless"`` leaves a model out that is shown (one-sided,
    paired, 95 %) to have more than three times the squared error of the best: averaged with the best in equal parts it
    does harm even if their residuals are uncorrelated, as (e + e_best)/4 > e_best. Rules that fit weights need none.

    Parameters
    ----------
    fitted_weights : whether the rule fits weights.
    k : at least so many models are kept where the floor is not a number, the best ones.
    """
    errors = exam.squared_errors
    if isinstance(goal.floor, (int, float)):
        good = np.flatnonzero(errors <= (1 - goal.floor) * exam.variance)
        if len(good) < k:
            raise InputError(
                f"{len(good)} models have an R² of {goal.floor:g} or more", f"{k} or more", "lower the floor"
            )
        return good
    if goal.floor is None or fitted_weights:
        return np.arange(len(errors))
    order = np.argsort(errors, kind="stable")
    losses = exam.residuals**2
    rest = [row for row in order[k:] if not shown_hopeless(losses[row], losses[order[0]])]
    return np.sort(np.concatenate([order[:k], np.array(rest, dtype=np.int64)]))
