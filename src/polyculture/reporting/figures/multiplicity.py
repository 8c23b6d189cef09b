"""How surely does each instance get the same answer, and where do pairs stand between independence and two runs?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.results import Section

from ..charts.vega import Spec, figure, inline, layer, numbers, rows_of, tooltip
from ..theme import BLUE, GREY, INK, ORANGE

MOST_BINS = 40

_GROUPS = (BLUE, ORANGE, GREY)


def draw(section: Section) -> dict[str, Spec]:
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
    spec = _histogram("Self-consistency of the instances", rows, ("self-consistency", "~%"), "instances", BLUE)
    spec["usermeta"] = {
        "caption": "Chance that two runs of one model give an instance the same answer. At the left, the answer "
        "depends on the run."
    }
    return {"consistency": spec}


def _positions(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "positions", "position"), "position")
    if not len(table):
        return {}
    groups = table["group"].astype(str) if "group" in table else pd.Series("all pairs", index=table.index)
    names = list(groups.value_counts().index)
    kinds = names if len(names) <= len(_GROUPS) else ["all pairs"]
    position = table["position"].to_numpy(float)
    ends = float(min(0.0, position.min())), float(max(1.0, position.max()))
    rows: list[dict[str, Any]] = []
    for name in kinds:
        values = position[(groups == name).to_numpy()] if len(kinds) == len(names) else position
        rows += [row | {"group": name} for row in bins(values, np.ones(len(values)), "pairs", ends)]
    spec = _histogram("Pairs between independence and two runs of one model", rows, ("position", "~r"), "pairs", BLUE)
    bar = spec["layer"][0]["encoding"]
    legend = (
        {"title": None, "orient": "top", "symbolType": "square", "symbolStrokeWidth": 0} if len(kinds) > 1 else None
    )
    scale = {"domain": kinds, "range": list(_GROUPS[: len(kinds)])}
    bar["color"] = {"field": "group", "type": "nominal", "scale": scale, "legend": legend}
    x = {key: bar["x"][key] for key in ("type", "scale", "axis")}
    line = {"type": "rule", "strokeDash": [4, 3], "color": INK}
    spec["layer"] += [layer(line, x={"datum": position_value} | x, data=inline([{}])) for position_value in (0, 1)]
    spec["usermeta"] = {
        "caption": "0: the pair errs as independently as its accuracies allow; 1: as alike as two runs of one model."
    }
    return {"positions": spec}


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


def _histogram(title: str, rows: list[dict[str, Any]], x_label: tuple[str, str], count: str, colour: str) -> Spec:
    name, form = x_label
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
