"""How alike is each of two sets, and by how much does the second differ?"""

from __future__ import annotations

from polyculture.results import Section

from ..charts.dot_plot import Rows, at_zero, axis, estimates
from ..charts.vega import Spec, tooltip

ROWS = {"rho_first": "first set", "rho_second": "second set", "rho_change": "second less first"}


def draw(section: Section) -> dict[str, Spec]:
    """Mean error correlation of both sets, and their paired difference."""
    numbers = [(name, section.numbers[name]) for name in ROWS if name in section.numbers]
    numbers = [(name, interval) for name, interval in numbers if interval.defined]
    if not numbers:
        return {}
    rows = [
        {"place": place, "set": ROWS[name], "value": i.estimate, "low": i.low, "high": i.high}
        | {"strong": name == "rho_change" and (i.low > 0 or i.high < 0)}
        for place, (name, i) in enumerate(numbers)
    ]
    tip = tooltip(("set", "", ""), ("value", "ρ", ".3f"), ("low", "low", ".3f"), ("high", "high", ".3f"))
    lines = Rows([ROWS[name] for name, _ in numbers], step=30, limit=260)
    x = axis("ρ, mean error correlation", ".2~f", zero=True)
    caption = (
        "On the instances that both sets answered. The difference is paired: what affects both cancels. Bar: 95 % "
        "interval; orange: more than chance."
    )
    return {
        "rho": lines.figure("How alike each set is", rows, [at_zero(x), *estimates(lines, x, tip)], caption=caption)
    }
