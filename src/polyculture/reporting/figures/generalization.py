"""How do errors and agreement hold on other test sets? Gaps, estimates without labels, agreement on the line."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import ndtri

from polyculture.results import Section

from ..charts.dot_plot import Rows, at_zero, axis
from ..charts.vega import Spec, column, figure, inline, layer, numbers, records, rows_of, straight_line, tooltip, zoom
from ..theme import BLUE, GREY, INK, MUTED, ORANGE

MOST_SPLITS = 40

MOST_POINTS = 2000
"""Points of a scatter: of more pairs an even sample is drawn."""


def draw(section: Section) -> dict[str, Spec]:
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
    models_drawn = models[:: -(-len(table) // MOST_POINTS)] if len(table) else models
    means = table.groupby("place")["gap"].mean().reset_index()
    lines = Rows(splits, step=22)
    x, y = axis("gap in accuracy", "~%"), {"field": "place", **lines.axis}
    tip = tooltip(("split", "test set", ""), ("who", "model", ""), ("gap", "gap", ".2%"), ("low", "low", ".2%"))
    tip += tooltip(("high", "high", ".2%"), ("accuracy", "accuracy", ".1%"), ("n", "instances", ",d"))
    dot = {"type": "point", "filled": True, "size": 38, "opacity": 0.4, "color": BLUE}
    mean = {"type": "tick", "color": ORANGE, "thickness": 3, "height": 16}
    name_models = {"calculate": "models[datum.model]", "as": "who"}
    name_splits = {"calculate": "names[datum.place]", "as": "split"}
    layers = [
        at_zero(x),
        layer(dot, y=y, x={"field": "gap", **x}, tooltip=tip, transform=[name_models, name_splits]),
        layer(mean, y=y, x={"field": "gap", **x}, data=inline(records(means))),
    ]
    number_of = {name: k for k, name in enumerate(models)}
    rows = [
        {"model": number_of[row["model"]], "place": row["place"]}
        | {key: round(row[key], 4) for key in ("gap", "low", "high", "accuracy", "n")}
        for row in records(table[table["model"].isin(models_drawn)])
    ]
    caption = "One dot per model: its accuracy here less its accuracy there. Orange: mean of the models."
    caption += f" {len(models_drawn):,} of {len(models):,} models are drawn." if len(models_drawn) < len(models) else ""
    spec = lines.figure("Gap of every model on every test set", rows, layers, caption=caption)
    spec["params"].append({"name": "models", "value": models})
    return {"gaps": spec}


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
    kinds_present = [kind for kind in kinds.values() if any(row["kind"] == kind[0] for row in rows)]
    lines = Rows([str(split) for split in table["split"]], step=22)
    legend = {"title": None, "orient": "top", "columns": {"expr": "width < 420 ? 1 : 2"}}
    names = [name for name, _, _ in kinds_present]
    colour, shape = (
        {"field": "kind", "type": "nominal", "scale": {"domain": names, "range": [k[index] for k in kinds_present]}}
        for index in (1, 2)
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
    first, second = (table[key].clip(0.001, 0.999).to_numpy(float) for key in ("agreement_here", "agreement_there"))
    if len(table) < 2:
        return {}
    x, y = ndtri(first), ndtri(second)
    stride = -(-len(table) // MOST_POINTS)
    models = [str(name) for name in pd.unique(pd.concat([table["model_a"], table["model_b"]]))]
    place = {name: k for k, name in enumerate(models)}
    rows = [
        {"a": place[str(row["model_a"])], "b": place[str(row["model_b"])], "x": round(row["x"], 4)}
        | {"y": round(row["y"], 4)}
        for row in records(table.assign(x=x, y=y).iloc[::stride])
    ]
    ends = [float(min(x.min(), y.min())) - 0.1, float(max(x.max(), y.max())) + 0.1]
    tip = tooltip(("one", "one", ""), ("other", "other", ""), ("here", "here", ".1%"), ("there", "there", ".1%"))
    transform = [{"calculate": f"models[datum.{p}]", "as": role} for p, role in (("a", "one"), ("b", "other"))]
    transform += [
        {"calculate": f"cumulativeNormal(datum.{p})", "as": role} for p, role in (("x", "here"), ("y", "there"))
    ]
    x_axis, y_axis = _probit("agreement here", ends), _probit("agreement there", ends)
    dot = {"type": "point", "filled": True, "size": 22, "opacity": 0.45, "color": BLUE}
    fit = _fitted(x, y, ends)
    layers = [
        layer(
            dot,
            x={"field": "x", **x_axis},
            y={"field": "y", **y_axis},
            tooltip=tip,
            params=[zoom("x", "y")],
            transform=transform,
        ),
        straight_line([{"x": end, "y": end} for end in ends], x_axis, y_axis, MUTED, [4, 3]),
        *([straight_line(fit, x_axis, y_axis, ORANGE, [1, 0])] if fit else ()),
    ]
    caption = "One dot per pair of models, axes on the probit scale. Dashed: as much agreement there as here."
    caption += " Orange: fitted line; the closer the dots, the better disagreement tells the error without labels."
    caption += f" {len(rows):,} of {len(table):,} pairs are drawn." if stride > 1 else ""
    params = [{"name": "models", "value": models}]
    spec = figure("Agreement of pairs, here and there", rows, height=380, layer=layers, params=params)
    return {"line": spec | {"usermeta": {"caption": caption, "zoom": True}}}


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
