"""How is one section shown in the terminal? The answer, its numbers and its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from .control_characters import shown

if TYPE_CHECKING:
    from rich.console import Console

    from polyculture.results import Section

MAX_ROWS = 12


def terminal_section(section: Section, console: Console, tables: tuple[str, ...] = ()) -> None:
    """Print a section, with all tables or those of these names."""
    section = shown(section)
    # rich reads [red] and :warning: in a str, not in a Text
    console.print(Text(f"\n{section.title}", style="bold"))
    console.print(Text(section.sentence or f"Not applicable because {section.reason}."))
    for name, number in section.numbers.items():
        console.print(Text(f"  {name:24} {number.format('.3f')}"))
    for name, table in section.tables.items():
        if tables and name not in tables:
            continue
        console.print(Text(f"\n{name}"))
        console.print(Text(table.head(MAX_ROWS).to_string(index=False, float_format="%.4g")))
