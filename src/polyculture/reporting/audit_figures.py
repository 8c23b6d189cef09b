"""What do the findings look like? Vega-Lite specifications as plain dicts, with their data inside."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from polyculture.errors import FileError, InputError
from polyculture.results import Audit, NullModel

from .atomic_write import write_atomically
from .figures.leaderboard import ranking_figure
from .figures.pair_matrix import matrix_figure
from .figures.shifts import shift_accuracy_figure, shift_n_eff_figure
from .figures.vega import Spec, figure, layer, records, tooltip, zoom
from .narrative import PATTERN, null_model_label, null_model_value
from .sections import section_figures
from .theme import BLUE, INK, MUTED, ORANGE

MANY = 60
"""Models from which the figure of failures per instance is worth zooming into."""


def figures(audit: Audit) -> dict[str, Spec]:
    """Every figure of the report as a Vega-Lite 6 specification: plain JSON values, data inside, no nan.

    Keys: ``null_models``, ``leaderboard``, ``pairwise``, ``systemic`` and, where there are shifts, ``shift_n_eff`` and
    ``shift_accuracy``; then those of the chapters, such as ``generalization_gaps``. Draw them with
    Vega-Lite, Altair (``alt.Chart.from_dict``) or `save_figure`.
    """
    drawn = {
        "null_models": _null_models(audit),
        "leaderboard": ranking_figure(audit.leaderboard),
        "pairwise": matrix_figure(audit.pairwise),
        "systemic": _systemic(audit),
    }
    if len(audit.shifts):
        drawn["shift_n_eff"] = shift_n_eff_figure(audit.shifts)
        drawn["shift_accuracy"] = shift_accuracy_figure(audit.shifts)
    for section in audit.sections:
        drawn |= section_figures(section)
    return drawn


def save_figure(spec: Spec, path: str | Path) -> Path:
    """Draw one specification into a file: ``.svg``, ``.png`` (two pixels per point) or ``.pdf``, without network.

    Returns the path. Raises InputError for another ending and FileError where the file cannot be written.
    """
    import vl_convert

    path = Path(path)
    text = json.dumps({**spec, "background": "white"}, allow_nan=False)
    drawers: dict[str, Callable[[], bytes]] = {
        ".svg": lambda: str(vl_convert.vegalite_to_svg(text)).encode(),
        ".png": lambda: bytes(vl_convert.vegalite_to_png(text, scale=2)),
        ".pdf": lambda: bytes(vl_convert.vegalite_to_pdf(text)),
    }
    if path.suffix not in drawers:
        raise InputError(f"a figure named {path.name!r}", "a name that ends in .svg, .png or .pdf")
    content = drawers[path.suffix]()
    try:
        write_atomically(path, content)
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}", "a folder that can be written") from error
    return path


def _null_models(audit: Audit) -> Spec:
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
        *(_beside(x, y, left) for left in (True, False)),
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
    at: Spec = {"datum": m, **x}
    once: Spec = {"values": [{}]}
    name = {"type": "text", "align": "right", "dx": 1, "y": -9, "color": MUTED, "fontSize": 11}
    return [
        layer({"type": "rule", "strokeDash": [4, 3], "color": MUTED}, x=at, data=once),
        layer(name, x=at, text={"value": f"{m} independent models"}, data=once),
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


def _beside(x: Spec, y: Spec, left: bool) -> Spec:
    """The numbers beside a point, on the side where there is room."""
    return layer(
        {
            "type": "text",
            "align": "right" if left else "left",
            "dx": -11 if left else 11,
            "fontWeight": 600,
            "fontSize": 13,
        },
        y=y,
        x={"field": "edge", **x},
        text={"field": "value"},
        transform=[
            {"filter": f"datum.n_eff !== null && {'' if left else '!'}datum.left"},
            {"calculate": f"datum.{'low' if left else 'high'} || datum.n_eff", "as": "edge"},
        ],
    )


def _systemic(audit: Audit) -> Spec:
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
    across = {"title": f"models that are wrong, of {m}", "grid": False, "tickMinStep": 1, "format": "d"}
    x = {"type": "quantitative", "scale": {"domain": [-0.5, m + 0.5], "nice": False}, "axis": across}
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
    drawn = figure("Failures per instance, against independence", records(frame), height=280, layer=layers)
    if m > MANY:
        layers[0]["params"] = [zoom("x")]
        drawn["usermeta"] = {"zoom": True}
    return drawn


def _instances(largest: float) -> Spec:
    """The axis of a count: logarithmic from one upwards, with a place for zero, where it goes far."""
    if largest <= 60:
        axis = {"title": "instances", "format": ",d", "tickMinStep": 1, "tickCount": 5}
        return {"type": "quantitative", "axis": axis}
    powers = [10**k for k in range(1 + int(math.log10(largest) + 1e-9))]
    axis = {"title": "instances (log scale)", "format": ",d", "labelOverlap": False, "values": [0, *powers]}
    return {"type": "quantitative", "scale": {"type": "symlog", "constant": 1}, "axis": axis}
