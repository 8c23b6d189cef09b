"""How does one see who fails like whom? A number of every pair as a colour, alike models side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from polyculture.results import Pairwise

from ..theme import BLANK, DIVERGING, SEQUENTIAL
from .vega import Spec, figure, layer, plain, tooltip, zoom

MOST_CELLS = 80
"""A matrix of more rows than this is drawn in blocks of neighbours."""

_SIDE = 560
_LARGEST = 44


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


def square(title: str, names: Sequence[str], rows: Sequence[dict[str, Any]], colour: Spec, tip: Sequence[Spec]) -> Spec:
    """A symmetric matrix from its rows (places a > b, values); the places are numbers so that a reader can zoom."""
    x, y, side = places(names)
    pair = tooltip(("one", "one", ""), ("other", "other", ""))
    layers = [
        layer(
            {"type": "rect", "aria": False, "invalid": "show"},
            x={"field": p, **x},
            x2={"field": f"{p}_end"},
            y={"field": q, **y},
            y2={"field": f"{q}_end"},
            color=colour,
            tooltip=[*pair, *tip],
        )
        for p, q in (("a", "b"), ("b", "a"))
    ]
    layers[0]["params"] = [zoom("x", "y")]
    ends = [{"calculate": f"datum.{p} + 1", "as": f"{p}_end"} for p in "ab"]
    named = [{"calculate": f"names[datum.{p}]", "as": role} for p, role in (("a", "one"), ("b", "other"))]
    return figure(
        title,
        rows,
        autosize={"type": "pad", "contains": "padding"},
        width=side,
        height=side,
        params=[{"name": "names", "value": list(names)}],
        transform=[*ends, *named],
        layer=layers,
        usermeta={"square": len(names), "zoom": True},
    )


def places(names: Sequence[str]) -> tuple[Spec, Spec, int]:
    """Axes x and y of places with these names, which are given by the parameter ``names``, and the length of the side.

    Names stand at the left where a row is high enough to read them, which it may become by zooming, and below where
    there are few.
    """
    m = len(names)
    side = min(_SIDE, _LARGEST * m)
    high = "height / abs(domain('y')[1] - domain('y')[0]) - 2"
    axis = {
        "title": None,
        "values": [k + 0.5 for k in range(m)],
        "labelExpr": "names[floor(datum.value)]",
        "labelLimit": 150,
        "labelOverlap": False,
        "labelFontSize": {"expr": f"clamp({high}, 1, 11)"},
        "labelOpacity": {"expr": f"{high} < 6.2 ? 0 : 1"},
        "grid": False,
        "ticks": False,
        "domain": False,
    }
    upright = -90 if max(map(len, names), default=0) > 3 else 0
    scale = {"domain": [0, m], "nice": False, "zero": False}
    x = {"type": "quantitative", "scale": scale, "axis": {**axis, "labelAngle": upright} if m <= 20 else None}
    y = {"type": "quantitative", "scale": {**scale, "reverse": True}, "axis": axis}
    return x, y, side


def stepped(field: str, title: str, ends: tuple[float, float], colours: Sequence[str], steps: int = 0) -> Spec:
    """A colour in (that many) steps from one end to the other; what is undefined stays blank."""
    legend = {
        "title": title,
        "orient": "top",
        "direction": "horizontal",
        "gradientLength": 260,
        "gradientThickness": 10,
        "format": ".2~f",
        "labelOverlap": "greedy",
        "labelSeparation": 12,
    }
    return {
        "field": field,
        "type": "quantitative",
        "scale": {
            "type": "quantize",
            "domain": list(ends),
            "range": list(_spread(tuple(colours), steps or len(colours))),
        },
        "legend": legend,
        "condition": {"test": f"datum.{field} === null", "value": BLANK},
    }


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
    known = np.isfinite(kappa) & ~np.eye(m, dtype=bool)

    def total(matrix: Float[np.ndarray, "m m"]) -> Float[np.ndarray, "k k"]:
        return np.asarray(np.add.reduceat(np.add.reduceat(matrix, starts, axis=0), starts, axis=1))

    pairs = total(known.astype(float))
    pairs[pairs == 0] = np.nan
    ends = np.minimum(starts + size, m) - 1
    labels = [names[s] if s == e else f"{names[s]} +{e - s}" for s, e in zip(starts, ends, strict=True)]
    return total(np.where(known, kappa, 0.0)) / pairs, np.rint(total(np.where(known, n, 0.0)) / pairs), labels


def kappa_scale(kappa: Float[np.ndarray, " pairs"]) -> tuple[float, float, tuple[str, ...]]:
    """Lowest and highest value of the colour scale, and its colours, one per round step.

    Diverging and symmetric where a pair is clearly less alike than chance (κ < -0.1), else sequential: from zero, or
    from a round number where all pairs lie high and close together.
    """
    known = kappa[np.isfinite(kappa)]
    lowest, highest = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if lowest < -0.1:
        reach = 0.2 * math.ceil(max(-lowest, highest) / 0.2 - 1e-9)
        return -round(reach, 1), round(reach, 1), DIVERGING
    bottom = math.floor(10 * lowest + 1e-9) / 10 if lowest > 0.5 * highest else 0.0
    top = max(math.ceil(10 * highest - 1e-9) / 10, bottom + 0.2)
    steps = round((top - bottom) / (0.02 if top - bottom < 0.45 else 0.05))
    return bottom, round(top, 1), _spread(SEQUENTIAL, min(steps, len(SEQUENTIAL)))


def _spread(colours: tuple[str, ...], count: int) -> tuple[str, ...]:
    """That many colours, evenly from the whole ramp."""
    return tuple(colours[round(k)] for k in np.linspace(0, len(colours) - 1, count))
