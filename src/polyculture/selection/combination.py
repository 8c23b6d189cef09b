"""How is a set of members turned into one model? Weights fitted by a rule, kept, and applied to any exam."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int

from polyculture.errors import InputError, near

from . import opinion_pool
from .dynamic_selection import NearestInstances
from .evaluation import EvaluationSet
from .mixture_weights import SMALLEST, mixture_weights

Fitter = Callable[[EvaluationSet, Int[np.ndarray, " k"]], Float[np.ndarray, " k"]]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a portfolio does on each instance.

    Parameters
    ----------
    wrong : 0 right, 1 wrong, ½ undecided (only where nothing but right and wrong is known), nan where nobody answered.
    confidence : probability of the answer given, or the share of the vote that agrees with it; nan likewise.
    log_loss : −log of the probability of the truth; None without probabilities.
    probabilities : of the classes; None without.
    """

    wrong: Float[np.ndarray, " n"]
    confidence: Float[np.ndarray, " n"]
    log_loss: Float[np.ndarray, " n"] | None = None
    probabilities: Float[np.ndarray, "n c"] | None = None


@dataclass(frozen=True, eq=False)
class Combination:
    """Members with all that is needed to make one model of them.

    Parameters
    ----------
    rule : a name in `COMBINE`.
    rows : positions of the members, in the order in which ties are broken.
    weights : of the members, in their order.
    bias : of the classes; for stacking.
    temperature : by which logarithms of the combined probabilities are divided.
    nearby : where the choice by instance looks up who was right.
    by_class : weights of the members (rows) for each class, which count instead where there are any; for stacking.
    """

    rule: str
    rows: Int[np.ndarray, " k"]
    weights: Float[np.ndarray, " k"]
    bias: Float[np.ndarray, " c"] = field(default_factory=lambda: np.zeros(0))
    temperature: float = 1.0
    nearby: NearestInstances | None = None
    by_class: Float[np.ndarray, "j w"] = field(default_factory=lambda: np.zeros((0, 0)))

    def outcome(self, exam: EvaluationSet) -> Outcome:
        """What the blend does on each instance of the exam."""
        if not exam.has_probabilities or COMBINE[self.rule].votes:
            return self._vote(exam)
        mixed = self.probabilities(exam)
        labels, at = exam.predictions.labels, np.arange(exam.n)
        assert labels is not None
        answer = mixed.argmax(axis=1)
        log_loss = -np.log(np.maximum(mixed[at, labels], SMALLEST))
        return Outcome((answer != labels).astype(np.float64), mixed[at, answer], log_loss, mixed)

    def log_losses(self, exam: EvaluationSet) -> Float[np.ndarray, " n"]:
        """−log of the probability of the truth, on each instance; without making all probabilities where possible."""
        if self.rule in ("mean", "mixture") and self.temperature == 1:
            losses: Float[np.ndarray, " n"] = -np.log(self.weights @ exam.truth[self.rows])
            return losses
        found = self.outcome(exam).log_loss
        assert found is not None
        return found

    def probabilities(self, exam: EvaluationSet) -> Float[np.ndarray, "n c"]:
        """Combined class probabilities."""
        everything = exam.predictions.probabilities
        assert everything is not None
        given = everything[self.rows]
        if self.rule in ("geometric", "stacking"):
            powers = self.by_class if self.by_class.size else self.weights
            mixed = opinion_pool.geometric(given, powers, self.bias if len(self.bias) else None)
        else:
            mixed = opinion_pool.arithmetic(given, self._spread(exam))
        return mixed if self.temperature == 1 else opinion_pool.cooled(mixed, self.temperature)

    def without(self, kept: Int[np.ndarray, " j"]) -> Combination:
        """The same blend of these members only (positions among the members).

        The others' weight goes to them in proportion; in stacking, where weights are powers, it goes away.
        """
        weights = self.weights[kept]
        if self.rule != "stacking":
            weights = weights / weights.sum() if weights.any() else np.full(len(kept), 1 / len(kept))
        by_class = self.by_class[kept] if self.by_class.size else self.by_class
        return replace(self, rows=self.rows[kept], weights=weights, by_class=by_class)

    def _spread(self, exam: EvaluationSet) -> Float[np.ndarray, "k ..."]:
        """Weights of the members, by instance where the rule chooses by instance."""
        return self.weights if self.nearby is None else self.nearby.weights(exam, self.rows)

    def _vote(self, exam: EvaluationSet) -> Outcome:
        p, at = exam.predictions, np.arange(exam.n)
        weights, wrong = self._spread(exam), exam.wrong[self.rows]
        observed = None if exam.observed is None else exam.observed[self.rows]
        if p.answers is None:
            part = opinion_pool.wrong_share(wrong, weights, observed)
            return Outcome(opinion_pool.majority_loss(part), np.maximum(part, 1 - part))
        vote = opinion_pool.plurality(p.answers[self.rows], weights)
        decided = vote.leader != opinion_pool.MISSING
        if observed is None:
            unknown = ~decided
            silent = np.where(wrong.all(axis=0), 1.0, np.nan)
        else:
            unknown = ~decided | ~observed[vote.leader, at]
            silent = np.where(observed.any(axis=0) & ~decided, 1.0, np.nan)
        return Outcome(np.where(unknown, silent, wrong[vote.leader, at]), vote.share)


