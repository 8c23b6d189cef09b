"""Are the models as often right as they are confident? Reliability curves, and the calibration error of each."""

from __future__ import annotations

from typing import Any

import pandas as pd

from polyculture.results import Section

from ..charts.dot_plot import Rows, axis, estimates
from ..charts.vega import Spec, column, figure, layer, numbers, records, rows_of, straight_line, tooltip, zoom
from ..theme import BLUE, GREY, MUTED

MOST_MODELS = 60

GROUP = "(vote)"
"""What the table of the section calls the mean of all models."""


def draw(section: Section) -> dict[str, Spec]:
    """Accuracy against confidence of every model and of their mean, and the calibration error of each."""
    return _reliability(section) | _errors(section)


def _reliability(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "reliability", "model", "confidence", "accuracy"), "confidence", "accuracy")
    if not len(table):
        return {}
    names = [str(name) for name in pd.unique(table["model"])]
    names_drawn = [name for name in names if name == GROUP] + [name for name in names if name != GROUP][:MOST_MODELS]
    table = table.assign(model=table["model"].astype(str), n=column(table, "n"))
    rows = records(table.loc[table["model"].isin(names_drawn), ["model", "confidence", "accuracy", "n"]])
    scale = {"domain": [0, 1], "nice": False}
    x, y = (
        {"type": "quantitative", "scale": scale, "axis": {"title": title, "format": "%", "tickCount": 5}}
        for title in ("confidence", "accuracy")
    )
    tip = tooltip(("model", "model", ""), ("confidence", "confidence", ".1%"), ("accuracy", "accuracy", ".1%"))
    tip += tooltip(("n", "instances", ",d"))
    x_field: Spec = {"field": "confidence", **x}
    y_field: Spec = {"field": "accuracy", **y}
    vote = {"filter": f"datum.model === '{GROUP}'"}
    single_models = {"filter": f"datum.model !== '{GROUP}'"}
    vote_line = {
        "type": "line",
        "color": BLUE,
        "strokeWidth": 2.5,
        "point": {"filled": True, "size": 46, "color": BLUE},
    }
    layers = [
        straight_line([{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0}], x, y, MUTED, [4, 3]),
        layer(
            {"type": "line", "color": GREY, "strokeWidth": 1, "opacity": 0.5},
            x=x_field,
            y=y_field,
            detail={"field": "model", "type": "nominal"},
            tooltip=tooltip(("model", "model", "")),
            transform=[single_models],
        ),
        layer(vote_line, x=x_field, y=y_field, tooltip=tip, transform=[vote]),
    ]
    caption = (
        "Grey: one line per model; blue: mean of their probabilities; dashed: as often right as confident. Below the "
        "dashed line a model is surer than it should be."
    )
    if len(names_drawn) < len(names):
        caption += f" {len(names_drawn):,} of {len(names):,} lines are drawn."
    spec = figure("Accuracy against confidence", rows, height=360, layer=layers)
    return {"reliability": spec | {"usermeta": {"caption": caption}}}


def _errors(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "models", "model", "ece"), "ece")
    if not len(table):
        return {}
    keys = ("low", "high", "brier", "log_loss")
    table = table.assign(value=table["ece"], **{key: column(table, key) for key in keys})
    table = table.sort_values("value", kind="stable")
    selected = table if len(table) <= MOST_MODELS else pd.concat([table.head(30), table.tail(30)])
    selected = selected.assign(place=range(len(selected)), model=selected["model"].astype(str))
    selected["strong"] = selected["model"] == GROUP
    lines = Rows.of_models(list(selected["model"]), step=18 if len(selected) <= 40 else 12)
    percents = (("value", "calibration error", ".2%"), ("low", "low", ".2%"), ("high", "high", ".2%"))
    tip = tooltip(("model", "model", ""), *percents, ("brier", "Brier", ".4f"), ("log_loss", "log loss", ".4f"))
    prefix = "" if len(selected) == len(table) else f"The best and the last 30 of {len(table):,}. "
    caption = f"{prefix}Expected calibration error; pale bar: 95 % interval."
    caption += " Orange: mean of the models' probabilities." if selected["strong"].any() else ""
    rows: list[dict[str, Any]] = records(selected[["model", "place", "value", "strong", *keys]])
    layers = estimates(
        lines,
        axis("expected calibration error", "~%", zero=True, padding=5),
        tip,
        46,
        bool(selected["low"].notna().any()),
    )
    layers[0]["params"] = [zoom("x")]
    spec = lines.figure("Calibration error of every model", rows, layers, caption=caption, zoom=True)
    return {"models": spec}
