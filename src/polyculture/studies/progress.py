"""How far is a study? One callback for all of its phases."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

Progress = Callable[[str, int, int, str], None]
"""Called with the phase of a study, steps finished, steps in total, and a message such as the model just trained."""


def phase_progress(progress: Progress | None, phase: str) -> Callable[[int, int, str], None]:
    """The callback of one phase, as `polyculture.training.train` takes it."""
    return partial(progress, phase) if progress else _ignore


def _ignore(finished: int, total: int, message: str) -> None:
    """Without a callback nobody is informed."""
