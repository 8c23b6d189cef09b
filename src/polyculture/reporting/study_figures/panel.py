"""How fast do votes grow with judges, and which judges could leave? Curves of growing panels, and one judge less."""

from __future__ import annotations

from typing import Any

from polyculture.results import Section

from ..charts.dot_plot import Rows, at_zero, axis, estimates
from ..charts.vega import Spec, figure, layer, numbers, records, rows_of, straight_line, tooltip
from ..theme import BLUE, GREY, INK, ORANGE

ORDERS = ("most votes first", "cheapest first", "random")
MOST_JUDGES = 40


def draw(section: Section) -> dict[str, Spec]:
    """Effective votes and error by the number of judges; what the panel loses without each judge."""
    return _curve(section, "votes") | _curve(section, "error") | _judges(section)


def _curve(section: Section, field: str) -> dict[str, Spec]:
    table = numbers(rows_of(section, "curve", "order", "size", field), "size", field)
    if table["size"].nunique() < 2:
        return {}
    rows = [{"x": row["size"], "y": row[field], "order": row["order"], "judge": row["judge"]} for row in records(table)]
    largest = int(table["size"].max())
    title, heading, form = (
        ("Votes of growing panels", "effective votes", ".3~g")
        if field == "votes"
        else ("The error of growing panels", "error of the majority", ".1~%")
    )
    x: dict[str, Any] = {"type": "quantitative", "scale": {"domain": [1, largest], "nice": False, "padding": 8}}
    x["axis"] = {"title": "judges", "format": "d", "tickMinStep": 1, "grid": False}
    floor = {"domainMin": 0} if field == "votes" else {"zero": False, "padding": 8}
    y: dict[str, Any] = {"type": "quantitative", "scale": {"nice": True, **floor}}
    y["axis"] = {"title": heading, "format": form, "tickCount": 5}
    colour: dict[str, Any] = {"field": "order", "type": "nominal", "title": None}
    colour["scale"] = {"domain": list(ORDERS), "range": [ORANGE, BLUE, GREY]}
    tip = tooltip(("order", "", ""), ("x", "judges", "d"), ("judge", "last one added", ""), ("y", heading, form))
    channels = {"x": {"field": "x", **x}, "y": {"field": "y", **y}, "color": colour}
    layers = [layer({"type": "line", "strokeWidth": 2, "point": {"size": 40}}, **channels, tooltip=tip)]
    caption = "Random: mean of 50 random orders."
    if field == "votes":
        ends = min(largest, max(2, float(table["votes"].max()) * 1.3))
        layers.insert(0, straight_line([{"x": end, "y": end} for end in (1.0, float(ends))], x, y, INK, [4, 4]))
        caption += " The dashed line is where judges would be if they were independent."
    else:
        caption += " The order is chosen on the items it is measured on, which flatters small panels."
    return {field: figure(title, rows, height=260, layer=layers, usermeta={"caption": caption})}


def _judges(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "judges", "judge", "votes_lost"), "votes_lost").head(MOST_JUDGES)
    if len(table) < 2:
        return {}
    rows = [
        {"place": place, "value": row["votes_lost"], "strong": row["votes_lost"] < 0} | row
        for place, row in enumerate(records(table))
    ]
    lines = Rows.of_models([str(name) for name in table["judge"]])
    x = axis("effective votes lost without the judge", ".3~g")
    tip = tooltip(("judge", "", ""), ("value", "votes lost", ".2f"), ("error", "error", ".1%"))
    tip += tooltip(("correlation", "mean φ with the others", ".2f"), ("change", "change of the panel's error", "+.2%"))
    caption = "Orange: the panel is worth more without this judge. Compare with what its leaving does to the error."
    layers = [at_zero(x), *estimates(lines, x, tip, bars=False)]
    return {"judges": lines.figure("One judge less", rows, layers, caption=caption)}
