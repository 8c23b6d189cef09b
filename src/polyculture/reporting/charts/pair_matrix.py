"""How is a number of every pair shown? As colours of a matrix, zoomable where it is large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..theme import BLANK
from .model_labels import Labels, model_labels
from .vega import Spec, figure, layer, tooltip, zoom

MOST_CELLS = 80
"""A matrix of more rows than this is drawn in blocks of neighbours."""

_SIDE = 560
_LARGEST = 44
_LABEL = 150


def square(title: str, names: Sequence[str], rows: Sequence[dict[str, Any]], colour: Spec, tip: Sequence[Spec]) -> Spec:
    """A symmetric matrix from its rows (places a > b, values); the places are numbers so that a reader can zoom."""
    labels = model_labels(names, _LABEL)
    x, y, side = places(names, labels)
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
    name_models = [{"calculate": f"names[datum.{p}]", "as": role} for p, role in (("a", "one"), ("b", "other"))]
    return figure(
        title,
        rows,
        autosize={"type": "pad", "contains": "padding"},
        width=side,
        height=side,
        params=labels.params,
        transform=[*ends, *name_models],
        layer=layers,
        usermeta={"square": len(names), "zoom": True},
    )


def places(names: Sequence[str], labels: Labels | None = None) -> tuple[Spec, Spec, int]:
    """Axes x and y of places with these names, which are given by the parameter ``names``, and the length of the side.

    Names, or the labels instead of them, stand at the left where a row is high enough to read them, which it may become
    by zooming, and below where there are few.
    """
    m = len(names)
    side = min(_SIDE, _LARGEST * m)
    high = "height / abs(domain('y')[1] - domain('y')[0]) - 2"
    axis = {
        "title": None,
        "values": [k + 0.5 for k in range(m)],
        "labelExpr": (labels or Labels(names)).expression("floor(datum.value)"),
        "labelLimit": _LABEL,
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
            "range": list(spread(tuple(colours), steps or len(colours))),
        },
        "legend": legend,
        "condition": {"test": f"datum.{field} === null", "value": BLANK},
    }


def spread(colours: tuple[str, ...], count: int) -> tuple[str, ...]:
    """That many colours, evenly from the whole ramp."""
    return tuple(colours[round(k)] for k in np.linspace(0, len(colours) - 1, count))
