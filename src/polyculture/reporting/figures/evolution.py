"""What did each generation gain?"""

from __future__ import annotations

from polyculture.results import Section

from ..charts.dot_plot import Rows, at_zero, axis, estimates
from ..charts.vega import Spec, numbers, records, rows_of, tooltip


def draw(section: Section) -> dict[str, Spec]:
    """What every generation took off the log loss of the best mixture."""
    table = numbers(rows_of(section, "history", "generation", "models", "gain", "low", "high"), "gain", "low", "high")
    if not len(table):
        return {}
    names = [f"generation {row['generation']}, {row['models']} models" for row in records(table)]
    rows = [
        {"place": place, "generation": name, "value": row["gain"], "low": row["low"], "high": row["high"]}
        | {"strong": row["low"] > 0}
        for place, (name, row) in enumerate(zip(names, records(table), strict=True))
    ]
    tip = tooltip(("generation", "", ""), ("value", "gain", ".3~g"), ("low", "low", ".3~g"), ("high", "high", ".3~g"))
    lines = Rows(names, step=26, limit=260)
    x = axis("fall of the log loss (nats)", ".3~g", zero=True)
    caption = (
        "What each generation took off the log loss of the best mixture of all models so far, on instances that had no "
        "part in its weights. Bar: 95 % interval; orange: more than chance."
    )
    layers = [at_zero(x), *estimates(lines, x, tip)]
    return {"gains": lines.figure("What each generation gained", rows, layers, caption=caption)}
