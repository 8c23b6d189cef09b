"""What is a judge's verdict on an item, from its answers in both orders and all repeats?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from polyculture.stats import Interval, jeffreys

from .ledger import CallKey, CallRecord

NONE = -1
"""Code where there is no verdict."""


def order_codes(
    records: Mapping[CallKey, CallRecord], judges: Sequence[str], ids: Sequence[str], shape: tuple[int, int, int]
) -> Int[np.ndarray, "m n o"]:
    """The class that each judge named for each item and order, `NONE` where it named none or all repeats split evenly.

    Parameters
    ----------
    shape : orders, repeats, classes.
    """
    orders, repeats, classes = shape
    codes = np.full((len(judges), len(ids), orders), NONE)
    for row, judge in enumerate(judges):
        for column, name in enumerate(ids):
            for order in range(orders):
                keys = (CallKey(judge, name, order + 1, repeat + 1) for repeat in range(repeats))
                answers = [records[key].probabilities for key in keys if key in records]
                codes[row, column, order] = _most_probable([row for row in answers if len(row) == classes])
    return codes


def _most_probable(rows: Sequence[Sequence[float]]) -> int:
    """The class of the largest mean probability; `NONE` without rows, and where two are largest."""
    if not rows:
        return NONE
    mean = np.mean(rows, axis=0)
    best = np.flatnonzero(mean >= mean.max() - 1e-12)
    return int(best[0]) if len(best) == 1 else NONE


def verdict_codes(codes: Int[np.ndarray, "m n o"], tie: int) -> Int[np.ndarray, "m n"]:
    """One verdict from both orders: what they agree on; where they differ the class `tie`, or none without that class.

    An item with an answer in one order only has no verdict.
    """
    first = codes[:, :, 0]
    if codes.shape[2] == 1:
        return first
    second = codes[:, :, 1]
    differ = np.where((first >= 0) & (second >= 0), tie, NONE)
    return np.asarray(np.where(first == second, first, differ))


def mean_numbers(
    records: Mapping[CallKey, CallRecord], judges: Sequence[str], ids: Sequence[str], repeats: int
) -> Float[np.ndarray, "m n"]:
    """The mean of each judge's numbers for each item; nan where there is none."""
    means = np.full((len(judges), len(ids)), np.nan)
    for row, judge in enumerate(judges):
        for column, name in enumerate(ids):
            keys = (CallKey(judge, name, 1, repeat + 1) for repeat in range(repeats))
            numbers = [n for key in keys if key in records for n in records[key].probabilities]
            means[row, column] = np.mean(numbers) if numbers else np.nan
    return means


def plurality(votes: Int[np.ndarray, "m n"], classes: int) -> Int[np.ndarray, " n"]:
    """The class with the most votes on each item; `NONE` without votes, and where two have the most."""
    counts = np.stack([(votes == code).sum(axis=0) for code in range(classes)])
    unique = (counts == counts.max(axis=0)).sum(axis=0) == 1
    return np.asarray(np.where(unique, counts.argmax(axis=0), NONE))


def order_table(codes: Int[np.ndarray, "m n o"], judges: Sequence[str], tie: int, level: float) -> pd.DataFrame:
    """How each judge's verdicts depend on the order: share of items whose verdict changes, and position bias.

    Columns: judge, items (answered in both orders), changed, changed_low, changed_high; among the items whose verdict
    went from one side to the other, first (share where whatever stood first was preferred; one half is no bias),
    first_low, first_high (Jeffreys).
    """
    rows = []
    sides = [i for i in range(int(codes.max(initial=1)) + 1) if i != tie][:2]
    for name, (first, second) in zip(judges, codes.transpose(0, 2, 1), strict=True):
        both = (first >= 0) & (second >= 0)
        changed = jeffreys(int((both & (first != second)).sum()), int(both.sum()), level)
        ahead = int(((first == sides[0]) & (second == sides[1])).sum())
        behind = int(((first == sides[1]) & (second == sides[0])).sum())
        bias = jeffreys(ahead, ahead + behind, level)
        rows.append({"judge": name, "items": int(both.sum()), **_limits("changed", changed), **_limits("first", bias)})
    return pd.DataFrame(rows)


def _limits(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
