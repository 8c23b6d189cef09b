"""What changes when compressed models replace others? Each number of both on the same instances, and the change.

What hits both cancels: intervals of the change rest on the instances on which the two differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from polyculture.measures.calibration import reliability
from polyculture.measures.effective import EffectiveNumber, effective
from polyculture.measures.effective_vectors import effective_residuals
from polyculture.measures.failure_ratio import FailureRatio
from polyculture.predictions import Predictions
from polyculture.stats.influence import influence_interval, n_eff_interval, paired_difference
from polyculture.stats.interval import Interval
from polyculture.stats.shares import share_interval

TABLES = ("wrong", "answers", "probabilities", "residuals")
"""What a behaviour knows of each model."""
SMALLEST = 1e-12
"""Probabilities are raised to this before their logarithm is taken."""
NO_PROBABILITIES = "there are no probabilities"
NO_CLASSES = "predicted numbers have no probabilities"
NO_JOINT_ERRORS = "no two models are ever wrong together by chance"
ONE_MODEL = "one model has nothing to be alike with"


@dataclass(frozen=True)
class Change:
    """A number of the originals and of the compressed models.

    Parameters
    ----------
    original, compressed : on the same instances.
    change : compressed minus original, paired by instance.
    """

    original: Interval
    compressed: Interval
    change: Interval


@dataclass(frozen=True, eq=False)
class Behaviour:
    """What models predict for the same instances, in the form that changes are computed from.

    Parameters
    ----------
    wrong : where each model is wrong; of numbers, beyond the error that the originals are allowed.
    answers : codes; None for numbers.
    probabilities : of classes; None where not known.
    residuals : of numbers; None for classes.
    labels : class codes, or the true numbers.
    strata : the true class where classes are the same for all instances; None else.
    clusters : what was sampled together; None where each instance stands alone.
    allowed : error of a number that is not wrong.
    """

    wrong: Bool[np.ndarray, "m n"]
    answers: Int[np.ndarray, "m n"] | None
    probabilities: Float[np.ndarray, "m n c"] | None
    residuals: Float[np.ndarray, "m n"] | None
    labels: Shaped[np.ndarray, " n"]
    strata: Int[np.ndarray, " n"] | None = None
    clusters: Shaped[np.ndarray, " n"] | None = None
    allowed: float = math.nan

    @classmethod
    def of(cls, predictions: Predictions, originals: Predictions, cluster: str = "") -> Behaviour:
        """Of these predictions, numbers judged by the error that the originals are allowed."""
        clusters = predictions.instances[cluster].to_numpy() if cluster in predictions.instances else None
        if predictions.values is not None:
            assert predictions.targets is not None
            wrong = np.abs(predictions.residuals) > originals.allowed_error
            numbers = (predictions.residuals, predictions.targets)
            return cls(wrong, None, None, *numbers, None, clusters, originals.allowed_error)
        assert predictions.labels is not None
        strata = predictions.labels if predictions.has_fixed_classes else None
        parts = (predictions.answers, predictions.probabilities, None, predictions.labels, strata, clusters)
        return cls(predictions.wrong, *parts)

    def mixed(self, originals: Behaviour, mask: Bool[np.ndarray, " m"]) -> Behaviour:
        """These models at the mask, the originals elsewhere."""

        def rows(new: np.ndarray | None, old: np.ndarray | None) -> np.ndarray | None:
            if new is None or old is None:
                return None
            return np.where(mask.reshape(-1, *[1] * (new.ndim - 1)), new, old)

        parts: dict[str, Any] = {name: rows(getattr(self, name), getattr(originals, name)) for name in TABLES}
        return replace(self, **parts)

    def take(self, model: int) -> Behaviour:
        """One model."""
        tables: dict[str, Any] = {name: getattr(self, name) for name in TABLES}
        rows: dict[str, Any] = {name: None if part is None else part[[model]] for name, part in tables.items()}
        return replace(self, **rows)

    def combined(self, weights: Float[np.ndarray, " m"] | None = None) -> Behaviour:
        """The set as one model: mean probability, or the plurality of the answers, or the mean number."""
        shares = np.full(len(self.wrong), 1 / len(self.wrong)) if weights is None else weights / weights.sum()
        if self.residuals is not None:
            residuals = np.tensordot(shares, self.residuals, 1)[None]
            return replace(self, wrong=np.abs(residuals) > self.allowed, residuals=residuals)
        votes = self.probabilities
        if votes is None:
            assert self.answers is not None
            votes = np.eye(int(max(self.answers.max(), self.labels.max())) + 1)[self.answers]
        mean = np.tensordot(shares, votes.astype(np.float64), 1)[None]
        answers = mean.argmax(axis=2)
        probabilities = None if self.probabilities is None else mean
        return replace(self, wrong=answers != self.labels, answers=answers, probabilities=probabilities)

    @property
    def effective(self) -> EffectiveNumber:
        """Effective number of independent models, given the true class; of residuals for numbers."""
        if self.residuals is not None:
            return effective_residuals(self.residuals)
        return effective(self.wrong, self.strata)

    @property
    def joint_errors(self) -> FailureRatio:
        """Pairs of models that err together over those expected if all erred independently."""
        return joint_error_ratio(self.wrong)


def joint_error_ratio(wrong: Bool[np.ndarray, "m n"]) -> FailureRatio:
    """How many times more often do two models err together than if all erred independently? Mean over the pairs.

    Observed is the mean share of instances that both of a pair err on, expected the mean product of their error rates.
    nan where no expected rate is above 0. For two models it is the ratio of Bommasani et al. 2022.
    """
    m, n = wrong.shape
    rates, failures = wrong.mean(axis=1), wrong.sum(axis=0).astype(np.float64)
    pairs = m * (m - 1) / 2
    total = float(rates.sum())
    expected = (total**2 - float((rates**2).sum())) / 2
    joint = failures * (failures - 1) / 2
    observed = float(joint.mean())
    if m < 2 or not expected > 0:
        return FailureRatio(math.nan, math.nan, math.nan, np.zeros(n))
    ratio = observed / expected
    shift = ((wrong - rates[:, None]) * (total - rates[:, None])).sum(axis=0)
    return FailureRatio(observed / pairs, expected / pairs, ratio, (joint - observed - ratio * shift) / expected)


def churn(original: Behaviour, compressed: Behaviour, level: float = 0.95) -> Interval:
    """Share of the answers that changed, over all models; of numbers, of those that became right or wrong."""
    if original.answers is None or compressed.answers is None:
        changed = original.wrong != compressed.wrong
    else:
        changed = original.answers != compressed.answers
    return share_interval(changed.mean(axis=0), original.clusters, level)


def accuracy(original: Behaviour, compressed: Behaviour, level: float = 0.95) -> Change:
    """Share of right answers of one model; of numbers undefined."""
    if original.residuals is not None:
        return _undefined("predicted numbers are not right or wrong by themselves")
    values = [1.0 - part.wrong[0] for part in (original, compressed)]
    levels = [share_interval(value, original.clusters, level) for value in values]
    change = _paired_mean(values[0], values[1], original, level).change
    if change.estimate == 0 and not (values[0] != values[1]).any():
        limit = churn(original, compressed, level).high  # as much as can have changed unseen
        change = replace(change, low=-limit, high=limit, method="no answer became right or wrong; Jeffreys")
    return Change(levels[0], levels[1], change)


def r_squared(original: Behaviour, compressed: Behaviour, level: float = 0.95) -> Change:
    """1 less the mean squared error of one model over the variance of the targets; of classes undefined."""
    if original.residuals is None or compressed.residuals is None:
        return _undefined("classes are no numbers")
    variance = float(np.var(original.labels))
    if not variance > 0:
        return _undefined("all targets are equal")
    values = [1 - part[0] ** 2 / variance for part in (original.residuals, compressed.residuals)]
    return _paired_mean(values[0], values[1], original, level)


def log_loss(original: Behaviour, compressed: Behaviour, level: float = 0.95) -> Change:
    """Mean negative logarithm of the probability of the true class, of one model."""
    if original.probabilities is None or compressed.probabilities is None:
        return _undefined(NO_CLASSES if original.residuals is not None else NO_PROBABILITIES)
    places = (np.arange(len(original.labels)), original.labels)
    pair = (original.probabilities, compressed.probabilities)
    losses = [-np.log(np.maximum(part[0].astype(np.float64)[places], SMALLEST)) for part in pair]
    return _paired_mean(losses[0], losses[1], original, level)


def calibration(original: Behaviour, compressed: Behaviour, level: float = 0.95) -> Change:
    """Debiased expected calibration error of one model."""
    if original.probabilities is None or compressed.probabilities is None:
        return _undefined(NO_CLASSES if original.residuals is not None else NO_PROBABILITIES)
    pairs = ((original.probabilities, original.wrong), (compressed.probabilities, compressed.wrong))
    tables = [reliability(stated[0].max(axis=1).astype(np.float64), ~wrong[0]) for stated, wrong in pairs]
    return _by_influence([(table.debiased, table.influence) for table in tables], original, level)


def n_eff(original: Behaviour, compressed: Behaviour, level: float = 0.95) -> Change:
    """Effective number of independent models of a set."""
    sets = [original.effective, compressed.effective]
    levels = []
    for part in sets:
        interval = n_eff_interval(part.n_models, part.design_effect, part.influence, original.clusters, level)
        levels.append(replace(interval, reason=part.reason) if part.reason else interval)
    if not all(math.isfinite(part.n_eff) for part in sets):
        reason = next(part.reason or "no design effect" for part in sets if not math.isfinite(part.n_eff))
        return Change(levels[0], levels[1], Interval.undefined(reason))
    numbers = [(part.n_eff, -part.n_models / part.design_effect**2 * part.influence) for part in sets]
    change = _by_influence(numbers, original, level).change
    return Change(levels[0], levels[1], change)


def joint_errors(original: Behaviour, compressed: Behaviour, level: float = 0.95) -> Change:
    """Pairs that err together over those under independence, of a set."""
    sets = [original.joint_errors, compressed.joint_errors]
    if any(math.isnan(part.ratio) for part in sets):
        return _undefined(ONE_MODEL if len(original.wrong) < 2 else NO_JOINT_ERRORS)
    return _by_influence([(part.ratio, part.influence) for part in sets], original, level)


def all_wrong(original: Behaviour, compressed: Behaviour, level: float = 0.95) -> Change:
    """Share of the instances that every model of a set gets wrong."""
    values = [part.wrong.all(axis=0).astype(float) for part in (original, compressed)]
    levels = [share_interval(value, original.clusters, level) for value in values]
    change = _paired_mean(values[0], values[1], original, level).change
    if not (values[0] != values[1]).any():
        limit = share_interval(values[0] != values[1], original.clusters, level).high
        change = replace(change, low=-limit, high=limit, method="no instance changed; Jeffreys")
    return Change(levels[0], levels[1], change)


def _paired_mean(
    original: Float[np.ndarray, " n"], compressed: Float[np.ndarray, " n"], rows: Behaviour, level: float
) -> Change:
    """Means of a number per instance."""
    return _by_influence([(float(part.mean()), part - part.mean()) for part in (original, compressed)], rows, level)


def _by_influence(numbers: list[tuple[float, Float[np.ndarray, " n"]]], rows: Behaviour, level: float) -> Change:
    """Numbers with the influence of each instance on them, of the originals and of the compressed models."""
    (first, first_influence), (second, second_influence) = numbers
    levels = [influence_interval(number, influence, rows.clusters, level) for number, influence in numbers]
    change = paired_difference((second, first), (second_influence, first_influence), rows.clusters, level)
    return Change(levels[0], levels[1], change)


def _undefined(reason: str) -> Change:
    interval = Interval.undefined(reason)
    return Change(interval, interval, interval)


Compare = Callable[[Behaviour, Behaviour, float], Change]
MEMBER_NUMBERS: dict[str, Compare] = {
    "accuracy": accuracy,
    "r_squared": r_squared,
    "log_loss": log_loss,
    "calibration": calibration,
}
"""Numbers of one model, and of the set as one."""
SET_NUMBERS: dict[str, Compare] = {"n_eff": n_eff, "joint_error_ratio": joint_errors, "all_wrong": all_wrong}
"""Numbers of how models fail together."""
