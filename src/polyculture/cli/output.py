"""What does a command leave? The stored audit and its page, the terminal page or JSON, and the next command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from polyculture.errors import visible
from polyculture.studies.run_folder import AUDIT, PAGE

if TYPE_CHECKING:
    from polyculture.results import Audit, Section


def store(audit: Audit, folder: Path) -> None:
    """Write the audit and its page."""
    from polyculture.reporting import report
    from polyculture.reporting.atomic_write import write_atomically

    write_atomically(folder / AUDIT, audit.to_json().encode())
    report(audit, folder / PAGE)


def show(audit: Audit, folder: Path, json: bool, next_command: str) -> None:
    """Store the audit and its page; then the terminal page, or the JSON, and the next command."""
    from rich.console import Console

    from polyculture.reporting import terminal

    store(audit, folder)
    if json:
        print(audit.to_json())
    else:
        terminal(audit, Console())
    show_next(folder, json, next_command, audit.sentence)


def show_next(folder: Path, json: bool, next_command: str, *lines: str) -> None:
    """Print the page and the next command, next to JSON on stderr."""
    show_lines(*lines, f"page  {folder / PAGE}", f"next  {next_command}", json=json)


def show_lines(*lines: str, json: bool = False) -> None:
    """Print lines, next to JSON on stderr; control characters in names as escapes."""
    print(*map(visible, lines), sep="\n", file=sys.stderr if json else sys.stdout)


def show_reports(*sentences: str, json: bool) -> None:
    """Print what was read, a line for each source; nothing next to JSON."""
    if not json:
        show_lines(*(f"read  {sentence}" for sentence in sentences))


def show_section(section: Section, json: bool = False, tables: tuple[str, ...] = ()) -> None:
    """Print one section, or its JSON."""
    from rich.console import Console

    from polyculture.reporting.terminal_section import terminal_section
    from polyculture.results import section_json

    if json:
        print(section_json(section))
    else:
        terminal_section(section, Console(), tables)
