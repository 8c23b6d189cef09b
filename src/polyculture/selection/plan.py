"""Which members, with which weights? The complete choice on one evaluation set: floor, search, weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from polyculture.errors import InputError, near

from . import search
from .combination import COMBINE, Combination, fit, loss_of, rules
from .combination import check as check_rule
from .evaluation import EvaluationSet
from .least_squares_weights import moment_weights, without_the_lightest
from .mixture_weights import mixture_weights
from .objectives import Goal, ScoredSet, above_floor, costs
from .objectives import check as check_goal
from .panels import co_failure, panel

ROUNDING = 9
"""Decimals of the goal in which a further member has to make a difference."""


@dataclass(frozen=True)
class SelectionPlan:
    """Everything that decides a choice, filled in and checked.

    Parameters
    ----------
    goal : what to look for.
    rule : how members are combined, a name in `COMBINE`; where the truth is a number, in `AVERAGES`.
    method : how to search, a name in `SEARCH`; where the truth is a number, in `REGRESSION_SEARCH`.
    k : size; None to let the search decide.
    calibrated : whether a temperature is fitted at the end.
    """

    goal: Goal
    rule: str
    method: str
    k: int | None
    calibrated: bool = False

    @classmethod
    def settle(
        cls,
        evaluation: EvaluationSet,
        k: int | None,
        goal: str | Goal,
        rule: str,
        method: str,
        calibrated: bool = False,
    ) -> SelectionPlan:
        """Fill in what was left open, and refuse what cannot be.

        The rule is the average with fitted weights where the truth is a number, the mixture where there are
        probabilities, else the vote. The goal is the squared error of values, the log-loss where the rule gives
        probabilities, else co-failure. The method is co-failure for that goal at a given size; the weights of all
        candidates where they alone minimize the goal and the size is open; greedy else.
        """
        default = "mixture" if evaluation.has_probabilities else "vote"
        rule = rule or ("average" if evaluation.is_regression else default)
        check_rule(rule, evaluation)
        loss = loss_of(rule, evaluation)
        goal = Goal.of(goal or ("co_failure" if loss == "error" else loss))
        check_goal(goal, evaluation)
        if loss == "error" and {"log_loss", "worst_shift_log_loss"} & set(goal.names):
            raise InputError(
                f"log-loss of the rule {rule!r}", "a rule that gives probabilities", "take the goal 'error'"
            )
        m = len(evaluation.model_ids)
        if k is not None and not 1 <= k <= m:
            raise InputError(f"{k} members out of {m} models", f"a size from 1 to {m}")
        method = method or _default_method(goal, rule, k)
        methods = REGRESSION_SEARCH if evaluation.is_regression else SEARCH
        if method not in methods:
            task = " where the truth is a number" if evaluation.is_regression else ""
            raise InputError(f"no method {method!r}{task}", cure=near(method, methods))
        if k is None and method in ("exact", "swap", "co_failure"):
            raise InputError(f"the method {method!r} without a size", "k, the number of members")
        if method == "affordable" and not goal.subject_to:
            raise InputError("the method 'affordable' without a budget", "what the members may cost together")
        if method == "mixture" and not evaluation.has_probabilities:
            raise InputError("the method 'mixture' without probabilities and labels", "probabilities of every model")
        return cls(goal, rule, method, k, calibrated)

    def combination(self, evaluation: EvaluationSet, rows: Int[np.ndarray, " k"]) -> Combination:
        """These members under the plan's rule, fitted on these instances; where weights tie the best come first."""
        best_first = rows[np.argsort(evaluation.errors[rows], kind="stable")]
        return fit(self.rule, evaluation, best_first, self.calibrated)

    def score(self, evaluation: EvaluationSet) -> search.Score:
        """The goal's value of a set, its members combined as quickly as the rule allows."""
        proxy = rules(evaluation)[self.rule].proxy or self.rule
        if not evaluation.is_regression and not evaluation.has_probabilities and not COMBINE[proxy].votes:
            proxy = "vote"

        def value(members: search.Members) -> tuple[float, float]:
            rows = np.array(members)
            if evaluation.is_regression:
                combination = self.combination(evaluation, rows)
            elif COMBINE[proxy].weights is None:
                combination = Combination(proxy, rows, np.full(len(rows), 1 / len(rows)))
            else:
                combination = fit(proxy, evaluation, rows)
            return self.goal.value(ScoredSet(combination, evaluation))

        return value


def _default_method(goal: Goal, rule: str, k: int | None) -> str:
    if k is not None:
        return "co_failure" if goal.is_only("co_failure") else "greedy"
    if goal.is_only("log_loss") and rule == "mixture":
        return "mixture"
    return "weights" if goal.is_only("squared_error") and rule == "average" else "greedy"


@dataclass(frozen=True, eq=False)
class SelectionResult:
    """What a plan selects on one evaluation set.

    Parameters
    ----------
    combination : the members with their weights.
    candidates : positions of the models above the floor.
    exact : whether the result is the best there is.
    weightless : positions of the models that were searched out and got the weight 0, which are no members.
    shortfall : why there are fewer members than the plan's size; empty where there are not.
    """

    combination: Combination
    candidates: Int[np.ndarray, " j"]
    exact: bool
    weightless: Int[np.ndarray, " w"]
    shortfall: str = ""


