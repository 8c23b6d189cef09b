"""What does each member add? Leave-one-out with paired limits, and Shapley values of the portfolio's gain."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.rng import stream
from polyculture.stats import Interval

from .certificate import mean
from .combination import Combination
from .dynamic_selection import evenly_spaced
from .evaluation import EvaluationSet

MAX_EXACT = 8
"""Members up to which all orders are counted; of more, orders are drawn."""
ORDERS = 100
MAX_INSTANCES = 10_000
"""Shapley values are taken over at most this number of evenly spaced instances."""
COLUMNS = ["member", "weight", "alone", "leave_one_out", "low", "high", "shapley"]


def contributions(
    combination: Combination, evaluation: EvaluationSet, loss: str, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """One row per member: its own loss, how much worse the portfolio is without it, and its part of the gain.

    Columns: member, weight, alone (loss of the member by itself), leave_one_out (loss without it less loss with it,
    weights of the others scaled up) with low and high, shapley (mean over all orders of joining of what it adds; the
    values add up to the gain over knowing only how frequent the classes are, or the mean of the truth).

    Parameters
    ----------
    loss : ``"log_loss"``, ``"error"`` or ``"squared_error"``.

    Everything is before a temperature is applied. One member: leave_one_out is nan. Source: Rozemberczki and Sarkar
    2021.
    """
    combination = replace(combination, temperature=1.0)
    members = np.arange(len(combination.rows))
    losses = combination.restricted(members).losses(evaluation, loss)
    shapley = _shapley(combination, evaluation, loss, seed)
    rule = "vote" if loss == "error" else "mean"
    rows = []
    for position, row in enumerate(combination.rows):
        effect = Interval.undefined("one member")
        if len(members) > 1:
            remainder = combination.restricted(np.delete(members, position))
            effect = mean(remainder.losses(evaluation, loss) - losses, evaluation, level)
        single = Combination(rule, np.array([row]), np.ones(1))
        loss_alone = float(pd.Series(single.losses(evaluation, loss)).mean())
        numbers = (float(combination.weights[position]), loss_alone, effect.estimate, effect.low, effect.high)
        rows.append((evaluation.model_ids[row], *numbers, float(shapley[position])))
    return pd.DataFrame(rows, columns=COLUMNS)


def _shapley(combination: Combination, evaluation: EvaluationSet, loss: str, seed: int) -> Float[np.ndarray, " k"]:
    sample = evenly_spaced(evaluation.n, MAX_INSTANCES)
    evaluation = evaluation if len(sample) == evaluation.n else evaluation.take(sample)
    loss_by_members: dict[tuple[int, ...], float] = {(): _uninformed_loss(evaluation, loss)}

    def value(members: tuple[int, ...]) -> float:
        key = tuple(sorted(members))
        if key not in loss_by_members:
            losses = combination.restricted(np.array(key)).losses(evaluation, loss)
            loss_by_members[key] = float(pd.Series(losses).mean())
        return -loss_by_members[key]

    k = len(combination.rows)
    return _by_sets(value, k) if k <= MAX_EXACT else _by_orders(value, k, stream(seed, "Shapley orders"))


def _by_sets(value: Callable[[tuple[int, ...]], float], k: int) -> Float[np.ndarray, " k"]:
    shapley = np.zeros(k)
    for size in range(k):
        share = 1 / (k * math.comb(k - 1, size))
        for members in itertools.combinations(range(k), size):
            baseline = value(members)
            for addition in set(range(k)) - set(members):
                shapley[addition] += share * (value((*members, addition)) - baseline)
    return shapley


def _by_orders(value: Callable[[tuple[int, ...]], float], k: int, rng: np.random.Generator) -> Float[np.ndarray, " k"]:
    """Mean over random orders, each taken forwards and backwards."""
    shapley = np.zeros(k)
    for _ in range(ORDERS // 2):
        permutation = rng.permutation(k).tolist()
        for order in (permutation, permutation[::-1]):
            previous = value(())
            for position in range(k):
                current = value(tuple(order[: position + 1]))
                shapley[order[position]] += (current - previous) / ORDERS
                previous = current
    return shapley


def _uninformed_loss(evaluation: EvaluationSet, loss: str) -> float:
    """Loss of knowing only how frequent the classes are, or the mean of the truth; without classes, 1."""
    if loss == "squared_error":
        return evaluation.variance
    if evaluation.predictions.labels is None or (loss == "error" and evaluation.strata is None):
        return 1.0
    frequency = np.bincount(evaluation.predictions.labels) / evaluation.n
    if loss == "error":
        return 1 - float(frequency.max())
    positive = frequency[frequency > 0]
    return -float(positive @ np.log(positive))
