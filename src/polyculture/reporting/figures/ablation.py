"""What does each change of the recipe change? One forest per number: a row per change, a dot and an interval."""

from __future__ import annotations

from polyculture.results import Section

from ..charts.dot_plot import Rows, at_zero, axis, estimates
from ..charts.vega import Spec, numbers, records, rows_of, tooltip

LEFT = "Left of the line it is smaller."

MIXED = "A mixed pair is one baseline model and one with the change; a plain pair is two baseline ones."

FORESTS = {
    "accuracy": ("Test accuracy", "points of test accuracy gained", "+.3~p", 0.0, ""),
    "shifted_accuracy": ("Accuracy on shifted tests", "points gained, mean of shifted tests", "+.3~p", 0.0, ""),
    "gap": ("Generalization gap", "change of train less test accuracy", "+.3~p", 0.0, LEFT),
    "log_loss": ("Log loss", "change of the test log loss (nats)", "+.3~g", 0.0, LEFT),
    "ece": ("Calibration error", "change of the calibration error", "+.3~g", 0.0, LEFT),
    "n_eff_pair": ("Is the monoculture broken?", "n_eff, mixed pair over plain pair", ".3~g", 1.0, MIXED),
    "operations": ("Price", "operations of a fit, over a baseline one", ".3~g", 1.0, ""),
}
"""Figures by the number that they show: title, what its axis says (few words: phones are narrow), number format, where
nothing changes, and what else must be said."""


def draw(section: Section) -> dict[str, Spec]:
    """Changes with intervals, a forest for each number; they stand in the same order in all of them."""
    needed = ("lever", "way", "measure", "change", "low", "high", "q")
    table = numbers(rows_of(section, "effects", *needed), "change", "low", "high")
    first = table[table["measure"] == "accuracy"].sort_values("change", ascending=False, kind="stable")
    order = list(dict.fromkeys([*first["lever"], *table["lever"]]))
    return {
        name: _forest(
            name, records(rows.set_index("lever").reindex([o for o in order if o in set(rows["lever"])]).reset_index())
        )
        for name in FORESTS
        if len(rows := table[table["measure"] == name])
    }


def _forest(name: str, effects: list[dict[str, object]]) -> Spec:
    title, axis_title, form, baseline, remark = FORESTS[name]
    rows = [
        {"place": place, "value": row["change"], "strong": isinstance(row["q"], float) and row["q"] <= 0.05}
        | {key: row[key] for key in ("lever", "way", "low", "high", "q")}
        for place, row in enumerate(effects)
    ]
    tip = tooltip(("lever", "lever", ""), ("way", "", ""), ("value", "change", form))
    tip += tooltip(("low", "low", form), ("high", "high", form), ("q", "q", ".2~g"))
    lines = Rows([str(row["lever"]) for row in effects], limit=200)
    x = axis(axis_title, form)
    colours = "orange: more than chance (q ≤ 5 % over changes)."
    test = "what was counted has no test." if name == "operations" else colours
    caption = f"Against the baseline recipe with the same seeds. Bar: 95 % interval over seeds and instances; {test}"
    return lines.figure(
        title, rows, [at_zero(x, baseline), *estimates(lines, x, tip)], caption=f"{caption} {remark}".strip()
    )
