"""What does the first screen answer? The command's own sentence, its table and picture, what matters, what is next."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from polyculture.results import Audit, Finding, Section
from polyculture.results.tables import DisplayTable, table
from polyculture.stats import Interval

from . import narrative
from .charts.vega import Spec, records
from .sections import SectionView, number_table

MOST_FINDINGS = 3
MOST_ROWS = 6
"""Rows of the first table; the full ones are in the details."""

_SENTENCE_END = re.compile(r"(?<=[.!?]) (?=[A-Z])")
_FIRST_FIGURES = {"portfolio": ("gains_error", "gains_squared_error", "gains_log_loss")}
"""Figures that answer the question of a section, where they are not the first one drawn."""
_BASELINES = {"best": "best single model", "top": "the best single models together", "all": "all with equal weights"}
_EFFECTS = {
    "accuracy": "test accuracy, points",
    "shifted_accuracy": "shifted tests, points",
    "n_eff_pair": "n_eff of a mixed pair",
    "operations": "cost",
}


@dataclass(frozen=True)
class Lead:
    """The first screen.

    Parameters
    ----------
    title, sentence, remainder : the question, the first sentence of the answer, and the further sentences.
    figure : key of the first figure; empty where there is none.
    table : the first table, where the answer has one.
    findings : the few that matter most.
    """

    title: str
    sentence: str
    remainder: tuple[str, ...]
    figure: str
    table: DisplayTable | None
    findings: tuple[Finding, ...]


def sentences(text: str) -> list[str]:
    """The sentences of a text."""
    return _SENTENCE_END.split(text)


def lead(audit: Audit | None, answers: Sequence[SectionView]) -> Lead:
    """The first answer, or the audit's own sentence where no section leads."""
    if answers:
        section = answers[0].section
        first, *further = sentences(section.sentence or section.title)
        return Lead(
            section.title,
            first,
            tuple(further) + ((section.reason,) if section.reason else ()),
            first_figure(answers[0]),
            first_table(section),
            important(audit.findings) if audit else (),
        )
    assert audit is not None
    return Lead(
        f"Audit of {audit.source}" if audit.source else "Audit",
        audit.sentence,
        tuple(narrative.meaning(audit)),
        "null_models",
        None,
        important(audit.findings),
    )


