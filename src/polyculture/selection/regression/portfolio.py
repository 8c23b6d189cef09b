"""Which few models of numbers should I keep, and what is their mean worth? Values in, Portfolio out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from polyculture.errors import InputError
from polyculture.results import Portfolio
from polyculture.stats import Interval
from polyculture.values import Values

from ..certificate import mean, more_than
from ..contributions import ShapleyGame, parts
from ..objectives import Goal, costs
from ..pareto import LARGEST, compared, distinct
from ..portfolio import SelectionOptions
from ..search import greedy
from ..splitting import SelectionSplit, apart, companions, halves, outside
from .averages import Average, average
from .certificate import Baselines, certify
from .choice import Choice, Plan, choose
from .evaluation import ValueEvaluationSet
from .objectives import QUANTITIES, value

LOSS = "squared_error"


def select_values(
    values: Values,
    k: int | None = None,
    *,
    goal: str | Goal = "",
    rule: str = "",
    certify_on: Values | None = None,
    shifted: Mapping[str, Values] | None = None,
    terms: SelectionOptions | None = None,
) -> Portfolio:
    """The few models of numbers to keep, chosen on some instances and certified on others: `select` for regression.

    Parameters
    ----------
    values : what the candidates predicted for instances that none of them was trained on, without gaps.
    k : number of members; None for as many as it takes.
    goal : ``"squared_error"`` (if empty), ``"worst_shift"``, ``"worst_group"``, ``"n_eff"``, a numeric column of the
        model table, or a `Goal`; its floor, where it is a number, is the lowest R².
    rule : ``"average"`` (if empty) for weights fitted on the simplex, ``"mean"`` for equal ones.
    certify_on : the same models on other instances. Without it the table is split.
    shifted : the same models on other test sets, by name; parted like the table.
    terms : everything else; a method is ``"weights"``, ``"greedy"``, ``"exact"`` or ``"swap"``.
    """
    started = time.perf_counter()
    terms = terms or SelectionOptions()
    if terms.calibrated:
        raise InputError("calibrated numbers", "probabilities, or terms without calibrated")
    sides = part(values, certify_on, shifted or {}, terms)
    plan = Plan.settle(sides.chosen_on, k, goal, rule, terms.method)
    choice = choose(plan, sides.chosen_on)
    kept, ids = choice.average, sides.chosen_on.model_ids
    facts = asdict(terms) | {"groups": ", ".join(terms.groups), "version": _version()}
    return Portfolio(
        members=tuple(ids[row] for row in kept.rows),
        weights=tuple(map(float, kept.weights)),
        rule=plan.rule,
        goal=plan.goal.words,
        method=plan.method,
        exact=choice.exact,
        certificate=certify(kept, _rivals(plan, kept, sides.chosen_on), sides.certified_on, terms.level),
        optimism=more_than(kept.losses(sides.certified_on), kept.losses(sides.chosen_on), sides, terms.level),
        nested=_nested(plan, choice, sides.chosen_on, terms),
        loss=LOSS,
        front=_front(plan, choice, sides, terms.cost),
        contributions=contributions(kept, sides.certified_on, terms.level, terms.seed),
        candidates=candidates(choice.allowed, kept, sides.chosen_on),
        chosen_on=sides.chosen_on.n,
        certified_on=sides.certified_on.n,
        facts=facts | {"seconds": round(time.perf_counter() - started, 3)},
    )


def combine_values(portfolio: Portfolio, values: Values) -> Float[np.ndarray, " n"]:
    """What a portfolio of models of numbers predicts for other instances: the weighted mean of its members.

    Parameters
    ----------
    values : what the members (and any others) predicted there.
    """
    if portfolio.loss != LOSS:
        raise InputError(f"a portfolio that was chosen for {portfolio.loss}", f"one for {LOSS}", "use combine")
    members = ValueEvaluationSet(values.take_models(portfolio.members)).values
    predicted: Float[np.ndarray, " n"] = np.array(portfolio.weights) @ members.predicted
    return predicted


def part(
    values: Values, certify_on: Values | None, shifted: Mapping[str, Values], terms: SelectionOptions
) -> SelectionSplit[ValueEvaluationSet]:
    """The exams to choose and to certify on, without a common instance."""
    whole = ValueEvaluationSet(values, {}, terms.groups, terms.clusters)
    if certify_on is None:
        judges = halves(whole, terms.share, terms.seed)
        first, second = whole.take(np.flatnonzero(~judges)), whole.take(np.flatnonzero(judges))
    else:
        apart(values.known.index, certify_on.known.index)
        first, second = (
            whole,
            ValueEvaluationSet(certify_on.take_models(values.models), {}, terms.groups, terms.clusters),
        )
    there = {name: _elsewhere(v.take_models(values.models), terms) for name, v in shifted.items()}
    parted = companions(there, (first.instances.index, second.instances.index), terms.seed)
    return SelectionSplit(*(exam.beside(s) for exam, s in zip((first, second), parted, strict=True)))


def _elsewhere(values: Values, terms: SelectionOptions) -> ValueEvaluationSet:
    """Another test set; clustered as the table is, where the column is known there."""
    return ValueEvaluationSet(values, clusters=terms.clusters if terms.clusters in values.known.columns else "")


def _rivals(plan: Plan, kept: Average, exam: ValueEvaluationSet) -> Baselines:
    """Best single model, plain mean of all candidates, and as many of the best ones by the portfolio's rule."""
    order = np.argsort(exam.squared_errors, kind="stable")
    best, everyone = average("mean", exam, order[:1]), average("mean", exam, order)
    return Baselines(best, everyone, average(plan.rule, exam, order[: len(kept.rows)]))


