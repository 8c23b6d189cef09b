"""Which few models were selected, among which sets, and what does each of them add?"""

from __future__ import annotations

from typing import Any

from polyculture.results import Section

from ..charts.dot_plot import Rows, at_zero, axis, estimates
from ..charts.vega import Spec, figure, layer, numbers, records, rows_of, tooltip
from ..theme import BLUE, GREY, ORANGE

LOSSES = {
    "log_loss": ("gain in log loss (nats)", ".4~f"),
    "error": ("gain in error", ".2~%"),
    "squared_error": ("gain in mean squared error", ",.3~r"),
}

MOST_MEMBERS = 40


def draw(section: Section) -> dict[str, Spec]:
    """Gains over the rivals, the sets that were compared, what it would lose without each member, gains elsewhere."""
    specs = {f"gains_{loss}": _gains(section, loss) for loss in LOSSES}
    specs |= {"front": _front(section), "members": _members(section), "shifts": _shifts(section)}
    return {key: spec for key, spec in specs.items() if spec}


def _gains(section: Section, loss: str) -> Spec:
    table = numbers(rows_of(section, "gains", "loss", "rival", "gain", "low", "high"), "gain", "low", "high")
    table = table[table["loss"] == loss].reset_index(drop=True)
    if not len(table):
        return {}
    title, form = LOSSES[loss]
    tip = tooltip(("rival", "against", ""), ("value", title, form), ("low", "low", form), ("high", "high", form))
    rows = [
        {"place": place, "rival": row["rival"], "value": row["gain"], "low": row["low"], "high": row["high"]}
        | {"strong": row["low"] > 0}
        for place, row in enumerate(records(table))
    ]
    lines = Rows(list(table["rival"]), step=30, limit=260)
    x = axis(title, form, zero=True)
    caption = (
        "Right of the line the portfolio is better. Paired on instances that had no part in the choice. Bar: 95 % "
    )
    caption += "interval; orange: more than chance."
    return lines.figure(f"The portfolio's {title}", rows, [at_zero(x), *estimates(lines, x, tip)], caption=caption)


def _front(section: Section) -> Spec:
    table = numbers(rows_of(section, "front", "size", "quality", "n_eff", "chosen"), "size", "quality")
    if not len(table):
        return {}
    rows = [
        {"size": row["size"], "quality": row["quality"], "n_eff": row["n_eff"], "members": row["members"]}
        | {"kind": "chosen" if row["chosen"] else "efficient" if row["efficient"] else "beaten"}
        for row in records(table.sort_values("chosen", kind="stable"))
    ]
    tip = tooltip(("members", "members", ""), ("size", "size", "d"), ("quality", "goal", ".4~g"))
    tip += tooltip(("n_eff", "n_eff", ".2f"), ("kind", "", ""))
    colour: dict[str, Any] = {"field": "kind", "type": "nominal", "sort": ["chosen", "efficient", "beaten"]}
    colour |= {"scale": {"domain": ["chosen", "efficient", "beaten"], "range": [ORANGE, BLUE, GREY]}, "title": None}
    y = {"type": "quantitative", "scale": {"zero": False, "nice": True}}
    dot = layer(
        {"type": "point", "filled": True, "size": 90, "opacity": 0.9},
        x={"field": "size", "type": "quantitative", "axis": {"title": "members", "tickMinStep": 1, "grid": False}},
        y={"field": "quality", **y, "axis": {"title": "goal where it was chosen (lower is better)", "tickCount": 5}},
        color=colour,
        tooltip=tip,
    )
    caption = (
        "Each dot is a set of models. Efficient: no other set is at least as good in quality, n_eff and cost, and "
        "better in one of them."
    )
    return figure("The sets it was chosen among", rows, height=260, layer=[dot], usermeta={"caption": caption})


def _members(section: Section) -> Spec:
    table = numbers(rows_of(section, "members", "member", "leave_one_out", "low", "high"), "leave_one_out")
    table = table.head(MOST_MEMBERS)
    if not len(table):
        return {}
    rows = [
        {"place": place, "member": row["member"], "value": row["leave_one_out"], "low": row["low"], "high": row["high"]}
        | {"strong": row["low"] > 0, "weight": row["weight"], "shapley": row["shapley"]}
        for place, row in enumerate(records(table))
    ]
    tip = tooltip(("member", "member", ""), ("value", "rise of the loss", ".3~g"), ("low", "low", ".3~g"))
    tip += tooltip(("high", "high", ".3~g"), ("weight", "weight", ".3f"), ("shapley", "Shapley value", ".3~g"))
    lines = Rows.of_models(list(table["member"]), step=24, limit=260)
    x = axis("rise of the loss without it", ",.3~r", zero=True)
    caption = "Paired on the certification instances. Bar: 95 % interval; orange: it is missed."
    return lines.figure("What each member adds", rows, [at_zero(x), *estimates(lines, x, tip)], caption=caption)


def _shifts(section: Section) -> Spec:
    """Gains over the best single model on shifted test sets, where they were compared (predicted numbers)."""
    table = rows_of(section, "shifts", "shift", "gain_over_best", "gain_low", "gain_high")
    table = numbers(table, "gain_over_best", "gain_low", "gain_high")
    if not len(table):
        return {}
    title, form = LOSSES["squared_error"]
    rows = [
        {"place": place, "shift": row["shift"], "value": row["gain_over_best"], "strong": row["gain_low"] > 0}
        | {"low": row["gain_low"], "high": row["gain_high"]}
        for place, row in enumerate(records(table))
    ]
    tip = tooltip(("shift", "on", ""), ("value", title, form), ("low", "low", form), ("high", "high", form))
    lines = Rows(list(table["shift"]), step=20, limit=260)
    x = axis(title, form, zero=True)
    caption = (
        "Against the best single model, on shifted test sets that had no part in the choice. Bars: intervals that hold "
        "together, at 95 %; orange: more than chance."
    )
    layers = [at_zero(x), *estimates(lines, x, tip)]
    return lines.figure("What it gains elsewhere", rows, layers, caption=caption)
