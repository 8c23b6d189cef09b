"""What does each lever change? One forest per number: a row for each lever, a dot and an interval."""

from __future__ import annotations

from polyculture.reporting.dots import Rows, at_zero, axis, estimates
from polyculture.reporting.drawing import Spec, numbers, records, rows_of, tooltip
from polyculture.results import Chapter

FORESTS = {
    "accuracy": ("Test accuracy", "points of test accuracy gained", "+.1~%", 0.0),
    "shifted_accuracy": (
        "Accuracy on shifted tests",
        "points of accuracy gained, mean over shifted tests",
        "+.1~%",
        0.0,
    ),
    "gap": ("Generalization gap", "change of train less test accuracy; to the left it is smaller", "+.1~%", 0.0),
    "log_loss": ("Log loss", "change of the test log loss (nats); to the left it is smaller", "+.3~f", 0.0),
    "ece": ("Calibration error", "change of the calibration error; to the left it is smaller", "+.2~f", 0.0),
    "n_eff_pair": (
        "Is the monoculture broken?",
        "n_eff of a mixed pair, ratio to a plain pair",
        ".2~f",
        1.0,
    ),
    "operations": ("Price", "operations of a fit, ratio to the plain one", ".2~f", 1.0),
}
"""Figures by the number that they show: title, what its axis says, number format, and where nothing changes."""


def levers(chapter: Chapter) -> dict[str, Spec]:
    """Changes with intervals, a forest for each number; levers stand in the same order in all of them."""
    needed = ("lever", "way", "measure", "change", "low", "high", "q")
    table = numbers(rows_of(chapter, "effects", *needed), "change", "low", "high")
    first = table[table["measure"] == "accuracy"].sort_values("change", ascending=False, kind="stable")
    order = list(dict.fromkeys([*first["lever"], *table["lever"]]))
    return {
        name: _forest(
            name, records(rows.set_index("lever").reindex([o for o in order if o in set(rows["lever"])]).reset_index())
        )
        for name in FORESTS
        if len(rows := table[table["measure"] == name])
    }


def _forest(name: str, told: list[dict[str, object]]) -> Spec:
    title, axis_title, form, nothing = FORESTS[name]
    rows = [
        {"place": place, "value": row["change"], "strong": _beyond_chance(row["q"])}
        | {key: row[key] for key in ("lever", "way", "low", "high", "q")}
        for place, row in enumerate(told)
    ]
    tip = tooltip(("lever", "lever", ""), ("way", "", ""), ("value", "change", form))
    tip += tooltip(("low", "low", form), ("high", "high", form), ("q", "q", ".2~g"))
    lines = Rows([str(row["lever"]) for row in told], limit=200)
    x = axis(axis_title, form)
    caption = "Against the plain recipe with the same seeds. Bar: 95 % interval over seeds and instances; " + (
        "what was counted has no test." if name == "operations" else "orange: more than chance (q ≤ 5 % over levers)."
    )
    if name == "n_eff_pair":
        caption += " A mixed pair is one plain model and one with the lever; a plain pair is two plain ones."
    return lines.figure(title, rows, [at_zero(x, nothing), *estimates(lines, x, tip)], caption=caption)


def _beyond_chance(q: object) -> bool:
    return isinstance(q, float) and q <= 0.05
