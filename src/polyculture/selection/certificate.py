"""What is a portfolio worth? Every number on instances that were never used to choose it, against fixed baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from polyculture.measures.calibration import reliability
from polyculture.results import Certificate
from polyculture.results.portfolio import NO_NUMBER
from polyculture.rng import stream
from polyculture.stats import (
    Interval,
    ceiling_interval,
    independent_difference,
    influence_interval,
    n_eff_bootstrap,
    n_eff_interval,
    share_interval,
)

from .combination import Combination, Outcome
from .evaluation import SMALLEST_GROUP, EvaluationSet
from .objectives import ScoredSet, all_wrong

NO_PROBABILITIES = "there are no probabilities"
NO_COMPLETE_INSTANCE = "no instance was answered by every member"
NO_GROUP = f"no group of {SMALLEST_GROUP} instances or more was named"
NO_SHIFT = "no shifted test set was given"
NUMBERS = "the truth is a number"
SCORES = (
    *("error", "log_loss", "calibration", "n_eff", "all_wrong", "ceiling", "worst_group", "worst_shift"),
    *("squared_error", "r_squared"),
)
BOOTSTRAP_BELOW = 100
"""Informative instances, or clusters, below which the influence function gives intervals that are too narrow."""
SHIFT_COLUMNS = {"error": ("log_loss", "all_wrong"), "squared_error": ("gain_over_best", "gain_low", "gain_high")}
"""Columns of the table of shifts besides name, number of instances and the loss with its limits, by loss."""


@dataclass(frozen=True, eq=False)
class Baselines:
    """What a portfolio has to be better than, all of it fixed before the certification instances are looked at.

    Parameters
    ----------
    best : the best single model.
    all_models : all candidates with equal weights.
    top : the k best single models, for a portfolio of k members, combined by its rule.
    """

    best: Combination
    all_models: Combination
    top: Combination


def certify(
    combination: Combination, baselines: Baselines, evaluation: EvaluationSet, level: float = 0.95, seed: int = 0
) -> Certificate:
    """Quality of a portfolio on the certification instances, on which nothing in it was fitted."""
    scored = ScoredSet(combination, evaluation)
    loss, limits = ("squared_error", "t") if evaluation.is_regression else ("error", "Jeffreys")
    groups = pd.DataFrame(_groups(scored, loss, level), columns=["column", "group", "n", loss, "low", "high"])
    columns = ["shift", "n", loss, "low", "high", *SHIFT_COLUMNS[loss]]
    shifts = pd.DataFrame(_shifts(scored, baselines.best, loss, level), columns=columns)
    scores = {
        "n_eff": _n_eff(scored, level, seed),
        "worst_group": worst(groups, NO_GROUP, level, loss, limits),
        "worst_shift": worst(shifts, NO_SHIFT, level, loss, limits),
        **_task_scores(scored, level),
    }
    return Certificate(
        scores={**dict.fromkeys(SCORES, _undefined(evaluation)), **scores},
        gains=_gains(scored.outcome, baselines, evaluation, level),
        best=evaluation.model_ids[int(baselines.best.rows[0])],
        groups=groups,
        shifts=shifts,
        n=evaluation.n,
        baselines=pd.DataFrame(_baselines(scored, baselines, shifts, loss, level)),
    )


def _baselines(
    scored: ScoredSet, baselines: Baselines, shifts: pd.DataFrame, loss: str, level: float
) -> list[dict[str, object]]:
    """Error of each baseline, and what the portfolio gains over it, on these instances and under its worst shift."""
    interval = squared_error if loss == "squared_error" else share
    worst_shift = shifts.dropna(subset=[loss]).sort_values(loss, kind="stable")["shift"].tail(1)
    shifted = {name: (scored.evaluation.shifted[name], 1 - (1 - level) / len(shifts)) for name in worst_shift}
    rows: list[dict[str, object]] = []
    for shift, (evaluation, confidence) in ({"": (scored.evaluation, level)} | shifted).items():
        losses = scored.on(evaluation).losses
        for name, rival in (("best", baselines.best), ("top", baselines.top), ("all", baselines.all_models)):
            rival_losses = rival.losses(evaluation, loss)
            error = interval(rival_losses, evaluation, confidence)
            gain = paired(rival_losses, losses, evaluation, confidence)
            gains = {"gain": gain.estimate, "gain_low": gain.low, "gain_high": gain.high}
            rows.append({"baseline": name, "shift": shift} | _limits(error, loss) | gains)
    return rows


def _undefined(evaluation: EvaluationSet) -> Interval:
    """A score that is not of the task."""
    return Interval.undefined(NUMBERS, evaluation.n) if evaluation.is_regression else Interval.undefined(NO_NUMBER)


def _gains(
    outcome: Outcome, baselines: Baselines, evaluation: EvaluationSet, level: float
) -> Mapping[str, Mapping[str, Interval]]:
    """Gains by loss and baseline; undefined where the loss is not of the task."""
    combinations = {"best": baselines.best, "all": baselines.all_models, "top": baselines.top}
    outcomes = {name: combination.outcome(evaluation) for name, combination in combinations.items()}
    gains = {}
    for loss, field in (("error", "wrong"), ("log_loss", "log_loss"), ("squared_error", "squared_error")):
        gains[loss] = dict.fromkeys(outcomes, _undefined(evaluation))
        if (loss == "squared_error") == evaluation.is_regression:
            losses = getattr(outcome, field)
            gains[loss] = {k: paired(getattr(o, field), losses, evaluation, level) for k, o in outcomes.items()}
    return gains


def _task_scores(scored: ScoredSet, level: float) -> Mapping[str, Interval]:
    """Scores that are only of classes, or only of numbers."""
    losses, evaluation = scored.losses, scored.evaluation
    if evaluation.is_regression:
        limits = squared_error(losses, evaluation, level)
        return {"squared_error": limits, "r_squared": _r_squared(losses, evaluation, level)}
    return {
        "error": share(losses, evaluation, level),
        "log_loss": mean(scored.outcome.log_loss, evaluation, level),
        "calibration": _calibration(scored, level),
        **_joint_failures(scored, level),
    }


def mean(values: Float[np.ndarray, " n"] | None, evaluation: EvaluationSet, level: float = 0.95) -> Interval:
    """Mean of a number per instance, with a cluster-aware t interval; nan values are left out."""
    if values is None:
        return Interval.undefined(NO_PROBABILITIES, evaluation.n)
    if np.isnan(values).all():
        return Interval.undefined(NO_COMPLETE_INSTANCE)
    centre = float(np.nanmean(values))
    return influence_interval(centre, values - centre, evaluation.cluster_codes, level)


def share(
    wrong: Float[np.ndarray, " n"],
    evaluation: EvaluationSet,
    level: float = 0.95,
    rows: Bool[np.ndarray, " n"] | None = None,
) -> Interval:
    """Mean of losses from 0 to 1, of the instances in a mask, with a Jeffreys interval that knows of clusters.

    A loss is a part of 1 where tied answers share a vote; nan values are left out.
    """
    valid = ~np.isnan(wrong) if rows is None else rows & ~np.isnan(wrong)
    values = wrong[valid]
    if not len(values):
        return Interval.undefined(NO_COMPLETE_INSTANCE)
    clusters = None if evaluation.cluster_codes is None else evaluation.cluster_codes[valid]
    return share_interval(values, clusters, level)


def squared_error(losses: Float[np.ndarray, " n"], evaluation: EvaluationSet, level: float = 0.95) -> Interval:
    """Mean squared error, with limits that are symmetric in its logarithm unless it is 0."""
    centre = float(losses.mean())
    return influence_interval(centre, losses - centre, evaluation.cluster_codes, level, logarithmic=centre > 0)


def optimism(
    combination: Combination, selection: EvaluationSet, certification: EvaluationSet, loss: str, level: float = 0.95
) -> Interval:
    """Mean loss on the certification instances less mean loss on the selection instances; nan values are left out."""
    first, second = (combination.losses(evaluation, loss) for evaluation in (certification, selection))
    means = (float(pd.Series(first).mean()), float(pd.Series(second).mean()))  # nan, not a warning, where all are nan
    clusters = (certification.cluster_codes, selection.cluster_codes)
    return independent_difference(means, (first - means[0], second - means[1]), clusters, level)


def paired(
    baseline: Float[np.ndarray, " n"] | None,
    portfolio: Float[np.ndarray, " n"] | None,
    evaluation: EvaluationSet,
    level: float,
) -> Interval:
    """Mean loss of a baseline less mean loss of the portfolio, paired by instance: what affects both cancels."""
    if baseline is None or portfolio is None:
        return Interval.undefined(NO_PROBABILITIES, evaluation.n)
    gain = mean(baseline - portfolio, evaluation, level)
    return replace(gain, level=level, method=f"paired {gain.method}")


def _calibration(scored: ScoredSet, level: float) -> Interval:
    """Expected calibration error of the answer given, at least 0."""
    if scored.outcome.probabilities is None:
        return Interval.undefined(NO_PROBABILITIES, scored.evaluation.n)
    table = reliability(scored.outcome.confidence, scored.outcome.wrong < 0.5)
    interval = influence_interval(table.debiased, table.influence, scored.evaluation.cluster_codes, level)
    return replace(interval, low=max(0.0, interval.low), level=level)


def _r_squared(losses: Float[np.ndarray, " n"], evaluation: EvaluationSet, level: float) -> Interval:
    """Share of the truth's variance that is predicted, 1 − Σ(y − ŷ)²/Σ(y − ȳ)²."""
    targets = evaluation.predictions.targets
    assert targets is not None
    squares = (targets - targets.mean()) ** 2
    variance, residual = float(squares.mean()), float(losses.mean())
    if variance == 0:
        return Interval.undefined("the truth is the same everywhere", evaluation.n)
    influence = -(losses - residual) / variance + residual * (squares - variance) / variance**2
    return influence_interval(1 - residual / variance, influence, evaluation.cluster_codes, level)


