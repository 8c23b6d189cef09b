"""Which models fail alike? κ of every pair as a colour, alike models side by side."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from polyculture.results import Pairwise

from ..charts.pair_matrix import MOST_CELLS, spread, square, stepped
from ..charts.vega import Spec, plain, tooltip
from ..theme import DIVERGING, SEQUENTIAL


def matrix_figure(pairwise: Pairwise) -> Spec:
    """The symmetric matrix of κ in clustered order; ``usermeta.square`` is its number of rows.

    The data hold every pair once; the second layer draws it again on the other side of the diagonal.
    """
    kappa, n, names = blocks(pairwise)
    a, b = np.tril_indices(len(names), -1 if len(names) == len(pairwise.models) else 0)
    rows = [
        {"a": i, "b": j, "kappa": plain(round(k, 4)), "n": plain(c)}
        for i, j, k, c in zip(a.tolist(), b.tolist(), kappa[a, b].tolist(), n[a, b].tolist(), strict=True)
    ]
    low, high, colours = kappa_scale(kappa[a, b])
    colour = stepped("kappa", "error consistency κ", (low, high), colours)
    tip = tooltip(("kappa", "κ", ".3f"), ("n", "instances", ",d"))
    return square("Error consistency κ of every pair, alike models side by side", names, rows, colour, tip)


def blocks(pairwise: Pairwise) -> tuple[Float[np.ndarray, "k k"], Float[np.ndarray, "k k"], list[str]]:
    """κ, common instances and names in clustered order; means over blocks of neighbours where there are too many."""
    order = np.array(pairwise.order, dtype=int)
    kappa = np.asarray(pairwise.values["kappa"], dtype=float)[np.ix_(order, order)]
    n = np.asarray(pairwise.counts["n"], dtype=float)[np.ix_(order, order)]
    names = [pairwise.models[k] for k in order]
    m = len(names)
    size = -(-m // MOST_CELLS)
    if size == 1:
        return kappa, n, names
    starts = np.arange(0, m, size)
    defined = np.isfinite(kappa) & ~np.eye(m, dtype=bool)

    def total(matrix: Float[np.ndarray, "m m"]) -> Float[np.ndarray, "k k"]:
        return np.asarray(np.add.reduceat(np.add.reduceat(matrix, starts, axis=0), starts, axis=1))

    pairs = total(defined.astype(float))
    pairs[pairs == 0] = np.nan
    ends = np.minimum(starts + size, m) - 1
    labels = [names[s] if s == e else f"{names[s]} +{e - s}" for s, e in zip(starts, ends, strict=True)]
    return total(np.where(defined, kappa, 0.0)) / pairs, np.rint(total(np.where(defined, n, 0.0)) / pairs), labels


def kappa_scale(kappa: Float[np.ndarray, " pairs"]) -> tuple[float, float, tuple[str, ...]]:
    """Lowest and highest value of the colour scale, and its colours, one per round step.

    Diverging and symmetric where a pair is clearly less alike than chance (κ < -0.1), else sequential: from zero, or
    from a round number where all pairs lie high and close together.
    """
    defined = kappa[np.isfinite(kappa)]
    lowest, highest = (float(defined.min()), float(defined.max())) if len(defined) else (0.0, 1.0)
    if lowest < -0.1:
        reach = 0.2 * math.ceil(max(-lowest, highest) / 0.2 - 1e-9)
        return -round(reach, 1), round(reach, 1), DIVERGING
    bottom = math.floor(10 * lowest + 1e-9) / 10 if lowest > 0.5 * highest else 0.0
    top = max(math.ceil(10 * highest - 1e-9) / 10, bottom + 0.2)
    steps = round((top - bottom) / (0.02 if top - bottom < 0.45 else 0.05))
    return bottom, round(top, 1), spread(SEQUENTIAL, min(steps, len(SEQUENTIAL)))
