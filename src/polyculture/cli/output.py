"""What does a command leave? The stored audit and its page, the terminal page or JSON, and the next command."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from polyculture.studies.run_folder import AUDIT, PAGE

if TYPE_CHECKING:
    from rich.progress import TaskID

    from polyculture.results import Audit, Section
    from polyculture.studies.progress import Progress

MAX_ROWS = 12


def store(audit: Audit, folder: Path) -> None:
    """Write the audit and its page."""
    from polyculture import reporting
    from polyculture.reporting.atomic_write import write_whole

    write_whole(folder / AUDIT, audit.to_json().encode())
    reporting.report(audit, folder / PAGE)


def show(audit: Audit, folder: Path, json: bool, next_command: str) -> None:
    """Store the audit and its page; then the terminal page, or the JSON, and the next command."""
    from rich.console import Console

    from polyculture import reporting

    store(audit, folder)
    if json:
        print(audit.to_json())
    else:
        reporting.terminal(audit, Console())
    show_next(folder, json, next_command, audit.sentence)


def show_next(folder: Path, json: bool, next_command: str, *lines: str) -> None:
    text = "\n".join([*lines, f"page  {folder / PAGE}", f"next  {next_command}"])
    print(text, file=sys.stderr if json else sys.stdout)


def show_section(section: Section, *tables: str) -> None:
    """One section in the terminal: the answer, its numbers and its tables, or those of these names."""
    from rich.console import Console

    console = Console()
    console.print(f"\n[bold]{section.title}[/bold]")
    console.print(section.sentence or f"Not applicable because {section.reason}.", markup=False, highlight=False)
    for name, number in section.numbers.items():
        console.print(f"  {name:24} {number.format('.3f')}", markup=False, highlight=False)
    for name, table in section.tables.items():
        if tables and name not in tables:
            continue
        console.print(f"\n{name}", markup=False)
        console.print(table.head(MAX_ROWS).to_string(index=False, float_format="%.4g"), markup=False, highlight=False)


@contextmanager
def progress_bars(announce: bool = False) -> Iterator[Progress]:
    """Bars with the remaining time on stderr, one per phase; with `announce` also what was read, on stdout."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[last]}", markup=False),
    )
    bars = Bars(*columns, console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def advance(phase: str, finished: int, total: int, message: str) -> None:
        if phase == "reading":
            if announce:
                print(f"read  {message}")
            return
        bars.start()
        if phase not in tasks:
            tasks[phase] = bars.add_task(phase, total=None, last="")
        bars.update(tasks[phase], completed=finished, total=total, last=message)

    _silence_pool()
    try:
        yield advance
    finally:
        if tasks:
            bars.stop()


def _silence_pool() -> None:
    """Ctrl-C empties the pool's queue under its manager thread, whose KeyError would hide the line that matters."""
    default = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        manager = args.thread is not None and "ExecutorManager" in args.thread.name
        if not (manager and issubclass(args.exc_type, KeyError)):
            default(args)

    threading.excepthook = hook
