"""Who is like whom beyond shared difficulty, how near to two runs of one model, and by what shared factor?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.results import Section

from ..theme import BLUE, DIVERGING, GREY, INK, ORANGE, SEQUENTIAL
from .dot_plot import Rows, at_zero, axis, estimates
from .pair_matrix import MOST_CELLS, square, stepped
from .vega import Spec, column, figure, inline, layer, numbers, records, rows_of, tooltip

MOST_PAIRS = 30
MOST_BINS = 40
MOST_FACTORS = 20
_GROUPS = (BLUE, ORANGE, GREY)


def beyond(section: Section) -> dict[str, Spec]:
    """z of every pair's excess over shared difficulty as a matrix; of too many models the most significant pairs."""
    table = numbers(rows_of(section, "pairs", "model_a", "model_b", "z_scaled"), "z_scaled")
    if not len(table):
        return {}
    table = table.assign(q=column(table, "q"), excess=column(table, "excess"))
    models = pd.unique(pd.concat([table["model_a"], table["model_b"]]).astype(str))
    drawn = _excess_matrix(table, models) if len(models) <= MOST_CELLS else _excess_pairs(table)
    return {"pairs": drawn}


def _excess_matrix(table: pd.DataFrame, models: Any) -> Spec:
    place = {name: k for k, name in enumerate(models)}
    a, b = (np.array([place[str(name)] for name in table[key]]) for key in ("model_a", "model_b"))
    z = np.full((len(models), len(models)), np.nan)
    z[a, b] = z[b, a] = table["z_scaled"]
    order = alike_order(z)
    new = np.argsort(order)
    rows = [
        {"a": int(max(i, j)), "b": int(min(i, j)), "z": round(row["z_scaled"], 3), "q": row["q"]}
        | {"excess": row["excess"]}
        for i, j, row in zip(new[a], new[b], records(table), strict=True)
    ]
    reach = min(max(4, math.ceil(float(np.quantile(table["z_scaled"].abs(), 0.98)))), 10)
    colour = stepped("z", "z beyond shared difficulty", (-float(reach), float(reach)), DIVERGING, 2 * reach)
    tip = tooltip(("z", "z", ".2f"), ("q", "q", ".2~g"), ("excess", "excess", ".4f"))
    title = "Alike beyond shared difficulty, pair by pair"
    drawn = square(title, [str(models[k]) for k in order], rows, colour, tip)
    caption = (
        "Blue: the pair fails together more often than their accuracies and the difficulty of the instances explain; "
        "orange: less often. The excess over all pairs is nought by construction: the figure tells which models are "
        "more alike than others, never how alike all of them are."
    )
    drawn["usermeta"]["caption"] = caption
    return drawn


