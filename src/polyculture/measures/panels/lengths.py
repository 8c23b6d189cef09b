"""Do judges prefer the longer output, and more than its author's strength explains?

The longer output may well be the better one. What the share of longer winners says is concordance; the part that is
left given who made the outputs comes nearer to a bias, and is one only if quality within an author does not grow with
length.
"""

from __future__ import annotations

import math

import numpy as np

from .comparisons import PairedComparisons, PreferenceBias
from .least_squares import linear_preference

NO_LENGTHS = "no two outputs with different known lengths were compared"


def longer_wins(comparisons: PairedComparisons) -> PreferenceBias:
    """Share of the win that the longer output gets, ties as half; ½ where length does not matter.

    Over verdicts on two outputs of different known lengths; nan without any.
    """
    part = comparisons.take(np.flatnonzero(comparisons.valid & (comparisons.longer != 0)))
    if not len(part.credit):
        return PreferenceBias(math.nan, np.zeros(0), np.zeros(0, np.int64), NO_LENGTHS)
    credit = np.where(part.longer > 0, part.credit, 1 - part.credit)
    value = float(credit.mean())
    return PreferenceBias(value, credit - value, part.item)


def length_bias(comparisons: PairedComparisons) -> PreferenceBias:
    """What an output gains by being the longer one, given who made the two and which was shown first.

    In shares of a win, −½ … ½: 0 for no bias. Least squares, see `linear_preference`. nan without lengths, and where
    one candidate is always the longer one.
    """
    part = comparisons.take(np.flatnonzero(comparisons.valid & (comparisons.longer != 0)))
    if not len(part.credit):
        return PreferenceBias(math.nan, np.zeros(0), np.zeros(0, np.int64), NO_LENGTHS)
    return linear_preference(part, part.longer.astype(float), part.ordered.astype(float))
