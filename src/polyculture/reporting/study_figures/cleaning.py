"""What is wrong with the data? Faults by kind and part, pairs side by side, and columns with a spike."""

from __future__ import annotations

from typing import Any

import pandas as pd

from polyculture.results import Section

from ..charts.dot_plot import Rows, axis
from ..charts.pictures import gallery, pictures_of
from ..charts.vega import Spec, figure, layer, numbers, records, rows_of, tooltip
from ..theme import BLUE, GREY, INK, ORANGE

PARTS = (BLUE, ORANGE, INK, GREY)
"""Colours of the parts, in their order; further ones are grey."""
PANEL = 130
"""Points of height of a histogram."""


def draw(section: Section) -> dict[str, Spec]:
    """Bars of faults; pictures of pairs; histograms of columns with values in question."""
    return _faults(section) | _pairs(section) | _histograms(section)


def _faults(section: Section) -> dict[str, Spec]:
    """A row per kind and part, as long as there are rows with the fault; those of whole columns are in the table."""
    table = numbers(rows_of(section, "faults", "fault", "part", "rows", "share"), "rows")
    table = table[table["rows"] > 0]
    if not len(table):
        return {}
    parts = list(dict.fromkeys(table["part"].astype(str)))
    names: list[str] = []
    heads: list[int] = []
    rows: list[dict[str, Any]] = []
    for kind, own in table.groupby("fault", sort=False):
        alone = len(own) == 1
        if not alone:
            heads.append(len(names))
            names.append(str(kind))
        for row in records(own):
            place = {"place": len(names), "rows": row["rows"], "share": row["share"]}
            rows.append(place | {"fault": str(kind), "part": str(row["part"])})
            names.append(
                f"{kind} in {row['part']}" if alone and len(parts) > 1 else str(kind if alone else row["part"])
            )
    lines = Rows(names, heads, step=24, limit=230)
    x = axis("rows", "~s", zero=True, padding=0, domainMax=1.15 * float(table["rows"].max()))
    tip = tooltip(("fault", "", ""), ("part", "part", ""), ("rows", "rows", ",d"), ("share", "of the part", ".1%"))
    colour: dict[str, Any] = {"field": "part", "type": "nominal", "legend": None}
    colour["scale"] = {"domain": parts, "range": [PARTS[min(k, 3)] for k in range(len(parts))]}
    y = {"field": "place", **lines.axis}
    bar = layer(
        {"type": "bar", "height": 13}, y=y, x={"field": "rows", **x}, x2={"datum": 0}, color=colour, tooltip=tip
    )
    label = {"type": "text", "align": "left", "dx": 4, "fontSize": 11}
    count = layer(label, y=y, x={"field": "rows", **x}, text={"field": "rows", "type": "quantitative", "format": ",d"})
    caption = "Rows with each fault, each counted once for a kind; faults of whole columns are in the table."
    return {"faults": lines.figure("Rows with each kind of fault", rows, [bar, count], caption=caption)}


def _pairs(section: Section) -> dict[str, Spec]:
    """Two pictures side by side for each pair, two pairs to a line."""
    table = rows_of(section, "pictures", "example", "title", "caption", "height", "width", "channels", "levels")
    if not len(table):
        return {}
    rows = []
    sides: dict[int, int] = {}
    for row, url in pictures_of(table):
        example = int(row["example"])
        side = sides.get(example, 0)
        sides[example] = side + 1
        # The two of a pair stand closer to each other than to the next pair.
        place = {"row": example // 2, "column": 2 * (example % 2) + (0.14 if side == 0 else 0.86)}
        rows.append(place | {"url": url, "title": str(row["title"]), "text": str(row["caption"])})
    caption = (
        "The first pairs of each kind, two pictures to a pair: left the row in question, right the one it is like."
    )
    return {"pairs": gallery("Rows that are alike, side by side", rows, 4, caption)}


def _histograms(section: Section) -> dict[str, Spec]:
    """A panel per column, the values in question in orange."""
    table = numbers(
        rows_of(section, "histograms", "column", "from", "to", "values", "in_question", "lowest", "highest"),
        "from",
        "to",
    )
    if not len(table):
        return {}
    columns = list(dict.fromkeys(table["column"].astype(str)))
    rows = [
        {"column": str(row["column"]), "from": row["from"], "to": row["to"], "bottom": low, "top": high, "what": what}
        | {"count": high - low, "ends": f"{row['lowest']:.4g} to {row['highest']:.4g}"}
        for row in records(table)
        for what, low, high in (
            ("in question", 0, row["in_question"]),
            ("other values", row["in_question"], row["values"]),
        )
        if high > low
    ]
    return {"histograms": _panels(columns, rows)}


def _panels(columns: list[str], rows: list[dict[str, Any]]) -> Spec:
    """Histograms one below another; every column has its own scale."""
    frame = pd.DataFrame(rows)
    ends = frame.groupby("column", sort=False).agg(low=("from", "min"), high=("to", "max"), top=("top", "max"))
    scaled = []
    for row in rows:
        place, span = columns.index(row["column"]), ends.loc[row["column"]]
        width, top = max(span["high"] - span["low"], 1e-12), max(span["top"], 1)
        scaled.append(
            row
            | {"x": (row["from"] - span["low"]) / width, "x2": (row["to"] - span["low"]) / width}
            | {"y": place + 0.9 - 0.6 * row["bottom"] / top, "y2": place + 0.9 - 0.6 * row["top"] / top}
        )
    ranges = {str(row["column"]): str(row["ends"]) for row in rows}
    heads = [{"y": place + 0.22, "text": f"{name}: {ranges[name]}"} for place, name in enumerate(columns)]
    x: Spec = {"type": "quantitative", "axis": None, "scale": {"domain": [0, 1], "nice": False}}
    y: Spec = {"type": "quantitative", "axis": None}
    y["scale"] = {"domain": [0, len(columns)], "nice": False, "zero": False, "reverse": True}
    tip = tooltip(("from", "from", ".4~g"), ("to", "to", ".4~g"), ("count", "values", ",d"), ("what", "", ""))
    colour: dict[str, Any] = {"field": "what", "type": "nominal", "title": None}
    colour["scale"] = {"domain": ["in question", "other values"], "range": [ORANGE, BLUE]}
    colour["legend"] = {"orient": "top", "symbolType": "square", "symbolStrokeWidth": 0}
    bars = layer(
        {"type": "rect"},
        x={"field": "x", **x},
        x2={"field": "x2"},
        y={"field": "y", **y},
        y2={"field": "y2"},
        color=colour,
        tooltip=tip,
    )
    text = {"type": "text", "align": "left", "fontWeight": 600}
    names = layer(text, x={"datum": 0, **x}, y={"field": "y", **y}, text={"field": "text"}, data={"values": heads})
    meta = {"caption": "Orange: values that may stand for something missing, or for a code that nobody documented."}
    return figure("Columns with a spike", scaled, height=PANEL * len(columns), layer=[bars, names], usermeta=meta)
