"""Which pairs are more alike than shared difficulty explains? A matrix of z, or the most significant pairs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.results import Section

from ..charts.dot_plot import Rows, at_zero, axis, estimates
from ..charts.model_labels import pair_labels
from ..charts.pair_matrix import MOST_CELLS, square, stepped
from ..charts.vega import Spec, column, numbers, records, rows_of, tooltip
from ..theme import DIVERGING

MOST_PAIRS = 30


def draw(section: Section) -> dict[str, Spec]:
    """z of every pair's excess over shared difficulty as a matrix; of too many models the most significant pairs."""
    table = numbers(rows_of(section, "pairs", "model_a", "model_b", "z_scaled"), "z_scaled")
    if not len(table):
        return {}
    table = table.assign(q=column(table, "q"), excess=column(table, "excess"))
    models = pd.unique(pd.concat([table["model_a"], table["model_b"]]).astype(str))
    spec = _excess_matrix(table, models) if len(models) <= MOST_CELLS else _excess_pairs(table)
    return {"pairs": spec}


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
    spec = square(title, [str(models[k]) for k in order], rows, colour, tip)
    caption = (
        "Blue: the pair fails together more often than their accuracies and the difficulty of the instances explain; "
        "orange: less often. Difficulty is judged by these same models: the figure tells which of them are more "
        "alike than others, never how alike all of them are."
    )
    spec["usermeta"]["caption"] = caption
    return spec


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
    labels = pair_labels(list(top["model_a"].astype(str)), list(top["model_b"].astype(str)), 320)
    lines = Rows(labels.names, limit=320, labels=labels)
    x = axis("z beyond shared difficulty", "~r", zero=True)
    tip = tooltip(("model_a", "one", ""), ("model_b", "other", ""), ("value", "z", ".2f"), ("q", "q", ".2~g"))
    caption = (
        f"The {len(top)} pairs that fail together most beyond what their accuracies and the difficulty of the "
        "instances explain. Orange: significant after correction for testing all pairs (q ≤ 0.05)."
    )
    layers = [at_zero(x), *estimates(lines, x, tip, bars=False)]
    return lines.figure("Most alike beyond shared difficulty", records(top), layers, caption=caption)
