"""What does each change do, in the terminal? One row per change, the largest gain in accuracy first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from polyculture.errors import visible

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

FALSE_DISCOVERY_RATE = 0.05
COLUMNS = {
    "accuracy": "test",
    "shifted_accuracy": "shifted",
    "gap": "gap",
    "n_eff_pair": "pair n_eff",
    "operations": "cost",
}
"""Numbers in the terminal; the page and the file have all."""


def ablation_table(effects: pd.DataFrame, console: Console) -> None:
    """Print the effects; a star marks those below the false discovery rate."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for title in ("change", *COLUMNS.values()):
        table.add_column(title, no_wrap=True)
    rows = {(row["lever"], row["measure"]): row for _, row in effects.iterrows()}
    gains = effects[effects["measure"] == "accuracy"].sort_values("change", ascending=False)
    for name in gains["lever"]:
        table.add_row(Text(visible(name)), *(_cell(rows[name, measure], measure) for measure in COLUMNS))
    console.print(table)
    caption = "points of accuracy with their 95 % half-width, × ratios; * more than chance"
    console.print(caption, markup=False, highlight=False)


def _cell(row: pd.Series[Any], measure: str) -> str:
    if math.isnan(row["change"]):
        return "–"
    star = "*" if row["q"] <= FALSE_DISCOVERY_RATE else ""
    if measure in ("n_eff_pair", "operations"):
        return f"×{row['change']:.2f}{star}"
    return f"{100 * row['change']:+.1f} ± {50 * (row['high'] - row['low']):.1f}{star}"