def choose(plan: SelectionPlan, evaluation: EvaluationSet) -> SelectionResult:
    """Members and weights by this plan from these instances, and from nothing else."""
    fitted = rules(evaluation)[plan.rule].weights is not None or plan.rule == "stacking"
    candidates = above_floor(plan.goal, evaluation, fitted, plan.k or 1)
    methods = REGRESSION_SEARCH if evaluation.is_regression else SEARCH
    rows, exact = methods[plan.method](plan, evaluation, candidates)
    combination = plan.combination(evaluation, rows)
    shortfall, missing = "", (plan.k or 0) - len(combination.rows)
    if missing > 0:
        shortfall = "any further model would have less than a hundredth of the heaviest weight"
        if len(combination.rows) < len(rows):
            combination = _completed(plan, evaluation, combination, candidates)
            shortfall = f"the others would have the weight 0, and no further model lowers the goal {plan.goal.words}"
    weightless = np.setdiff1d(rows, combination.rows)
    shortfall = shortfall if len(combination.rows) < (plan.k or 0) else ""
    return SelectionResult(combination, candidates, exact, weightless, shortfall)


def _completed(
    plan: SelectionPlan, evaluation: EvaluationSet, combination: Combination, candidates: Int[np.ndarray, " j"]
) -> Combination:
    """The combination with further members, up to the plan's size, as long as one lowers the goal under its rule."""

    def value(trial: Combination) -> tuple[float, float]:
        excess, total = plan.goal.value(ScoredSet(trial, evaluation))
        return round(excess, ROUNDING), round(total, ROUNDING)

    lowest = value(combination)
    while len(combination.rows) < (plan.k or 0):
        outsiders = np.setdiff1d(candidates, combination.rows)
        trials = [plan.combination(evaluation, np.append(combination.rows, row)) for row in outsiders]
        scores = [value(trial) for trial in trials]
        if not scores or not min(scores) < lowest:
            break
        combination, lowest = trials[scores.index(min(scores))], min(scores)
    return combination


SearchOutcome = tuple[Int[np.ndarray, " k"], bool]
"""Positions of the members, and whether they are the best there are."""
SearchMethod = Callable[[SelectionPlan, EvaluationSet, Int[np.ndarray, " j"]], SearchOutcome]


def _mixture(plan: SelectionPlan, evaluation: EvaluationSet, candidates: Int[np.ndarray, " j"]) -> SearchOutcome:
    weights: Float[np.ndarray, " j"] = mixture_weights(evaluation.truth[candidates]).weights
    if plan.k is None:
        return candidates[weights > 0], plan.rule == "mixture"
    return candidates[np.argsort(-weights, kind="stable")[: plan.k]], False


def _weights(plan: SelectionPlan, evaluation: EvaluationSet, candidates: Int[np.ndarray, " j"]) -> SearchOutcome:
    moments, n = evaluation.moments[np.ix_(candidates, candidates)], float(evaluation.n)
    all_rows = np.ones(len(candidates), dtype=bool)
    weights = without_the_lightest(
        lambda rows: moment_weights(moments[np.ix_(rows, rows)], n), all_rows, np.diag(moments), plan.k
    )
    members = np.flatnonzero(weights)
    unrestricted = int((moment_weights(moments, n) > 0).sum())
    exact = plan.goal.is_only("squared_error") and plan.rule == "average" and len(members) == unrestricted
    return candidates[members], exact


def _greedy(plan: SelectionPlan, evaluation: EvaluationSet, candidates: Int[np.ndarray, " j"]) -> SearchOutcome:
    return np.array(search.greedy(plan.score(evaluation), candidates.tolist(), plan.k)[-1]), False


def _exact(plan: SelectionPlan, evaluation: EvaluationSet, candidates: Int[np.ndarray, " j"]) -> SearchOutcome:
    assert plan.k is not None
    return np.array(search.exact(plan.score(evaluation), candidates.tolist(), plan.k)), True


def _swap(plan: SelectionPlan, evaluation: EvaluationSet, candidates: Int[np.ndarray, " j"]) -> SearchOutcome:
    score, rows = plan.score(evaluation), candidates.tolist()
    start = search.greedy(score, rows, plan.k)[-1]
    return np.array(search.swap(score, rows, start)), False


def _co_failure(plan: SelectionPlan, evaluation: EvaluationSet, candidates: Int[np.ndarray, " j"]) -> SearchOutcome:
    assert plan.k is not None
    observed = None if evaluation.observed is None else evaluation.observed[candidates]
    names = [evaluation.model_ids[row] for row in candidates]
    best = panel(co_failure(evaluation.wrong[candidates], observed, names), plan.k)
    return candidates[list(best.models)], best.exact


def _affordable(plan: SelectionPlan, evaluation: EvaluationSet, candidates: Int[np.ndarray, " j"]) -> SearchOutcome:
    name = [*plan.goal.subject_to][-1]  # the bound that a budget has put last
    prices, budget = costs(name, evaluation), plan.goal.subject_to[name][1]
    rows, exact = search.best_affordable(plan.score(evaluation), candidates.tolist(), prices, budget, plan.k)
    return np.array(rows), exact


SEARCH: Mapping[str, SearchMethod] = {
    "mixture": _mixture,
    "greedy": _greedy,
    "exact": _exact,
    "swap": _swap,
    "co_failure": _co_failure,
    "affordable": _affordable,
}
"""Ways to search by name. mixture: weights of all by expectation-maximization, members those with a weight (the k
heaviest). greedy: add the model that helps most. exact: every set, up to 100,000. swap: greedy, then exchanges.
co_failure: the panel whose members fail together least, whatever else is in the goal."""

REGRESSION_SEARCH: Mapping[str, SearchMethod] = {
    "weights": _weights,
    "greedy": _greedy,
    "exact": _exact,
    "swap": _swap,
    "affordable": _affordable,
}
"""Ways to search where the truth is a number. weights: of all, exactly; members with less than a hundredth of the
heaviest weight are dropped, or the lightest until there are k. The others as in `SEARCH`."""
