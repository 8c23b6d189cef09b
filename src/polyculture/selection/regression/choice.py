"""Which models of numbers, with which weights? The whole choice from one exam: floor, search, weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from polyculture.errors import InputError, near

from .. import search
from ..least_squares_weights import moment_weights, without_the_lightest
from ..objectives import Goal
from .averages import Average, average
from .averages import check as check_rule
from .evaluation import ValueEvaluationSet
from .objectives import above_floor, value
from .objectives import check as check_goal


@dataclass(frozen=True)
class Plan:
    """Everything that decides a choice, settled.

    Parameters
    ----------
    goal : what to look for.
    rule : how members are averaged, a name in `RULES`.
    method : how to search, a name in `SEARCH`.
    k : size; None for as many as it takes.
    """

    goal: Goal
    rule: str
    method: str
    k: int | None

    @classmethod
    def settle(cls, exam: ValueEvaluationSet, k: int | None, goal: str | Goal, rule: str, method: str) -> Plan:
        """Fill in what was left open, and refuse what cannot be.

        The rule is the average with fitted weights, the goal its squared error, and the method the weights themselves
        where that is all that is asked for; greedy else.
        """
        rule = rule or "average"
        check_rule(rule)
        wanted = Goal.of(goal or "squared_error")
        check_goal(wanted, exam)
        m = len(exam.models)
        if k is not None and not 1 <= k <= m:
            raise InputError(f"{k} members out of {m} models", f"a size from 1 to {m}")
        if not method:
            method = "weights" if _is_plain(wanted) and rule == "average" and k is None else "greedy"
        if method not in SEARCH:
            raise InputError(f"no method {method!r} where the truth is a number", cure=near(method, SEARCH))
        if k is None and method in ("exact", "swap"):
            raise InputError(f"the method {method!r} without a size", "k, the number of members")
        return cls(wanted, rule, method, k)

    def score(self, exam: ValueEvaluationSet) -> search.Score:
        """The goal's value of a set, its weights fitted."""
        return lambda members: value(self.goal, average(self.rule, exam, np.array(members)), exam)


def _is_plain(goal: Goal) -> bool:
    """Whether it is the squared error and nothing else, which the weights make as small as can be."""
    return tuple(goal.minimize) == ("squared_error",) and not goal.subject_to


@dataclass(frozen=True, eq=False)
class Choice:
    """What a plan came to on one exam.

    Parameters
    ----------
    average : the portfolio.
    allowed : positions of the models above the floor.
    exact : whether the result is the best there is.
    """

    average: Average
    allowed: Int[np.ndarray, " j"]
    exact: bool


def choose(plan: Plan, exam: ValueEvaluationSet) -> Choice:
    """Members and weights by this plan from this exam, and from nothing else."""
    allowed = above_floor(plan.goal, exam, plan.rule == "average", plan.k or 1)
    rows, exact = SEARCH[plan.method](plan, exam, allowed)
    return Choice(average(plan.rule, exam, rows), allowed, exact)


Found = tuple[Int[np.ndarray, " k"], bool]


def _weights(plan: Plan, exam: ValueEvaluationSet, allowed: Int[np.ndarray, " j"]) -> Found:
    moments = exam.moments[np.ix_(allowed, allowed)]
    everyone = np.ones(len(allowed), dtype=bool)
    kept = np.flatnonzero(
        without_the_lightest(
            lambda rows: moment_weights(moments[np.ix_(rows, rows)], float(exam.n)), everyone, np.diag(moments), plan.k
        )
    )
    whole = int((moment_weights(moments, float(exam.n)) > 0).sum())
    return allowed[kept], _is_plain(plan.goal) and plan.rule == "average" and len(kept) == whole


def _greedy(plan: Plan, exam: ValueEvaluationSet, allowed: Int[np.ndarray, " j"]) -> Found:
    return np.array(search.greedy(plan.score(exam), allowed.tolist(), plan.k)[-1]), False


def _exact(plan: Plan, exam: ValueEvaluationSet, allowed: Int[np.ndarray, " j"]) -> Found:
    assert plan.k is not None
    return np.array(search.exact(plan.score(exam), allowed.tolist(), plan.k)), True


def _swap(plan: Plan, exam: ValueEvaluationSet, allowed: Int[np.ndarray, " j"]) -> Found:
    score, candidates = plan.score(exam), allowed.tolist()
    start = search.greedy(score, candidates, plan.k)[-1]
    return np.array(search.swap(score, candidates, start)), False


SEARCH: Mapping[str, Callable[[Plan, ValueEvaluationSet, Int[np.ndarray, " j"]], Found]] = {
    "weights": _weights,
    "greedy": _greedy,
    "exact": _exact,
    "swap": _swap,
}
"""Ways to search by name. weights: of all, exactly; whoever has less than a hundredth of the heaviest is dropped, or
the lightest until there are k. greedy: add who helps most. exact: every set, up to 100,000. swap: greedy, then
exchanges."""
