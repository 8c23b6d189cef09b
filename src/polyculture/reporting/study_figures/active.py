"""What does each label teach? Learning curves with their bands, differences from chance, and alikeness on the way."""

from __future__ import annotations

from typing import Any

from polyculture.results import Section

from ..charts.dot_plot import Rows, axis, estimates
from ..charts.vega import Spec, column, figure, layer, numbers, records, rows_of, tooltip
from ..theme import BLUE, GREY, INK, ORANGE

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
CURVES = {
    "curves": ("Accuracy of the learner by labels bought", "accuracy", "~%"),
    "committee": ("Accuracy of the whole committee by labels bought", "committee", "~%"),
    "alikeness": ("Independent models that the committee fails like", "n_eff", ".3~g"),
}
"""Title, column and format of each curve by the name of its table."""


def draw(section: Section) -> dict[str, Spec]:
    """Differences from chance; curves of learner, committee and alikeness; the batches of a query."""
    specs = {"difference": _differences(section)}
    specs |= {table: _curves(section, table) for table in CURVES} | {"batches": _batches(section)}
    return {key: spec for key, spec in specs.items() if spec}


def _differences(section: Section) -> Spec:
    table = numbers(rows_of(section, "strategies", "strategy", "difference"), "difference")
    table = table[table["strategy"] != "random"]
    if not len(table):
        return {}
    table = table.assign(low=column(table, "difference_low"), high=column(table, "difference_high"))
    rows = [
        {"place": place, "value": row["difference"], "strong": bool((row["low"] or 0) > 0)}
        | {name: row[name] for name in ("strategy", "low", "high", "aulc")}
        for place, row in enumerate(records(table))
    ]
    lines = Rows([str(name) for name in table["strategy"]], step=26)
    x = axis("area under the learning curve, less that of chance", "~%", zero=True)
    tip = tooltip(("strategy", "", ""), ("value", "less chance", ".1%"), ("low", "low", ".1%"), ("high", "high", ".1%"))
    tip += tooltip(("aulc", "area", ".1%"))
    caption = "Orange: above chance. Bar: interval of the difference in pairs over seeds; zero is chance."
    return lines.figure(
        "What each strategy adds to labels by chance", rows, estimates(lines, x, tip, 80), caption=caption
    )


def _curves(section: Section, name: str) -> Spec:
    """Means over seeds with bands; chance in grey."""
    title, value, form = CURVES[name]
    table = numbers(rows_of(section, name, "strategy", "labels", value), "labels", value)
    if len(table) < 2:
        return {}
    table = table.assign(low=column(table, "low"), high=column(table, "high"))
    strategies = list(dict.fromkeys(str(strategy) for strategy in table["strategy"]))
    colours = [_colour(strategy) for strategy in strategies]
    dashes = [DASHES[place % len(DASHES)] for place in range(len(strategies))]
    x: Spec = {"field": "labels", "type": "quantitative", "scale": {"zero": False, "nice": False, "padding": 8}}
    x |= {"axis": {"title": "labels bought", "format": ",d", "tickCount": 6, "grid": False}}
    y: Spec = {"type": "quantitative", "scale": {"zero": False, "nice": True}}
    y |= {"axis": {"title": value.replace("_", " "), "format": form, "tickCount": 5}}
    colour: dict[str, Any] = {"field": "strategy", "type": "nominal", "title": None}
    colour |= {"scale": {"domain": strategies, "range": colours}}
    dash: dict[str, Any] = {"field": "strategy", "type": "nominal", "title": None}
    dash |= {"scale": {"domain": strategies, "range": dashes}}
    tip = tooltip(("strategy", "", ""), ("labels", "labels", ",d"), (value, "mean", ".3~g"))
    tip += tooltip(("low", "low", ".3~g"), ("high", "high", ".3~g"))
    strong = {
        "condition": {"test": "indexof(['random', 'margin-of-mean'], datum.strategy) >= 0", "value": 0.12},
        "value": 0,
    }
    layers = [
        layer({"type": "area"}, x=x, y={"field": "low", **y}, y2={"field": "high"}, color=colour, opacity=strong),
        layer({"type": "line", "strokeWidth": 2}, x=x, y={"field": value, **y}, color=colour, strokeDash=dash),
        layer({"type": "point", "filled": True, "size": 14}, x=x, y={"field": value, **y}, color=colour, tooltip=tip),
    ]
    rows = [{key: row[key] for key in ("strategy", "labels", value, "low", "high")} for row in records(table)]
    caption = "Means over seeds; bands of chance and of the margin of the mean: intervals over seeds."
    return figure(title, rows, height=270, layer=layers, usermeta={"caption": caption})


def _colour(strategy: str) -> str:
    return {"random": GREY, "margin-of-mean": ORANGE, "vote-entropy": INK, "kl": INK}.get(strategy, BLUE)


def _batches(section: Section) -> Spec:
    """Share of each batch that the committee had right before the labels came."""
    table = numbers(rows_of(section, "batches", "batch", "right_before"), "batch", "right_before")
    if len(table) < 2:
        return {}
    x: Spec = {"field": "batch", "type": "ordinal", "axis": {"title": "batch", "labelAngle": 0}}
    y: Spec = {"field": "right_before", "type": "quantitative", "scale": {"domain": [0, 1]}}
    y |= {"axis": {"title": "committee right before", "format": "~%", "tickCount": 5}}
    tip = tooltip(("batch", "batch", "d"), ("asked", "asked", ",d"), ("right_before", "right before", ".1%"))
    bar = layer({"type": "bar", "color": BLUE}, x=x, y=y, tooltip=tip)
    caption = "Each batch is what the committee was least sure of, so that a low share is no low accuracy."
    return figure(
        "What the committee knew of each batch", records(table), height=200, layer=[bar], usermeta={"caption": caption}
    )
