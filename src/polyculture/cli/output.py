"""What does a command leave behind? The stored audit and its page, the terminal page or JSON, and what to do next."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from polyculture.errors import FileError, InputError

if TYPE_CHECKING:
    from polyculture.results import Audit, Section

Progress = Callable[[int, int, str], None]
"""Called with what is done, how much there is, and what was done last."""

PAGE, AUDIT, PREDICTIONS, MODELS = "page.html", "audit.json", "predictions", "models"
MOST_ROWS = 12


def show(found: Audit, folder: Path, json: bool, following: str) -> None:
    """Store the audit and its page; then the terminal page, or the JSON, and what to do next."""
    from rich.console import Console

    from polyculture import reporting
    from polyculture.reporting.atomic_write import write_atomically

    text = found.to_json()
    write_atomically(folder / AUDIT, text.encode())
    reporting.report(found, folder / PAGE)
    if json:
        print(text)
    else:
        reporting.terminal(found, Console())
    print(f"{found.sentence}\npage  {folder / PAGE}\nnext  {following}", file=sys.stderr if json else sys.stdout)


def read_audit(path: Path) -> Audit:
    from polyculture.results import Audit

    try:
        return Audit.from_json(path.read_text(encoding="utf-8"))
    except InputError as error:
        raise InputError(f"{path}: {error.wrong}", error.expected, error.cure) from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}", f"the {AUDIT} that run and audit write") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is a damaged audit: {error!r}", f"the {AUDIT} that run and audit write") from error


def make_folder(folder: Path) -> None:
    """Make sure before any work that the results can be put there."""
    probe = folder / f".{os.getpid()}.try"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise FileError(
            f"cannot write to {folder}: {error.strerror}", "a folder that can be written", "name another with --out"
        ) from error


def show_section(section: Section, *tables: str) -> None:
    """One chapter in the terminal: the answer, its numbers and its tables, or those of these names."""
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
        console.print(table.head(MOST_ROWS).to_string(index=False, float_format="%.4g"), markup=False, highlight=False)


@contextmanager
def progress_bars() -> Iterator[Callable[[str], Progress]]:
    """Bars with the remaining time on stderr: a function that starts a bar and gives the one that moves it."""
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
    with Bars(*columns, console=Console(stderr=True)) as bars:

        def start(title: str) -> Progress:
            bar = bars.add_task(title, total=None, last="")
            return lambda done, total, last: bars.update(bar, completed=done, total=total, last=last)

        yield start
