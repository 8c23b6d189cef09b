"""How is the progress of a study shown in the terminal? A bar per phase, with the remaining time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from polyculture.errors import visible

from .terminal_table import wrapped

if TYPE_CHECKING:
    from rich.progress import TaskID

    from polyculture.studies.progress import Progress


@contextmanager
def progress_bars(announce: bool = False) -> Iterator[Progress]:
    """Bars with the remaining time on stderr, one per phase; with `announce` also what was read, on stdout."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:10}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[last]}", markup=False),
    )
    bars = Bars(*columns, console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def advance(phase: str, finished: int, total: int, message: str) -> None:
        if phase == "reading":
            if announce and message:
                print(wrapped(f"read  {visible(message)}", Console().width))
            return
        bars.start()
        if phase not in tasks:
            tasks[phase] = bars.add_task(phase, total=None, last="")
        bars.update(tasks[phase], completed=finished, total=total, last=visible(message))

    try:
        yield advance
    finally:
        if tasks:
            bars.stop()
