"""Which few models should I keep, how do I combine them, and what is that worth? Predictions in, Portfolio out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.results import Portfolio
from polyculture.stats import Interval

from .certificate import Baselines, certify, mean, more_than
from .choice import Choice, Plan, choose
from .combination import COMBINE, Combination, Outcome, fit
from .contributions import contributions, losses
from .dynamic_selection import NearestInstances
from .evaluation import EvaluationSet
from .objectives import Goal
from .pareto import front
from .splitting import SelectionSplit, apart, companions, halves, outside


@dataclass(frozen=True)
class SelectionOptions:
    """How a portfolio is chosen and certified.

    Parameters
    ----------
    method : how to search, a name in `SEARCH`; empty to let the goal decide.
    share : of the instances to certify on, where no others are given.
    folds : parts of the selection instances for the nested estimate of optimism; 0 to leave it out.
    groups : instance columns whose groups are judged one by one.
    clusters : instance column that says which instances were sampled together; they are never parted.
    cost : numeric model column for the front, such as seconds or a price; empty for the number of members.
    calibrated : whether to fit a temperature for the combined probabilities (and for the rivals').
    level : confidence level of every interval, in (0, 1).
    seed : of the splits and whatever is resampled.
    """

    method: str = ""
    share: float = 0.5
    folds: int = 5
    groups: tuple[str, ...] = ()
    clusters: str = ""
    cost: str = ""
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
        rule; answers alone, or only right and wrong, allow votes.
    k : number of members; None for as many as it takes.
    goal : a quantity (see `QUANTITIES`), a numeric column of the model table, or a `Goal`. Log-loss where the rule
        gives probabilities and co-failure where it counts votes, if empty.
    rule : how members are combined, a name in `COMBINE`; the mixture, or the vote without probabilities, if empty.
    certify_on : outputs of the same models on other instances. Without it the table is split.
    shifted : outputs of the same models on other test sets, by name; parted like the table.
    terms : everything else.
    """
    started = time.perf_counter()
    terms = terms or SelectionOptions()
    sides = part(predictions, certify_on, shifted or {}, terms)
    plan = Plan.settle(sides.chosen_on, k, goal, rule, terms.method, terms.calibrated)
    choice = choose(plan, sides.chosen_on)
    loss = "log_loss" if sides.chosen_on.has_probabilities and not COMBINE[plan.rule].votes else "error"
    rivals = _rivals(plan, sides.chosen_on, loss, len(choice.blend.rows))
    blend, ids = choice.blend, predictions.model_ids
    facts = asdict(terms) | {"groups": ", ".join(terms.groups), "version": _version()}
    return Portfolio(
        members=tuple(ids[row] for row in blend.rows),
        weights=tuple(map(float, blend.weights)),
        rule=plan.rule,
        goal=plan.goal.words,
        method=plan.method,
        exact=choice.exact,
        certificate=certify(blend, rivals, sides.certified_on, terms.level, terms.seed),
        optimism=_optimism(blend, sides, loss, terms.level),
        nested=_nested(plan, choice, sides.chosen_on, loss, terms),
        loss=loss,
        front=front(plan, choice, sides, loss, terms.cost),
        contributions=contributions(blend, sides.certified_on, loss, terms.level, terms.seed),
        candidates=_candidates(choice, sides.chosen_on),
        chosen_on=sides.chosen_on.n,
        certified_on=sides.certified_on.n,
        classes=predictions.classes,
        bias=tuple(map(float, blend.bias)),
        temperature=blend.temperature,
        facts=facts | {"seconds": round(time.perf_counter() - started, 3)},
    )


def combine(portfolio: Portfolio, predictions: Predictions, reference: Predictions | None = None) -> Outcome:
    """What a portfolio answers on other instances, from its members' outputs there.

    Parameters
    ----------
    predictions : outputs of the members (and of any others), with the portfolio's classes in the same order.
    reference : outputs on the instances that the portfolio was chosen on; for the rule ``"dynamic"`` only.
    """
    if portfolio.loss == "squared_error":
        raise InputError("a portfolio that was chosen for squared_error", "one of classes", "use combine_values")
    if predictions.probabilities is not None and predictions.classes != portfolio.classes:
        raise InputError(
            f"classes {', '.join(predictions.classes[:5]) or 'unknown'}",
            f"the portfolio's: {', '.join(portfolio.classes[:5])}{', …' if len(portfolio.classes) > 5 else ''}",
        )
    if (portfolio.rule == "dynamic") != (reference is not None):
        needs = "without" if reference is None else "with"
        raise InputError(
            f"the rule {portfolio.rule!r} {needs} a reference",
            "for 'dynamic', and only for it, the predictions that the portfolio was chosen on",
        )
    known = {model: row for row, model in enumerate(predictions.model_ids)}
    absent = [m for m in portfolio.members if m not in known]
    if absent:
        raise InputError(f"no outputs of the member {absent[0]!r}", "outputs of every member")
    exam = EvaluationSet(predictions)
    rows = np.array([known[m] for m in portfolio.members])
    nearby = (
        None
        if reference is None
        else NearestInstances(EvaluationSet(reference.take_models(predictions.model_ids)), rows)
    )
    weights, bias = np.array(portfolio.weights), np.array(portfolio.bias)
    by_class = np.array(portfolio.weights_by_class, dtype=float, ndmin=2)
    return Combination(portfolio.rule, rows, weights, bias, portfolio.temperature, nearby, by_class).outcome(exam)


def part(
    predictions: Predictions,
    certify_on: Predictions | None,
    shifted: Mapping[str, Predictions],
    terms: SelectionOptions,
) -> SelectionSplit[EvaluationSet]:
    """The exams to choose and to certify on, without a common instance."""
    ids = predictions.model_ids
    whole = EvaluationSet(predictions, {}, terms.groups, terms.clusters)
    if certify_on is None:
        judges = halves(whole, terms.share, terms.seed)
        first, second = (predictions.take_instances(np.flatnonzero(rows)) for rows in (~judges, judges))
    else:
        apart(predictions.instances.index, certify_on.instances.index)
        first, second = predictions, certify_on.take_models(ids)
    names = (first.instances.index, second.instances.index)
    for name, p in {"certify_on": second, **shifted}.items():
        _check_alike(name, p, predictions)
    there = {name: EvaluationSet(p.take_models(ids)) for name, p in shifted.items()}
    parted = companions(there, names, terms.seed)
    return SelectionSplit(
        *(EvaluationSet(p, s, terms.groups, terms.clusters) for p, s in zip((first, second), parted, strict=True))
    )


def _check_alike(name: str, there: Predictions, here: Predictions) -> None:
    """Refuse a table that lacks what the first one has, or whose probabilities are of other classes."""
    for what in ("probabilities", "answers"):
        if (getattr(there, what) is None) != (getattr(here, what) is None):
            which = "the first table has" if getattr(there, what) is None else f"{name!r} has"
            raise InputError(f"only {which} {what}", "the same outputs in every table")
    if here.probabilities is not None and there.classes != here.classes:
        raise InputError(f"{name!r} has classes other than the first table", "the same, in the same order")


def _rivals(plan: Plan, exam: EvaluationSet, loss: str, k: int) -> Baselines:
    """Best single model, all candidates with equal weights, and the k best; calibrated where the portfolio is."""
    rule = "mean" if loss == "log_loss" else "vote"
    single = -np.log(exam.truth).mean(axis=1) if loss == "log_loss" else exam.errors
    order = np.argsort(single, kind="stable")
    best, everyone = (fit(rule, exam, rows, plan.calibrated) for rows in (order[:1], order))
    return Baselines(best, everyone, plan.blend(exam, order[:k]))


def _optimism(blend: Combination, sides: SelectionSplit[EvaluationSet], loss: str, level: float) -> Interval:
    values = [losses(blend, exam, loss) for exam in (sides.certified_on, sides.chosen_on)]
    return more_than(values[0], values[1], sides, level)


def _nested(plan: Plan, choice: Choice, exam: EvaluationSet, loss: str, terms: SelectionOptions) -> Interval:
    """Loss of every instance under the choice made without its fold, less its loss under the choice made with it."""
    if not terms.folds:
        return Interval.undefined("not asked for")

    def chosen(rest: EvaluationSet) -> Callable[[EvaluationSet], Float[np.ndarray, " r"]]:
        blend = choose(plan, rest).blend
        return lambda held_out: losses(blend, held_out, loss)

    outer = outside(exam, terms.folds, terms.seed, chosen)
    return mean(outer - losses(choice.blend, exam, loss), exam, terms.level)


def _candidates(choice: Choice, exam: EvaluationSet) -> pd.DataFrame:
    """One row per model, on the selection instances, members first, then by error."""
    weight_by_row = dict(zip(choice.blend.rows.tolist(), choice.blend.weights.tolist(), strict=True))
    allowed = set(choice.allowed.tolist())
    rows: list[dict[str, Any]] = []
    for row, model in enumerate(exam.predictions.model_ids):
        kept = row in weight_by_row
        reason = "kept" if kept else "not chosen" if row in allowed else "below the floor"
        log_loss = -float(np.log(exam.truth[row]).mean()) if exam.has_probabilities else float("nan")
        numbers = {"error": float(exam.errors[row]), "log_loss": log_loss, "weight": weight_by_row.get(row, 0.0)}
        rows.append({"model": model, **numbers, "kept": kept, "reason": reason})
    table = pd.DataFrame(rows).sort_values(["kept", "weight", "error"], ascending=[False, False, True], kind="stable")
    return table.reset_index(drop=True)


def _version() -> str:
    from polyculture.version import __version__

    return __version__
