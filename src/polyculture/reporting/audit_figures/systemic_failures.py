"""How many models fail each instance, against independence?"""

from __future__ import annotations

import math

from polyculture.results import Audit

from ..charts.vega import Spec, figure, layer, records, tooltip, zoom
from ..theme import BLUE, ORANGE

MANY = 60
"""Models from which the figure of failures per instance is worth zooming into."""


def systemic_figure(audit: Audit) -> Spec:
    """Instances by how many models fail them: bars observed, a line expected; logarithmic where counts differ much."""
    frame = audit.systemic.frame()
    m = len(frame) - 1
    frame = frame.assign(left=frame["models_wrong"] - 0.42, right=frame["models_wrong"] + 0.42)
    names = ["observed", "expected if independent"]
    colour = {
        "type": "nominal",
        "scale": {"domain": names, "range": [BLUE, ORANGE]},
        "legend": {"title": None, "orient": "top", "symbolType": "square", "symbolStrokeWidth": 0},
    }
    x_axis = {"title": f"models that are wrong, of {m}", "grid": False, "tickMinStep": 1, "format": "d"}
    x = {"type": "quantitative", "scale": {"domain": [-0.5, m + 0.5], "nice": False}, "axis": x_axis}
    y = _instances(float(max(frame["observed"].max(), frame["expected"].max(), 1)))
    tip = tooltip(("models_wrong", "models wrong", "d"), ("observed", names[0], ",d"), ("expected", names[1], ",.3~g"))
    line = {"type": "line", "strokeWidth": 2, "point": {"filled": True, "size": 34} if m <= 80 else False}
    layers = [
        layer(
            {"type": "rect", "cornerRadius": 1},
            x={"field": "left", **x},
            x2={"field": "right"},
            y={"field": "observed", **y},
            y2={"datum": 0},
            color={"datum": names[0], **colour},
            tooltip=tip,
        ),
        layer(
            line,
            x={"field": "models_wrong", **x},
            y={"field": "expected", **y},
            color={"datum": names[1], **colour},
            tooltip=tip,
        ),
    ]
    spec = figure("Failures per instance, against independence", records(frame), height=280, layer=layers)
    if m > MANY:
        layers[0]["params"] = [zoom("x")]
        spec["usermeta"] = {"zoom": True}
    return spec


def _instances(largest: float) -> Spec:
    """The axis of a count: logarithmic from one upwards, with a place for zero, where it goes far."""
    if largest <= 60:
        axis = {"title": "instances", "format": ",d", "tickMinStep": 1, "tickCount": 5}
        return {"type": "quantitative", "axis": axis}
    powers = [10**k for k in range(1 + int(math.log10(largest) + 1e-9))]
    axis = {"title": "instances (log scale)", "format": ",d", "labelOverlap": False, "values": [0, *powers]}
    return {"type": "quantitative", "scale": {"type": "symlog", "constant": 1}, "axis": axis}
