"""How is the progress of a study shown in the terminal? A bar per phase, with the remaining time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from polyculture.errors import visible

from .terminal_table import wrapped

if TYPE_CHECKING:
    from polyculture.studies.progress import Progress


class RemainingTime(TimeRemainingColumn):
    """The remaining time by the forecast of the latest message where it has one, else by the steps until now."""

    max_refresh = 0.0

    def render(self, task: Task) -> Text:
        """Hours, minutes and seconds; ``-:--:--`` where they are not known."""
        forecast = task.fields.get("forecast")
        if forecast is None or task.finished:
            return super().render(task)
        if forecast.remaining is None:
            return Text("-:--:--", style="progress.remaining")
        minutes, seconds = divmod(round(forecast.remaining), 60)
        return Text(f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}", style="progress.remaining")


@contextmanager
def progress_bars(announce: bool = False) -> Iterator[Progress]:
    """Bars with the remaining time on stderr, one per phase; with `announce` also what was read, on stdout.

    Where a message knows the remaining time (`polyculture.training.engine.forecast.TrainingEvent`) that is shown, not
    one that takes all steps to be equally long; its warning is a line of its own.
    """
    columns = (
        TextColumn("{task.description:10}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        RemainingTime(elapsed_when_finished=True),
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
            tasks[phase] = bars.add_task(phase, total=None, last="", forecast=None)
        if warning := getattr(message, "warning", ""):
            bars.console.print(visible(warning), markup=False, highlight=False)
        forecast = message if hasattr(message, "remaining") else None
        bars.update(tasks[phase], completed=finished, total=total, last=visible(message), forecast=forecast)

    try:
        yield advance
    finally:
        if tasks:
            bars.stop()