def _n_eff(scored: ScoredSet, level: float, seed: int) -> Interval:
    """Effective number of the members, given the true class; where the truth is a number, of their residuals."""
    single, evaluation = len(scored.combination.rows) == 1, scored.evaluation
    if single and evaluation.is_regression:
        return Interval.undefined("one member", evaluation.n)
    estimate = scored.effective
    if math.isnan(estimate.design_effect):
        return Interval.undefined("one member" if single else estimate.reason, evaluation.n)
    m, d, clusters = estimate.n_models, estimate.design_effect, evaluation.cluster_codes
    draws = math.inf if clusters is None else len(np.unique(clusters))
    if not evaluation.is_regression and min(estimate.n_info, draws) < BOOTSTRAP_BELOW:
        parts = (estimate.influence, estimate.variation)
        return n_eff_bootstrap(m, d, parts, stream(seed, "certificate", "n_eff"), clusters, level)
    return n_eff_interval(m, d, estimate.influence, clusters, level)


def _joint_failures(scored: ScoredSet, level: float) -> Mapping[str, Interval]:
    """Share of the instances that all members fail, and the accuracy that it leaves at most."""
    names = ("all_wrong", "ceiling")
    failures: Bool[np.ndarray, " a"] = np.asarray(scored.wrong[:, scored.complete].all(axis=0))
    if not len(failures):
        return dict.fromkeys(names, Interval.undefined(NO_COMPLETE_INSTANCE))
    codes = scored.evaluation.cluster_codes
    clusters = None if codes is None else codes[scored.complete]
    return {
        "all_wrong": share_interval(failures, clusters, level),
        "ceiling": ceiling_interval(failures, clusters, level),
    }


