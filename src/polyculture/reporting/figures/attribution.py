"""What does the models' alikeness go with? Shares of ρ end to end, and factors that go together over models."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from polyculture.results import Section

from ..charts.dot_plot import Rows, at_zero, axis
from ..charts.pair_matrix import square, stepped
from ..charts.vega import Spec, column, layer, numbers, records, rows_of, tooltip
from ..theme import BLUE, GREY, INK, SEQUENTIAL

MOST_FACTORS = 20


def draw(section: Section) -> dict[str, Spec]:
    """Shares of ρ end to end, one row each with its interval; and which factors go together over models."""
    return _shares(section) | _confounding(section)


def _shares(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "shares", "factor", "share"), "share").head(MOST_FACTORS)
    if not len(table):
        return {}
    has_limits = "share_low" in table or "contribution" in table
    low, high = (column(table, f"share_{end}" if has_limits else end) for end in ("low", "high"))
    ends = table["share"].cumsum()
    start = ends - table["share"]
    table = table.assign(
        place=range(len(table)),
        **{"from": start, "to": ends, "low": start + low, "high": start + high},
        strong=table["kind"].astype(str).eq("common") if "kind" in table else False,
        said=[_percent(*row) for row in zip(table["share"], low, high, strict=True)],
        short=[_percent(share, math.nan, math.nan) for share in table["share"]],
    )
    lines = Rows([str(factor) for factor in table["factor"]], step=28, limit=260)
    axis_end = float(np.nanmax(table[["to", "high"]].to_numpy(float)))
    lowest = float(np.nanmin(table[["from", "to", "low"]].to_numpy(float)))
    x = axis("share of ρ, end to end", "~%", domain=[min(0.0, lowest), 1.4 * axis_end], nice=False)
    x["axis"] |= {"values": [tick for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0) if tick <= axis_end + 0.1]}
    y = {"field": "place", **lines.axis}
    colour = {"condition": {"test": "datum.strong", "value": GREY}, "value": BLUE}
    tip = tooltip(("factor", "shared", ""), ("said", "share of ρ", ""))
    tip += tooltip(("note", "note", "")) if "note" in table else []
    bar, whisker = {"type": "bar", "height": 12}, {"type": "rule", "color": INK, "strokeWidth": 1.5}
    text = {"type": "text", "align": "left", "dx": 8, "fontWeight": 600}
    share_text = {"condition": {"test": "width < 320", "field": "short"}, "field": "said"}
    label_edge = [{"calculate": "max(datum.from, datum.to, datum.high || datum.to)", "as": "edge"}]
    layers = [
        at_zero(x),
        layer(bar, y=y, x={"field": "from", **x}, x2={"field": "to"}, color=colour, tooltip=tip),
        layer(whisker, y=y, x={"field": "low", **x}, x2={"field": "high"}),
        layer(text, y=y, x={"field": "edge", **x}, text=share_text, transform=label_edge),
    ]
    caption = (
        "Each bar begins where the one above ends; together they make up ρ. Whisker: 95 % interval of that share. "
        "Grey: what all models share, difficulty and label errors included."
    )
    keys = ["factor", "share", "place", "from", "to", "low", "high", "strong", "said", "short"]
    rows = records(table[[*keys, *(["note"] if "note" in table else [])]])
    return {"shares": lines.figure("What the models' alikeness goes with", rows, layers, caption=caption)}


def _percent(share: float, low: float, high: float) -> str:
    limits = f" [{round(100 * low):d}, {round(100 * high):d}]" if math.isfinite(low) and math.isfinite(high) else ""
    return f"{round(100 * share):d} %{limits}".replace("-", "\u2212")


def _confounding(section: Section) -> dict[str, Spec]:
    table = rows_of(section, "confounding", "first", "second", "cramers_v")
    table = numbers(table, "cramers_v")
    names = [str(name) for name in pd.unique(pd.concat([table["first"], table["second"]]))]
    if len(names) < 3:
        return {}
    place = {name: k for k, name in enumerate(names)}
    rows = []
    for row in records(table):
        i, j = sorted((place[str(row["first"])], place[str(row["second"])]))
        rows.append({"a": j, "b": i, "v": round(row["cramers_v"], 3), "note": str(row.get("note") or "")})
    colour = stepped("v", "Cramér's V", (0.0, 1.0), SEQUENTIAL, 10)
    tip = tooltip(("v", "Cramér's V", ".2f"), ("note", "", ""))
    spec = square("Which factors go together over models", names, rows, colour, tip[:1])
    spec["usermeta"] |= {
        "zoom": False,
        "caption": "1: who has the one has the other, so that no audit could tell them apart; 0: crossed.",
    }
    del spec["layer"][0]["params"]
    return {"confounding": spec}