def _nested(plan: Plan, choice: Choice, exam: ValueEvaluationSet, terms: SelectionOptions) -> Interval:
    """Loss of every instance under the choice made without its fold, less its loss under the choice made with it."""
    if not terms.folds:
        return Interval.undefined("not asked for")

    def chosen(rest: ValueEvaluationSet) -> Callable[[ValueEvaluationSet], Float[np.ndarray, " r"]]:
        return choose(plan, rest).average.losses

    outer = outside(exam, terms.folds, terms.seed, chosen)
    return mean(outer - choice.average.losses(exam), exam, terms.level)


def contributions(kept: Average, exam: ValueEvaluationSet, level: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """What each member adds to the mean; columns as in `Portfolio.contributions`, in squared error.

    Knowing nothing is knowing the mean of the truth.
    """

    def alone(at: int, here: ValueEvaluationSet) -> Float[np.ndarray, " n"]:
        return kept.without(np.array([at])).losses(here)

    def together(members: Int[np.ndarray, " j"], here: ValueEvaluationSet) -> Float[np.ndarray, " n"]:
        return kept.without(members).losses(here)

    names = tuple(exam.model_ids[row] for row in kept.rows)
    return parts(ShapleyGame(names, kept.weights, alone, together, lambda here: here.variance), exam, level, seed)


def _front(plan: Plan, choice: Choice, sides: SelectionSplit[ValueEvaluationSet], cost: str) -> pd.DataFrame:
    """One row per set that greedy search and best-of-all give at each size, and the chosen one; see `fronts.front`."""
    exam = sides.chosen_on
    price = costs(cost, exam, QUANTITIES) if cost else np.ones(len(exam.models))
    ids = np.array(exam.model_ids, dtype=object)
    largest = min(len(choice.allowed), max(LARGEST, plan.k or 0))
    best_first = choice.allowed[np.argsort(exam.squared_errors[choice.allowed], kind="stable")]
    sets = [choice.average.rows, *map(np.array, greedy(plan.score(exam), choice.allowed.tolist(), largest))]
    rows = []
    for members in distinct([*sets, *(best_first[:size] for size in range(1, largest + 1))]):
        one = average(plan.rule, exam, members)
        missed, quality = value(plan.goal, one, exam)
        rows.append(
            {
                "size": len(members),
                "members": " + ".join(ids[one.rows]),
                "quality": quality,
                "keeps_bounds": missed == 0,
                "certified": one.squared_error(sides.certified_on),
                "n_eff": QUANTITIES["n_eff"](one, exam),
                "cost": float(price[members].sum()),
                "chosen": set(members.tolist()) == set(choice.average.rows.tolist()),
            }
        )
    return compared(rows)


def candidates(allowed: Int[np.ndarray, " j"], kept: Average, exam: ValueEvaluationSet) -> pd.DataFrame:
    """One row per model, on the selection instances, members first, then by squared error."""
    weight_by_row = dict(zip(kept.rows.tolist(), kept.weights.tolist(), strict=True))
    rows: list[dict[str, Any]] = []
    for row, model in enumerate(exam.model_ids):
        inside = row in weight_by_row
        reason = "kept" if inside else "not chosen" if row in allowed else "below the floor"
        numbers = {LOSS: float(exam.squared_errors[row]), "weight": weight_by_row.get(row, 0.0)}
        rows.append({"model": model, **numbers, "kept": inside, "reason": reason})
    table = pd.DataFrame(rows).sort_values(["kept", "weight", LOSS], ascending=[False, False, True], kind="stable")
    return table.reset_index(drop=True)


def _version() -> str:
    from polyculture.version import __version__

    return __version__
