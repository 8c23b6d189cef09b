"""What is a portfolio worth? Every number on instances that were never used to choose it, against two fixed rivals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from polyculture.measures.calibration import reliability
from polyculture.measures.effective import effective
from polyculture.results import Certificate
from polyculture.rng import stream
from polyculture.stats import (
    Interval,
    ceiling,
    design_effect,
    independent_difference,
    influence_interval,
    jeffreys,
    n_eff_bootstrap,
    n_eff_interval,
)

from .combination import Combination
from .evaluation import EvaluationSet
from .objectives import ScoredSet
from .questions import SMALLEST_GROUP, Questions
from .splitting import SelectionSplit

NO_PROBABILITIES = "there are no probabilities"
NO_COMPLETE_INSTANCE = "no instance was answered by every member"
NO_GROUP = f"no group of {SMALLEST_GROUP} instances or more was named"
NO_SHIFT = "no shifted test set was given"
BOOTSTRAP_BELOW = 100
"""Informative instances below which the influence function gives intervals that are too narrow."""
GROUPS = ["column", "group", "n", "error", "low", "high"]
SHIFTS = ["shift", "n", "error", "low", "high", "log_loss", "all_wrong"]


@dataclass(frozen=True, eq=False)
class Baselines:
    """What a portfolio has to be better than, all of it fixed before the certification instances are looked at.

    Parameters
    ----------
    best : the best single model.
    everyone : all candidates with equal weights.
    top : as many of the best single models as the portfolio has members, combined by its rule.
    """

    best: Combination
    everyone: Combination
    top: Combination


def certify(
    blend: Combination, rivals: Baselines, exam: EvaluationSet, level: float = 0.95, seed: int = 0
) -> Certificate:
    """Quality of a portfolio on an exam that nothing in it was fitted on.

    Parameters
    ----------
    blend : the portfolio.
    exam : the certification instances.
    """
    trial = ScoredSet(blend, exam)
    others = [ScoredSet(rival, exam).outcome for rival in (rivals.best, rivals.everyone, rivals.top)]
    in_error = [paired(other.wrong, trial.outcome.wrong, exam, level) for other in others]
    in_log_loss = [paired(other.log_loss, trial.outcome.log_loss, exam, level) for other in others]
    groups = pd.DataFrame(_groups(trial, level), columns=GROUPS)
    shifts = pd.DataFrame(_shifts(trial, level), columns=SHIFTS)
    hit: Bool[np.ndarray, " a"] = np.asarray(trial.wrong[:, trial.complete].all(axis=0))
    return Certificate(
        error=share(trial.outcome.wrong, exam, level),
        log_loss=mean(trial.outcome.log_loss, exam, level),
        calibration=_calibration(trial, level),
        error_gain_over_best=in_error[0],
        error_gain_over_all=in_error[1],
        log_loss_gain_over_best=in_log_loss[0],
        log_loss_gain_over_all=in_log_loss[1],
        n_eff=_n_eff(trial, level, seed),
        all_wrong=_all_wrong(hit, trial, level),
        ceiling=_ceiling(hit, trial, level),
        worst_group=worst(groups, NO_GROUP, level),
        worst_shift=worst(shifts, NO_SHIFT, level),
        best=exam.predictions.model_ids[int(rivals.best.rows[0])],
        groups=groups,
        shifts=shifts,
        n=exam.n,
        error_gain_over_top=in_error[2],
        log_loss_gain_over_top=in_log_loss[2],
    )


def mean(values: Float[np.ndarray, " n"] | None, exam: Questions, level: float = 0.95) -> Interval:
    """Mean of a number per instance, with a cluster-aware t interval; nan values are left out."""
    if values is None:
        return Interval.undefined(NO_PROBABILITIES, exam.n)
    if np.isnan(values).all():
        return Interval.undefined(NO_COMPLETE_INSTANCE)
    centre = float(np.nanmean(values))
    return influence_interval(centre, values - centre, exam.cluster_codes, level)


def share(
    wrong: Float[np.ndarray, " n"], exam: EvaluationSet, level: float = 0.95, here: Bool[np.ndarray, " n"] | None = None
) -> Interval:
    """Mean of losses 0 and 1 with a Jeffreys interval, of counts divided by the design effect of the clusters.

    Parameters
    ----------
    wrong : with ½ where a vote is undecided, which counts as half a wrong answer; nan values are left out.
    here : instances to look at; all where None.
    """
    used = ~np.isnan(wrong) if here is None else here & ~np.isnan(wrong)
    values = wrong[used]
    if not len(values):
        return Interval.undefined(NO_COMPLETE_INSTANCE)
    clusters = None if exam.cluster_codes is None else exam.cluster_codes[used]
    inflation = 1.0 if clusters is None else design_effect(values, clusters)
    n = max(1, round(len(values) / inflation))
    found = jeffreys(min(n, round(float(values.mean()) * n)), n, level)
    low, high = min(found.low, float(values.mean())), max(found.high, float(values.mean()))
    return Interval(float(values.mean()), low, high, level, len(values), found.method)


def more_than(
    there: Float[np.ndarray, " n1"], here: Float[np.ndarray, " n2"], sides: SelectionSplit[Any], level: float = 0.95
) -> Interval:
    """Mean loss where a portfolio was certified less mean loss where it was chosen; nan values are left out."""
    means = (float(np.nanmean(there)), float(np.nanmean(here)))
    clusters = (sides.certified_on.cluster_codes, sides.chosen_on.cluster_codes)
    return independent_difference(means, (there - means[0], here - means[1]), clusters, level)


def paired(
    theirs: Float[np.ndarray, " n"] | None, mine: Float[np.ndarray, " n"] | None, exam: Questions, level: float
) -> Interval:
    """Mean loss of a rival less mean loss of the portfolio, paired by instance: what hits both cancels."""
    if theirs is None or mine is None:
        return Interval.undefined(NO_PROBABILITIES, exam.n)
    found = mean(theirs - mine, exam, level)
    return Interval(found.estimate, found.low, found.high, level, found.n, f"paired {found.method}", found.reason)


def _calibration(trial: ScoredSet, level: float) -> Interval:
    """Expected calibration error of the answer given, at least 0."""
    if trial.outcome.probabilities is None:
        return Interval.undefined(NO_PROBABILITIES, trial.exam.n)
    table = reliability(trial.outcome.confidence, trial.outcome.wrong < 0.5)
    found = influence_interval(table.debiased, table.influence, trial.exam.cluster_codes, level)
    return Interval(found.estimate, max(0.0, found.low), found.high, level, found.n, found.method, found.reason)


def _n_eff(trial: ScoredSet, level: float, seed: int) -> Interval:
    rows, exam = trial.blend.rows, trial.exam
    observed = None if exam.observed is None else exam.observed[rows]
    found = effective(trial.wrong, exam.strata, observed)
    if math.isnan(found.design_effect):
        return Interval.undefined("one member" if len(rows) == 1 else found.reason, exam.n)
    m, d, clusters = found.n_models, found.design_effect, exam.cluster_codes
    if found.n_info < BOOTSTRAP_BELOW:
        parts = (found.influence, found.variation)
        return n_eff_bootstrap(m, d, parts, stream(seed, "certificate", "n_eff"), clusters, level)
    return n_eff_interval(m, d, found.influence, clusters, level)


def _all_wrong(hit: Bool[np.ndarray, " n"], trial: ScoredSet, level: float) -> Interval:
    if not len(hit):
        return Interval.undefined(NO_COMPLETE_INSTANCE)
    found = jeffreys(*_shrunk(hit, trial), level)
    return Interval(float(hit.mean()), found.low, found.high, level, len(hit), found.method)


def _ceiling(hit: Bool[np.ndarray, " n"], trial: ScoredSet, level: float) -> Interval:
    if not len(hit):
        return Interval.undefined(NO_COMPLETE_INSTANCE)
    found = ceiling(*_shrunk(hit, trial), level)
    return Interval(1 - float(hit.mean()), found.low, found.high, level, len(hit), found.method)


def _shrunk(hit: Bool[np.ndarray, " n"], trial: ScoredSet) -> tuple[int, int]:
    """Hits and instances, both divided by the design effect of the clusters."""
    codes = trial.exam.cluster_codes
    inflation = 1.0 if codes is None else design_effect(hit, codes[trial.complete])
    n = max(1, round(len(hit) / inflation))
    return min(n, round(float(hit.mean()) * n)), n


def _groups(trial: ScoredSet, level: float) -> list[dict[str, object]]:
    """Error in each group; limits that hold for all groups at once (Bonferroni)."""
    found = trial.exam.members_of_groups
    together = 1 - (1 - level) / max(len(found), 1)
    rows: list[dict[str, object]] = []
    for (column, group), here in found.items():
        error = share(trial.outcome.wrong, trial.exam, together, here)
        limits = {"error": error.estimate, "low": error.low, "high": error.high}
        rows.append({"column": column, "group": group, "n": error.n, **limits})
    return rows


def _shifts(trial: ScoredSet, level: float) -> list[dict[str, object]]:
    """Error on each shifted test set; limits that hold for all at once (Bonferroni)."""
    together = 1 - (1 - level) / max(len(trial.exam.shifted), 1)
    rows: list[dict[str, object]] = []
    for name, exam in trial.exam.shifted.items():
        there = trial.elsewhere(exam)
        error, complete = share(there.outcome.wrong, exam, together), there.complete
        rows.append(
            {
                "shift": name,
                "n": error.n,
                "error": error.estimate,
                "low": error.low,
                "high": error.high,
                "log_loss": mean(there.outcome.log_loss, exam, level).estimate,
                "all_wrong": float(there.wrong[:, complete].all(axis=0).mean()) if complete.any() else math.nan,
            }
        )
    return rows


def worst(table: pd.DataFrame, none: str, level: float, loss: str = "error", limits: str = "Jeffreys") -> Interval:
    """The largest loss of several, with limits for the largest: as all limits hold at once, so do their maxima."""
    if table.empty or table[loss].isna().all():
        return Interval.undefined(none)
    at = int(table[loss].to_numpy().argmax())
    low, high = float(table["low"].max()), float(table["high"].max())
    method = f"largest of {len(table)}, simultaneous {limits} limits (Bonferroni)"
    return Interval(float(table[loss].iloc[at]), low, high, level, int(table["n"].iloc[at]), method)