def alike_order(z: Float[np.ndarray, "m m"]) -> list[int]:
    """Rows arranged so that models with high z are neighbours (average linkage); unknown pairs count as 0."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    m = len(z)
    if m < 3:
        return list(range(m))
    upper = np.nan_to_num(z[np.triu_indices(m, 1)])
    return [int(k) for k in leaves_list(linkage(upper.max() - upper, "average", optimal_ordering=True))]


def _excess_pairs(table: pd.DataFrame) -> Spec:
    top = table.sort_values("z_scaled", ascending=False, kind="stable").head(MOST_PAIRS)
    top = top.assign(place=range(len(top)), value=top["z_scaled"])
    top["strong"] = top["q"] <= 0.05
    lines = Rows([f"{a} · {b}" for a, b in zip(top["model_a"], top["model_b"], strict=True)], limit=320)
    x = axis("z beyond shared difficulty", "~r", zero=True)
    tip = tooltip(("model_a", "one", ""), ("model_b", "other", ""), ("value", "z", ".2f"), ("q", "q", ".2~g"))
    caption = (
        f"The {len(top)} pairs that fail together most beyond what their accuracies and the difficulty of the "
        "instances explain. Orange: significant after correction for testing all pairs (q ≤ 0.05)."
    )
    layers = [at_zero(x), *estimates(lines, x, tip, bars=False)]
    return lines.figure("Most alike beyond shared difficulty", records(top), layers, caption=caption)


def multiplicity(section: Section) -> dict[str, Spec]:
    """How surely each instance gets the same answer, and where pairs stand between independence and two runs."""
    return _consistency(section) | _positions(section)


def _consistency(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "consistency", "self_consistency", "instances"), "self_consistency", "instances")
    if not len(table):
        return {}
    value, count = table["self_consistency"].to_numpy(float), table["instances"].to_numpy(float)
    levels = np.unique(value)
    half = 0.45 * float(np.diff(levels).min(initial=0.1))
    if len(levels) <= MOST_BINS:
        rows = [{"from": v - half, "to": v + half, "instances": n} for v, n in zip(value, count, strict=True)]
    else:
        rows = bins(value, count, "instances", (0.0, 1.0))
    drawn = _histogram("Self-consistency of the instances", rows, ("self-consistency", "~%"), "instances", BLUE)
    drawn["usermeta"] = {
        "caption": "Chance that two runs of one model give an instance the same answer. At the left, the answer "
        "depends on the run."
    }
    return {"consistency": drawn}


def _positions(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "positions", "position"), "position")
    if not len(table):
        return {}
    groups = table["group"].astype(str) if "group" in table else pd.Series("all pairs", index=table.index)
    names = list(groups.value_counts().index)
    named = names if len(names) <= len(_GROUPS) else ["all pairs"]
    position = table["position"].to_numpy(float)
    ends = float(min(0.0, position.min())), float(max(1.0, position.max()))
    rows: list[dict[str, Any]] = []
    for name in named:
        of = position[(groups == name).to_numpy()] if len(named) == len(names) else position
        rows += [row | {"group": name} for row in bins(of, np.ones(len(of)), "pairs", ends)]
    drawn = _histogram("Pairs between independence and two runs of one model", rows, ("position", "~r"), "pairs", BLUE)
    bar = drawn["layer"][0]["encoding"]
    legend = (
        {"title": None, "orient": "top", "symbolType": "square", "symbolStrokeWidth": 0} if len(named) > 1 else None
    )
    scale = {"domain": named, "range": list(_GROUPS[: len(named)])}
    bar["color"] = {"field": "group", "type": "nominal", "scale": scale, "legend": legend}
    x = {key: bar["x"][key] for key in ("type", "scale", "axis")}
    line = {"type": "rule", "strokeDash": [4, 3], "color": INK}
    drawn["layer"] += [layer(line, x={"datum": at} | x, data=inline([{}])) for at in (0, 1)]
    drawn["usermeta"] = {
        "caption": "0: the pair errs as independently as its accuracies allow; 1: as alike as two runs of one model."
    }
    return {"positions": drawn}


def bins(
    values: Float[np.ndarray, " k"], weights: Float[np.ndarray, " k"], name: str, ends: tuple[float, float]
) -> list[dict[str, float]]:
    """Weight in each of 40 equal bins; those without any are left out."""
    weight, edges = np.histogram(values, bins=MOST_BINS, range=ends, weights=weights)
    return [
        {"from": float(low), "to": float(high), name: float(w)}
        for low, high, w in zip(edges[:-1], edges[1:], weight, strict=True)
        if w
    ]


def _histogram(title: str, rows: list[dict[str, Any]], across: tuple[str, str], count: str, colour: str) -> Spec:
    name, form = across
    axis_x = {"title": name, "format": form, "grid": False, "tickCount": 6}
    x = {"type": "quantitative", "scale": {"nice": True, "zero": False}, "axis": axis_x}
    y = {"type": "quantitative", "axis": {"title": count, "format": ",d", "tickMinStep": 1, "tickCount": 4}}
    tip = tooltip(("from", "from", ".3~f"), ("to", "to", ".3~f"), (count, count, ",d"))
    bar = layer(
        {"type": "rect", "color": colour, "stroke": None},
        x={"field": "from", **x},
        x2={"field": "to"},
        y={"field": "to_count", **y},
        y2={"field": "from_count"},
        tooltip=tip,
        transform=[{"stack": count, "groupby": ["from"], "as": ["from_count", "to_count"]}],
    )
    return figure(title, rows, height=200, layer=[bar])


def attribution(section: Section) -> dict[str, Spec]:
    """Shares of ρ end to end, one row each with its interval; and which factors go together over models."""
    return _shares(section) | _confounding(section)


def _shares(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "shares", "factor", "share"), "share").head(MOST_FACTORS)
    if not len(table):
        return {}
    own = "share_low" in table or "contribution" in table
    low, high = (column(table, f"share_{end}" if own else end) for end in ("low", "high"))
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
    far = float(np.nanmax(table[["to", "high"]].to_numpy(float)))
    x = axis("share of ρ, end to end", "~%", domain=[_lowest(table), 1.4 * far], nice=False)
    x["axis"] |= {"values": [tick for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0) if tick <= far + 0.1]}
    y = {"field": "place", **lines.axis}
    colour = {"condition": {"test": "datum.strong", "value": GREY}, "value": BLUE}
    tip = tooltip(("factor", "shared", ""), ("said", "share of ρ", ""))
    tip += tooltip(("note", "note", "")) if "note" in table else []
    bar, whisker = {"type": "bar", "height": 12}, {"type": "rule", "color": INK, "strokeWidth": 1.5}
    text = {"type": "text", "align": "left", "dx": 8, "fontWeight": 600}
    said = {"condition": {"test": "width < 320", "field": "short"}, "field": "said"}
    beside = [{"calculate": "max(datum.from, datum.to, datum.high || datum.to)", "as": "edge"}]
    layers = [
        at_zero(x),
        layer(bar, y=y, x={"field": "from", **x}, x2={"field": "to"}, color=colour, tooltip=tip),
        layer(whisker, y=y, x={"field": "low", **x}, x2={"field": "high"}),
        layer(text, y=y, x={"field": "edge", **x}, text=said, transform=beside),
    ]
    caption = (
        "Each bar begins where the one above ends; together they make up ρ. Whisker: 95 % interval of that share. "
        "Grey: what all models share, difficulty and label errors included."
    )
    keys = ["factor", "share", "place", "from", "to", "low", "high", "strong", "said", "short"]
    rows = records(table[[*keys, *(["note"] if "note" in table else [])]])
    return {"shares": lines.figure("What the models' alikeness goes with", rows, layers, caption=caption)}


def _lowest(table: pd.DataFrame) -> float:
    """Where the axis begins: at nought, or further left where something takes away."""
    return float(min(0.0, np.nanmin(table[["from", "to", "low"]].to_numpy(float))))


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
    drawn = square("Which factors go together over models", names, rows, colour, tip[:1])
    drawn["usermeta"] |= {
        "zoom": False,
        "caption": "1: who has the one has the other, so that no audit could tell them apart; 0: crossed.",
    }
    del drawn["layer"][0]["params"]
    return {"confounding": drawn}
