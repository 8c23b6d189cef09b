"""Which groups do all models fail most? One row per group."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from polyculture.results import Section

from ..charts.dot_plot import Rows, axis, estimates
from ..charts.vega import Spec, column, inline, layer, numbers, records, rows_of, tooltip
from ..theme import INK

MOST_GROUPS = 40
"""Groups drawn of one column: those that all models fail most."""


def draw(section: Section) -> dict[str, Spec]:
    """Share of each group that all models fail, a row per group under the column that makes the groups."""
    table = numbers(rows_of(section, "groups", "group", "all_wrong"), "all_wrong")
    if not len(table):
        return {}
    table = table.assign(**{key: column(table, key) for key in ("n", "low", "high", "p", "q", "accuracy")})
    table["column"] = table["column"].astype(str) if "column" in table else ""
    names: list[str] = []
    heads: list[int] = []
    rows: list[dict[str, Any]] = []
    pooled: list[dict[str, Any]] = []
    for name, part in table.groupby("column", sort=False):
        worst = part.sort_values("all_wrong", ascending=False, kind="stable").head(MOST_GROUPS)
        heads.append(len(names))
        names.append(f"{name} ({len(part)})" if len(worst) == len(part) else f"{name} ({len(worst)} of {len(part)})")
        sizes = part["n"].fillna(0).to_numpy()
        overall = float(np.average(part["all_wrong"], weights=sizes)) if sizes.sum() > 0 else math.nan
        pooled.append({"from": len(names) - 0.5, "to": len(names) + len(worst) - 0.5, "overall": overall})
        for row in records(worst):
            place = {"place": len(names), "value": row["all_wrong"], "strong": bool(row["q"] <= 0.05)}
            rows.append(row | place | {"group": str(row["group"])})
            names.append(str(row["group"]))
    lines = Rows(names, heads, 20 if len(names) <= 40 else 15)
    x = axis("failed by all", "~%", zero=True)
    percents = (("value", "failed by all", ".2%"), ("low", "low", ".2%"), ("high", "high", ".2%"))
    tip = tooltip(("column", "of", ""), ("group", "group", ""), *percents, ("accuracy", "mean accuracy", ".1%"))
    tip += tooltip(("n", "instances", ",d"), ("q", "q", ".2~g"))
    overall_line = layer(
        {"type": "rule", "color": INK, "strokeDash": [3, 3], "opacity": 0.6},
        y={"field": "from", **lines.axis},
        y2={"field": "to"},
        x={"field": "overall", **x},
        data=inline(row for row in pooled if math.isfinite(row["overall"])),
    )
    spec = lines.figure(
        "Failed by all, group by group",
        rows,
        [overall_line, *estimates(lines, x, tip, bars=bool(table["low"].notna().any()))],
        caption="Dot: share of the group's instances that every model fails; pale bar: 95 % interval; dashed: all "
        "groups of that column together. Orange: differs from the rest after correction for testing all groups "
        "(q ≤ 0.05).",
    )
    return {"groups": spec}
