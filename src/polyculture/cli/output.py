"""What does a command leave? The stored audit and its page, the terminal page or JSON, and the next command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from polyculture.errors import visible
from polyculture.studies.run_folder import PAGE

if TYPE_CHECKING:
    from polyculture.results import Audit, Section


def show(
    audit: Audit,
    folder: Path,
    json: bool,
    next_command: str,
    answers: Sequence[str] = (),
    tables: Sequence[str] = (),
    brief: bool = False,
    ship: Sequence[str] = (),
) -> None:
    """Store the audit and its page; then the terminal page, or the JSON, and the next command.

    `answers` are names of sections that come first, with these of their tables; in brief, only warnings follow them.
    `ship` are commands that take the models to production.
    """
    from rich.console import Console

    from polyculture.reporting import terminal
    from polyculture.reporting.result_folder import store_audit

    sections = [audit.section(name) for name in answers]
    audit = store_audit(audit, folder, next_command, sections)
    if json:
        print(audit.to_json())
    for section in () if json else sections:
        show_section(section, tables)
    if brief and not json:
        severe = [finding for finding in audit.findings if finding.severity != "note" and not finding.reason]
        show_sentences("", *(f"{finding.severity}  {finding.sentence}" for finding in severe))
    elif not json:
        remainder = tuple(section for section in audit.sections if section.name not in answers)
        terminal(replace(audit, sections=remainder), Console())
        show_sentences(audit.sentence)
    first = sections[0].sentence if brief else audit.sentence
    lines = [f"{'ship' if command is ship[0] else '    '}  {command}" for command in (() if json else ship)]
    show_next(folder, json, next_command, *([first] if json else []), *lines)


def show_sections(
    sections: Sequence[Section], file: Path | None, json: bool, next_command: str, tables: Sequence[str] = ()
) -> None:
    """Store sections as JSON in this file, if any, and their page; then print them, and the next command."""
    from polyculture.reporting.result_folder import store_sections

    json_text = store_sections(sections, file, next_command)
    if json:
        print(json_text)
    for section in () if json else sections:
        show_section(section, tables=tables)
    page = [f"page  {file.with_name(PAGE)}"] if file else []
    show_lines(*([] if json else [""]), *page, f"next  {next_command}", json=json)


def show_next(folder: Path, json: bool, next_command: str, *lines: str) -> None:
    """Print the page and the next command, next to JSON on stderr."""
    show_lines(*lines, f"page  {folder / PAGE}", f"next  {next_command}", json=json)


def show_sentences(*sentences: str) -> None:
    """Print sentences, each on lines as wide as the terminal."""
    from rich.console import Console

    from polyculture.reporting.terminal_table import wrapped

    width = Console().width
    show_lines(*(line for sentence in sentences for line in wrapped(visible(sentence), width).split("\n")))


def show_lines(*lines: str, json: bool = False) -> None:
    """Print lines to copy, next to JSON on stderr; control characters in names as escapes."""
    print(*map(visible, lines), sep="\n", file=sys.stderr if json else sys.stdout)


def show_reports(*sentences: str, json: bool) -> None:
    """Print what was read, a sentence for each source; nothing next to JSON."""
    if not json:
        show_sentences(*(f"read  {sentence}" for sentence in sentences))


def show_section(section: Section, tables: Sequence[str] = ()) -> None:
    """Print one section."""
    from rich.console import Console

    from polyculture.reporting.terminal_section import terminal_section

    terminal_section(section, Console(), tables)
