"""Which models differ in accuracy? Accuracies in order, and lines through models that do not differ clearly."""

from __future__ import annotations

import pandas as pd

from polyculture.results import Leaderboard

from ..charts.model_labels import label_by_name
from ..charts.vega import Spec, figure, layer, records, tooltip, zoom
from ..theme import BAND, BLUE, GREY, INK

MOST_MODELS = 70
"""More models than this are not drawn one by one: the best and the worst stand for the others."""

LIMIT = 190
"""Points that a name may take."""

MOST_LINES = 12
"""More columns of lines than this tell the eye nothing; the table has the letters."""


def ranking_figure(leaderboard: Leaderboard) -> Spec:
    """Accuracy of every model with its interval, best first; at the right one line per letter of the display.

    ``usermeta`` holds ``drawn`` (how many are drawn) and ``lines`` (whether the letters are).
    """
    table = shown_models(leaderboard.table)
    order = [str(name) for name in table["model"]]
    lines = alike_lines([str(letters) for letters in table["letters"]])
    columns = 1 + max((column for column, _ in lines), default=-1)
    lines = lines if columns <= MOST_LINES else []
    step = 18 if len(order) <= 40 else 12
    y = {"type": "nominal", "sort": None, "scale": {"domain": order}}
    params, labels = label_by_name(order, LIMIT)
    names = {"title": None, "labelLimit": LIMIT, "labelFontSize": min(11.0, step - 1.5), "ticks": False}
    by_model = {"field": "model", **y, "axis": {**names, "domain": False, "labelColor": INK, **labels}}
    layers = [
        *_accuracy_layers(by_model, 56 if step > 12 else 34),
        *(_line_layers(lines, order, by_model) if lines else ()),
    ]
    keys = ["model", "n", "errors", "accuracy", "low", "high", "letters"]
    return figure(
        "Accuracy, and which models cannot be told apart",
        records(table[keys].astype({"model": str, "letters": str})),
        height=step * len(order),
        padding={"left": 0, "top": 5, "bottom": 5, "right": 6},
        layer=layers,
        usermeta={"drawn": len(order), "lines": bool(lines), "zoom": True},
        **({"params": params} if params else {}),
    )


def _accuracy_layers(y: Spec, size: int) -> list[Spec]:
    """A pale bar for the interval, a dot of that size for the estimate."""
    axis = {"title": "accuracy", "format": "~%", "tickCount": 5}
    x = {"type": "quantitative", "scale": {"zero": False, "nice": True, "padding": 5}, "axis": axis}
    percents = ((key, key, ".2%") for key in ("accuracy", "low", "high"))
    counts = ("errors", "errors", ",d"), ("n", "instances", ",d"), ("letters", "letters", "")
    bar = {"type": "rule", "strokeWidth": 4, "strokeCap": "round", "color": BAND}
    dot = {"type": "point", "filled": True, "size": size, "opacity": 1, "color": BLUE}
    return [
        layer(bar, y=y, x={"field": "low", **x}, x2={"field": "high"}, params=[zoom("x")]),
        layer(dot, y=y, x={"field": "accuracy", **x}, tooltip=tooltip(("model", "model", ""), *percents, *counts)),
    ]


def _line_layers(lines: list[tuple[int, list[int]]], order: list[str], y: Spec) -> list[Spec]:
    """Beside the plot: a thin line per letter, and a dot on it for each model that has the letter."""
    place = {"expr": "width + 14 + 8 * datum.column"}
    spans = [{"column": column, "model": order[rows[0]], "last": order[rows[-1]]} for column, rows in lines]
    dots = [{"column": column, "model": order[row]} for column, rows in lines for row in rows]
    return [
        layer(
            {"type": "rule", "strokeWidth": 1.5, "color": GREY, "x": place, "clip": False},
            y=y,
            y2={"field": "last"},
            data={"values": spans},
        ),
        layer(
            {"type": "point", "filled": True, "size": 20, "opacity": 1, "color": GREY, "x": place, "clip": False},
            y=y,
            data={"values": dots},
        ),
    ]


def shown_models(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that a figure can show: all, or the best and the worst of too many."""
    half = MOST_MODELS // 2
    return table if len(table) <= MOST_MODELS else pd.concat([table.head(half), table.tail(half)])


def alike_lines(letters: list[str]) -> list[tuple[int, list[int]]]:
    """Lines (column, rows) through the models that share a letter, packed into as few columns as will hold them.

    Parameters
    ----------
    letters : letters of every model, best first: ``"ab"``, or ``"z aa ab"`` where the alphabet does not suffice.
    """
    separated = any(" " in text or text == "aa" for text in letters)
    rows_by_letter: dict[str, list[int]] = {}
    for row, text in enumerate(letters):
        for letter in text.split() if separated else text:
            rows_by_letter.setdefault(letter, []).append(row)
    ends: list[int] = []
    lines = []
    for rows in sorted(rows for rows in rows_by_letter.values() if len(rows) > 1):
        column = next((k for k, end in enumerate(ends) if end < rows[0]), len(ends))
        ends[column : column + 1] = [rows[-1]]
        lines.append((column, rows))
    return lines
