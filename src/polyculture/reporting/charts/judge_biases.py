"""How does one see what every judge prefers? A row per judge, with the interval of its bias and a line at none."""

from __future__ import annotations

from polyculture.results import Section

from .dot_plot import Rows, at_zero, axis, estimates
from .vega import Spec, numbers, records, rows_of, tooltip

MOST_JUDGES = 40


def bias_figure(section: Section, field: str, title: str, heading: str) -> dict[str, Spec]:
    """The judges' biases of this column, orange where the interval is apart from 0; empty without any."""
    table = numbers(rows_of(section, "judges", "judge", field), field).head(MOST_JUDGES)
    if not len(table):
        return {}
    rows = [
        {"place": place, "value": row[field], "strong": row["low"] > 0 or row["high"] < 0} | row
        for place, row in enumerate(records(table))
    ]
    names = [f"{row['judge']}: {row['prefers']}" if "prefers" in row else str(row["judge"]) for row in rows]
    lines, x = Rows.of_models(names), axis(heading, "+.0%")
    tip = tooltip(("judge", "", ""), ("value", heading, "+.1%"), ("low", "from", "+.1%"), ("high", "to", "+.1%"))
    layers = [at_zero(x), *estimates(lines, x, tip)]
    return {"judges": lines.figure(title, rows, layers, caption="Orange: the interval is apart from 0.")}
