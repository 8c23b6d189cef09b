"""How is a set of members turned into one model? Weights fitted by a rule, stored, and applied to other instances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int

from polyculture.errors import InputError, near
from polyculture.measures.votes import vote

from . import opinion_pool
from .dynamic_selection import NearestInstances
from .evaluation import EvaluationSet
from .least_squares_weights import moment_weights
from .mixture_weights import NEGLIGIBLE, SMALLEST, mixture_weights

Fitter = Callable[[EvaluationSet, Int[np.ndarray, " k"]], Float[np.ndarray, " k"]]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a portfolio predicts on each instance.

    Parameters
    ----------
    wrong : 0 right, 1 wrong, between where tied answers share the vote, nan where no member answered and where the
        truth is a number.
    confidence : probability of the answer given, or the share of the vote that agrees with it; nan likewise.
    log_loss : −log of the probability of the truth; None without probabilities.
    probabilities : of the classes; None without.
    values : predicted numbers; None unless the truth is a number.
    squared_error : of these; None likewise.
    """

    wrong: Float[np.ndarray, " n"]
    confidence: Float[np.ndarray, " n"]
    log_loss: Float[np.ndarray, " n"] | None = None
    probabilities: Float[np.ndarray, "n c"] | None = None
    values: Float[np.ndarray, " n"] | None = None
    squared_error: Float[np.ndarray, " n"] | None = None


@dataclass(frozen=True, eq=False)
class Combination:
    """Members with all that is needed to make one model of them.

    Parameters
    ----------
    rule : a name in `COMBINE`; where the truth is a number, in `AVERAGES`.
    rows : positions of the members, heaviest first.
    weights : of the members, in their order.
    bias : of the classes; for stacking.
    temperature : by which logarithms of the combined probabilities are divided.
    nearest : where the choice by instance looks up which members were right.
    by_class : weights of the members (rows) for each class, which count instead where there are any; for stacking.
    """

    rule: str
    rows: Int[np.ndarray, " k"]
    weights: Float[np.ndarray, " k"]
    bias: Float[np.ndarray, " c"] = field(default_factory=lambda: np.zeros(0))
    temperature: float = 1.0
    nearest: NearestInstances | None = None
    by_class: Float[np.ndarray, "j w"] = field(default_factory=lambda: np.zeros((0, 0)))

    def outcome(self, evaluation: EvaluationSet) -> Outcome:
        """Prediction and loss on each instance."""
        if evaluation.is_regression:
            return self._average(evaluation)
        if not evaluation.has_probabilities or COMBINE[self.rule].votes:
            return self._vote(evaluation)
        probabilities = self.probabilities(evaluation)
        labels, instances = evaluation.predictions.labels, np.arange(evaluation.n)
        assert labels is not None
        answer = probabilities.argmax(axis=1)
        log_loss = -np.log(np.maximum(probabilities[instances, labels], SMALLEST))
        wrong = (answer != labels).astype(np.float64)
        return Outcome(wrong, probabilities[instances, answer], log_loss, probabilities)

    def losses(self, evaluation: EvaluationSet, loss: str) -> Float[np.ndarray, " n"]:
        """Loss on each instance: ``"log_loss"``, ``"error"`` or ``"squared_error"``."""
        if loss == "squared_error":
            return np.asarray((self.weights @ evaluation.residuals[self.rows]) ** 2)
        if loss == "error":
            return self.outcome(evaluation).wrong
        if self.rule in ("mean", "mixture") and self.temperature == 1:  # without making all probabilities
            return np.asarray(-np.log(self.weights @ evaluation.truth[self.rows]))
        log_loss = self.outcome(evaluation).log_loss
        assert log_loss is not None
        return log_loss

    def mean_loss(self, evaluation: EvaluationSet, loss: str) -> float:
        """Mean loss where it is known; squared errors from the second moments of the members' residuals."""
        if loss == "squared_error":
            return float(self.weights @ evaluation.moments[np.ix_(self.rows, self.rows)] @ self.weights)
        losses = self.losses(evaluation, loss)
        return np.nan if np.isnan(losses).all() else float(np.nanmean(losses))

    def probabilities(self, evaluation: EvaluationSet) -> Float[np.ndarray, "n c"]:
        """Combined class probabilities."""
        assert evaluation.predictions.probabilities is not None
        members = evaluation.predictions.probabilities[self.rows]
        if self.rule in ("geometric", "stacking"):
            powers = self.by_class if self.by_class.size else self.weights
            pooled = opinion_pool.geometric(members, powers, self.bias if len(self.bias) else None)
        else:
            pooled = opinion_pool.arithmetic(members, self._instance_weights(evaluation))
        return pooled if self.temperature == 1 else opinion_pool.cooled(pooled, self.temperature)

    def restricted(self, positions: Int[np.ndarray, " j"]) -> Combination:
        """The same combination of these members only (positions among the members).

        The others' weight goes to them in proportion; in stacking, where weights are powers, it is lost.
        """
        weights = self.weights[positions]
        if self.rule != "stacking":
            weights = weights / weights.sum() if weights.any() else np.full(len(positions), 1 / len(positions))
        by_class = self.by_class[positions] if self.by_class.size else self.by_class
        return replace(self, rows=self.rows[positions], weights=weights, by_class=by_class)

    def _instance_weights(self, evaluation: EvaluationSet) -> Float[np.ndarray, "k ..."]:
        """Weights of the members, by instance where the rule chooses by instance."""
        return self.weights if self.nearest is None else self.nearest.weights(evaluation, self.rows)

    def _average(self, evaluation: EvaluationSet) -> Outcome:
        assert evaluation.predictions.values is not None
        unknown = np.full(evaluation.n, np.nan)
        values = self.weights @ evaluation.predictions.values[self.rows]
        return Outcome(unknown, unknown, values=values, squared_error=self.losses(evaluation, "squared_error"))

    def _vote(self, evaluation: EvaluationSet) -> Outcome:
        p, observed = evaluation.predictions, evaluation.observed
        answers = None if p.answers is None else p.answers[self.rows]
        verdicts = None if observed is None else observed[self.rows]
        decision = vote(evaluation.wrong[self.rows], answers, self._instance_weights(evaluation), verdicts)
        return Outcome(decision.loss, decision.share)


