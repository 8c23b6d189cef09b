"""Which judges are worth their seat? One judge less, one more, one seat per family, and the price of a vote."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from polyculture.measures.panels import ErrorCorrelation, error_correlation
from polyculture.rng import stream
from polyculture.stats import Interval, influence_interval

from .judged import JudgedItems

ORDERS = 50
"""Random orders that a curve is averaged over."""
LARGEST_CURVE = 60


def judge_table(items: JudgedItems, correlation: ErrorCorrelation, level: float) -> pd.DataFrame:
    """One row per judge: its error, its mean correlation with the others, and the panel without it.

    Columns: judge, error, correlation, votes_without, votes_lost (votes of the panel less those without the judge),
    error_without, change (error of the majority without the judge less with it, paired by item), low, high; family and
    price where they are known. A judge that is always right or always wrong has no correlation.
    """
    wrong, judged = (items.wrong & items.observed).sum(axis=0), items.observed.sum(axis=0)
    losses, votes, rows = majority(wrong, judged), correlation.votes, []
    for judge, name in enumerate(items.names):
        others = np.flatnonzero(np.arange(items.judges) != judge)
        without = correlation.of(others)
        cells = items.observed[judge]
        smaller = majority(wrong - (items.wrong[judge] & cells), judged - cells)
        change = _paired(smaller, losses, items, level)
        rows.append(
            {
                "judge": name,
                "error": items.errors[judge],
                "correlation": _mean(np.delete(correlation.matrix[judge], judge)),
            }
            | {"votes_without": without, "votes_lost": votes - without, "error_without": _mean(smaller)}
            | {"change": change.estimate, "low": change.low, "high": change.high}
            | ({"family": items.families[judge]} if items.families else {})
            | ({"price": float(items.prices[judge])} if items.prices is not None else {})
        )
    return pd.DataFrame(rows).sort_values("votes_lost", ascending=False, kind="stable", ignore_index=True)


def majority(wrong: Int[np.ndarray, "*sizes n"], judged: Int[np.ndarray, "*sizes n"]) -> Float[np.ndarray, "*sizes n"]:
    """Loss of the majority on each item: how many judged it and how many of those are wrong; ties are half."""
    return np.asarray(np.where(judged > 0, (np.sign(2 * wrong - judged) + 1) / 2, np.nan))


def _paired(
    other: Float[np.ndarray, " n"], losses: Float[np.ndarray, " n"], items: JudgedItems, level: float
) -> Interval:
    """Mean of the other loss less the panel's, on the items that both have."""
    difference = other - losses
    if np.isnan(difference).all():
        return Interval.undefined("no item in common")
    mean = _mean(difference)
    return influence_interval(mean, difference - mean, items.clusters, level)


def curve_table(items: JudgedItems, correlation: ErrorCorrelation, seed: int) -> pd.DataFrame:
    """Votes and errors of growing panels: by what adds most votes, in random order, and the cheapest first.

    Columns: order (most votes first, random, cheapest first), size, judge (the last one added), votes, error, price.
    The order is chosen on the items that votes and errors are measured on: it flatters the early sizes.
    """
    orders = {"most votes first": _greedy(items, correlation)}
    if items.prices is not None:
        orders["cheapest first"] = [int(row) for row in np.argsort(items.prices, kind="stable")]
    rows = [row for name, order in orders.items() for row in _along(items, correlation, name, order)]
    return pd.DataFrame(rows + _random_orders(items, correlation, seed))


def _greedy(items: JudgedItems, correlation: ErrorCorrelation) -> list[int]:
    """The most accurate judge, then whoever adds most effective votes."""
    order = [int(items.errors.argmin())]
    while len(order) < min(items.judges, LARGEST_CURVE):
        others = [judge for judge in range(items.judges) if judge not in order]
        votes = [correlation.of(np.array([*order, judge])) for judge in others]
        order.append(others[int(np.nanargmax(np.where(np.isnan(votes), -1.0, votes)))])
    return order


def _along(items: JudgedItems, correlation: ErrorCorrelation, name: str, order: list[int]) -> list[dict[str, object]]:
    votes, errors = _growing(items, correlation, order)
    rows: list[dict[str, object]] = []
    for place, judge in enumerate(order[:LARGEST_CURVE]):
        row = {"order": name, "size": place + 1, "judge": items.names[judge]}
        row |= {"votes": votes[place], "error": errors[place]}
        price = {} if items.prices is None else {"price": float(items.prices[order[: place + 1]].sum())}
        rows.append(row | price)
    return rows


def _growing(items: JudgedItems, correlation: ErrorCorrelation, order: list[int]) -> tuple[list[float], list[float]]:
    """Votes and error of the first 1, 2, … judges of an order."""
    part = np.array(order[:LARGEST_CURVE])
    wrong = np.cumsum(items.wrong[part] & items.observed[part], axis=0)
    judged = np.cumsum(items.observed[part], axis=0)
    errors = [_mean(row) for row in majority(wrong, judged)]
    votes = [correlation.of(part[:size]) if size > 1 else 1.0 for size in range(1, len(part) + 1)]
    return votes, errors


def _random_orders(items: JudgedItems, correlation: ErrorCorrelation, seed: int) -> list[dict[str, object]]:
    generator = stream(seed, "orders of judges")
    draws = [_growing(items, correlation, generator.permutation(items.judges).tolist()) for _ in range(ORDERS)]
    votes, errors = (np.array(part) for part in zip(*draws, strict=True))
    votes = np.where(np.isfinite(votes), votes, np.nan)
    columns = zip(votes.T, errors.T, strict=True)
    return [
        {"order": "random", "size": size, "judge": "", "votes": _mean(column), "error": _mean(error)}
        for size, (column, error) in enumerate(columns, start=1)
    ]


def _mean(values: Float[np.ndarray, " k"]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else math.nan


def family_table(items: JudgedItems, correlation: ErrorCorrelation) -> pd.DataFrame:
    """One row per family: judges, mean correlation within it and with the other families, and its best judge."""
    names = np.array(items.families, dtype=object)
    rows = []
    for family in dict.fromkeys(items.families):
        inside, outside = np.flatnonzero(names == family), np.flatnonzero(names != family)
        block = correlation.matrix[np.ix_(inside, inside)]
        within = block[np.triu_indices(len(inside), 1)]
        best = int(inside[items.errors[inside].argmin()])
        rows.append(
            {"family": family, "judges": len(inside), "within": _mean(within)}
            | {"between": _mean(correlation.matrix[np.ix_(inside, outside)].ravel())}
            | {"best_judge": items.names[best], "error": float(items.errors[best])}
        )
    return pd.DataFrame(rows).sort_values("within", ascending=False, kind="stable", ignore_index=True)


def family_seats(
    items: JudgedItems, correlation: ErrorCorrelation, level: float
) -> tuple[list[int], dict[str, Interval]]:
    """The most accurate judge of each family, and what their panel is worth beside the whole one."""
    names = np.array(items.families, dtype=object)
    seats = []
    for family in dict.fromkeys(items.families):
        inside = np.flatnonzero(names == family)
        seats.append(int(inside[items.errors[inside].argmin()]))
    if len(seats) < 2 or len(seats) == items.judges:
        return seats, {}
    part = items.take(seats)
    smaller = error_correlation(part.wrong, part.observed)
    both = [majority((x.wrong & x.observed).sum(axis=0), x.observed.sum(axis=0)) for x in (part, items)]
    change = _paired(both[0], both[1], items, level)
    votes = Interval(smaller.votes, n=correlation.judges, reason=smaller.reason)
    return seats, {"votes_one_per_family": votes, "error_one_per_family": change}
