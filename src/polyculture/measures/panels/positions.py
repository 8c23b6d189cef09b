"""Does the order in which two outputs are shown decide which one is preferred?

A judge that sees every pair in both orders says so itself: its verdict flips, or not. Flips alone are no bias, as a
judge that draws lots flips, too: a bias is more flips towards the first output than towards the second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from .comparisons import PairedComparisons, PreferenceBias
from .least_squares import linear_preference

NO_BOTH_ORDERS = "no pair was judged in both orders"
NO_ORDER = "the order in which outputs were shown is not known"
DRAWS = 4999
MOST_ENUMERATED = 12
"""Items with more flips one way from which on signs are drawn and not enumerated."""
BATCH = 1 << 22


@dataclass(frozen=True, eq=False)
class BothOrders:
    """Pairs of outputs that a judge saw in both orders.

    Parameters
    ----------
    judge, item : codes, one per pair of outputs.
    toward_first : credit of an output when it is shown first less its credit when it is shown second, −1 … 1: 0 for a
        verdict that does not depend on the order.
    """

    judge: Int[np.ndarray, " p"]
    item: Int[np.ndarray, " p"]
    toward_first: Float[np.ndarray, " p"]

    @property
    def flipped(self) -> Bool[np.ndarray, " p"]:
        """Where the verdict depends on the order; a tie in one order only counts, too."""
        return np.asarray(np.abs(self.toward_first) > 1e-9)

    def of_judge(self, judge: int) -> BothOrders:
        """The pairs of one judge."""
        rows = self.judge == judge
        return BothOrders(self.judge[rows], self.item[rows], self.toward_first[rows])


def both_orders(comparisons: PairedComparisons) -> BothOrders:
    """The pairs that a judge saw in both orders; repeated verdicts in one order are averaged."""
    rows = np.flatnonzero(comparisons.valid & comparisons.ordered)
    outputs = comparisons.outputs[rows]
    turned = outputs[:, 0] > outputs[:, 1]
    credit = np.where(turned, 1 - comparisons.credit[rows], comparisons.credit[rows])
    keys = np.column_stack([comparisons.judge[rows], comparisons.item[rows], np.sort(outputs, axis=1)])
    pairs, code = np.unique(keys, axis=0, return_inverse=True)
    code = code.reshape(-1)
    counts = [np.bincount(code[turned == order], minlength=len(pairs)) for order in (False, True)]
    sums = [np.bincount(code[turned == order], credit[turned == order], len(pairs)) for order in (False, True)]
    complete = (counts[0] > 0) & (counts[1] > 0)
    as_first, as_second = (s[complete] / c[complete] for s, c in zip(sums, counts, strict=True))
    return BothOrders(pairs[complete, 0], pairs[complete, 1], as_first - as_second)


def position_bias(orders: BothOrders) -> PreferenceBias:
    """How much more of the win an output gets when it is shown first, over its mean in both orders.

    Half of the mean of `toward_first`, in [−½, ½]: 0 for no bias, ½ for a judge that always takes the first output,
    −½ for one that always takes the second. nan without a pair in both orders.
    """
    if not len(orders.judge):
        return PreferenceBias(math.nan, np.zeros(0), np.zeros(0, np.int64), NO_BOTH_ORDERS)
    value = float(orders.toward_first.mean()) / 2
    return PreferenceBias(value, orders.toward_first / 2 - value, orders.item)


def position_p(orders: BothOrders, generator: np.random.Generator) -> float:
    """Two-sided p-value of a bias to either position: signs of all of an item's pairs are turned together.

    Exact where the verdicts do not depend on the order: exchanging the two orders of an item then changes nothing but
    the sign. 1 where nothing flips, nan without pairs; never below 1/5000 where signs are drawn.
    """
    if not len(orders.judge):
        return math.nan
    sums = np.bincount(orders.item, orders.toward_first)
    sums = sums[np.abs(sums) > 1e-9]
    observed = abs(float(sums.sum())) - 1e-9
    if len(sums) <= MOST_ENUMERATED:
        signs = 1 - 2 * (np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1)
        return float((np.abs(signs @ sums) >= observed).mean())
    larger, remaining = 1, DRAWS
    while remaining:
        size = min(remaining, max(1, BATCH // len(sums)))
        signs = 1 - 2 * generator.integers(0, 2, (size, len(sums)))
        larger += int((np.abs(signs @ sums) >= observed).sum())
        remaining -= size
    return larger / (DRAWS + 1)


def position_effect(comparisons: PairedComparisons) -> PreferenceBias:
    """The same from pairs that were seen in one order only: what an output gains by being first, given who made it.

    Least squares of the first output's credit on a position and the strengths of the two candidates. It needs orders
    that vary: candidates that are always first cannot be told from a position.
    """
    part = comparisons.take(np.flatnonzero(comparisons.valid & comparisons.ordered))
    if not len(part.credit):
        return PreferenceBias(math.nan, np.zeros(0), np.zeros(0, np.int64), NO_ORDER)
    return linear_preference(part, np.ones(len(part.credit)))