@dataclass(frozen=True)
class Rule:
    """One way to make a model of members.

    Parameters
    ----------
    weights : weights of the members from the instances they are fitted on; None for equal ones.
    probabilities : whether it needs them.
    votes : whether it counts answers, even where there are probabilities.
    proxy : the rule with which sets are compared while searching; itself where empty.
    """

    weights: Fitter | None = None
    probabilities: bool = True
    votes: bool = False
    proxy: str = ""


def fit(rule: str, evaluation: EvaluationSet, rows: Int[np.ndarray, " k"], calibrated: bool = False) -> Combination:
    """Members combined by a rule, its weights fitted on these instances; models of weight 0 are no members.

    Parameters
    ----------
    rule : a name in `COMBINE`; where the truth is a number, in `AVERAGES`.
    rows : positions of the models; where none has a weight the first is the only member.
    calibrated : whether to fit a temperature for the combined probabilities, too.
    """
    check(rule, evaluation)
    settings = rules(evaluation)[rule]
    rows, weights, bias = _positive_weights(rule, evaluation, rows)
    p = evaluation.predictions
    heaviest_first = np.argsort(-weights, kind="stable")
    nearest = NearestInstances(evaluation, rows) if rule == "dynamic" else None
    combination = Combination(rule, rows[heaviest_first], weights[heaviest_first], bias, nearest=nearest)
    if calibrated and evaluation.has_probabilities and not settings.votes:
        assert p.labels is not None
        temperature = opinion_pool.temperature(combination.probabilities(evaluation), p.labels)
        return replace(combination, temperature=temperature)
    return combination


