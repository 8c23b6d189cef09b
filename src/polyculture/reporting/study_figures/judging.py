"""Which judges differ from the panel, and which from themselves when the order changes?"""

from __future__ import annotations

from polyculture.results import Section

from ..charts.dot_plot import Rows, at_zero, axis, estimates
from ..charts.vega import Spec, numbers, records, rows_of, tooltip

MOST_JUDGES = 40


def draw(section: Section) -> dict[str, Spec]:
    """How often each judge differs from the decision; with both orders, which place it prefers."""
    return _shares(section, "judges", "differs", "low", "high") | _shares(
        section, "orders", "first", "first_low", "first_high"
    )


def _shares(section: Section, name: str, field: str, low: str, high: str) -> dict[str, Spec]:
    table = numbers(rows_of(section, name, "judge", field, low, high), field, low, high).head(MOST_JUDGES)
    if not len(table):
        return {}
    biased = name == "orders"
    rows = [
        {"place": place, "judge": row["judge"], "value": row[field], "low": row[low], "high": row[high]}
        | {"strong": biased and not row[low] <= 0.5 <= row[high]}
        for place, row in enumerate(records(table))
    ]
    heading = "changes in favour of what stood first" if biased else "verdicts that are not the panel's decision"
    title = "Does the place decide?" if biased else "Who differs from the panel?"
    caption = (
        "Orange: the interval leaves out one half, which is no bias."
        if biased
        else "Bars: 95 % intervals. A judge that differs is not wrong for it."
    )
    x = axis(heading, ".0%")
    tip = tooltip(("judge", "", ""), ("value", heading, ".1%"), ("low", "from", ".1%"), ("high", "to", ".1%"))
    lines = Rows.of_models([str(judge) for judge in table["judge"]])
    layers = [*([at_zero(x, 0.5)] if biased else []), *estimates(lines, x, tip)]
    return {name: lines.figure(title, rows, layers, caption=caption)}
