"""Which members, with which weights? The whole choice from one exam: floor, search, weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from polyculture.errors import InputError, near

from . import search
from .combination import COMBINE, Combination, fit
from .combination import check as check_rule
from .evaluation import EvaluationSet
from .mixture_weights import mixture_weights
from .objectives import Goal, ScoredSet, above_floor
from .objectives import check as check_goal
from .panels import co_failure, panel


@dataclass(frozen=True)
class Plan:
    """Everything that decides a choice, settled.

    Parameters
    ----------
    goal : what to look for.
    rule : how members are combined, a name in `COMBINE`.
    method : how to search, a name in `SEARCH`.
    k : size; None for as many as it takes.
    calibrated : whether a temperature is fitted at the end.
    """

    goal: Goal
    rule: str
    method: str
    k: int | None
    calibrated: bool = False

    @classmethod
    def settle(
        cls, exam: EvaluationSet, k: int | None, goal: str | Goal, rule: str, method: str, calibrated: bool
    ) -> Plan:
        """Fill in what was left open, and refuse what cannot be.

        The rule is the mixture where there are probabilities, else the vote. The goal is log-loss where the rule gives
        probabilities, else co-failure. The method is co-failure for that goal at a given size; expectation-
        maximization for the log-loss of a mixture of any size; greedy else.
        """
        rule = rule or ("mixture" if exam.has_probabilities else "vote")
        check_rule(rule, exam)
        speaks = exam.has_probabilities and not COMBINE[rule].votes
        wanted = Goal.of(goal or ("log_loss" if speaks else "co_failure"))
        check_goal(wanted, exam)
        if not speaks and {"log_loss", "worst_shift_log_loss"} & set(wanted.names):
            raise InputError(
                f"log-loss of the rule {rule!r}", "a rule that gives probabilities", "take the goal 'error'"
            )
        m = exam.predictions.shape[0]
        if k is not None and not 1 <= k <= m:
            raise InputError(f"{k} members out of {m} models", f"a size from 1 to {m}")
        if not method:
            alone = tuple(wanted.minimize) if not wanted.subject_to else ()
            method = "greedy"
            if alone == ("co_failure",) and k is not None:
                method = "co_failure"
            elif alone == ("log_loss",) and rule == "mixture" and k is None:
                method = "mixture"
        if method not in SEARCH:
            raise InputError(f"no method {method!r}", cure=near(method, SEARCH))
        if k is None and method in ("exact", "swap", "co_failure"):
            raise InputError(f"the method {method!r} without a size", "k, the number of members")
        if method == "mixture" and not exam.has_probabilities:
            raise InputError("the method 'mixture' without probabilities and labels", "probabilities of every model")
        return cls(wanted, rule, method, k, calibrated)

    def blend(self, exam: EvaluationSet, rows: Int[np.ndarray, " k"]) -> Combination:
        """These members under the plan's rule, fitted on the exam; the most accurate stand first where weights tie."""
        best_first = rows[np.argsort(exam.errors[rows], kind="stable")]
        return fit(self.rule, exam, best_first, self.calibrated)

    def score(self, exam: EvaluationSet) -> search.Score:
        """The goal's value of a set, its members combined as quickly as the rule allows."""
        proxy = COMBINE[self.rule].proxy or self.rule
        if not exam.has_probabilities and not COMBINE[proxy].votes:
            proxy = "vote"

        def value(members: search.Members) -> tuple[float, float]:
            rows = np.array(members)
            if COMBINE[proxy].weigh is None:
                blend = Combination(proxy, rows, np.full(len(rows), 1 / len(rows)))
            else:
                blend = fit(proxy, exam, rows)
            return self.goal.value(ScoredSet(blend, exam))

        return value


@dataclass(frozen=True, eq=False)
class Choice:
    """What a plan came to on one exam.

    Parameters
    ----------
    blend : the portfolio.
    allowed : positions of the models above the floor.
    exact : whether the result is the best there is.
    """

    blend: Combination
    allowed: Int[np.ndarray, " j"]
    exact: bool


def choose(plan: Plan, exam: EvaluationSet) -> Choice:
    """Members and weights by this plan from this exam, and from nothing else."""
    fitted = COMBINE[plan.rule].weigh is not None or plan.rule == "stacking"
    allowed = above_floor(plan.goal, exam, fitted, plan.k or 1)
    rows, exact = SEARCH[plan.method](plan, exam, allowed)
    return Choice(plan.blend(exam, rows), allowed, exact)


Found = tuple[Int[np.ndarray, " k"], bool]


def _mixture(plan: Plan, exam: EvaluationSet, allowed: Int[np.ndarray, " j"]) -> Found:
    weights: Float[np.ndarray, " j"] = mixture_weights(exam.truth[allowed]).weights
    if plan.k is None:
        return allowed[weights > 0], plan.rule == "mixture"
    return allowed[np.argsort(-weights, kind="stable")[: plan.k]], False


def _greedy(plan: Plan, exam: EvaluationSet, allowed: Int[np.ndarray, " j"]) -> Found:
    return np.array(search.greedy(plan.score(exam), allowed.tolist(), plan.k)[-1]), False


def _exact(plan: Plan, exam: EvaluationSet, allowed: Int[np.ndarray, " j"]) -> Found:
    assert plan.k is not None
    return np.array(search.exact(plan.score(exam), allowed.tolist(), plan.k)), True


def _swap(plan: Plan, exam: EvaluationSet, allowed: Int[np.ndarray, " j"]) -> Found:
    score, candidates = plan.score(exam), allowed.tolist()
    start = search.greedy(score, candidates, plan.k)[-1]
    return np.array(search.swap(score, candidates, start)), False


def _co_failure(plan: Plan, exam: EvaluationSet, allowed: Int[np.ndarray, " j"]) -> Found:
    assert plan.k is not None
    observed = None if exam.observed is None else exam.observed[allowed]
    names = [exam.predictions.model_ids[row] for row in allowed]
    found = panel(co_failure(exam.wrong[allowed], observed, names), plan.k)
    return allowed[list(found.models)], found.exact


SEARCH: Mapping[str, Callable[[Plan, EvaluationSet, Int[np.ndarray, " j"]], Found]] = {
    "mixture": _mixture,
    "greedy": _greedy,
    "exact": _exact,
    "swap": _swap,
    "co_failure": _co_failure,
}
"""Ways to search by name. mixture: weights of all by expectation-maximization, members those with a weight (the k
heaviest). greedy: add who helps most. exact: every set, up to 100,000. swap: greedy, then exchanges. co_failure: the
panel whose members fail together least, whatever else the goal says."""
