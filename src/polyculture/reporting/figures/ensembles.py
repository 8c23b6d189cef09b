"""What do the models come to as an ensemble, and how does it change as they grow?"""

from __future__ import annotations

import math
from typing import Any

from polyculture.results import Section

from ..theme import BLUE, GREY, INK, MUTED, ORANGE
from .vega import Spec, column, figure, inline, layer, numbers, records, rows_of, tooltip

VOTE = (
    ("mean_error", "mean error of the models", 0),
    ("good_diversity", "− good diversity", -1),
    ("bad_diversity", "+ bad diversity", 1),
    ("majority_error", "error of the majority", 0),
)
"""Numbers of the waterfall, what they are called, and whether they add, take away or stand on the ground."""

LOG_LOSS = (
    ("mean_log_loss", "mean log loss of the models", 0),
    ("ambiguity", "− ambiguity", -1),
    ("ensemble_log_loss", "log loss of their mean", 0),
)

BRIER = (
    ("mean_brier", "mean Brier score", 0),
    ("brier_variance", "− variance", -1),
    ("ensemble_brier", "Brier score of their mean", 0),
)


def ensembles(section: Section) -> dict[str, Spec]:
    """From the mean error to that of the vote, step by step; the same for log loss and Brier score where known."""
    told = (
        "From the error of the average model to that of the majority vote: disagreement where the majority is right "
        "takes away (good), where it is wrong it adds (bad). The sum is exact."
    )
    also = "From the average model's log loss to that of the (geometric) mean of the probabilities; the sum is exact."
    vote = _waterfall(section, VOTE, "From the mean error to the vote", ("error", ".1~%"), told)
    loss = _waterfall(section, LOG_LOSS, "From the mean log loss to the ensemble", ("log loss", ".3~f"), also)
    third = "From the average model's Brier score to that of the mean of the probabilities; the sum is exact."
    brier = _waterfall(section, BRIER, "From the mean Brier score to the ensemble", ("Brier score", ".3~f"), third)
    return {key: spec for key, spec in (("vote", vote), ("log_loss", loss), ("brier", brier)) if spec}


def _waterfall(
    section: Section, steps: tuple[tuple[str, str, int], ...], title: str, scale: tuple[str, str], caption: str
) -> Spec:
    values = [section.numbers[name].estimate if name in section.numbers else math.nan for name, _, _ in steps]
    if not all(math.isfinite(value) for value in values):
        return {}
    rows: list[dict[str, Any]] = []
    level = 0.0
    for (_, name, sign), value in zip(steps, values, strict=True):
        start, level = (0.0, value) if sign == 0 else (level, level + sign * value)
        rows.append({"step": name, "from": start, "to": level, "value": value, "sign": sign, "edge": max(start, level)})
    across, form = scale
    ends = [min(0.0, *(row["to"] for row in rows)), 1.3 * max(row["edge"] for row in rows) or 1.0]
    x = {
        "type": "quantitative",
        "scale": {"domain": ends, "nice": False},
        "axis": {"title": across, "format": form, "tickCount": 5},
    }
    names = {"title": None, "labelColor": INK, "labelLimit": 190, "ticks": False, "domain": False}
    y = {"field": "step", "type": "nominal", "sort": None, "axis": names}
    taken = {"test": "datum.sign < 0", "value": BLUE}
    colour = {"condition": [taken, {"test": "datum.sign > 0", "value": ORANGE}], "value": GREY}
    tip = tooltip(("step", "step", ""), ("value", across, form))
    bar = {"type": "bar", "height": 18, "cornerRadius": 1}
    text = {"type": "text", "align": "left", "dx": 6, "fontWeight": 600}
    layers = [
        layer(bar, y=y, x={"field": "from", **x}, x2={"field": "to"}, color=colour, tooltip=tip),
        layer(text, y=y, x={"field": "edge", **x}, text={"field": "value", "type": "quantitative", "format": form}),
    ]
    return figure(title, rows, height=34 * len(rows), layer=layers, usermeta={"caption": caption})


def scaling(section: Section) -> dict[str, Spec]:
    """The metric against scale, and accuracy where the metric is another: points, fitted curve with its band, break."""
    drawn = {key: _against_scale(section, start) for key, start in (("points", ""), ("accuracy", "accuracy "))}
    return {key: spec for key, spec in drawn.items() if spec}


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
    across = {"format": "~s" if logarithmic else "~r", "grid": False, "tickCount": 6}
    across |= {"title": f"scale{' (log)' if logarithmic else ''}"}
    x = {"type": "quantitative", "scale": scale | {"nice": False, "padding": 8}, "axis": across}
    up = {"title": start.strip() or "metric", "format": "~r", "tickCount": 5}
    y = {"type": "quantitative", "scale": {"zero": False, "nice": True}, "axis": up}
    family = str(curve["family"].iloc[0]) if len(curve) and "family" in curve else ""
    caption = "Dot: one model, with its 95 % interval."
    caption += f" Line: fitted curve{f' ({family})' if family else ''} with its band." if len(curve) else ""
    layers = _scaling_layers(x, y, records(curve), section)
    title = f"{start.strip().capitalize() or 'The metric'} along scale"
    return figure(title, records(points), height=280, layer=layers, usermeta={"caption": caption})


def _scaling_layers(x: Spec, y: Spec, curve: list[dict[str, Any]], section: Section) -> list[Spec]:
    at: Spec = {"field": "scale", **x}
    fitted = inline({key: row[key] for key in ("scale", "fit", "low", "high")} for row in curve)
    tip = tooltip(
        ("scale", "scale", ".4~s"), ("metric", "metric", ".4~r"), ("low", "low", ".4~r"), ("high", "high", ".4~r")
    )
    point = {"type": "point", "filled": True, "size": 60, "opacity": 1, "color": BLUE}
    layers = [
        layer(
            {"type": "area", "color": BLUE, "opacity": 0.15},
            x=at,
            y={"field": "low", **y},
            y2={"field": "high"},
            data=fitted,
        ),
        layer({"type": "line", "color": BLUE, "strokeWidth": 2}, x=at, y={"field": "fit", **y}, data=fitted),
        layer({"type": "rule", "color": BLUE, "opacity": 0.5}, x=at, y={"field": "low", **y}, y2={"field": "high"}),
        layer(point, x=at, y={"field": "metric", **y}, tooltip=tip),
    ]
    where = section.numbers.get("break", section.numbers.get("break_scale"))
    if where is not None and math.isfinite(where.estimate):
        rule = {"type": "rule", "strokeDash": [4, 3], "color": MUTED}
        name = {"type": "text", "align": "left", "dx": 4, "y": 8, "color": MUTED, "fontSize": 11}
        once: Spec = {"values": [{}]}
        layers += [
            layer(rule, x={"datum": where.estimate, **x}, data=once),
            layer(name, x={"datum": where.estimate, **x}, text={"value": "break"}, data=once),
        ]
    return layers if curve else layers[2:]
