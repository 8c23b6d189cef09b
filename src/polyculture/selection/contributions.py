"""What does each member add? Leave-one-out with paired limits, and Shapley values of the portfolio's gain."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from polyculture.rng import stream
from polyculture.stats import Interval

from .certificate import mean
from .combination import Combination
from .dynamic_selection import evenly
from .evaluation import EvaluationSet
from .splitting import AnyExam

MOST_EXACT = 8
"""Members up to which all orders are counted; of more, orders are drawn."""
ORDERS = 100
MOST_INSTANCES = 10_000
"""Shapley values are taken over at most so many evenly spaced instances."""
COLUMNS = ["member", "weight", "alone", "leave_one_out", "low", "high", "shapley"]


def contributions(
    blend: Combination, exam: EvaluationSet, loss: str, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """One row per member: its own loss, how much worse the portfolio is without it, and its part of the gain.

    Columns: member, weight, alone (loss of the member by itself), leave_one_out (loss without it less loss with it,
    weights of the others scaled up) with low and high, shapley (mean over all orders of joining of what it adds; the
    values add up to the gain over knowing only how frequent the classes are).

    Parameters
    ----------
    loss : ``"log_loss"`` or ``"error"``.

    Everything is before a temperature is applied. One member: leave_one_out is nan. Source: Rozemberczki and Sarkar
    2021.
    """
    blend = replace(blend, temperature=1.0)

    def alone(at: int, here: EvaluationSet) -> Float[np.ndarray, " n"]:
        single = Combination("mean" if loss == "log_loss" else "vote", blend.rows[[at]], np.ones(1))
        return losses(single, here, loss)

    def together(members: Int[np.ndarray, " j"], here: EvaluationSet) -> Float[np.ndarray, " n"]:
        return losses(blend.without(members), here, loss)

    names = tuple(exam.model_ids[row] for row in blend.rows)
    game = ShapleyGame(names, blend.weights, alone, together, lambda here: _ignorance(here, loss))
    return parts(game, exam, level, seed)


@dataclass(frozen=True, eq=False)
class ShapleyGame(Generic[AnyExam]):
    """What members are worth alone and in any company.

    Parameters
    ----------
    members, weights : their ids and weights.
    alone : losses on an exam of the member at a position by itself.
    together : losses of the members at some positions.
    ignorance : loss on an exam of whoever knows nothing.
    """

    members: tuple[str, ...]
    weights: Float[np.ndarray, " k"]
    alone: Callable[[int, AnyExam], Float[np.ndarray, " n"]]
    together: Callable[[Int[np.ndarray, " j"], AnyExam], Float[np.ndarray, " n"]]
    ignorance: Callable[[AnyExam], float]


def parts(game: ShapleyGame[AnyExam], exam: AnyExam, level: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """The table of `contributions` from any way to combine members and any loss."""
    everyone = np.arange(len(game.members))
    whole = game.together(everyone, exam)
    shapley = _shapley(game, exam, seed)
    rows = []
    for at in everyone.tolist():
        out = Interval.undefined("one member")
        if len(everyone) > 1:
            out = mean(game.together(np.delete(everyone, at), exam) - whole, exam, level)
        own = float(np.nanmean(game.alone(at, exam)))
        weight = float(game.weights[at])
        rows.append((game.members[at], weight, own, out.estimate, out.low, out.high, float(shapley[at])))
    return pd.DataFrame(rows, columns=COLUMNS)


def losses(blend: Combination, exam: EvaluationSet, loss: str) -> Float[np.ndarray, " n"]:
    """Loss of the blend on each instance."""
    return blend.log_losses(exam) if loss == "log_loss" else blend.outcome(exam).wrong


def _shapley(game: ShapleyGame[AnyExam], exam: AnyExam, seed: int) -> Float[np.ndarray, " k"]:
    fewer = evenly(exam.n, MOST_INSTANCES)
    here = exam if len(fewer) == exam.n else exam.take(fewer)
    known: dict[tuple[int, ...], float] = {(): game.ignorance(here)}

    def value(members: tuple[int, ...]) -> float:
        ordered = tuple(sorted(members))
        if ordered not in known:
            known[ordered] = float(np.nanmean(game.together(np.array(ordered), here)))
        return -known[ordered]

    k = len(game.members)
    return _by_sets(value, k) if k <= MOST_EXACT else _by_orders(value, k, stream(seed, "Shapley orders"))


def _by_sets(value: Callable[[tuple[int, ...]], float], k: int) -> Float[np.ndarray, " k"]:
    found = np.zeros(k)
    for size in range(k):
        share = 1 / (k * math.comb(k - 1, size))
        for members in itertools.combinations(range(k), size):
            before = value(members)
            for joining in set(range(k)) - set(members):
                found[joining] += share * (value((*members, joining)) - before)
    return found


def _by_orders(value: Callable[[tuple[int, ...]], float], k: int, rng: np.random.Generator) -> Float[np.ndarray, " k"]:
    """Mean over random orders, each taken forwards and backwards."""
    found = np.zeros(k)
    for _ in range(ORDERS // 2):
        order = rng.permutation(k).tolist()
        for way in (order, order[::-1]):
            before = value(())
            for at in range(k):
                after = value(tuple(way[: at + 1]))
                found[way[at]] += (after - before) / ORDERS
                before = after
    return found


def _ignorance(exam: EvaluationSet, loss: str) -> float:
    """Loss of whoever knows only how frequent the classes are; without classes, of whoever is always wrong."""
    if exam.predictions.labels is None or (loss == "error" and exam.strata is None):
        return 1.0
    frequency = np.bincount(exam.predictions.labels) / exam.n
    if loss == "error":
        return 1 - float(frequency.max())
    seen = frequency[frequency > 0]
    return -float(seen @ np.log(seen))
