"""How much time is left? Seconds of a budget, of the CPU, or on the wall but for those spent in a queue for a core."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

OVERHEAD = 0.04
"""Share of a budget that is kept for weights and what else is done besides fitting."""


QUEUE = Path("/proc/thread-self/schedstat")
"""Where Linux tells how long a thread ran and how long it was kept from running, in nanoseconds."""
WAITING = 0.05
"""Seconds on the wall beyond those of the CPU that tell waiting from a busy machine."""
Result = TypeVar("Result")


class SkippedLearnerError(Exception):
    """A learner is not fitted, and why."""


@dataclass
class TimeBudget:
    """How much time is left of a number of seconds.

    Seconds are those of the CPU, of this process and of its workers together, or those on the wall, whichever are more:
    a learner that waits spends them, too. Seconds in which others have the core do not count, where the system tells.

    Parameters
    ----------
    seconds : in all; None for as long as it takes.
    clock : returns the time in seconds; None for both clocks.
    """

    seconds: float | None = None
    clock: Callable[[], float] | None = None
    _started: tuple[float, float] = field(init=False)
    _workers: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._started = self._now()

    def _now(self) -> tuple[float, float]:
        if self.clock is not None:
            return self.clock(), 0.0
        return time.process_time(), time.perf_counter() - _queued()

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        first, second = self._now()
        if self.clock is not None:
            return first - self._started[0]
        return max(first - self._started[0] + self._workers, second - self._started[1])

    @property
    def left(self) -> float:
        """Seconds that may still go into learners; infinite without a budget."""
        return float("inf") if self.seconds is None else self.seconds * (1 - OVERHEAD) - self.spent

    def timed(self, work: Callable[[], Result]) -> tuple[Result, float]:
        """What some work returns, and its seconds: of the CPU, or on the wall where it waits for something."""
        before = self._now()
        result = work()
        after = self._now()
        cpu, wall = after[0] - before[0], after[1] - before[1]
        return result, wall if wall > 2 * cpu + WAITING else cpu

    def add(self, seconds: float, process: int) -> None:
        """Count CPU seconds that a worker has spent; those of this process count by themselves."""
        if process != os.getpid():
            self._workers += seconds

    @property
    def reason(self) -> str:
        """Why a learner is not fitted for which there is no time."""
        return f"the time budget of {self.seconds or 0:g} seconds leaves no room for it"

    def check(self, seconds: float) -> None:
        """SkippedLearnerError where this much more time cannot be spent."""
        if self.left < max(seconds, 0.0) or self.left <= 0:
            raise SkippedLearnerError(self.reason)


def _queued() -> float:
    """Seconds that this thread could have run but others did; 0 where the system does not tell."""
    try:
        return int(QUEUE.read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
