"""Which classes are taken for which, and how well is each separated from the rest? One model at a time, or all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from polyculture.results import Section

from ..charts.dot_plot import Rows, axis, estimates
from ..charts.pair_matrix import places, stepped
from ..charts.vega import Spec, column, figure, layer, numbers, plain, records, rows_of, tooltip
from ..theme import BLANK, BLUE, GREY, INK, MUTED, SEQUENTIAL

POOLED = "(all)"
"""What the tables of the section call all models together."""

GROUPS = (POOLED, "(vote)")

MOST_CLASSES = 40

MOST_CONFUSIONS = 30

MOST_CELLS = 6000
"""Cells in the data of the figure; models beyond are in the table only."""

MOST_POINTS = 4000

MOST_SHOWN_CLASSES = 20


def draw(section: Section) -> dict[str, Spec]:
    """Confusion of labels and answers, pooled or of one model; ROC curves of every model, class by class."""
    return _confusion(section) | _roc(section)


def choice(name: str, label: str, options: list[str]) -> Spec:
    """A parameter that the reader sets from a list; its value is a place in the list."""
    bind = {"input": "select", "options": list(range(len(options))), "labels": options, "name": f"{label} "}
    return {"name": name, "value": 0, "bind": bind} if len(options) > 1 else {"name": name, "value": 0}


def _confusion(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "confusion", "label", "answer", "n"), "n")
    table = table[table["n"] > 0]
    if not len(table):
        return {}
    table = table.assign(
        model=table["model"].astype(str) if "model" in table else POOLED,
        label=table["label"].astype(str),
        answer=table["answer"].astype(str),
    )
    shares = table["n"] / table.groupby(["model", "label"])["n"].transform("sum")
    table["share"] = column(table, "share").fillna(shares)
    names = _sorted_names(pd.unique(pd.concat([table["label"], table["answer"]])))
    if len(names) <= MOST_CLASSES:
        return {"confusion": _confusion_matrix(table, names)}
    return _confused_pairs(table)


def _sorted_names(names: Any) -> list[str]:
    """Numbers in their order, else the order of the table."""
    texts = [str(name) for name in names]
    return sorted(texts, key=int) if all(text.isdecimal() for text in texts) else texts


def _confusion_matrix(table: pd.DataFrame, names: list[str]) -> Spec:
    models = sorted(pd.unique(table["model"]), key=lambda name: name != POOLED)
    fitting = np.cumsum([(table["model"] == model).sum() for model in models]) <= MOST_CELLS
    subset = models[: max(1, int(fitting.sum()))]
    place, model_index = ({name: k for k, name in enumerate(items)} for items in (names, subset))
    rows = [
        {"m": model_index[row["model"]], "a": place[row["answer"]], "b": place[row["label"]], "share": row["share"]}
        | {"n": int(row["n"])}
        for row in records(table[table["model"].isin(subset)])
    ]
    off_diagonal = [row["share"] for row in rows if row["a"] != row["b"] and row["m"] == 0]
    top = float(np.ceil(20 * max(off_diagonal, default=0.05) - 1e-9) / 20) or 0.05
    x, y, side = places(names)
    x["axis"] = x["axis"] and x["axis"] | {"title": "answer"}
    y["axis"] = y["axis"] | {"title": "label"}
    colour = stepped("share", "share of the label's instances", (0.0, top), SEQUENTIAL, 10)
    colour["legend"] = colour["legend"] | {"format": ".1~%"}
    colour["condition"] = {"test": "datum.a === datum.b", "value": BLANK}
    tip = tooltip(("label", "label", ""), ("answer", "answer", ""), ("share", "share", ".2%"), ("n", "answers", ",d"))
    cell: Spec = {"x": {"field": "a", **x}, "y": {"field": "b", **y}}
    ends: Spec = {"x2": {"field": "a_end"}, "y2": {"field": "b_end"}}
    layers = [layer({"type": "rect", "aria": False}, **cell, **ends, color=colour, tooltip=tip)]
    if len(names) <= 14:
        layers.append(_cell_text(x, y, top))
    spec = figure(
        "Which label is answered how",
        rows,
        autosize={"type": "pad", "contains": "padding"},
        width=side,
        height=side,
        params=[{"name": "names", "value": names}, choice("model", "model", subset)],
        transform=[
            {"filter": "datum.m === model"},
            *({"calculate": f"datum.{p} + 1", "as": f"{p}_end"} for p in "ab"),
            *({"calculate": f"names[datum.{p}]", "as": role} for p, role in (("a", "answer"), ("b", "label"))),
        ],
        layer=layers,
    )
    caption = "Rows are labels, columns are answers; colour: share of the label's instances that get this answer."
    caption += " The diagonal, where the answer is right, is left pale so that the errors show."
    if len(subset) < len(models):
        caption += f" The list offers {len(subset):,} of {len(models):,} models."
    return spec | {"usermeta": {"square": len(names), "keep": ["model"], "caption": caption}}


def _cell_text(x: Spec, y: Spec, top: float) -> Spec:
    """The share in percent, without its sign, in cells where it is not nothing."""
    size = {"expr": "clamp(height / abs(domain('y')[1] - domain('y')[0]) / 3.2, 5, 11)"}
    dark = {"test": f"datum.a !== datum.b && datum.share > {0.55 * top:.4f}", "value": SEQUENTIAL[0]}
    return layer(
        {"type": "text", "fontSize": size},
        x={"field": "a_middle", **x},
        y={"field": "b_middle", **y},
        text={"field": "share_text"},
        color={"condition": dark, "value": MUTED},
        transform=[
            {"filter": "datum.share >= 0.005"},
            *({"calculate": f"datum.{p} + 0.5", "as": f"{p}_middle"} for p in "ab"),
            {"calculate": "format(100 * datum.share, '.0f')", "as": "share_text"},
        ],
    )


def _confused_pairs(table: pd.DataFrame) -> dict[str, Spec]:
    """Of too many classes for a matrix: the labels and answers that are confused most."""
    pooled = table[table["model"] == POOLED]
    wrong = (pooled if len(pooled) else table).query("label != answer")
    top = wrong.sort_values("n", ascending=False, kind="stable").head(MOST_CONFUSIONS)
    if not len(top):
        return {}
    top = top.assign(place=range(len(top)), value=top["share"], strong=False)
    lines = Rows([f"{label} → {answer}" for label, answer in zip(top["label"], top["answer"], strict=True)])
    tip = tooltip(("label", "label", ""), ("answer", "answer", ""), ("value", "share", ".2%"), ("n", "answers", ",d"))
    layers = estimates(lines, axis("share of the label's instances", "~%", zero=True), tip, bars=False)
    caption = f"The {len(top)} most frequent confusions, label → answer, of all models together."
    return {"confusion": lines.figure("Most frequent confusions", records(top), layers, caption=caption)}


def _roc(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "roc", "model", "class", "fpr", "tpr"), "fpr", "tpr")
    if not len(table):
        return {}
    table = table.assign(model=table["model"].astype(str), **{"class": table["class"].astype(str)})
    kinds = _sorted_names(pd.unique(table["class"]))[:MOST_SHOWN_CLASSES]
    models = list(pd.unique(table["model"]))
    max_models = max(1, MOST_POINTS // (8 * len(kinds)))
    subset = [models[int(k)] for k in np.unique(np.linspace(0, len(models) - 1, min(max_models, len(models))).round())]
    points_per_curve = max(8, min(60, MOST_POINTS // (len(kinds) * len(subset))))
    auc = _auc(section)
    areas = [[plain(auc.get((model, kind))) for model in subset] for kind in kinds]
    rows = [
        {"c": kinds.index(kind), "m": subset.index(model), "x": round(point["fpr"], 4), "y": round(point["tpr"], 4)}
        for (model, kind), curve in table.groupby(["model", "class"], sort=False)
        if model in subset and kind in kinds
        for point in records(_thinned(curve, points_per_curve))
    ]
    params = [{"name": "names", "value": subset}, {"name": "areas", "value": areas}, choice("positive", "class", kinds)]
    spec = figure("How well a class is separated from the rest", rows, height=360, params=params, layer=_roc_layers())
    remark = "" if len(subset) == len(models) else f" {len(subset):,} of {len(models):,} models are drawn."
    means = [name for name in subset if name in GROUPS]
    legend_text = "Blue: all models together" if means else ""
    legend_text += f"{'; g' if means else 'G'}rey: one curve per model" if len(subset) > len(means) else ""
    caption = f"{legend_text}. The chosen class against all others; dashed: guessing.{remark}"
    return {"roc": spec | {"usermeta": {"keep": ["positive"], "caption": caption}}}


def _roc_layers() -> list[Spec]:
    """The diagonal of guessing, and a curve for each model."""
    ticks = {"format": "%", "tickCount": 5}
    x, y = (
        {"type": "quantitative", "scale": {"domain": [0, 1], "nice": False}, "axis": {"title": title} | ticks}
        for title in ("false positive rate", "true positive rate")
    )
    group = f"indexof({list(GROUPS)}, datum.name) >= 0"
    line = {"type": "line", "interpolate": "linear", "strokeWidth": 1.5, "opacity": 0.55}
    diagonal = {"values": [{"x": 0, "y": 0}, {"x": 1, "y": 1}]}
    return [
        layer(
            {"type": "line", "color": INK, "strokeDash": [4, 3], "strokeWidth": 1, "opacity": 0.5},
            x={"field": "x", **x},
            y={"field": "y", **y},
            data=diagonal,
        ),
        layer(
            line,
            x={"field": "x", **x},
            y={"field": "y", **y},
            detail={"field": "m", "type": "nominal"},
            color={"condition": {"test": group, "value": BLUE}, "value": GREY},
            order={"field": "x", "type": "quantitative"},
            tooltip=tooltip(("name", "model", ""), ("auc", "area under the curve", ".3f")),
            transform=[
                {"filter": "datum.c === positive"},
                {"calculate": "names[datum.m]", "as": "name"},
                {"calculate": "areas[datum.c][datum.m]", "as": "auc"},
            ],
        ),
    ]


def _thinned(curve: pd.DataFrame, max_points: int) -> pd.DataFrame:
    """That many points of a curve, evenly along its way, ends included."""
    curve = curve.sort_values(["fpr", "tpr"], kind="stable")
    if len(curve) <= max_points:
        return curve
    distance = np.cumsum(np.abs(np.diff(curve[["fpr", "tpr"]].to_numpy(float), axis=0)).sum(axis=1))
    indices = np.searchsorted(np.r_[0.0, distance], np.linspace(0, distance[-1], max_points))
    return curve.iloc[np.unique(np.r_[0, np.clip(indices, 0, len(curve) - 1), len(curve) - 1])]


def _auc(section: Section) -> dict[tuple[str, str], float]:
    table = numbers(rows_of(section, "auc", "model", "class", "auc"), "auc")
    return {(str(row["model"]), str(row["class"])): row["auc"] for row in records(table)}
