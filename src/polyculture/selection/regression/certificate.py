"""What is a mean of models of numbers worth? Squared errors on instances never used to choose it, against rivals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.measures.effective_vectors import effective_residuals
from polyculture.results import Certificate
from polyculture.stats import Interval, influence_interval, n_eff_interval

from ..certificate import NO_GROUP, NO_SHIFT, paired, worst
from .averages import Average
from .evaluation import ValueEvaluationSet

NUMBERS = "the truth is a number"
GROUPS = ["column", "group", "n", "squared_error", "low", "high"]
SHIFTS = ["shift", "n", "squared_error", "low", "high", "gain_over_best", "gain_low", "gain_high"]


@dataclass(frozen=True, eq=False)
class Baselines:
    """What an average has to be better than, all of it fixed before the certification instances are looked at.

    Parameters
    ----------
    best : the best single model.
    everyone : the plain mean of all candidates.
    top : as many of the best single models as there are members, averaged by the same rule.
    """

    best: Average
    everyone: Average
    top: Average


@dataclass(frozen=True, eq=False)
class Losses:
    """Squared errors on each certification instance: of the portfolio and of its rivals; None where not compared."""

    mine: Float[np.ndarray, " n"]
    best: Float[np.ndarray, " n"]
    everyone: Float[np.ndarray, " n"]
    top: Float[np.ndarray, " n"] | None = None


def certify(average: Average, rivals: Baselines, exam: ValueEvaluationSet, level: float = 0.95) -> Certificate:
    """Quality of an average on an exam that nothing in it was fitted on.

    Parameters
    ----------
    average : the portfolio.
    exam : the certification instances.
    """
    judged = (average, rivals.best, rivals.everyone, rivals.top)
    losses = Losses(*(one.losses(exam) for one in judged))
    shifts = pd.DataFrame(_shifts(average, rivals.best, exam, level), columns=SHIFTS)
    return certificate(losses, average, exam, exam.model_ids[int(rivals.best.rows[0])], shifts, level)


def certificate(
    losses: Losses, average: Average, exam: ValueEvaluationSet, best: str, shifts: pd.DataFrame, level: float = 0.95
) -> Certificate:
    """The certificate that these squared errors make; n_eff is of the members' residuals.

    Parameters
    ----------
    best : the best single model's id.
    """
    nothing = Interval.undefined(NUMBERS, exam.n)
    names = ("error", "log_loss", "calibration", "all_wrong", "ceiling")
    gains = ("error_gain_over_best", "error_gain_over_all", "log_loss_gain_over_best", "log_loss_gain_over_all")
    groups = pd.DataFrame(_groups(losses.mine, exam, level), columns=GROUPS)
    return Certificate(
        **dict.fromkeys((*names, *gains), nothing),
        n_eff=_n_eff(average, exam, level),
        worst_group=worst(groups, NO_GROUP, level, "squared_error", "t"),
        worst_shift=worst(shifts, NO_SHIFT, level, "squared_error", "t"),
        best=best,
        groups=groups,
        shifts=shifts,
        n=exam.n,
        error_gain_over_top=nothing,
        log_loss_gain_over_top=nothing,
        squared_error=squared_error(losses.mine, exam, level),
        r_squared=_r_squared(losses.mine, exam, level),
        squared_error_gain_over_best=paired(losses.best, losses.mine, exam, level),
        squared_error_gain_over_all=paired(losses.everyone, losses.mine, exam, level),
        squared_error_gain_over_top=Interval.undefined("not compared")
        if losses.top is None
        else paired(losses.top, losses.mine, exam, level),
    )


def squared_error(losses: Float[np.ndarray, " n"], exam: ValueEvaluationSet, level: float = 0.95) -> Interval:
    """Mean squared error, with limits that are symmetric in its logarithm unless it is 0."""
    centre = float(losses.mean())
    return influence_interval(centre, losses - centre, exam.cluster_codes, level, logarithmic=centre > 0)


def _r_squared(losses: Float[np.ndarray, " n"], exam: ValueEvaluationSet, level: float) -> Interval:
    """Share of the truth's variance that is predicted, 1 − Σ(y − ŷ)²/Σ(y − ȳ)²."""
    around = (exam.values.targets - exam.values.targets.mean()) ** 2
    spread, left = float(around.mean()), float(losses.mean())
    if spread == 0:
        return Interval.undefined("the truth is the same everywhere", exam.n)
    influence = -(losses - left) / spread + left * (around - spread) / spread**2
    return influence_interval(1 - left / spread, influence, exam.cluster_codes, level)


def _n_eff(average: Average, exam: ValueEvaluationSet, level: float) -> Interval:
    if len(average.rows) == 1:
        return Interval.undefined("one member", exam.n)
    found = effective_residuals(exam.residuals[average.rows])
    if math.isnan(found.design_effect):
        return Interval.undefined(found.reason, exam.n)
    return n_eff_interval(found.n_models, found.design_effect, found.influence, exam.cluster_codes, level)


def _groups(losses: Float[np.ndarray, " n"], exam: ValueEvaluationSet, level: float) -> list[dict[str, object]]:
    """Mean squared error in each group; limits that hold for all groups at once (Bonferroni)."""
    together = 1 - (1 - level) / max(len(exam.members_of_groups), 1)
    rows: list[dict[str, object]] = []
    for (column, group), here in exam.members_of_groups.items():
        found = squared_error(losses[here], exam.take(np.flatnonzero(here)), together)
        rows.append({"column": column, "group": group} | _told(found))
    return rows


def _shifts(average: Average, best: Average, exam: ValueEvaluationSet, level: float) -> list[dict[str, object]]:
    """Mean squared error and gain over the best single model elsewhere; limits hold for all test sets at once."""
    together = 1 - (1 - level) / max(len(exam.shifted), 1)
    rows: list[dict[str, object]] = []
    for name, there in exam.shifted.items():
        mine = average.losses(there)
        gain = paired(best.losses(there), mine, there, together)
        limits = {"gain_over_best": gain.estimate, "gain_low": gain.low, "gain_high": gain.high}
        rows.append({"shift": name} | _told(squared_error(mine, there, together)) | limits)
    return rows


def _told(found: Interval) -> dict[str, object]:
    return {"n": found.n, "squared_error": found.estimate, "low": found.low, "high": found.high}
