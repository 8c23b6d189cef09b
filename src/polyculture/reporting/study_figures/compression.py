"""What does each way to compress do to the set? Size or latency against loss, and against alikeness."""

from __future__ import annotations

from typing import Any

from polyculture.results import Section

from ..charts.vega import Spec, figure, layer, numbers, records, rows_of, straight_line, tooltip
from ..theme import BLUE, GREY, INK, ORANGE

COSTS = {"front_by_size": ("smaller", "times smaller"), "front_by_latency": ("faster", "times faster")}
"""Column and title of the factor by the name of the table."""
QUALITIES = {
    "loss": ("The loss of the set", "loss of the set as one model", ".3~g", "lower is better"),
    "n_eff": ("Its alikeness", "n_eff of the set", ".3~g", "higher is more unlike"),
}
KINDS = ("originals", "kept", "efficient", "beaten")
CAPTION = (
    "Each dot is the whole set after one chain of steps, where it fits. Efficient: no other set is at least as good in "
    "size or latency, loss and n_eff, and better in one of them. Kept: with the originals of refused members. "
)


def draw(section: Section) -> dict[str, Spec]:
    """Every set by how many times smaller or faster it is: its loss, and its n_eff."""
    specs: dict[str, Spec] = {}
    for table, (cost, title) in COSTS.items():
        for quality, texts in QUALITIES.items():
            spec = _front(section, table, (cost, title), quality, texts)
            specs |= {quality: spec} if spec else {}
    return specs


def _front(section: Section, table: str, cost: tuple[str, str], quality: str, texts: tuple[str, ...]) -> Spec:
    """One front; empty where there is none."""
    field, cost_title = cost
    points = numbers(rows_of(section, table, "set", "kind", field, quality), field, quality)
    if len(points) < 2:
        return {}
    title, axis_title, form, remark = texts
    rows = [
        {"set": row["set"], "x": row[field], "y": row[quality], "kind": row["kind"]}
        | {name: row.get(name) for name in ("smaller", "faster", "accuracy", "n_eff", "loss", "churn", "refused")}
        for row in sorted(records(points), key=lambda row: KINDS[::-1].index(str(row["kind"])))
    ]
    tip = tooltip(("set", "", ""), ("smaller", "times smaller", ".3~g"), ("faster", "times faster", ".3~g"))
    tip += tooltip(("loss", "loss", ".3~g"), ("n_eff", "n_eff", ".2f"), ("accuracy", "accuracy", ".1%"))
    tip += tooltip(("churn", "answers changed", ".2%"), ("refused", "members refused", "d"), ("kind", "", ""))
    colour: dict[str, Any] = {"field": "kind", "type": "nominal", "title": None}
    colour |= {"scale": {"domain": list(KINDS), "range": [INK, ORANGE, BLUE, GREY]}}
    x = {"type": "quantitative", "scale": {"zero": False, "nice": True, "padding": 8}}
    y = {"type": "quantitative", "scale": {"zero": False, "nice": True, "padding": 8}}
    x |= {"axis": {"title": cost_title, "tickCount": 5, "grid": False}}
    y |= {"axis": {"title": axis_title, "format": form, "tickCount": 5}}
    shape: dict[str, Any] = {"field": "kind", "type": "nominal", "title": None}
    shape |= {"scale": {"domain": list(KINDS), "range": ["square", "diamond", "circle", "circle"]}}
    mark = {"type": "point", "filled": True, "size": 90, "opacity": 0.9}
    dots = layer(mark, x={"field": "x", **x}, y={"field": "y", **y}, color=colour, shape=shape, tooltip=tip)
    original = next((row["y"] for row in rows if row["kind"] == "originals"), None)
    ends = [min(row["x"] for row in rows), max(row["x"] for row in rows)]
    line = (
        [straight_line([{"x": end, "y": original} for end in ends], x, y, INK, [4, 4])] if original is not None else []
    )
    caption = CAPTION + f"The dashed line is where the originals are; {remark}."
    return figure(title, rows, height=260, layer=[*line, dots], usermeta={"caption": caption})