@dataclass(frozen=True)
class Rule:
    """One way to make a model of members.

    Parameters
    ----------
    weigh : weights of the members from the exam they are fitted on; None for equal ones.
    probabilities : whether it needs them.
    votes : whether it counts answers, even where there are probabilities.
    proxy : the rule with which sets are compared while searching; itself where empty.
    """

    weigh: Fitter | None = None
    probabilities: bool = True
    votes: bool = False
    proxy: str = ""


def fit(rule: str, exam: EvaluationSet, rows: Int[np.ndarray, " k"], calibrated: bool = False) -> Combination:
    """Members blended by a rule, its weights fitted on this exam.

    Parameters
    ----------
    rule : a name in `COMBINE`.
    rows : positions of the members.
    calibrated : whether to fit a temperature for the combined probabilities, too.
    """
    check(rule, exam)
    how = COMBINE[rule]
    weights = np.full(len(rows), 1 / len(rows)) if how.weigh is None else how.weigh(exam, rows)
    bias = np.zeros(0)
    p = exam.predictions
    if rule == "stacking":
        assert p.probabilities is not None
        assert p.labels is not None
        weights, bias = opinion_pool.stack(p.probabilities[rows], p.labels)
    heaviest_first = np.argsort(-weights, kind="stable")
    nearby = NearestInstances(exam, rows) if rule == "dynamic" else None
    blend = Combination(rule, rows[heaviest_first], weights[heaviest_first], bias, nearby=nearby)
    if calibrated and exam.has_probabilities and not how.votes:
        assert p.labels is not None
        return replace(blend, temperature=opinion_pool.temperature(blend.probabilities(exam), p.labels))
    return blend


def check(rule: str, exam: EvaluationSet) -> None:
    """Refuse a rule that is unknown or needs what the exam does not have."""
    if rule not in COMBINE:
        raise InputError(f"no rule {rule!r}", cure=near(rule, COMBINE))
    if COMBINE[rule].probabilities and not exam.has_probabilities:
        raise InputError(
            f"the rule {rule!r} without probabilities and labels",
            "probabilities of every model",
            "take the rule 'vote' or 'weighted_vote'",
        )
    if rule == "dynamic" and (exam.observed is not None or not exam.has_answers):
        raise InputError("the rule 'dynamic' with missing answers", "an answer of every model on every instance")


def _em(exam: EvaluationSet, rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    return mixture_weights(exam.truth[rows]).weights


def _odds(exam: EvaluationSet, rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    seen = np.full(len(rows), exam.n) if exam.observed is None else exam.observed[rows].sum(axis=1)
    smoothed = (exam.wrong[rows].sum(axis=1) + 0.5) / (seen + 1)
    classes = len(exam.predictions.classes) if exam.has_answers and exam.strata is not None else 2
    weights = opinion_pool.log_odds(smoothed, classes)
    shares: Float[np.ndarray, " k"] = weights / weights.sum()
    return shares


COMBINE: Mapping[str, Rule] = {
    "mixture": Rule(_em, proxy="mean"),
    "mean": Rule(),
    "geometric": Rule(),
    "stacking": Rule(proxy="geometric"),
    "vote": Rule(probabilities=False, votes=True),
    "weighted_vote": Rule(_odds, probabilities=False, votes=True),
    "dynamic": Rule(probabilities=False, proxy="mean"),
}
"""Rules by name: what `select` can make of the members it keeps."""
