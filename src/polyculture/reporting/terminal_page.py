"""What does the terminal show of an audit? The same result as the page, in about forty lines."""

from __future__ import annotations

import math
import re

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from polyculture.results import Audit, Section
from polyculture.results.short_names import short_names
from polyculture.results.summary import share_text, tiles
from polyculture.stats import percent

from . import narrative
from .charts.vega import records
from .control_characters import shown
from .sections import applies
from .terminal_table import NARROWEST, elided, fitted, wrapped

_BAR = 24
ROWS = 5
"""Rows of a list: the best models, the worst, the most alike pairs, the hardest instances."""
_BESIDE_A_MODEL = 30
"""Cells of the leaderboard next to names and letters: accuracy, limits, and what is between them."""
_BESIDE_A_REMARK = 30
"""Cells of the key numbers next to their remarks; of a finding, its severity takes 9."""
_FIRST = re.compile(r"(?<=[.!?]) (?=[A-Z])")
"""Where the first of several sentences ends."""


def terminal(audit: Audit, console: Console) -> None:
    """Print the audit: headline and its meaning, null models, key numbers, findings, models, pairs, hardest instances.

    Fits 80 columns. The console decides about colour: none where the output is not a terminal.
    """
    audit = shown(audit)
    console.print()
    console.print(_text(audit.sentence, console.width, "bold"))
    for sentence in narrative.meaning(audit):
        console.print(_text(sentence, console.width))
    for title, content in _sections(audit, console.width - 2):
        console.print()
        console.print(_text(title, console.width, "bold"))
        console.print(Padding(content, (0, 0, 0, 2)))
    console.print()


def _further(sections: list[Section], width: int) -> Table:
    """One entry per section of the audit: the question and the first sentence of its answer."""
    grid = _grid("left")
    for section in sections:
        grid.add_row(_text(_FIRST.split(section.sentence, 1)[0], width, title=section.title))
    return grid


def _text(sentence: str, width: int, style: str = "", title: str = "") -> Text:
    """A sentence on lines of that width, after its title."""
    text = Text(wrapped(f"{title} {sentence}".lstrip(), width), style=style)
    text.stylize("bold", 0, len(title))
    return text


def _sections(audit: Audit, width: int) -> list[tuple[str, RenderableType]]:
    sections: list[tuple[str, RenderableType]] = [
        ("How alike, against each null", _null_models(audit, width)),
        ("In numbers", _tiles(audit, width)),
    ]
    if any(not finding.reason for finding in audit.findings):
        sections.append(("Summary of findings", _findings(audit, width)))
    sections.append((narrative.leaderboard(audit), _leaderboard(audit, width)))
    if math.isfinite(audit.pairwise.mean("kappa")):
        sections.append(("The most alike pairs", _pairs(audit, width)))
    if len(audit.systemic.hardest):
        sections.append((narrative.hardest(audit), _hardest(audit, width)))
    if len(audit.shifts):
        sections.append(("Along the shifts", _text(narrative.shifts(audit), width)))
    further = [section for section in audit.sections if applies(section)]
    if further:
        sections.append(("Further questions", _further(further, width)))
    return sections


def _grid(*justify: str) -> Table:
    """A table without lines; ``"right"`` for numbers."""
    grid = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for side in justify:
        grid.add_column(justify="right" if side == "right" else "left", overflow="fold")
    return grid


def _null_models(audit: Audit, width: int) -> Table:
    grid = _grid("left", "left", "left")
    for null_model in audit.null_models:
        n = null_model.n_eff
        style = "cyan" if null_model.name == audit.headline else ""
        share = math.log(min(max(n.estimate, 1), audit.n_models)) / math.log(audit.n_models) if n.defined else 0.0
        filled = max(1, round(share * _BAR)) if n.defined else 0
        bar = Text("━" * filled, style=style) + Text("─" * (_BAR - filled), style="dim")
        cells = max(NARROWEST, width - _BESIDE_A_REMARK)
        value = _text(narrative.null_model_value(null_model, audit.n_models), cells, style)
        condition = _text(f"given {null_model.given}", cells, "dim")
        grid.add_row(Text(null_model.name, style=style), bar, value + "\n" + condition)
    return grid


def _tiles(audit: Audit, width: int) -> Table:
    grid = _grid("left", "right", "left")
    for name, number, remark in tiles(audit):
        grid.add_row(Text(name), Text(number, style="bold"), fitted(remark, max(NARROWEST, width - _BESIDE_A_REMARK)))
    return grid


def _findings(audit: Audit, width: int) -> Table:
    styles = {"alert": "bold red", "warning": "yellow", "note": "dim"}
    grid = _grid("left", "left")
    for finding in audit.findings:
        if not finding.reason:
            title = f"{finding.title[:1].upper()}{finding.title[1:]}."
            grid.add_row(
                Text(finding.severity, style=styles[finding.severity]),
                _text(finding.sentence, max(NARROWEST, width - 9), title=title),
            )
    return grid


def _leaderboard(audit: Audit, width: int) -> RenderableType:
    table = audit.leaderboard.table
    short = len(table) <= 2 * ROWS
    parts = [table] if short else [table.head(ROWS), table.tail(ROWS)]
    names = _names(audit)
    grid = _grid("right", "left", "left", "left")
    letters_width = min(12, int(table["letters"].astype(str).str.len().max()))
    for k, part in enumerate(parts):
        if k:
            grid.add_row(Text("…"), Text(f"{len(table) - 2 * ROWS} more", style="dim"), Text(""), Text(""))
        for row in records(part):
            limits = f"[{share_text(row['low'])}, {share_text(row['high'])}]"
            letters = str(row["letters"]) if len(str(row["letters"])) <= 12 else str(row["letters"])[:11] + "…"
            grid.add_row(
                Text(share_text(row["accuracy"])),
                Text(limits, style="dim"),
                Text(elided(names[str(row["model"])], max(NARROWEST, width - _BESIDE_A_MODEL - letters_width))),
                Text(letters, style="dim"),
            )
    note = "Models that share a letter cannot be told apart."
    return Group(grid, Text(note, style="dim")) if table["letters"].astype(bool).any() else grid


def _pairs(audit: Audit, width: int) -> Table:
    frame = audit.pairwise.frame()
    pairs = frame[np.isfinite(frame["kappa"])].sort_values("kappa", ascending=False, kind="stable").head(ROWS)
    names = _names(audit)
    grid = _grid("left", "left", "left")
    for row in records(pairs):
        pair = (elided(names[str(row[key])], max(NARROWEST, (width - 12) // 2)) for key in ("model_a", "model_b"))
        grid.add_row(Text(f"κ {row['kappa']:.2f}"), *map(Text, pair))
    return grid


def _names(audit: Audit) -> dict[str, str]:
    """What the models are called where there is little room."""
    models = [str(model) for model in audit.leaderboard.table["model"]]
    return dict(zip(models, short_names(models), strict=True))


def _hardest(audit: Audit, width: int) -> Table:
    grid = _grid("left", "left", "left")
    for row in records(audit.systemic.hardest.head(ROWS)):
        label = f" (label {row['label']})" if "label" in row else ""
        answer = f"{percent(row['share'], 0)} of them say {row['answer']}" if row.get("answer") else ""
        name = elided(str(row["instance"]), max(NARROWEST, width // 3))
        grid.add_row(Text(f"{name}{label}"), Text(f"{row['wrong']} of {row['models']} wrong"), Text(answer))
    return grid
