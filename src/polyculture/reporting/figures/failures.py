"""How do models fail together: many at once, in which groups, and which of it may be the label's fault?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from polyculture.results import Section

from ..theme import BAND, BLUE, GREY, INK, MUTED, ORANGE
from .dot_plot import Rows, at_zero, axis, estimates
from .vega import Spec, column, figure, inline, layer, numbers, records, rows_of, tooltip

MOST_GROUPS = 40
"""Groups drawn of one column: those that all models fail most."""

KINDS = {"consensus": ORANGE, "format only": BAND, "no answer": GREY, "genuine": BLUE}
"""Colour of each kind of all-wrong instance."""


def together(section: Section) -> dict[str, Spec]:
    """fail@k against k: observed with its band, what independence would give, and where the data give out."""
    table = numbers(rows_of(section, "fail_at_k", "k", "observed"), "k", "observed")
    shown = table["shown"].astype(bool) if "shown" in table else pd.Series(True, index=table.index)
    table = table.assign(shown=shown, low=column(table, "low"), high=column(table, "high"))
    table["expected"] = column(table, "expected")
    seen = table[table["shown"] & (table["observed"] > 0)]
    beyond = table[~table["shown"] & (table["high"] > 0)]
    if not len(seen):
        return {}
    bottom = 10.0 ** math.floor(math.log10(min([seen["observed"].min(), *beyond["high"]])) - 0.2)
    rows = records(
        table.assign(
            observed=table["observed"].where(table["shown"] & (table["observed"] > 0)),
            low=table["low"].clip(lower=bottom / 10).where(table["shown"]),
            limit=table["high"].where(~table["shown"]),
            expected=table["expected"].clip(lower=bottom / 1e3),
            exactly=[f"{value:.3g}" for value in table["expected"]],
            run=(table["shown"] != table["shown"].shift()).cumsum(),
        )
    )
    gate = float(table.loc[~table["shown"], "k"].min()) - 0.5
    caption = (
        "Share of instances on which k models drawn at random all fail. Blue: observed, with its 95 % band; orange: "
        "if they erred independently given the truth (it may leave the plot below)."
    )
    if len(beyond):
        caption += " Right of the dashed line too few instances carry the curve: a triangle is only an upper limit."
    if beyond["k"].min() < seen["k"].max():
        caption += " A bar is the interval of a share that stands for itself again."
    height, most = 300, float(table["k"].max())
    layers = _together_layers(bottom, most, None if math.isnan(gate) else gate)
    drawn = figure("Chance that k models fail together", rows, height=height, layer=layers)
    return {"fail_at_k": drawn | {"usermeta": {"caption": caption}}}


def _together_layers(bottom: float, most: float, gate: float | None) -> list[Spec]:
    """The band and the two curves, upper limits as triangles, and a dashed line where the curve ends."""
    across = {"title": "k, models drawn at random", "grid": False, "tickMinStep": 1, "format": "d"}
    x = {"type": "quantitative", "scale": {"domain": [1, max(2.0, most)], "nice": False}, "axis": across}
    percent = "datum.value >= 0.0001 ? format(100 * datum.value, '~f') + '%' : format(datum.value, '.0e')"
    powers = [10.0**k for k in range(round(math.log10(bottom)), 1)]
    up = {"title": "all of them fail (log scale)", "values": powers, "labelExpr": percent}
    y = {"type": "quantitative", "scale": {"type": "log", "domain": [bottom, 1], "nice": False}, "axis": up}
    at: Spec = {"field": "k", **x}
    layers = [
        layer(
            mark | {"color": BAND, "clip": True},
            x=at,
            y={"field": "low", **y},
            y2={"field": "high"},
            transform=[{"filter": f"isValid(datum.low) && datum.run {which}"}],
        )
        for mark, which in (({"type": "area", "opacity": 0.8}, "=== 1"), ({"type": "rule", "strokeWidth": 4}, "> 1"))
    ]
    layers += _curves(at, y)
    triangle = {"type": "point", "shape": "triangle-down", "size": 46, "color": GREY, "opacity": 1}
    most_tip = tooltip(("k", "k", "d"), ("limit", "at most", ".3~g"))
    limited = [{"filter": "isValid(datum.limit)"}]
    layers.append(layer(triangle, x=at, y={"field": "limit", **y}, tooltip=most_tip, transform=limited))
    if gate is not None:
        rule = {"type": "rule", "strokeDash": [4, 3], "color": MUTED}
        layers.append(layer(rule, x={"datum": gate, **x}, data=inline([{}])))
    return layers


def _curves(at: Spec, y: Spec) -> list[Spec]:
    """What independence would give, and what was observed; the latter is broken where too few instances carry it."""
    names = ["observed", "expected if independent"]
    legend = {"title": None, "orient": "top", "symbolType": "stroke"}
    colour = {"type": "nominal", "scale": {"domain": names, "range": [BLUE, ORANGE]}, "legend": legend}
    tip = tooltip(*((key, key, ".3~g") for key in ("k", "observed", "low", "high")))
    tip += tooltip(("exactly", "if independent", ""), ("kish_n", "effective instances", ",.0f"))
    line = {"type": "line", "strokeWidth": 2, "clip": True}
    return [
        layer(line, x=at, y={"field": "expected", **y}, color={"datum": names[1], **colour}, tooltip=tip),
        layer(
            {**line, "point": {"filled": True, "size": 40}},
            x=at,
            y={"field": "observed", **y},
            color={"datum": names[0], **colour},
            detail={"field": "run", "type": "nominal"},
            tooltip=tip,
            transform=[{"filter": "isValid(datum.observed)"}],
        ),
    ]


def groups(section: Section) -> dict[str, Spec]:
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
        shown = part.sort_values("all_wrong", ascending=False, kind="stable").head(MOST_GROUPS)
        heads.append(len(names))
        names.append(f"{name} ({len(part)})" if len(shown) == len(part) else f"{name} ({len(shown)} of {len(part)})")
        sizes = part["n"].fillna(0).to_numpy()
        overall = float(np.average(part["all_wrong"], weights=sizes)) if sizes.sum() > 0 else math.nan
        pooled.append({"from": len(names) - 0.5, "to": len(names) + len(shown) - 0.5, "overall": overall})
        for row in records(shown):
            place = {"place": len(names), "value": row["all_wrong"], "strong": bool(row["q"] <= 0.05)}
            rows.append(row | place | {"group": str(row["group"])})
            names.append(str(row["group"]))
    lines = Rows(names, heads, 20 if len(names) <= 40 else 15)
    x = axis("failed by all", "~%", zero=True)
    percents = (("value", "failed by all", ".2%"), ("low", "low", ".2%"), ("high", "high", ".2%"))
    tip = tooltip(("column", "of", ""), ("group", "group", ""), *percents, ("accuracy", "mean accuracy", ".1%"))
    tip += tooltip(("n", "instances", ",d"), ("q", "q", ".2~g"))
    whole = layer(
        {"type": "rule", "color": INK, "strokeDash": [3, 3], "opacity": 0.6},
        y={"field": "from", **lines.axis},
        y2={"field": "to"},
        x={"field": "overall", **x},
        data=inline(row for row in pooled if math.isfinite(row["overall"])),
    )
    drawn = lines.figure(
        "Failed by all, group by group",
        rows,
        [whole, *estimates(lines, x, tip, bars=bool(table["low"].notna().any()))],
        caption="Dot: share of the group's instances that every model fails; pale bar: 95 % interval; dashed: all "
        "groups of that column together. Orange: differs from the rest after correction for testing all groups "
        "(q ≤ 0.05).",
    )
    return {"groups": drawn}


def queue(section: Section) -> dict[str, Spec]:
    """How many all-wrong instances are of which kind, and the headline without those that are suspect."""
    return _kinds(section) | _headlines(section)


def _kinds(section: Section) -> dict[str, Spec]:
    table = rows_of(section, "queue", "kind")
    if not len(table):
        return {}
    counts = table["kind"].astype(str).value_counts()
    if "kinds" in section.tables:  # of all of them; the queue lists the first only
        counts = section.tables["kinds"].set_index("kind")["instances"]
    kinds = [kind for kind in KINDS if kind in counts] + [kind for kind in counts.index if kind not in KINDS]
    ends = np.cumsum([int(counts[kind]) for kind in kinds])
    rows = [
        {"kind": kind, "name": f"{kind} · {counts[kind]:,}", "from": int(end - counts[kind]), "to": int(end)}
        | {"instances": int(counts[kind])}
        for kind, end in zip(kinds, ends, strict=True)
    ]
    legend = {"title": None, "orient": "top", "symbolType": "square", "symbolStrokeWidth": 0, "columns": 2}
    scale = {"domain": [row["name"] for row in rows], "range": [KINDS.get(kind, MUTED) for kind in kinds]}
    few = {"values": list(range(int(ends[-1]) + 1))} if ends[-1] <= 8 else {"tickCount": 5}
    across = {"title": "all-wrong instances", "format": ",d", "grid": False} | few
    bar = layer(
        {"type": "rect", "height": 26},
        x={"field": "from", "type": "quantitative", "scale": {"nice": False}, "axis": across},
        x2={"field": "to"},
        color={"field": "name", "type": "nominal", "scale": scale, "legend": legend},
        tooltip=tooltip(("kind", "kind", ""), ("instances", "instances", ",d")),
    )
    caption = (
        "Consensus: most models give one and the same other answer, so suspect the label. Format only: the answer is "
        "right but written otherwise, so suspect the grader. No answer: nothing that could be read. Genuine: they fail."
    )
    return {"queue": figure("All-wrong instances by kind", rows, height=34, layer=[bar], usermeta={"caption": caption})}


def _headlines(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "headline", "when", "n_eff"), "n_eff")
    if not len(table):
        return {}
    extras = {key: column(table, key) for key in ("low", "high", "all_wrong", "instances")}
    table = table.assign(value=table["n_eff"], place=range(len(table)), strong=False, **extras)
    lines = Rows([str(when) for when in table["when"]], step=30)
    tip = tooltip(("when", "when", ""), ("value", "n_eff", ".2f"), ("low", "low", ".2f"), ("high", "high", ".2f"))
    tip += tooltip(("all_wrong", "failed by all", ".2%"), ("instances", "instances", ",d"))
    x = axis("n_eff", "~r")
    caption = "The first sentence of this page, as it is and without the instances that may not be the models' fault."
    first = [at_zero(x, float(table["n_eff"].iloc[0]))]
    layers = [*first, *estimates(lines, x, tip, 90, bool(table["low"].notna().any()))]
    return {"headline": lines.figure("The headline before and after", records(table), layers, caption=caption)}
