"""How does one see what shift does? Small multiples, one per kind of shift, severity from left to right."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..charts.vega import WIDTH, Spec, figure, layer, records, tooltip
from ..theme import BAND, BLUE, GREY, ORANGE

_WHICH = (("shift", "shift", ""), ("severity", "severity", "~r"))
_X = {
    "field": "severity",
    "type": "quantitative",
    "scale": {"nice": False, "padding": 6},
    "axis": {"title": "severity", "grid": False, "tickCount": 5, "format": "~r"},
}


def shift_accuracy_figure(shifts: pd.DataFrame) -> Spec:
    """Mean accuracy, the best model's, and the share of instances that all models fail, against severity."""
    lines = {"best": "best model", "accuracy": "mean accuracy", "all_wrong": "failed by all"}
    scale = {"domain": list(lines.values()), "range": [GREY, BLUE, ORANGE]}
    colour = {"type": "nominal", "scale": scale, "legend": {"title": None, "orient": "top", "symbolType": "stroke"}}
    y = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": {"title": None, "format": "%", "tickCount": 5}}
    tip = tooltip(*_WHICH, *((key, name, ".1%") for key, name in lines.items()), ("n", "instances", ",d"))
    layers = [
        layer(
            {"type": "line", "strokeWidth": 2, "point": {"filled": True, "size": 34}},
            x=_X,
            y={"field": key, **y},
            color={"datum": name, **colour},
            tooltip=tip,
        )
        for key, name in lines.items()
    ]
    return _multiples("Accuracy along the shifts", shifts, layers)


def shift_n_eff_figure(shifts: pd.DataFrame) -> Spec:
    """n_eff with its interval against severity."""
    y = {
        "type": "quantitative",
        "scale": {"zero": False, "nice": True},
        "axis": {"title": None, "tickCount": 5, "format": "~r"},
    }
    numbers = tuple((key, key, ".2f") for key in ("n_eff", "low", "high"))
    tip = tooltip(*_WHICH, *numbers, ("rho", "ρ", ".3f"), ("n", "instances", ",d"))
    line = {"type": "line", "strokeWidth": 2, "color": BLUE, "point": {"filled": True, "size": 40, "color": BLUE}}
    layers = [
        layer({"type": "area", "color": BAND, "opacity": 0.8}, x=_X, y={"field": "low", **y}, y2={"field": "high"}),
        layer(line, x=_X, y={"field": "n_eff", **y}, tooltip=tip),
    ]
    return _multiples("Effective number of independent models along the shifts", shifts, layers)


def _multiples(title: str, shifts: pd.DataFrame, layers: list[Spec]) -> Spec:
    rows = shift_rows(shifts)
    kinds = list(dict.fromkeys(row["shift"] for row in rows))
    columns = min(len(kinds), 5)
    header = {"labelAnchor": "start", "labelPadding": 4}
    spec = figure(
        title,
        rows,
        columns=columns,
        spacing={"row": 16, "column": 18},
        resolve={"axis": {"x": "independent"}},
        facet={"field": "shift", "type": "nominal", "sort": kinds, "title": None, "header": header},
        spec={"width": WIDTH // columns - 28, "height": 150, "layer": layers},
    )
    del spec["width"], spec["autosize"]  # a view of its own per multiple: the outer one has no size
    return spec


def shift_rows(shifts: pd.DataFrame) -> list[dict[str, Any]]:
    """The table with the unshifted test set, where it is a row of its own, as the first point of every shift."""
    sizes = shifts.groupby("shift")["severity"].transform("size")
    is_origin = (sizes == 1) & (shifts["severity"] == 0)
    shifted, origin = shifts[~is_origin], shifts[is_origin].head(1)
    if len(shifted):
        starts = [origin.assign(shift=kind) for kind in dict.fromkeys(shifted["shift"])] if len(origin) else []
        shifts = pd.concat([*starts, shifted])
    rank = {kind: k for k, kind in enumerate(dict.fromkeys(shifts["shift"]))}
    return sorted(records(shifts), key=lambda row: (rank[row["shift"]], row["severity"]))
