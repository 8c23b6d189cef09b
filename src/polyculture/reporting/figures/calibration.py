"""How do accuracy and confidence hold on other data: gaps, agreement on the line, calibration?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import ndtri

from polyculture.results import Section

from ..theme import BLUE, GREY, INK, MUTED, ORANGE
from .dot_plot import Rows, at_zero, axis, estimates
from .vega import Spec, column, figure, inline, layer, numbers, records, rows_of, tooltip, zoom

MOST_SPLITS = 40
MOST_POINTS = 2000
"""Points of a scatter: of more pairs an even sample is drawn."""
MOST_MODELS = 60
GROUP = "(vote)"
"""What the table of the chapter calls the mean of all models."""


def generalization(section: Section) -> dict[str, Spec]:
    """Gaps of every model on every other test set, estimates without labels, and agreement here against there."""
    return _gaps(section) | _estimates(section) | _line(section)


def _gaps(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "gaps", "model", "split", "gap"), "gap")
    if not len(table):
        return {}
    table = table.assign(split=table["split"].astype(str), model=table["model"].astype(str))
    table = table.assign(**{key: column(table, key) for key in ("accuracy", "low", "high", "n")})
    splits = list(dict.fromkeys(table["split"]))[:MOST_SPLITS]
    table = table[table["split"].isin(splits)]
    table["place"] = table["split"].map({name: k for k, name in enumerate(splits)})
    models = list(dict.fromkeys(table["model"]))
    shown = models[:: -(-len(table) // MOST_POINTS)] if len(table) else models
    means = table.groupby("place")["gap"].mean().reset_index()
    lines = Rows(splits, step=22)
    x, y = axis("gap in accuracy", "~%"), {"field": "place", **lines.axis}
    tip = tooltip(("split", "test set", ""), ("who", "model", ""), ("gap", "gap", ".2%"), ("low", "low", ".2%"))
    tip += tooltip(("high", "high", ".2%"), ("accuracy", "accuracy", ".1%"), ("n", "instances", ",d"))
    dot = {"type": "point", "filled": True, "size": 38, "opacity": 0.4, "color": BLUE}
    mean = {"type": "tick", "color": ORANGE, "thickness": 3, "height": 16}
    named = {"calculate": "models[datum.model]", "as": "who"}
    of = {"calculate": "names[datum.place]", "as": "split"}
    layers = [
        at_zero(x),
        layer(dot, y=y, x={"field": "gap", **x}, tooltip=tip, transform=[named, of]),
        layer(mean, y=y, x={"field": "gap", **x}, data=inline(records(means))),
    ]
    number_of = {name: k for k, name in enumerate(models)}
    rows = [
        {"model": number_of[row["model"]], "place": row["place"]}
        | {key: round(row[key], 4) for key in ("gap", "low", "high", "accuracy", "n")}
        for row in records(table[table["model"].isin(shown)])
    ]
    caption = "One dot per model: its accuracy here less its accuracy there. Orange: mean of the models."
    caption += f" {len(shown):,} of {len(models):,} models are drawn." if len(shown) < len(models) else ""
    drawn = lines.figure("Gap of every model on every test set", rows, layers, caption=caption)
    drawn["params"].append({"name": "models", "value": models})
    return {"gaps": drawn}


def _estimates(section: Section) -> dict[str, Spec]:
    table = rows_of(section, "estimates", "split").head(MOST_SPLITS)
    kinds = {
        "labelled_error": ("error, with labels", INK, "circle"),
        "disagreement_error": ("disagreement of two models", GREY, "square"),
        "corrected": ("disagreement, corrected", BLUE, "triangle-up"),
        "aline_error": ("agreement on the line", ORANGE, "diamond"),
    }
    rows = [
        {"split": str(split), "place": place, "kind": kinds[key][0], "error": value}
        for key in kinds
        for place, (split, value) in enumerate(zip(table["split"], column(table, key), strict=True))
        if math.isfinite(value)
    ]
    if not rows:
        return {}
    used = [kind for kind in kinds.values() if any(row["kind"] == kind[0] for row in rows)]
    lines = Rows([str(split) for split in table["split"]], step=22)
    legend = {"title": None, "orient": "top", "columns": {"expr": "width < 420 ? 1 : 2"}}
    names = [name for name, _, _ in used]
    colour, shape = (
        {"field": "kind", "type": "nominal", "scale": {"domain": names, "range": [k[at] for k in used]}}
        for at in (1, 2)
    )
    dot = {"type": "point", "filled": True, "size": 70, "opacity": 0.9}
    tip = tooltip(("split", "test set", ""), ("kind", "by", ""), ("error", "error", ".2%"))
    marks = layer(
        dot,
        y={"field": "place", **lines.axis},
        x={"field": "error", **axis("mean error of the models", "~%")},
        color=colour | {"legend": legend},
        shape=shape | {"legend": legend},
        tooltip=tip,
    )
    caption = (
        "What the error is, and what would have been said without labels. Where the marks of a row lie apart, "
        "disagreement does not tell the error; where it lies far to the left, models are wrong in the same way."
    )
    return {"estimates": lines.figure("Error with and without labels", rows, [marks], caption=caption)}


def _line(section: Section) -> dict[str, Spec]:
    table = rows_of(section, "line", "model_a", "model_b", "agreement_here", "agreement_there")
    table = numbers(table, "agreement_here", "agreement_there")
    here, there = (table[key].clip(0.001, 0.999).to_numpy(float) for key in ("agreement_here", "agreement_there"))
    if len(table) < 2:
        return {}
    x, y = ndtri(here), ndtri(there)
    every = -(-len(table) // MOST_POINTS)
    models = [str(name) for name in pd.unique(pd.concat([table["model_a"], table["model_b"]]))]
    place = {name: k for k, name in enumerate(models)}
    rows = [
        {"a": place[str(row["model_a"])], "b": place[str(row["model_b"])], "x": round(row["x"], 4)}
        | {"y": round(row["y"], 4)}
        for row in records(table.assign(x=x, y=y).iloc[::every])
    ]
    ends = [float(min(x.min(), y.min())) - 0.1, float(max(x.max(), y.max())) + 0.1]
    tip = tooltip(("one", "one", ""), ("other", "other", ""), ("here", "here", ".1%"), ("there", "there", ".1%"))
    told = [{"calculate": f"models[datum.{p}]", "as": role} for p, role in (("a", "one"), ("b", "other"))]
    told += [{"calculate": f"cumulativeNormal(datum.{p})", "as": role} for p, role in (("x", "here"), ("y", "there"))]
    across, up = _probit("agreement here", ends), _probit("agreement there", ends)
    dot = {"type": "point", "filled": True, "size": 22, "opacity": 0.45, "color": BLUE}
    fit = _fitted(x, y, ends)
    layers = [
        layer(
            dot,
            x={"field": "x", **across},
            y={"field": "y", **up},
            tooltip=tip,
            params=[zoom("x", "y")],
            transform=told,
        ),
        _straight([{"x": end, "y": end} for end in ends], across, up, MUTED, [4, 3]),
        *([_straight(fit, across, up, ORANGE, [1, 0])] if fit else ()),
    ]
    caption = "One dot per pair of models, axes on the probit scale. Dashed: as much agreement there as here."
    caption += " Orange: fitted line; the closer the dots, the better disagreement tells the error without labels."
    caption += f" {len(rows):,} of {len(table):,} pairs are drawn." if every > 1 else ""
    params = [{"name": "models", "value": models}]
    drawn = figure("Agreement of pairs, here and there", rows, height=380, layer=layers, params=params)
    return {"line": drawn | {"usermeta": {"caption": caption, "zoom": True}}}


def _probit(title: str, ends: list[float]) -> Spec:
    marks = [0.001, 0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.99, 0.999]
    values = [float(ndtri(p)) for p in marks]
    label = "format(cumulativeNormal(datum.value), '.1~%')"
    axis = {"title": title, "values": values, "labelExpr": label}
    return {"type": "quantitative", "scale": {"domain": ends, "nice": False, "zero": False}, "axis": axis}


def _fitted(x: Float[np.ndarray, " k"], y: Float[np.ndarray, " k"], ends: list[float]) -> list[dict[str, float]]:
    """Two points of the least-squares line; none where all pairs stand at one place."""
    if np.ptp(x) < 1e-9:
        return []
    slope = float(np.cov(x, y)[0, 1] / np.var(x, ddof=1))
    return [{"x": end, "y": float(y.mean() + slope * (end - x.mean()))} for end in ends]


def _straight(points: list[dict[str, float]], x: Spec, y: Spec, colour: str, dash: list[int]) -> Spec:
    mark = {"type": "line", "color": colour, "strokeWidth": 1.5, "strokeDash": dash, "clip": True}
    return layer(mark, x={"field": "x", **x}, y={"field": "y", **y}, data=inline(points))


def calibration(section: Section) -> dict[str, Spec]:
    """Accuracy against confidence of every model and of their mean, and the calibration error of each."""
    return _reliability(section) | _errors(section)


def _reliability(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "reliability", "model", "confidence", "accuracy"), "confidence", "accuracy")
    if not len(table):
        return {}
    names = [str(name) for name in pd.unique(table["model"])]
    shown = [name for name in names if name == GROUP] + [name for name in names if name != GROUP][:MOST_MODELS]
    table = table.assign(model=table["model"].astype(str), n=column(table, "n"))
    rows = records(table.loc[table["model"].isin(shown), ["model", "confidence", "accuracy", "n"]])
    scale = {"domain": [0, 1], "nice": False}
    x, y = (
        {"type": "quantitative", "scale": scale, "axis": {"title": title, "format": "%", "tickCount": 5}}
        for title in ("confidence", "accuracy")
    )
    tip = tooltip(("model", "model", ""), ("confidence", "confidence", ".1%"), ("accuracy", "accuracy", ".1%"))
    tip += tooltip(("n", "instances", ",d"))
    across: Spec = {"field": "confidence", **x}
    up: Spec = {"field": "accuracy", **y}
    vote = {"filter": f"datum.model === '{GROUP}'"}
    each = {"filter": f"datum.model !== '{GROUP}'"}
    heavy = {"type": "line", "color": BLUE, "strokeWidth": 2.5, "point": {"filled": True, "size": 46, "color": BLUE}}
    layers = [
        _straight([{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0}], x, y, MUTED, [4, 3]),
        layer(
            {"type": "line", "color": GREY, "strokeWidth": 1, "opacity": 0.5},
            x=across,
            y=up,
            detail={"field": "model", "type": "nominal"},
            tooltip=tooltip(("model", "model", "")),
            transform=[each],
        ),
        layer(heavy, x=across, y=up, tooltip=tip, transform=[vote]),
    ]
    caption = (
        "Grey: one line per model; blue: mean of their probabilities; dashed: as often right as confident. Below the "
        "dashed line a model is surer than it should be."
    )
    if len(shown) < len(names):
        caption += f" {len(shown):,} of {len(names):,} lines are drawn."
    drawn = figure("Accuracy against confidence", rows, height=360, layer=layers)
    return {"reliability": drawn | {"usermeta": {"caption": caption}}}


def _errors(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "models", "model", "ece"), "ece")
    if not len(table):
        return {}
    keys = ("low", "high", "brier", "log_loss")
    table = table.assign(value=table["ece"], **{key: column(table, key) for key in keys})
    table = table.sort_values("value", kind="stable")
    shown = table if len(table) <= MOST_MODELS else pd.concat([table.head(30), table.tail(30)])
    shown = shown.assign(place=range(len(shown)), model=shown["model"].astype(str))
    shown["strong"] = shown["model"] == GROUP
    lines = Rows(list(shown["model"]), step=18 if len(shown) <= 40 else 12)
    percents = (("value", "calibration error", ".2%"), ("low", "low", ".2%"), ("high", "high", ".2%"))
    tip = tooltip(("model", "model", ""), *percents, ("brier", "Brier", ".4f"), ("log_loss", "log loss", ".4f"))
    some = "" if len(shown) == len(table) else f"The best and the last 30 of {len(table):,}. "
    caption = f"{some}Expected calibration error; pale bar: 95 % interval."
    caption += " Orange: mean of the models' probabilities." if shown["strong"].any() else ""
    rows: list[dict[str, Any]] = records(shown[["model", "place", "value", "strong", *keys]])
    layers = estimates(
        lines, axis("expected calibration error", "~%", zero=True, padding=5), tip, 46, bool(shown["low"].notna().any())
    )
    layers[0]["params"] = [zoom("x")]
    drawn = lines.figure("Calibration error of every model", rows, layers, caption=caption, zoom=True)
    return {"models": drawn}
