"""Does a consensus know how sure to be, and how good is each worker? Claimed against right; workers with intervals."""

from __future__ import annotations

from polyculture.results import Section

from ..charts.vega import Spec, figure, layer, numbers, records, rows_of, straight_line, tooltip
from ..theme import BLUE, GREY, INK, ORANGE

MOST_WORKERS = 40
STEP = 18


def draw(section: Section) -> dict[str, Spec]:
    """What every method claims against how often it is right; accuracy of the workers."""
    specs = {"claims": _claims(section), "workers": _workers(section)}
    return {name: spec for name, spec in specs.items() if spec}


def _claims(section: Section) -> Spec:
    """Methods by claimed and true accuracy; empty where no truth is known."""
    points = numbers(rows_of(section, "methods", "method", "claimed", "accuracy"), "claimed", "accuracy")
    if len(points) < 2:
        return {}
    rows = [
        {name: row.get(name) for name in ("method", "claimed", "accuracy", "low", "high", "ece", "sure", "sure_wrong")}
        | {"kind": _kind(str(row["method"]))}
        for row in records(points)
    ]
    low = min(min(float(row["claimed"]), float(row["low"])) for row in records(points))
    domain = [max(0.0, low - 0.02), 1.0]
    scale = {"zero": False, "domain": domain}
    x = {"type": "quantitative", "scale": scale, "axis": {"title": "claimed accuracy", "format": ".0%", "tickCount": 5}}
    y = {"type": "quantitative", "scale": scale, "axis": {"title": "accuracy", "format": ".0%", "tickCount": 5}}
    tip = tooltip(("method", "", ""), ("claimed", "claimed", ".1%"), ("accuracy", "right", ".1%"))
    tip += tooltip(
        ("ece", "calibration error", ".3f"), ("sure", "sure of", ".1%"), ("sure_wrong", "wrong of these", ".1%")
    )
    colour: Spec = {"field": "kind", "type": "nominal", "title": None}
    colour |= {
        "scale": {"domain": ["share of the vote", "independent workers", "tempered"], "range": [INK, ORANGE, BLUE]}
    }
    ends = [{"x": end, "y": end} for end in domain]
    bars = layer(
        {"type": "rule"}, x={"field": "claimed", **x}, y={"field": "low", **y}, y2={"field": "high"}, color=colour
    )
    dots = layer(
        {"type": "point", "filled": True, "size": 90, "opacity": 0.9},
        x={"field": "claimed", **x},
        y={"field": "accuracy", **y},
        color=colour,
        tooltip=tip,
    )
    caption = "On the dashed line a method is right as often as its posterior says; below it it is too sure."
    lines = [straight_line(ends, x, y, GREY, [4, 4]), bars, dots]
    return figure("How sure, and how often right", rows, height=280, layer=lines, usermeta={"caption": caption})


def _kind(method: str) -> str:
    return "share of the vote" if method == "vote" else "tempered" if "tempered" in method else "independent workers"


def _workers(section: Section) -> Spec:
    """Accuracy of the workers, worst first."""
    table = numbers(rows_of(section, "workers", "worker", "accuracy", "low", "high"), "accuracy", "low", "high")
    if len(table) < 2:
        return {}
    rows = [
        {name: row.get(name) for name in ("worker", "labels", "accuracy", "low", "high", "remark", "judged_by")}
        for row in records(table.head(MOST_WORKERS))
    ]
    x = {
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {"title": "accuracy", "format": ".0%", "tickCount": 5},
    }
    y = {"field": "worker", "type": "nominal", "sort": None, "axis": {"title": None}}
    tip = tooltip(("worker", "", ""), ("labels", "labels", "d"), ("accuracy", "accuracy", ".1%"), ("remark", "", ""))
    weight = {"condition": {"test": "datum.remark", "value": ORANGE}, "value": BLUE}
    bars = layer({"type": "rule"}, x={"field": "low", **x}, x2={"field": "high"}, y=y, color=weight, tooltip=tip)
    dots = layer(
        {"type": "point", "filled": True, "size": 60, "opacity": 1},
        x={"field": "accuracy", **x},
        y=y,
        color=weight,
        tooltip=tip,
    )
    caption = "Worst first, with intervals. Orange: see the remark in the table."
    height = STEP * len(rows)
    return figure("How good is each worker?", rows, height=height, layer=[bars, dots], usermeta={"caption": caption})