def important(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The first alerts and warnings; notes where there are neither."""
    applicable = [finding for finding in findings if not finding.reason]
    severe = [finding for finding in applicable if finding.severity != "note"]
    return tuple((severe or applicable)[:MOST_FINDINGS])


def first_figure(view: SectionView) -> str:
    """Key of the figure that answers the question; empty where the section has none."""
    preferred = (f"{view.section.name}_{key}" for key in _FIRST_FIGURES.get(view.section.name, ()))
    return next((key for key in preferred if key in view.figures), next(iter(view.figures), ""))


def first_table(section: Section) -> DisplayTable | None:
    """The table that answers the question in a few rows; None where the picture says it all."""
    if section.name in _TABLES:
        return _TABLES[section.name](section)
    if not section.numbers:
        return None
    numbers = number_table(section)
    return DisplayTable(numbers.headings[:2], numbers.numeric[:2], tuple(row[:2] for row in numbers.rows[:MOST_ROWS]))


def _portfolio(section: Section) -> DisplayTable | None:
    """Error of the portfolio and of the sets that it was compared with, and its error on the worst shift."""
    loss = "squared_error" if "squared_error" in section.numbers else "error"
    error, gains = section.numbers.get(loss), section.tables.get("gains", pd.DataFrame())
    if error is None or not error.defined:
        return None
    form, name = (".4g", "mean squared error") if loss == "squared_error" else (".2%", "error")
    rows = [{"set": "this portfolio", name: error.format(form), "gain of the portfolio": "–"}]
    baselines = section.tables.get("baselines", pd.DataFrame(columns=["shift"]))
    rivals = records(gains[gains["loss"] == loss] if len(gains) else gains)
    errors = [Interval(row[loss], row["low"], row["high"]) for row in records(baselines[baselines["shift"] == ""])]
    errors = errors or [Interval(error.estimate + row["gain"]) for row in rivals]
    for row, value in zip(rivals, errors, strict=True):
        gain = Interval(row["gain"], row["low"], row["high"])
        rows.append({"set": row["rival"], name: value.format(form), "gain of the portfolio": gain.format(form)})
    worst, shifts = section.numbers.get("worst_shift"), section.tables.get("shifts", pd.DataFrame())
    if worst is not None and worst.defined:
        place = f", {shifts.sort_values(loss)['shift'].iloc[-1]}" if loss in shifts and len(shifts) else ""
        text = f"this portfolio on the worst shift{place}"
        rows.append({"set": text, name: worst.format(form), "gain of the portfolio": "–"})
    for row in records(baselines[baselines["shift"] != ""]):
        value, gain = (
            Interval(row[loss], row["low"], row["high"]),
            Interval(row["gain"], row["gain_low"], row["gain_high"]),
        )
        text = f"{_BASELINES[row['baseline']]} there"
        rows.append({"set": text, name: value.format(form), "gain of the portfolio": gain.format(form)})
    return table(pd.DataFrame(rows), headings={})


def _ablation(section: Section) -> DisplayTable | None:
    """Every change: what it does to accuracy and similarity, and what it costs."""
    effects = section.tables.get("effects", pd.DataFrame())
    if not {"lever", "measure", "change", "low", "high"} <= set(effects):
        return None
    by_measure = {name: rows.set_index("lever") for name, rows in effects.groupby("measure")}
    order = effects[effects["measure"] == "accuracy"].sort_values("change", ascending=False)["lever"].tolist()
    order = list(dict.fromkeys([*order, *effects["lever"]]))
    measures = [name for name in _EFFECTS if name in by_measure]
    rows = [
        {"change": lever} | {_EFFECTS[name]: _effect(by_measure[name], lever, name) for name in measures}
        for lever in order[:MOST_ROWS]
    ]
    display = table(pd.DataFrame(rows), headings={title: title for title in _EFFECTS.values()})
    remark = f"The first {MOST_ROWS} of {len(order)} changes; all are in the details." if len(order) > MOST_ROWS else ""
    return DisplayTable(display.headings, display.numeric, display.rows, remark)


def _effect(rows: pd.DataFrame, lever: str, name: str) -> str:
    if lever not in rows.index:
        return "–"
    change, low, high = rows.loc[[lever], ["change", "low", "high"]].to_numpy(dtype=float)[0]
    if math.isnan(change):
        return "–"
    points = name in ("accuracy", "shifted_accuracy")
    text = f"{100 * change:+.1f}" if points else f"×{change:.2f}"
    if math.isnan(low) or math.isnan(high) or name == "operations":
        return text
    return f"{text} [{100 * low:.1f}, {100 * high:.1f}]" if points else f"{text} [{low:.2f}, {high:.2f}]"


def _evolution(section: Section) -> DisplayTable | None:
    """The last generations: models so far, log loss and gain."""
    history = section.tables.get("history", pd.DataFrame())
    if not {"generation", "models", "loss", "gain", "low", "high"} <= set(history):
        return None
    rows = [
        {"generation": row["generation"], "models so far": row["models"], "log loss": row["loss"]}
        | {"gain": Interval(row["gain"], row["low"], row["high"]).format(".4f") if row["gain"] == row["gain"] else "–"}
        for row in records(history.tail(MOST_ROWS))
    ]
    return table(pd.DataFrame(rows), headings={}) if rows else None


def _watch(section: Section) -> DisplayTable | None:
    """Live numbers next to those at certification."""
    live = section.tables.get("live", pd.DataFrame())
    columns = ["number", "live", "at certification"]
    return table(live[columns].head(MOST_ROWS), headings={}) if set(columns) <= set(live) else None


def _compression(section: Section) -> DisplayTable | None:
    """What became of each member."""
    members = section.tables.get("members", pd.DataFrame())
    columns = ["member", "verdict", "smaller", "faster", "churn"]
    if not set(columns) <= set(members):
        return None
    rows = members[columns].head(MOST_ROWS)
    times = {name: [f"{value:.1f}×" if value == value else "–" for value in rows[name]] for name in columns[2:4]}
    display = table(rows.assign(**times), headings={"churn": "answers changed"})
    surplus = len(members) - MOST_ROWS
    return replace(display, remark=f"The first {MOST_ROWS} of {len(members):,} members.") if surplus > 0 else display


_TABLES: dict[str, Callable[[Section], DisplayTable | None]] = {
    "portfolio": _portfolio,
    "ablation": _ablation,
    "evolution": _evolution,
    "watch": _watch,
    "compression": _compression,
}


def static_picture(spec: Spec) -> str:
    """The figure as SVG for readers without scripts; empty where it would be large."""
    import vl_convert

    text = str(vl_convert.vegalite_to_svg(json.dumps(spec, allow_nan=False)))
    text = re.sub(r' (xmlns(:xlink)?|version)="[^"]*"', "", text, count=3)
    text = text.replace("<svg ", '<svg aria-hidden="true" ', 1)
    return text if len(text) <= 60_000 else ""
