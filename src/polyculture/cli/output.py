"""What does a command leave? The stored audit and its page, the terminal page or JSON, and the next command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from polyculture.errors import visible
from polyculture.studies.run_folder import AUDIT, PAGE
from polyculture.studies.shell_words import shell_word

if TYPE_CHECKING:
    from polyculture.results import Audit, Section


def store(audit: Audit, folder: Path, next_command: str, answers: Sequence[Section] = ()) -> Audit:
    """Write the audit and its page, led by the answers; returns the audit as it is stored."""
    from polyculture.reporting import report, with_answers, with_commands
    from polyculture.reporting.atomic_write import write_atomically

    audit = with_answers(replace(audit, facts={"next": next_command, **audit.facts}), answers)
    audit = with_commands(audit, shell_word(str(folder)))
    write_atomically(folder / AUDIT, audit.to_json().encode())
    report(audit, folder / PAGE)
    return audit


def show(audit: Audit, folder: Path, json: bool, next_command: str) -> None:
    """Store the audit and its page; then the terminal page, or the JSON, and the next command."""
    from rich.console import Console

    from polyculture.reporting import terminal

    audit = store(audit, folder, next_command)
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


def show_section(section: Section, json: bool = False, tables: tuple[str, ...] = ()) -> None:
    """Print one section, or its JSON."""
    from rich.console import Console

    from polyculture.reporting.terminal_section import terminal_section
    from polyculture.results import section_json

    if json:
        print(section_json(section))
    else:
        terminal_section(section, Console(), tables)
