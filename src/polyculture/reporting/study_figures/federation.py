"""What does federation change? Whom all members fail, both accuracies of every set, every round, and who has what."""

from __future__ import annotations

from typing import Any

import pandas as pd

from polyculture.results import Section

from ..charts.dot_plot import Rows, axis, estimates
from ..charts.vega import Spec, column, figure, layer, numbers, records, rows_of, tooltip
from ..theme import BLUE, INK, ORANGE, SEQUENTIAL

GLOBAL, OWN = "global test set", "own mixes"
LINES: Spec = {"scale": {"domain": [GLOBAL, OWN], "range": [BLUE, ORANGE]}, "title": None}
MOST_CELLS = 1200
CLIENT_STEP, MOST_HIGH = 22, 560


def draw(section: Section) -> dict[str, Spec]:
    """Whom all members of each set fail; both accuracies; accuracy after every round; classes of every client."""
    specs = {"all_wrong": _all_wrong(section), "accuracy": _accuracy(section), "rounds": _rounds(section)}
    specs |= {"classes": _classes(section)}
    return {name: spec for name, spec in specs.items() if spec}


def _all_wrong(section: Section) -> Spec:
    """A row per set: the share of instances that every member gets wrong, and the same if they failed independently."""
    needed = ("set", "models", "all_wrong", "all_wrong_low", "all_wrong_high", "expected")
    table = numbers(rows_of(section, "sets", *needed), "all_wrong")
    if not len(table):
        return {}
    names = [f"{row['set']} ({row['models']})" for row in records(table)]
    rows = [
        {"place": place, "set": name, "value": row["all_wrong"], "low": row["all_wrong_low"]}
        | {"high": row["all_wrong_high"], "expected": row["expected"], "strong": row["models"] == 1}
        for place, (name, row) in enumerate(zip(names, records(table), strict=True))
    ]
    tip = tooltip(("set", "", ""), ("value", "wrong for all", ".1%"), ("low", "low", ".1%"), ("high", "high", ".1%"))
    tip += tooltip(("expected", "if independent", ".1%"))
    lines = Rows(names, step=30, limit=250)
    x = axis("share of instances that all members get wrong", "~%", zero=True, padding=0)
    mark = {"type": "tick", "thickness": 2, "size": 16, "color": INK}
    expected = layer(mark, y={"field": "place", **lines.axis}, x={"field": "expected", **x}, tooltip=tip)
    caption = (
        "Bar: 95 % interval over test instances. Orange: one model, of which every client has a copy. Upright stroke: "
        "what all would get wrong if the members failed independently given the class. In brackets: models."
    )
    layers = [*estimates(lines, x, tip, 90), expected]
    return lines.figure("Whom every member fails", rows, layers, caption=caption)


def _accuracy(section: Section) -> Spec:
    """A row per set: accuracy on the global test set and on the clients' own mixes."""
    table = rows_of(section, "sets", "set", "accuracy", "own_mix")
    if not len(table):
        return {}
    names = [str(name) for name in table["set"]]
    rows: list[dict[str, Any]] = []
    for mix, name, prefix, shift in ((GLOBAL, "accuracy", "", -0.14), (OWN, "own_mix", "own_mix_", 0.14)):
        part = {
            "value": column(table, name),
            "low": column(table, f"{prefix}low"),
            "high": column(table, f"{prefix}high"),
        }
        for place, row in enumerate(records(pd.DataFrame(part))):
            rows.append({"place": place + shift, "set": names[place], "mix": mix, **row})
    lines = Rows(names, step=36, limit=250)
    x = axis("accuracy", "~%")
    tip = tooltip(("set", "", ""), ("mix", "", ""), ("value", "accuracy", ".1%"), ("low", "low", ".1%"))
    tip += tooltip(("high", "high", ".1%"))
    y, colour = {"field": "place", **lines.axis}, {"field": "mix", "type": "nominal", **LINES}
    bar = {"type": "rule", "strokeWidth": 4, "strokeCap": "round", "opacity": 0.35}
    dot = {"type": "point", "filled": True, "size": 80, "opacity": 1}
    layers = [
        layer(bar, y=y, x={"field": "low", **x}, x2={"field": "high"}, color=colour),
        layer(dot, y=y, x={"field": "value", **x}, color=colour, tooltip=tip),
    ]
    caption = "Mean accuracy of the models of each set on everyone's mix and on the mix that each client meets."
    caption += " Bar: 95 % interval over test instances."
    return lines.figure("Both accuracies of every set", rows, layers, caption=caption)


def _rounds(section: Section) -> Spec:
    """The global model after every round, a panel of lines for each algorithm."""
    table = numbers(rows_of(section, "rounds", "algorithm", "round", "global", "own_mix"), "round", "global")
    if len(table) < 2:
        return {}
    rows = [
        {"algorithm": row["algorithm"], "round": row["round"], "mix": mix, "value": row[name]}
        for row in records(table)
        for mix, name in ((GLOBAL, "global"), (OWN, "own_mix"))
    ]
    x: Spec = {
        "type": "quantitative",
        "scale": {"nice": False, "padding": 4},
        "axis": {"title": "round", "format": "d", "tickMinStep": 1, "grid": False},
    }
    y = axis("accuracy", "~%")
    tip = tooltip(("algorithm", "", ""), ("mix", "", ""), ("round", "round", "d"), ("value", "accuracy", ".1%"))
    mark = {"type": "line", "strokeWidth": 2, "point": {"filled": True, "size": 24}}
    dash = {"field": "algorithm", "type": "nominal", "legend": {"title": None, "symbolType": "stroke"}}
    colour = {"field": "mix", "type": "nominal", **LINES}
    line = layer(mark, x={"field": "round", **x}, y={"field": "value", **y}, color=colour, strokeDash=dash, tooltip=tip)
    caption = (
        "The federated model, before anyone personalizes it. Numbers on test instances; no round was chosen by them."
    )
    return figure("Accuracy after every round", rows, height=240, layer=[line], usermeta={"caption": caption})


def _classes(section: Section) -> Spec:
    """Which client has how much of which class."""
    table = numbers(rows_of(section, "classes", "client", "class", "instances", "share"), "share")
    if not 1 < len(table) <= MOST_CELLS:
        return {}
    clients = list(dict.fromkeys(map(str, table["client"])))
    labels = list(dict.fromkeys(map(str, table["class"])))
    rows = [
        {"client": str(row["client"]), "class": str(row["class"])}
        | {"instances": row["instances"], "share": row["share"]}
        for row in records(table)
    ]
    tip = tooltip(("client", "client", ""), ("class", "class", ""), ("instances", "instances", ",d"))
    tip += tooltip(("share", "share of the client", ".1%"))
    axis_x, axis_y = {"labelAngle": 0, "labelLimit": 90, "grid": False}, {"labelLimit": 160, "grid": False}
    colour: Spec = {"field": "share", "type": "quantitative", "scale": {"domainMin": 0, "range": list(SEQUENTIAL)}}
    colour |= {"legend": {"title": "share of the client", "format": "~%"}}
    cells = layer(
        {"type": "rect"},
        x={"field": "class", "type": "nominal", "sort": labels, "axis": axis_x, "title": "class"},
        y={"field": "client", "type": "nominal", "sort": clients, "axis": axis_y, "title": None},
        color=colour,
        tooltip=tip,
    )
    height = min(CLIENT_STEP * len(clients), MOST_HIGH)
    return figure(
        "Who learns from what",
        rows,
        height=height,
        layer=[cells],
        usermeta={"caption": "Share of each class in the training instances of each client."},
    )
