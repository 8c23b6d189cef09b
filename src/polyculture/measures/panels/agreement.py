"""How far do judges agree beyond chance, without a truth? Krippendorff's α, Fleiss' κ and Gwet's AC.

Agreement is not independence of errors: judges that copy each other agree perfectly, right or wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

SCALES = ("nominal", "ordinal", "interval")
"""How far two values are apart: different or not; by the values between them; by the square of their difference."""
NO_PAIR = "no item has two verdicts"
ONE_VALUE = "every verdict is the same"


@dataclass(frozen=True)
class Agreement:
    """A coefficient of agreement, 1 for judges who always agree and 0 for what chance gives.

    Parameters
    ----------
    value : the coefficient; nan where undefined, with the reason.
    observed, expected : agreement (of α: 1 − disagreement over its largest) seen, and by chance.
    items : items with two verdicts or more.
    reason : why it is undefined; empty otherwise.
    """

    value: float
    observed: float = math.nan
    expected: float = math.nan
    items: int = 0
    reason: str = ""


def verdict_counts(
    verdicts: Float[np.ndarray, "m n"], values: Float[np.ndarray, " c"] | None = None
) -> tuple[Float[np.ndarray, "n c"], Float[np.ndarray, " c"]]:
    """How many judges gave each value to each item, and the values in ascending order; nan is no verdict."""
    known = ~np.isnan(verdicts)
    levels = np.unique(verdicts[known]) if values is None else np.asarray(values, dtype=float)
    counts = np.zeros((verdicts.shape[1], len(levels)))
    for row, mask in zip(verdicts, known, strict=True):
        counts[np.flatnonzero(mask), np.searchsorted(levels, row[mask])] += 1
    return counts, levels


def krippendorff_alpha(
    counts: Float[np.ndarray, "n c"], values: Float[np.ndarray, " c"] | None = None, scale: str = "nominal"
) -> Agreement:
    """Krippendorff's α: 1 − observed over expected disagreement, for any number of judges and missing verdicts.

    Parameters
    ----------
    counts : how many judges gave each value to each item (`verdict_counts`); items with one verdict do not count.
    values : the values, ascending; needed for ``"interval"``.
    scale : one of `SCALES`.

    nan where no item has two verdicts, or all verdicts are one value. Source: Hayes and Krippendorff 2007.
    """
    sizes = counts.sum(axis=1)
    counts = counts[sizes > 1]
    if not len(counts):
        return Agreement(math.nan, reason=NO_PAIR)
    sizes = counts.sum(axis=1)
    margins = counts.sum(axis=0)
    total = float(margins.sum())
    # (JU1): every ordered pair of verdicts of an item, each item with the weight of its verdicts.
    if scale == "nominal":  # without a matrix of all values, of which open answers have thousands
        pairs, chance, largest = sizes**2 - (counts**2).sum(axis=1), total**2 - float((margins**2).sum()), 1.0
    else:
        distances = _distances(margins, values, scale)
        pairs = ((counts @ distances) * counts).sum(axis=1)
        chance, largest = float(margins @ distances @ margins), float(distances.max())
    disagreement = float((pairs / (sizes - 1)).sum()) / total
    by_chance = chance / (total * (total - 1))
    if by_chance == 0:
        return Agreement(math.nan, items=len(counts), reason=ONE_VALUE)
    return Agreement(1 - disagreement / by_chance, 1 - disagreement / largest, 1 - by_chance / largest, len(counts))


def _distances(
    margins: Float[np.ndarray, " c"], values: Float[np.ndarray, " c"] | None, scale: str
) -> Float[np.ndarray, "c c"]:
    """Squared distance of every two values."""
    if scale == "interval":
        positions = np.arange(len(margins), dtype=float) if values is None else values
        return np.asarray((positions[:, None] - positions[None, :]) ** 2)
    # (JU2): the distance of two ordinal values is the number of verdicts between them, half of their own included.
    ranks = np.cumsum(margins) - margins / 2
    return np.asarray((ranks[:, None] - ranks[None, :]) ** 2)


def fleiss_kappa(counts: Float[np.ndarray, "n c"]) -> Agreement:
    """Fleiss' κ: agreement of two random judges of an item beyond that of two random verdicts.

    Parameters
    ----------
    counts : as of `krippendorff_alpha`. Items may have different numbers of verdicts, each item then counts once.

    Source: Fleiss 1971; for unequal numbers Gwet 2008.
    """
    return _chance_corrected(counts, None, lambda shares: float((shares**2).sum()))


def gwet_ac(
    counts: Float[np.ndarray, "n c"], values: Float[np.ndarray, " c"] | None = None, scale: str = "nominal"
) -> Agreement:
    """Gwet's AC1 (nominal) or AC2 (ordinal and interval weights): chance only where judges are unsure.

    Stays defined and high where nearly all verdicts are one value, where κ falls to 0.

    Parameters
    ----------
    counts, values, scale : as of `krippendorff_alpha`; values without weights between them are nominal.

    Source: Gwet 2008.
    """
    c = counts.shape[1]
    weights = None if scale == "nominal" else _weights(c, values, scale)
    total = float(c if weights is None else weights.sum())

    def by_chance(shares: Float[np.ndarray, " c"]) -> float:
        return float(total / (c * (c - 1)) * (shares * (1 - shares)).sum()) if c > 1 else math.nan

    return _chance_corrected(counts, weights, by_chance)


def _weights(c: int, values: Float[np.ndarray, " c"] | None, scale: str) -> Float[np.ndarray, "c c"]:
    """Partial agreement of every two values, 1 for the same."""
    if c < 2:
        return np.eye(c)
    if scale == "interval":
        positions = np.arange(c, dtype=float) if values is None else values
        squares = (positions[:, None] - positions[None, :]) ** 2
        return np.asarray(1 - squares / squares.max())
    places = np.arange(c)
    between = np.abs(places[:, None] - places[None, :]) + 1
    pairs = between * (between - 1) / 2
    return np.asarray(1 - pairs / pairs.max())


def _chance_corrected(
    counts: Float[np.ndarray, "n c"],
    weights: Float[np.ndarray, "c c"] | None,
    by_chance: Callable[[Float[np.ndarray, " c"]], float],
) -> Agreement:
    """(observed − expected)/(1 − expected) agreement, every item counting once."""
    sizes = counts.sum(axis=1)
    rated, paired = sizes > 0, sizes > 1
    if not paired.any():
        return Agreement(math.nan, reason=NO_PAIR)
    # (JU3): of an item's verdicts the share of ordered pairs that agree, partial agreement by its weight.
    part, size = counts[paired], sizes[paired]
    agreeing = (part * ((part if weights is None else part @ weights) - 1)).sum(axis=1) / (size * (size - 1))
    observed = float(agreeing.mean())
    shares = (counts[rated] / sizes[rated, None]).mean(axis=0)
    expected = by_chance(shares)
    if math.isnan(expected) or expected >= 1:
        return Agreement(math.nan, observed, expected, int(paired.sum()), ONE_VALUE)
    return Agreement((observed - expected) / (1 - expected), observed, expected, int(paired.sum()))
