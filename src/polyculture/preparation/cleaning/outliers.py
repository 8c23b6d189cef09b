"""Which numbers are far from all others of their column? By median and median absolute deviation, not the mean."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from .columns import PooledColumn
from .disguised import LEAST_DISTINCT
from .fault import Fault
from .pool import Pool

LEAST_SCORE = 10.0
"""Robust standard deviations from the median that make an outlier."""
LEAST_NUMBERS, MOST_OUTLIERS, MOST_SHARE = 30, 3, 0.002
"""Numbers that a column needs; more outliers than this number and this share are a heavy tail."""
_DEVIATION = 1.4826
"""Median absolute deviation to standard deviation of a normal distribution."""


def outliers(pool: Pool) -> Iterator[Fault]:
    """Numbers more than `LEAST_SCORE` robust standard deviations from the median of their column in all parts.

    Numbers of one sign are compared on a logarithmic scale where that brings the median closer to the middle of the 5th
    and the 95th percentile. Columns with few distinct numbers, with half of them equal, or with a heavy tail have no
    outliers.

    Sources: Iglewicz and Hoaglin 1993.
    """
    for column in pool.columns:
        if not column.numeric:
            continue
        scores = robust_scores(column)
        rows = np.flatnonzero(np.abs(scores) > LEAST_SCORE)
        if len(rows) > max(MOST_OUTLIERS, MOST_SHARE * len(column.present)):
            continue
        middle = float(np.median(column.present)) if len(rows) else 0.0
        for row in rows.tolist():
            reason = f"is {column.values[row]:g}, {abs(scores[row]):.0f} robust standard deviations from {middle:g}"
            yield pool.fault("outlier", row, reason, column.name)


def robust_scores(column: PooledColumn) -> Float[np.ndarray, " n"]:
    """Distance of each number from the median in robust standard deviations; nan for gaps and where undefined.

    Undefined with fewer than `LEAST_NUMBERS` numbers or `LEAST_DISTINCT` distinct ones, and where half are equal.
    """
    numbers = np.where(np.isfinite(column.values), column.values, np.nan)
    present = column.present
    undefined = np.full(len(numbers), np.nan)
    if len(present) < LEAST_NUMBERS or len(np.unique(present)) < LEAST_DISTINCT:
        return undefined
    sign = 1.0 if present.min() > 0 else -1.0 if present.max() < 0 else 0.0
    if sign and abs(_asymmetry(np.log(sign * present))) < abs(_asymmetry(present)):
        numbers, present = np.log(sign * numbers), np.log(sign * present)
    deviation = _DEVIATION * float(np.median(np.abs(present - np.median(present))))
    return (numbers - np.median(present)) / deviation if deviation > 0 else undefined


def _asymmetry(numbers: Float[np.ndarray, " k"]) -> float:
    """Bowley's skewness of the 5th and 95th percentile: 0 where the median is midway, at most 1 in size."""
    low, middle, high = np.quantile(numbers, [0.05, 0.5, 0.95])
    return float((high + low - 2 * middle) / (high - low)) if high > low else 0.0
