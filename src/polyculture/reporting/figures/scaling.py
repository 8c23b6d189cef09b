"""How does the metric change along scale? Points, the fitted curve with its band, the break."""

from __future__ import annotations

import math
from typing import Any

from polyculture.results import Section

from ..charts.vega import Spec, column, figure, inline, layer, numbers, records, rows_of, tooltip
from ..theme import BLUE, MUTED


def draw(section: Section) -> dict[str, Spec]:
    """The metric against scale, and accuracy where the metric is another: points, fitted curve with its band, break."""
    specs = {key: _against_scale(section, start) for key, start in (("points", ""), ("accuracy", "accuracy "))}
    return {key: spec for key, spec in specs.items() if spec}


def _against_scale(section: Section, start: str) -> Spec:
    """One metric; the names of its tables begin with `start`."""
    points = numbers(rows_of(section, f"{start}points", "scale", "metric"), "scale", "metric")
    if not len(points):
        return {}
    points = points.assign(low=column(points, "low"), high=column(points, "high"))
    curve = numbers(rows_of(section, f"{start}curve", "scale", "fit"), "scale", "fit")
    curve = curve.assign(low=column(curve, "low"), high=column(curve, "high")).sort_values("scale")
    reach = points["scale"]
    logarithmic = bool(reach.min() > 0 and reach.max() > 10 * reach.min())
    scale: Spec = {"type": "log"} if logarithmic else {"type": "linear", "zero": False}
    x_axis = {"format": "~s" if logarithmic else "~r", "grid": False, "tickCount": 6}
    x_axis |= {"title": f"scale{' (log)' if logarithmic else ''}"}
    x = {"type": "quantitative", "scale": scale | {"nice": False, "padding": 8}, "axis": x_axis}
    y_axis = {"title": start.strip() or "metric", "format": "~r", "tickCount": 5}
    y = {"type": "quantitative", "scale": {"zero": False, "nice": True}, "axis": y_axis}
    family = str(curve["family"].iloc[0]) if len(curve) and "family" in curve else ""
    caption = "Dot: one model, with its 95 % interval."
    caption += f" Line: fitted curve{f' ({family})' if family else ''} with its band." if len(curve) else ""
    layers = _scaling_layers(x, y, records(curve), section)
    title = f"{start.strip().capitalize() or 'The metric'} along scale"
    return figure(title, records(points), height=230, layer=layers, usermeta={"caption": caption})


def _scaling_layers(x: Spec, y: Spec, curve: list[dict[str, Any]], section: Section) -> list[Spec]:
    size: Spec = {"field": "scale", **x}
    fitted = inline({key: row[key] for key in ("scale", "fit", "low", "high")} for row in curve)
    tip = tooltip(
        ("scale", "scale", ".4~s"), ("metric", "metric", ".4~r"), ("low", "low", ".4~r"), ("high", "high", ".4~r")
    )
    point = {"type": "point", "filled": True, "size": 60, "opacity": 1, "color": BLUE}
    layers = [
        layer(
            {"type": "area", "color": BLUE, "opacity": 0.15},
            x=size,
            y={"field": "low", **y},
            y2={"field": "high"},
            data=fitted,
        ),
        layer({"type": "line", "color": BLUE, "strokeWidth": 2}, x=size, y={"field": "fit", **y}, data=fitted),
        layer({"type": "rule", "color": BLUE, "opacity": 0.5}, x=size, y={"field": "low", **y}, y2={"field": "high"}),
        layer(point, x=size, y={"field": "metric", **y}, tooltip=tip),
    ]
    break_point = section.numbers.get("break", section.numbers.get("break_scale"))
    if break_point is not None and math.isfinite(break_point.estimate):
        rule = {"type": "rule", "strokeDash": [4, 3], "color": MUTED}
        name = {"type": "text", "align": "left", "dx": 4, "y": 8, "color": MUTED, "fontSize": 11}
        single_row: Spec = {"values": [{}]}
        layers += [
            layer(rule, x={"datum": break_point.estimate, **x}, data=single_row),
            layer(name, x={"datum": break_point.estimate, **x}, text={"value": "break"}, data=single_row),
        ]
    return layers if curve else layers[2:]
