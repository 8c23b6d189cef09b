"""Which few rules imitate the set? The tree, a row per node, indented as it branches."""

from __future__ import annotations

from polyculture.results import Section
from polyculture.stats import percent

from ..charts.vega import Spec, figure, inline, layer, numbers, records, rows_of, tooltip
from ..theme import BLUE, GREY, INK

STEP = 24
MOST_NODES = 63
INDENT = 22


def draw(section: Section) -> dict[str, Spec]:
    """Conditions from the root downwards; answers stand at the leaves."""
    table = numbers(rows_of(section, "tree", "depth", "condition", "answer", "share", "leaf"), "depth", "share")
    if not 1 < len(table) <= MOST_NODES:
        return {}
    rows, branches = [], []
    places: dict[int, int] = {}
    for place, row in enumerate(records(table)):
        depth, leaf = int(row["depth"]), bool(row["leaf"])
        answer = f" → {row['answer']}" if leaf else ""
        rows.append(
            {"place": place + 0.5, "indent": depth * INDENT + 12, "text": f"{row['condition']}{answer}", "leaf": leaf}
            | {"answer": row["answer"], "share": row["share"], "size": percent(row["share"], 0)}
        )
        if depth:
            x = (depth - 1) * INDENT + 6
            branches.append({"x": x, "x2": x, "y": places[depth - 1] + 0.75, "y2": place + 0.5})
            branches.append({"x": x, "x2": x + 14, "y": place + 0.5, "y2": place + 0.5})
        places[depth] = place
    y: Spec = {
        "type": "quantitative",
        "scale": {"domain": [0, len(rows)], "nice": False, "reverse": True},
        "axis": None,
    }
    # Indents are points whatever the width is, so that the tree is as legible on a phone.
    x_scale: Spec = {"type": "quantitative", "scale": None, "axis": None}
    tip = tooltip(("text", "", ""), ("answer", "most frequent answer", ""), ("size", "of training instances", ""))
    text = {"type": "text", "align": "left", "fontSize": 12}
    weight = {"condition": {"test": "datum.leaf", "value": BLUE}, "value": INK}
    dot = {"type": "point", "filled": True, "opacity": 1, "xOffset": -6}
    layers = [
        layer(
            {"type": "rule", "color": GREY},
            x={"field": "x", **x_scale},
            x2={"field": "x2"},
            y={"field": "y", **y},
            y2={"field": "y2"},
            data=inline(branches),
        ),
        layer(
            dot,
            x={"field": "indent", **x_scale},
            y={"field": "place", **y},
            size={
                "field": "share",
                "type": "quantitative",
                "scale": {"range": [12, 120], "zero": True},
                "legend": None,
            },
            color={"condition": {"test": "datum.leaf", "value": BLUE}, "value": GREY},
            tooltip=tip,
        ),
        layer(
            text | {"dx": 6},
            x={"field": "indent", **x_scale},
            y={"field": "place", **y},
            text={"field": "text"},
            color=weight,
            tooltip=tip,
        ),
    ]
    caption = "Blue: what the tree answers. Dots: share of training instances."
    title = "A tree that imitates all models together"
    return {"tree": figure(title, rows, height=STEP * len(rows), layer=layers, usermeta={"caption": caption})}
