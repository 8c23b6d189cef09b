"""How is one section shown in the terminal? The answer, its numbers and its tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text

from polyculture.results.tables import DisplayTable

from .control_characters import shown
from .sections import display_table, number_table, stated, title_of
from .terminal_table import terminal_table, wrapped

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from polyculture.results import Section

MAX_ROWS = 12
INDENT = 2
FALSE_DISCOVERY_RATE = 0.05
EFFECTS = {
    "accuracy": "test",
    "shifted_accuracy": "shifted",
    "gap": "gap",
    "n_eff_pair": "pair n_eff",
    "operations": "cost",
}
"""Effects of an ablation in the terminal; the page and the file have all."""


def terminal_section(section: Section, console: Console, tables: Sequence[str] = ()) -> None:
    """Print a section, with all tables or those of these names; no line is wider than the console."""
    section = shown(section)
    # rich reads [red] and :warning: in a str, not in a Text
    console.print(Text(f"\n{section.title}", style="bold"))
    console.print(Text(wrapped(stated(section).sentence, console.width)))
    if section.numbers:
        console.print()
        _print(_without(number_table(section), "n", "method"), console)
    for name, table in section.tables.items():
        if len(table) and (not tables or name in tables):
            console.print(Text(f"\n{title_of(name)}", style="bold"))
            is_effects = (section.name, name) == ("ablation", "effects")
            _print(ablation_table(table) if is_effects else display_table(section, name, MAX_ROWS), console)


def _without(display: DisplayTable, *headings: str) -> DisplayTable:
    """The table without these columns, and without those that are empty."""
    filled = [any(cells) for cells in zip(*display.rows, strict=True)]
    places = [k for k, heading in enumerate(display.headings) if heading not in headings and filled[k]]
    numeric = tuple(display.numeric[place] for place in places)
    names, *rows = [tuple(row[place] for place in places) for row in (display.headings, *display.rows)]
    return DisplayTable(names, numeric, tuple(rows), display.remark)


def _print(display: DisplayTable, console: Console) -> None:
    table, omitted = terminal_table(_without(display), console.width - INDENT)
    console.print(Padding(table, (0, 0, 0, INDENT)))
    notes = [display.remark, f"Columns that do not fit: {omitted}." if omitted else ""]
    for note in filter(None, notes):
        console.print(Padding(Text(wrapped(note, console.width - INDENT), style="dim"), (0, 0, 0, INDENT)))


def ablation_table(effects: pd.DataFrame) -> DisplayTable:
    """The effects with a row per change; a star marks those below the false discovery rate."""
    rows = {(row["lever"], row["measure"]): row for _, row in effects.iterrows()}
    gains = effects[effects["measure"] == "accuracy"].sort_values("change", ascending=False)
    cells = [(str(name), *(_cell(rows[name, measure], measure) for measure in EFFECTS)) for name in gains["lever"]]
    numeric = (False, *[True] * len(EFFECTS))
    remark = "Points of accuracy with their 95 % half-width, × ratios; * more than chance."
    return DisplayTable(("change", *EFFECTS.values()), numeric, tuple(cells), remark)


def _cell(row: pd.Series[Any], measure: str) -> str:
    if math.isnan(row["change"]):
        return "–"
    star = "*" if row["q"] <= FALSE_DISCOVERY_RATE else ""
    if measure in ("n_eff_pair", "operations"):
        return f"×{row['change']:.2f}{star}"
    return f"{100 * row['change']:+.1f} ± {50 * (row['high'] - row['low']):.1f}{star}"