def _groups(scored: ScoredSet, loss: str, level: float) -> list[dict[str, object]]:
    """Error in each group; limits that hold for all groups at once (Bonferroni)."""
    masks = scored.evaluation.members_of_groups
    simultaneous = 1 - (1 - level) / max(len(masks), 1)
    rows: list[dict[str, object]] = []
    for (column, group), mask in masks.items():
        if loss == "squared_error":
            part = scored.evaluation.take(np.flatnonzero(mask))
            error = squared_error(scored.losses[mask], part, simultaneous)
        else:
            error = share(scored.losses, scored.evaluation, simultaneous, mask)
        rows.append({"column": column, "group": group} | _limits(error, loss))
    return rows


def _shifts(scored: ScoredSet, best: Combination, loss: str, level: float) -> list[dict[str, object]]:
    """Error on each shifted test set; limits that hold for all at once (Bonferroni)."""
    simultaneous = 1 - (1 - level) / max(len(scored.evaluation.shifted), 1)
    rows: list[dict[str, object]] = []
    for name, evaluation in scored.evaluation.shifted.items():
        shifted = scored.on(evaluation)
        if loss == "squared_error":
            error = squared_error(shifted.losses, evaluation, simultaneous)
            gain = paired(best.losses(evaluation, loss), shifted.losses, evaluation, simultaneous)
            numbers = [gain.estimate, gain.low, gain.high]
        else:
            error = share(shifted.losses, evaluation, simultaneous)
            numbers = [mean(shifted.outcome.log_loss, evaluation, level).estimate, all_wrong(shifted)]
        rows.append({"shift": name} | _limits(error, loss) | dict(zip(SHIFT_COLUMNS[loss], numbers, strict=True)))
    return rows


def _limits(error: Interval, loss: str) -> dict[str, object]:
    return {"n": error.n, loss: error.estimate, "low": error.low, "high": error.high}


def worst(table: pd.DataFrame, reason: str, level: float, loss: str, limits: str) -> Interval:
    """The largest loss of several, with limits for the largest: as all limits hold at once, so do their maxima."""
    table = table[table[loss].notna()]
    if table.empty:
        return Interval.undefined(reason)
    position = int(table[loss].to_numpy().argmax())
    low, high = (float(table[end].max(skipna=False)) for end in ("low", "high"))
    method = f"largest of {len(table)}, simultaneous {limits} limits (Bonferroni)"
    return Interval(float(table[loss].iloc[position]), low, high, level, int(table["n"].iloc[position]), method)