def _positive_weights(
    rule: str, evaluation: EvaluationSet, rows: Int[np.ndarray, " k"]
) -> tuple[Int[np.ndarray, " j"], Float[np.ndarray, " j"], Float[np.ndarray, " c"]]:
    """Models with their weights, all above 0, and the bias of stacking; fitted again without the models of weight 0."""
    fitter, p = rules(evaluation)[rule].weights, evaluation.predictions
    while True:
        bias = np.zeros(0)
        weights = np.full(len(rows), 1 / len(rows)) if fitter is None else fitter(evaluation, rows)
        if rule == "stacking":
            assert p.probabilities is not None
            assert p.labels is not None
            weights, bias = opinion_pool.stack(p.probabilities[rows], p.labels)
        positive = weights > NEGLIGIBLE
        if rule == "dynamic":  # equal weights of those that are right near some instance
            positive = NearestInstances(evaluation, rows).weights(evaluation, rows).max(axis=1) > 0
        if positive.all():
            return rows, weights, bias
        if not positive.any():
            return rows[:1], np.ones(1), np.zeros(0)
        rows = rows[positive]


def rules(evaluation: EvaluationSet) -> Mapping[str, Rule]:
    """The rules for the task of these instances."""
    return AVERAGES if evaluation.is_regression else COMBINE


def loss_of(rule: str, evaluation: EvaluationSet) -> str:
    """The loss by which combinations under a rule are compared on these instances."""
    if evaluation.is_regression:
        return "squared_error"
    return "log_loss" if evaluation.has_probabilities and not COMBINE[rule].votes else "error"


def check(rule: str, evaluation: EvaluationSet) -> None:
    """Refuse a rule that is unknown or needs what the predictions do not have."""
    if rule not in rules(evaluation):
        task = " where the truth is a number" if evaluation.is_regression else ""
        raise InputError(f"no rule {rule!r}{task}", cure=near(rule, rules(evaluation)))
    if rules(evaluation)[rule].probabilities and not evaluation.has_probabilities:
        raise InputError(
            f"the rule {rule!r} without probabilities and labels",
            "probabilities of every model",
            "take the rule 'vote' or 'weighted_vote'",
        )
    if rule == "dynamic" and (evaluation.observed is not None or evaluation.predictions.answers is None):
        raise InputError("the rule 'dynamic' with missing answers", "an answer of every model on every instance")


def _least_squares(evaluation: EvaluationSet, rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    return moment_weights(evaluation.moments[np.ix_(rows, rows)], float(evaluation.n))


def _log_odds(evaluation: EvaluationSet, rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    observed = evaluation.observed
    counts = np.full(len(rows), evaluation.n) if observed is None else observed[rows].sum(axis=1)
    smoothed = (evaluation.wrong[rows].sum(axis=1) + 0.5) / (counts + 1)
    p = evaluation.predictions
    classes = len(p.classes) if p.answers is not None and evaluation.strata is not None else 2
    weights = opinion_pool.log_odds(smoothed, classes)
    return np.asarray(weights / weights.sum())


COMBINE: Mapping[str, Rule] = {
    "mixture": Rule(lambda evaluation, rows: mixture_weights(evaluation.truth[rows]).weights, proxy="mean"),
    "mean": Rule(),
    "geometric": Rule(),
    "stacking": Rule(proxy="geometric"),
    "vote": Rule(probabilities=False, votes=True),
    "weighted_vote": Rule(_log_odds, probabilities=False, votes=True),
    "dynamic": Rule(probabilities=False, proxy="mean"),
}
"""Rules by name: how `select` can combine members that predict classes or are right or wrong."""

AVERAGES: Mapping[str, Rule] = {"average": Rule(_least_squares, probabilities=False), "mean": Rule(probabilities=False)}
"""Rules by name where the truth is a number: weights on the simplex fitted by least squares, or equal ones."""
