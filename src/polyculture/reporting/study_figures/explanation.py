"""How far do models give the same reasons, which pairs do not, and what do they look at? Agreement, pairs, maps."""

from __future__ import annotations

from typing import Any

import numpy as np

from polyculture.results import Section

from ..charts.dot_plot import Rows, axis, estimates
from ..charts.explanation_maps import bars, coloured_words, tiles
from ..charts.model_labels import Labels
from ..charts.pair_matrix import square, stepped
from ..charts.vega import Spec, column, layer, numbers, records, rows_of, tooltip
from ..theme import BLUE, SEQUENTIAL

MOST_FEATURES = 15
MOST_MODELS = 80
NARROW = {
    "two models, same instance": "two models",
    "two models, different instances (floor)": "floor: instances",
    "same recipe, new seed (ceiling)": "ceiling: recipe",
    "same model, new seed of the method (ceiling)": "ceiling: method",
    "same model, inputs changed a little (stability)": "inputs changed",
}
"""What the comparisons are called on a phone."""
MAPS = (
    "Where models answer alike for different reasons, and where they differ. {side} Each explanation is scaled to its "
    "largest attribution; the models are the most accurate one and those whose reasons are least like the ones before."
)
COLOURS = "Blue speaks for the explained class, orange against it."
SIDES = "To the right speaks for the explained class, to the left against it."


def draw(section: Section) -> dict[str, Spec]:
    """Agreement between floor and ceiling; maps of some instances; frequent reasons; agreement of every pair."""
    return _levels(section) | _maps(section) | _features(section) | _pairs(section)


def _levels(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "agreement", "comparison", "feature"), "feature")
    if not len(table):
        return {}
    table = table.assign(**{key: column(table, key) for key in ("low", "high", "correlation", "sign")})
    rows = [
        {"place": place, "value": row["feature"], "strong": place == 0} | row
        for place, row in enumerate(records(table))
    ]
    names = [str(name) for name in table["comparison"]]
    lines = Rows(names, step=30, limit=330, labels=Labels(names, names, [NARROW.get(name, name) for name in names]))
    x = axis("share of top reasons in common", "~%", domain=[0, 1], nice=False, padding=0)
    tip = tooltip(("comparison", "", ""), ("value", "shared", ".1%"), ("low", "low", ".1%"), ("high", "high", ".1%"))
    tip += tooltip(("sign", "with the same sign", ".1%"), ("correlation", "rank correlation", ".2f"))
    caption = (
        "Orange: two models on the same instance. At the floor they agree in nothing about the instance; above a "
        "ceiling they cannot be seen to agree. Bar: 95 % interval over instances."
    )
    spec = lines.figure("Shared reasons between floor and ceiling", rows, estimates(lines, x, tip, 90), caption=caption)
    return {"levels": spec}


def _maps(section: Section) -> dict[str, Spec]:
    table = numbers(
        rows_of(section, "maps", "instance", "model", "feature", "row", "column", "attribution"), "attribution"
    )
    if not len(table):
        return {}
    table = table.assign(level=column(table, "level"))
    placed, words = bool((table["row"] >= 0).all()), bool((table["column"] >= 0).all())
    picture = tiles if placed else coloured_words if words else bars
    caption = MAPS.format(side=COLOURS if words else SIDES)
    return {"maps": picture("What the models look at, side by side", table, caption)}


def _features(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "features", "feature", "share"), "share").head(MOST_FEATURES)
    if not len(table):
        return {}
    rows = [{"place": place, **row} for place, row in enumerate(records(table))]
    lines = Rows([str(name) for name in table["feature"]], step=20)
    x = axis("share of explanations", "~%", zero=True, padding=0)
    tip = tooltip(("feature", "feature", ""), ("share", "share", ".1%"), ("models", "models", ",d"))
    bar = layer(
        {"type": "bar", "height": 12, "color": BLUE},
        y={"field": "place", **lines.axis},
        x={"field": "share", **x},
        x2={"datum": 0},
        tooltip=tip,
    )
    caption = (
        "How often each is among the top reasons, of the explanations of instances that have it; all models together."
    )
    return {"features": lines.figure("The most frequent reasons", rows, [bar], caption=caption)}


def _pairs(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "pairs", "model_a", "model_b", "feature"), "feature")
    models = sorted({*table["model_a"].astype(str), *table["model_b"].astype(str)})
    if not 3 <= len(models) <= MOST_MODELS:
        return {}
    names = _ordered(models, table)
    place = {name: k for k, name in enumerate(names)}
    rows: list[dict[str, Any]] = []
    for row in records(table.assign(same_answer=column(table, "same_answer"))):
        low, high = sorted((place[str(row["model_a"])], place[str(row["model_b"])]))
        rows.append({"a": high, "b": low, "shared": round(row["feature"], 4), "same": row["same_answer"]})
    lowest, highest = float(table["feature"].min()), float(table["feature"].max())
    ends = np.floor(10 * lowest) / 10, max(np.ceil(10 * highest) / 10, np.floor(10 * lowest) / 10 + 0.2)
    colour = stepped("shared", "shared reasons", (float(ends[0]), float(ends[1])), SEQUENTIAL, 10)
    tip = tooltip(("shared", "shared reasons", ".1%"), ("same", "same answer", ".1%"))
    return {"pairs": square("Shared reasons of every pair, alike models side by side", names, rows, colour, tip)}


def _ordered(models: list[str], table: Any) -> list[str]:
    """Models arranged so that those that share reasons are neighbours (average linkage)."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    place = {name: k for k, name in enumerate(models)}
    distance = np.ones((len(models), len(models)))
    a, b = (table[name].astype(str).map(place).to_numpy(np.int64) for name in ("model_a", "model_b"))
    distance[a, b] = distance[b, a] = 1 - table["feature"].to_numpy(float)
    np.fill_diagonal(distance, 0.0)
    return [models[k] for k in leaves_list(linkage(squareform(distance, checks=False), "average"))]
