"""How many independent models do they fail like, against each null model?"""

from __future__ import annotations

import math
from typing import Any

from polyculture.results import Audit, NullModel

from ..charts.vega import Spec, figure, layer, tooltip
from ..narrative import PATTERN, null_model_label, null_model_value
from ..theme import BLUE, INK, MUTED


def null_models_figure(audit: Audit) -> Spec:
    """One row per null: n_eff with its interval on a log scale that ends at the number of models."""
    m = audit.n_models
    ticks = [t for t in (1, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000) if t <= m and (m <= 8 or t != 1.5)]
    title = "effective number of independent models (log scale)"
    scale = {"type": "log", "domain": [1, m], "nice": False}
    x = {"type": "quantitative", "scale": scale, "axis": {"title": title, "values": ticks, "format": "~r"}}
    y = {"field": "rung", "type": "nominal", "sort": None, "axis": None}
    colour = {"condition": {"test": "datum.headline", "value": BLUE}, "value": MUTED}
    shapes = [{"test": f"datum.{k}", "value": v} for k, v in (("descriptive", "diamond"), ("beyond", "triangle-right"))]
    shape = {"condition": shapes, "value": "circle"}
    small = {"expr": "width < 420 ? 10 : 12"}
    line = {"type": "text", "align": "left", "x": 0, "limit": {"expr": "width"}, "fontSize": small}
    layers = [
        *_independent(m, x),
        layer({**line, "dy": -17, "color": INK}, y=y, text={"field": "label"}),
        layer(
            {"type": "rule", "strokeWidth": 5, "strokeCap": "round", "opacity": 0.4},
            y=y,
            x={"field": "low", **x},
            x2={"field": "high"},
            color=colour,
        ),
        layer(
            {"type": "point", "filled": True, "size": 120, "opacity": 1},
            y=y,
            x={"field": "n_eff", **x},
            color=colour,
            shape=shape,
            tooltip=tooltip(("label", "null", ""), ("value", "n_eff", ""), ("rho", "ρ", ""), ("p", "independence", "")),
        ),
        *(_value_text(x, y, on_left) for on_left in (True, False)),
        layer(
            {**line, "dy": 2, "color": MUTED},
            y=y,
            text={"field": "value"},
            transform=[{"filter": "datum.n_eff === null"}],
        ),
    ]
    rows = [_null_model_row(null_model, audit) for null_model in audit.null_models]
    room = {"left": 5, "top": 24, "right": 5, "bottom": 5}
    return figure("How alike, against each null", rows, height=62 * len(rows), padding=room, layer=layers)


def _independent(m: int, x: Spec) -> list[Spec]:
    """Where models that err independently would stand: a dashed line with its name."""
    position: Spec = {"datum": m, **x}
    single_row: Spec = {"values": [{}]}
    name = {"type": "text", "align": "right", "dx": 1, "y": -9, "color": MUTED, "fontSize": 11}
    return [
        layer({"type": "rule", "strokeDash": [4, 3], "color": MUTED}, x=position, data=single_row),
        layer(name, x=position, text={"value": f"{m} independent models"}, data=single_row),
    ]


def _null_model_row(null_model: NullModel, audit: Audit) -> dict[str, Any]:
    n, m = null_model.n_eff, audit.n_models
    limits = {"n_eff": n.estimate, "low": n.low, "high": n.high}
    p = (
        ""
        if math.isnan(null_model.p)
        else f"z = {null_model.z:.1f}, p {'< 0.001' if null_model.p < 0.001 else f'= {null_model.p:.2g}'}"
    )
    return {
        "rung": null_model.name,
        "label": null_model_label(null_model),
        "value": null_model_value(null_model, m),
        "rho": null_model.rho.format(".3f"),
        "p": p,
        **{
            key: max(1.0, min(float(value), float(m))) if not math.isnan(value) else value
            for key, value in limits.items()
        },
        "beyond": n.defined and n.estimate > m,
        "left": n.defined and n.estimate > m**0.55,
        "headline": null_model.name == audit.headline,
        "descriptive": null_model.name == PATTERN,
    }


def _value_text(x: Spec, y: Spec, on_left: bool) -> Spec:
    """The numbers next to a point, on the side where there is room."""
    return layer(
        {
            "type": "text",
            "align": "right" if on_left else "left",
            "dx": -11 if on_left else 11,
            "fontWeight": 600,
            "fontSize": 13,
        },
        y=y,
        x={"field": "edge", **x},
        text={"field": "value"},
        transform=[
            {"filter": f"datum.n_eff !== null && {'' if on_left else '!'}datum.left"},
            {"calculate": f"datum.{'low' if on_left else 'high'} || datum.n_eff", "as": "edge"},
        ],
    )
