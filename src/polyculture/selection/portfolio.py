"""Which few models should I keep, how do I combine them, and what is that worth? Predictions in, Portfolio out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.predictions.probability_gaps import probability_gap, without_partial_probabilities
from polyculture.results import Portfolio
from polyculture.stats import Interval
from polyculture.version import __version__

from .certificate import Baselines, certify, mean, optimism
from .combination import COMBINE, Combination, Outcome, fit, loss_of
from .contributions import contributions
from .dynamic_selection import NearestInstances
from .evaluation import EvaluationSet
from .objectives import Goal, affordable_goal, costs
from .pareto import front
from .plan import SelectionPlan, SelectionResult, choose
from .splitting import check_disjoint, cross_fitted_losses, halves, split_companions


@dataclass(frozen=True)
class SelectionOptions:
    """How a portfolio is chosen and certified.

    Parameters
    ----------
    method : how to search, a name in `SEARCH` or, for numbers, `REGRESSION_SEARCH`; if empty the goal decides.
    share : of the instances to certify on, where no others are given.
    folds : parts of the selection instances, 2 or more, for the nested estimate of optimism; 0 to leave it out.
    groups : instance columns whose groups are certified one by one.
    clusters : instance column that says which instances were sampled together; they are never separated.
    cost : numeric model column for the front, such as seconds or a price; empty for the number of members.
    budget : what the members may cost together, in the unit of `cost` (else of a column price or cost); None for no
        limit. All affordable sets are compared, or if they are too many, greedy paths.
    calibrated : whether to fit a temperature for the combined probabilities (and for the baselines').
    level, seed : confidence level of every interval, in (0, 1), else InputError; seed of the splits and resamples.

    Examples
    --------
    >>> options = pc.SelectionOptions(share=0.3, clusters="patient")
    """

    method: str = ""
    share: float = 0.5
    folds: int = 5
    groups: tuple[str, ...] = ()
    clusters: str = ""
    cost: str = ""
    budget: float | None = None
    calibrated: bool = False
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise InputError(f"level is {self.level}", "a confidence level between 0 and 1, such as 0.95")
        if self.folds < 0 or self.folds == 1:
            raise InputError(f"{self.folds} folds", "two or more, or 0 for no nested estimate")


def select(
    predictions: Predictions,
    k: int | None = None,
    *,
    goal: str | Goal = "",
    rule: str = "",
    certify_on: Predictions | None = None,
    shifted: Mapping[str, Predictions] | None = None,
    terms: SelectionOptions | None = None,
) -> Portfolio:
    """The few models to keep, chosen on some instances and certified on others.

    Parameters
    ----------
    predictions : outputs of the candidates on instances that none of them was trained on. Probabilities allow every
        rule; answers alone, or only right and wrong, allow votes; predicted numbers, without gaps, are averaged.
    k : number of members; None to choose it automatically. There are fewer where the others would have the weight 0
        and no model instead of them helps: ``portfolio.shortfall`` says why.
    goal : a `Goal`, a name in `QUANTITIES` or, for numbers, `REGRESSION_QUANTITIES`, or a numeric column of the model
        table. If empty, the squared error of numbers, log-loss of probabilities or co-failure of votes.
    rule : how members are combined, a name in `COMBINE` or, for numbers, `AVERAGES`. If empty, the average with fitted
        weights; of classes the mixture, or the vote without probabilities.
    certify_on : outputs of the same models on other instances. Without it the table is split.
    shifted : outputs of the same models on other test sets, by name; split like the table.
    terms : everything else.

    Raises InputError for what does not fit: names, sizes, other models, common instances in `certify_on`.

    Examples
    --------
    >>> from polyculture.testing import tiny_predictions
    >>> pc.select(tiny_predictions(), k=2).members
    ('model-3', 'model-2')
    """
    started = time.perf_counter()
    terms = terms or SelectionOptions()
    if terms.calibrated and predictions.task == "regression":
        raise InputError("calibrated numbers", "probabilities, or terms without calibrated")
    certifying = {} if certify_on is None else {"certify on": certify_on}
    tables, gap = without_partial_probabilities({**(shifted or {}), **certifying, "": predictions})
    _check_votes(rule, gap)
    about_shifts = "shift" in (goal if isinstance(goal, str) else " ".join(goal.names))
    parts = tables.pop(""), tables.pop("certify on", None), tables
    selection, certification = split(*parts, terms, about_shifts)
    method = terms.method
    if terms.budget is not None:
        goal, method = affordable_goal(goal, rule, selection, terms.cost, terms.budget), method or "affordable"
        terms = replace(terms, cost=[*goal.subject_to][-1])
    plan = SelectionPlan.settle(selection, k, goal, rule, method, terms.calibrated)
    result = choose(plan, selection)
    combination, loss = result.combination, loss_of(plan.rule, selection)
    baselines = _baselines(plan, selection, loss, len(combination.rows))
    facts = asdict(terms) | {"groups": ", ".join(terms.groups), "version": __version__}
    return Portfolio(
        members=tuple(selection.model_ids[row] for row in combination.rows),
        weights=tuple(map(float, combination.weights)),
        rule=plan.rule,
        goal=plan.goal.words,
        method=plan.method,
        exact=result.exact,
        certificate=certify(combination, baselines, certification, terms.level, terms.seed),
        optimism=optimism(combination, selection, certification, loss, terms.level),
        nested=_nested(plan, combination, selection, loss, terms),
        loss=loss,
        front=front(plan, result, selection, certification, terms.cost),
        contributions=contributions(combination, certification, loss, terms.level, terms.seed),
        candidates=_candidates(result, selection),
        chosen_on=selection.n,
        certified_on=certification.n,
        classes=predictions.classes,
        bias=tuple(map(float, combination.bias)),
        temperature=combination.temperature,
        requested=k or 0,
        shortfall=result.shortfall,
        facts=facts
        | _spent(terms, selection, combination)
        | ({"unused": gap} if gap else {})
        | {"seconds": round(time.perf_counter() - started, 3)},
    )


def combine(portfolio: Portfolio, predictions: Predictions, reference: Predictions | None = None) -> Outcome:
    """What a portfolio predicts for other instances, from its members' outputs there.

    Parameters
    ----------
    portfolio : what `select` returned.
    predictions : outputs of the members (and of any others), with the portfolio's classes in the same order.
    reference : outputs on the instances that the portfolio was chosen on; for the rule ``"dynamic"`` only.

    Raises InputError for other classes, another task, and a member without outputs.

    Examples
    --------
    >>> from polyculture.testing import tiny_predictions
    >>> pc.combine(pc.select(tiny_predictions(), k=2), tiny_predictions(seed=1)).wrong.shape
    (400,)
    """
    regression = portfolio.loss == "squared_error"
    if regression != (predictions.task == "regression"):
        raise InputError(
            f"a portfolio that was chosen for {portfolio.loss}",
            "one of classes" if regression else "one for squared_error",
        )
    if predictions.probabilities is not None and predictions.classes != portfolio.classes:
        raise InputError(
            f"classes {', '.join(predictions.classes[:5]) or 'unknown'}",
            f"the portfolio's: {', '.join(portfolio.classes[:5])}{', …' if len(portfolio.classes) > 5 else ''}",
        )
    if (portfolio.rule == "dynamic") != (reference is not None):
        preposition = "without" if reference is None else "with"
        raise InputError(
            f"the rule {portfolio.rule!r} {preposition} a reference",
            "for 'dynamic', and only for it, the predictions that the portfolio was chosen on",
        )
    absent = [m for m in portfolio.members if m not in predictions.model_ids]
    if absent:
        raise InputError(f"no outputs of the member {absent[0]!r}", "outputs of every member")
    evaluation = EvaluationSet(predictions.take_models(portfolio.members) if regression else predictions)
    _check_votes(portfolio.rule, probability_gap(predictions))
    rows = np.array([evaluation.model_ids.index(m) for m in portfolio.members])
    nearest = None
    if reference is not None:
        nearest = NearestInstances(EvaluationSet(reference.take_models(predictions.model_ids)), rows)
    weights, bias = np.array(portfolio.weights), np.array(portfolio.bias)
    by_class = np.array(portfolio.weights_by_class, dtype=float, ndmin=2)
    combination = Combination(portfolio.rule, rows, weights, bias, portfolio.temperature, nearest, by_class)
    return combination.outcome(evaluation)


def split(
    predictions: Predictions,
    certify_on: Predictions | None,
    shifted: Mapping[str, Predictions],
    terms: SelectionOptions,
    chooses_on_shifts: bool = True,
) -> tuple[EvaluationSet, EvaluationSet]:
    """The evaluation sets to choose and to certify on, without a common instance."""
    ids = predictions.model_ids
    selection = EvaluationSet(predictions, {}, terms.groups, terms.clusters)
    if certify_on is None:
        certifies = halves(selection, terms.share, terms.seed)
        selection, certification = (selection.take(np.flatnonzero(rows)) for rows in (~certifies, certifies))
    else:
        check_disjoint(predictions, certify_on)
        _check_outputs("certify_on", certify_on, predictions)
        certification = EvaluationSet(certify_on.take_models(ids), {}, terms.groups, terms.clusters)
    for name, companion in shifted.items():
        _check_outputs(name, companion, predictions)
    companions = {name: _companion(p.take_models(ids), terms) for name, p in shifted.items()}
    indices = (selection.predictions.instances.index, certification.predictions.instances.index)
    first, second = split_companions(companions, *indices, terms.seed, certify_on is None or chooses_on_shifts)
    return selection.with_shifted(first), certification.with_shifted(second)


def _spent(terms: SelectionOptions, selection: EvaluationSet, combination: Combination) -> dict[str, float]:
    """What the members cost together, where there is a budget."""
    prices = None if terms.budget is None else costs(terms.cost, selection)
    return {} if prices is None else {"spent": float(prices[combination.rows].sum())}


def _check_votes(rule: str, gap: str) -> None:
    if gap and rule in COMBINE and not COMBINE[rule].votes:
        raise InputError(f"the rule {rule!r} where {gap}", "probabilities everywhere", "take the rule 'vote'")


def _companion(predictions: Predictions, terms: SelectionOptions) -> EvaluationSet:
    """A shifted test set; of numbers, clustered as the table is where the column is known there."""
    clustered = predictions.task == "regression" and terms.clusters in predictions.instances.columns
    return EvaluationSet(predictions, clusters=terms.clusters if clustered else "")


def _check_outputs(name: str, predictions: Predictions, reference: Predictions) -> None:
    """Refuse a table that lacks what the first one has, or whose probabilities are of other classes."""
    for output in ("probabilities", "answers", "values"):
        missing = getattr(predictions, output) is None
        if missing != (getattr(reference, output) is None):
            owner = "the first table has" if missing else f"{name!r} has"
            raise InputError(f"only {owner} {output}", "the same outputs in every table")
    if reference.probabilities is not None and predictions.classes != reference.classes:
        raise InputError(f"{name!r} has classes other than the first table", "the same, in the same order")


def _baselines(plan: SelectionPlan, evaluation: EvaluationSet, loss: str, k: int) -> Baselines:
    """Best single model, all candidates with equal weights, and the k best; calibrated where the portfolio is."""
    rule = "vote" if loss == "error" else "mean"
    losses = -np.log(evaluation.truth).mean(axis=1) if loss == "log_loss" else evaluation.errors
    order = np.argsort(losses, kind="stable")
    best, all_models = (fit(rule, evaluation, rows, plan.calibrated) for rows in (order[:1], order))
    return Baselines(best, all_models, plan.combination(evaluation, order[:k]))


def _nested(
    plan: SelectionPlan, combination: Combination, evaluation: EvaluationSet, loss: str, terms: SelectionOptions
) -> Interval:
    """Loss of every instance under the choice made without its fold, less its loss under the choice made with it."""
    if not terms.folds:
        return Interval.undefined("not asked for")

    def losses_elsewhere(training: EvaluationSet) -> Callable[[EvaluationSet], Float[np.ndarray, " r"]]:
        fitted = choose(plan, training).combination
        return lambda held_out: fitted.losses(held_out, loss)

    nested = cross_fitted_losses(evaluation, terms.folds, terms.seed, losses_elsewhere)
    return mean(nested - combination.losses(evaluation, loss), evaluation, terms.level)


def _candidates(result: SelectionResult, evaluation: EvaluationSet) -> pd.DataFrame:
    """One row per model, on the selection instances, members first, then by error."""
    weights = dict(zip(result.combination.rows.tolist(), result.combination.weights.tolist(), strict=True))
    candidates = set(result.candidates.tolist())
    error = "squared_error" if evaluation.is_regression else "error"
    rows: list[dict[str, Any]] = []
    for row, model in enumerate(evaluation.model_ids):
        numbers = {error: float(evaluation.errors[row])}
        if not evaluation.is_regression:
            numbers["log_loss"] = -np.log(evaluation.truth[row]).mean() if evaluation.has_probabilities else np.nan
        reason = "kept" if row in weights else "not chosen" if row in candidates else "below the floor"
        reason = "its weight is 0" if row in result.weightless else reason
        selected = {"weight": weights.get(row, 0.0), "kept": row in weights, "reason": reason}
        rows.append({"model": model, **numbers, **selected})
    table = pd.DataFrame(rows).sort_values(["kept", "weight", error], ascending=[False, False, True], kind="stable")
    return table.reset_index(drop=True)
