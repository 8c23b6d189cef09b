"""What do both experiments look like? Accuracy where clients use their models against whom every model fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from polyculture.reporting.audit_figures import save_figure
from polyculture.reporting.theme import BLUE, CONFIG, GREY, INK, ORANGE, SEQUENTIAL

POOLED = "all data pooled"
ORDER = ("local only", "federated", "personalized", "one stays outside", POOLED)
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross")
WIDTH, HEIGHT = 330, 270


def draw(heart: pd.DataFrame, sweep: pd.DataFrame, path: Path) -> None:
    """Two panels: means over splits of the hospitals, and over seeds of every cell of the sweep."""
    path.parent.mkdir(parents=True, exist_ok=True)
    panels = [_heart(heart), _sweep(sweep)]
    save_figure(
        {
            "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
            "config": CONFIG,
            "hconcat": panels,
            "resolve": {"scale": {"color": "independent", "shape": "independent"}},
        },
        path,
    )


def _axes(x: str, title: str, form: str) -> dict[str, Any]:
    y_axis = {"title": "wrong for all, % of the test set", "tickCount": 5}
    return {
        "x": {
            "field": x,
            "type": "quantitative",
            "scale": {"zero": False, "nice": True, "padding": 14},
            "axis": {"title": title, "format": form, "tickCount": 5, "grid": False},
        },
        "y": {"field": "all_wrong", "type": "quantitative", "scale": {"zero": True, "nice": True}, "axis": y_axis},
    }


def _heart(table: pd.DataFrame) -> dict[str, Any]:
    means = table.groupby("set", sort=False)[["auc", "all_wrong"]].mean().round(4).reset_index()
    axes = _axes("auc", "AUC in the own hospital", ".2f")
    means["text"] = ["pooled" if name == POOLED else name for name in means["set"]]
    colour = {
        "field": "set",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": list(ORDER), "range": [BLUE, ORANGE, INK, GREY, GREY]},
    }
    dot = {"mark": {"type": "point", "filled": True, "size": 110, "opacity": 1}, "encoding": axes | {"color": colour}}
    name = {
        "mark": {"type": "text", "align": "right", "dx": -9, "fontSize": 12},
        "transform": [{"filter": f"datum.set != '{POOLED}'"}],
        "encoding": axes | {"text": {"field": "text"}, "color": colour},
    }
    pooled = name | {
        "mark": {"type": "text", "align": "right", "dx": -4, "dy": 15, "fontSize": 12},
        "transform": [{"filter": f"datum.set == '{POOLED}'"}],
    }
    return {
        "title": "Heart disease, four hospitals",
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": means.to_dict("records")},
        "layer": [dot, name, pooled],
    }


def _sweep(table: pd.DataFrame) -> dict[str, Any]:
    keys = ["alpha", "epochs", "set"]
    table = table[table["epochs"] == table["epochs"].min()]
    means = table.groupby(keys, sort=False)[["own", "all_wrong"]].mean().round(4).reset_index()
    means["step"] = [ORDER.index(name) for name in means["set"]]
    means["label"] = [f"{alpha:g}" for alpha in means["alpha"]]
    means["cell"] = [f"{label} {epochs:g}" for label, epochs in zip(means["label"], means["epochs"], strict=True)]
    labels = list(dict.fromkeys(means.sort_values("alpha")["label"]))
    steps = [SEQUENTIAL[round(6 + k * 13 / max(len(labels) - 1, 1))] for k in range(len(labels))]
    axes = _axes("own", "accuracy on the clients' own mixes", ".2f")
    colour = {
        "field": "label",
        "type": "nominal",
        "sort": labels,
        "scale": {"domain": labels, "range": steps[::-1]},
        "legend": {"title": "α"},
    }
    shape = {
        "field": "set",
        "type": "nominal",
        "sort": list(ORDER[:3]),
        "legend": {"title": None},
        "scale": {"domain": list(ORDER[:3]), "range": list(SHAPES[:3])},
    }
    detail = {"detail": {"field": "cell"}, "order": {"field": "step"}}
    line = {"mark": {"type": "line", "strokeWidth": 1, "opacity": 0.5}, "encoding": axes | {"color": colour} | detail}
    dot = {
        "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
        "encoding": axes | {"color": colour, "shape": shape},
    }
    return {
        "title": "Digits, ten clients, short local work: a line per α",
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": means.to_dict("records")},
        "layer": [line, dot],
    }
