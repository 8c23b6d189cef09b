"""How did disagreement and errors go from request to request, next to what was certified, and which inputs drifted?"""

from __future__ import annotations

from typing import Any

import pandas as pd

from polyculture.results import Section
from polyculture.results.tables import moment

from ..charts.dot_plot import Rows, axis, estimates
from ..charts.vega import Spec, column, figure, inline, layer, numbers, records, rows_of, tooltip
from ..theme import BAND, BLUE, INK, ORANGE

MOST_INPUTS = 25
"""Comparisons of live answers and inputs that are drawn: those of the largest effect."""
_SHARES = {
    "disagreement": ("Answers on which two models differ", "models differ"),
    "error": ("Labelled answers that are wrong", "portfolio is wrong"),
    "all_wrong": ("Labelled answers that no model gets right", "all models are wrong"),
}


def draw(section: Section) -> dict[str, Spec]:
    """Disagreement, error and all-wrong rate by windows of answers, and the effect sizes of drift."""
    figures: dict[str, Spec] = {}
    for name in _SHARES:
        figures |= _share(section, name)
    return figures | _drift(section)


def _share(section: Section, name: str) -> dict[str, Spec]:
    """A share by windows with its limits; dashed what was certified, orange where alarms went up."""
    table = numbers(rows_of(section, "over_requests", "request", "last", name), "request", "last", name)
    if len(table) < 2:
        return {}
    title, words = _SHARES[name]
    # As text: numbers of a figure have six digits, and seconds since 1970 need ten.
    moments = [moment(time) for time in column(table, "time")]
    limits = {"low": column(table, f"{name}_low"), "high": column(table, f"{name}_high")}
    table = table.assign(value=table[name], middle=(table["request"] + table["last"]) / 2, moment=moments, **limits)
    table = table.assign(known=column(table, f"{name}_n"))
    request = {"title": "request", "format": ",d", "grid": False, "tickCount": 6}
    x = {"type": "quantitative", "scale": {"zero": False, "nice": False}, "axis": request}
    y = {"type": "quantitative", "scale": {"zero": True}, "axis": {"title": words, "format": "~%", "tickCount": 5}}
    tip = tooltip(("value", words, ".1%"), ("low", "low", ".1%"), ("high", "high", ".1%"), ("known", "of", ",d"))
    tip += tooltip(("request", "from request", ",d"), ("last", "to request", ",d"), ("moment", "from (UTC)", ""))
    middle = {"field": "middle", **x}
    area = layer(
        {"type": "area", "color": BAND, "opacity": 0.7}, x=middle, y={"field": "low", **y}, y2={"field": "high"}
    )
    line = layer({"type": "line", "color": BLUE, "strokeWidth": 2}, x=middle, y={"field": "value", **y})
    dots = layer({"type": "point", "filled": True, "size": 36, "opacity": 1, "color": BLUE}, x=middle)
    dots["encoding"] |= {"y": {"field": "value", **y}, "tooltip": tip}
    size, kind = (
        int(table["known"].fillna(table["n"]).median()),
        "answers" if name == "disagreement" else "labelled answers",
    )
    caption = f"Each dot is one window of about {size:,} {kind}; pale: 95 % interval."
    layers = [area]
    certified = column(table, f"{name}_certified").dropna()
    if len(certified):
        mark = {"type": "rule", "color": INK, "strokeDash": [3, 3], "opacity": 0.6}
        layers.append(
            layer(mark, y={"field": "certified", **y}, data=inline([{"certified": float(certified.iloc[0])}]))
        )
        caption += " Dashed: the share when the models were certified."
    layers += [line, dots]
    alarms = _alarms(table, x, y) if name == "disagreement" else []
    caption += " Orange: where alarms went up; the line is that on joint behaviour." if alarms else ""
    spec = figure(title, records(table.drop(columns="alarm")), height=220, layer=[*layers, *alarms])
    return {name: spec | {"usermeta": {"caption": caption}}}


def _alarms(table: pd.DataFrame, x: Spec, y: Spec) -> list[Spec]:
    """A line where the first alarm on joint behaviour went up, and a mark in every window in which some alarm did."""
    raised = [{"middle": row["middle"], "alarm": row["alarm"], "ground": 0} for row in records(table) if row["alarm"]]
    if not raised:
        return []
    tip = tooltip(("alarm", "went up", ""))
    mark: dict[str, Any] = {"type": "point", "shape": "triangle-up", "filled": True, "size": 70, "opacity": 1}
    ground: dict[str, Any] = {"x": {"field": "middle", **x}, "y": {"field": "ground", **y}, "tooltip": tip}
    layers = [layer(mark | {"color": ORANGE}, data=inline(raised), **ground)]
    joint = column(table, "alarm_request").dropna()
    if len(joint):
        rows = [{"at": float(joint.iloc[0]), "text": f"alarm at {int(joint.iloc[0]):,}"}]
        text = {"type": "text", "align": "right", "baseline": "top", "dx": -5, "dy": 2, "color": ORANGE}
        words = {"y": {"value": 0}, "text": {"field": "text", "type": "nominal"}}
        place = {"field": "at", **x}
        layers.append(layer({"type": "rule", "color": ORANGE, "strokeWidth": 2}, data=inline(rows), x=place))
        layers.append(layer(text, data=inline(rows), x=place, **words))
    return layers


def _drift(section: Section) -> dict[str, Spec]:
    """How far live inputs and answers are from those at certification, the largest effect first."""
    table = numbers(rows_of(section, "drift", "name", "effect", "size"), "effect").head(MOST_INPUTS)
    if not len(table):
        return {}
    extras = {"p": column(table, "p"), "psi": column(table, "psi"), "n": column(table, "n")}
    table = table.assign(value=table["effect"], place=range(len(table)), strong=table["size"] == "large", **extras)
    lines = Rows([str(name) for name in table["name"]], step=22)
    tip = tooltip(
        ("name", "compared", ""), ("value", "effect", ".3f"), ("p", "p (Holm)", ".2~g"), ("psi", "PSI", ".3f")
    )
    tip += tooltip(("test", "test", ""), ("n", "answers", ",d"))
    x = axis("effect: D of Kolmogorov and Smirnov, or V of Cramér", "~r", zero=True)
    caption = "Distance between recent answers and those at certification. 0: alike. Orange: large; from 0.1 on small."
    dots = estimates(lines, x, tip, 90, bars=False)
    return {"drift": lines.figure("Which inputs and answers have changed", records(table), dots, caption=caption)}
