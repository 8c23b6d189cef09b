"""How did the members' disagreement go over time, next to what it was at certification?"""

from __future__ import annotations

from datetime import UTC, datetime

from polyculture.results import Section

from ..charts.vega import Spec, column, figure, inline, layer, numbers, records, rows_of, tooltip
from ..theme import BLUE, INK


def draw(section: Section) -> dict[str, Spec]:
    """Share of answers on which two members differ, by time; dashed what it was at certification."""
    table = numbers(rows_of(section, "over_time", "time", "disagreement"), "time", "disagreement")
    if len(table) < 2:
        return {}
    certified = column(table, "certified")
    # As text: numbers of a figure have six digits, and seconds since 1970 need ten.
    rows = [{**row, "moment": datetime.fromtimestamp(row["time"], UTC).isoformat()} for row in records(table)]
    time = {"type": "temporal", "scale": {"type": "utc"}, "axis": {"title": "time (UTC)", "grid": False}}
    x = {"field": "moment", **time}
    y = {"type": "quantitative", "scale": {"zero": True}, "axis": {"title": "members disagree", "format": "~%"}}
    tip = tooltip(("disagreement", "members disagree", ".2%"), ("n", "answers", ",d"))
    layers = [layer({"type": "line", "color": BLUE, "point": {"size": 24}}, x=x, y={"field": "disagreement", **y})]
    layers[0]["encoding"]["tooltip"] = tip
    caption = "Each point is one stretch of time."
    if certified.notna().any():
        mark = {"type": "rule", "color": INK, "strokeDash": [3, 3], "opacity": 0.6}
        rule = [{"certified": float(certified.dropna().iloc[0])}]
        layers.insert(0, layer(mark, y={"field": "certified", **y}, data=inline(rule)))
        caption += " Dashed: the share when the members were certified."
    title = "Answers on which two members differ, over time"
    return {"over_time": figure(title, rows, height=200, layer=layers, usermeta={"caption": caption})}
