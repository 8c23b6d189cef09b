"""How long will the rest take, what is in work, and which architecture takes most of the time?"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from .jobs import Job, JobReport

SHORTEST = 0.05
"""Seconds that every job is expected to take at least: reading, writing."""
WORTH_SAYING = 10.0
"""Seconds below which the remaining time is left out."""
OVERDUE = 5.0
"""Seconds that a job may take longer than expected before nothing is said about the remaining time."""
LONG = 60.0
"""Expected seconds of an architecture below which there is no warning about it."""


class TrainingEvent(str):
    """What a training has to say: a text such as ``"knn-1f, about 4 min left"``.

    Parameters
    ----------
    text : the model just finished or in work, and the remaining time.
    remaining : expected seconds until all models are finished; None where they are not known.
    warning : a sentence about what takes most of the time, given once; else empty.

    Examples
    --------
    >>> event = TrainingEvent("knn-1f, about 4 min left", remaining=240.0)
    >>> event, event.remaining
    ('knn-1f, about 4 min left', 240.0)
    """

    remaining: float | None
    warning: str

    def __new__(cls, text: str, remaining: float | None = None, warning: str = "") -> TrainingEvent:
        event = super().__new__(cls, text)
        event.remaining, event.warning = remaining, warning
        return event


class Forecast:
    """Expected seconds of jobs, corrected by those that are finished.

    Parameters
    ----------
    jobs : in the order in which they are started.
    workers : jobs at a time.
    limit : seconds of one model at most; None for no limit.
    clock : of seconds.
    """

    def __init__(
        self, jobs: Sequence[Job], workers: int, limit: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.pending = {job.recipes[0].id: job for job in jobs}
        self.workers, self.limit, self.clock = workers, limit, clock
        self.spent: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.started: dict[str, float] = {}
        self.warned: set[str] = set()
        self._start()

    def finish(self, report: JobReport) -> None:
        """Learn from a finished job."""
        job = self.pending.pop(report.outcomes[0][0])
        self.spent[part(job)].append((max(job.cost, SHORTEST), report.seconds))
        self._start()

    def _start(self) -> None:
        for name in list(self.pending)[: self.workers]:
            self.started.setdefault(name, self.clock())

    def seconds(self, job: Job) -> float:
        """Expected seconds of a job: its cost times what finished jobs took for theirs, within the limit."""
        alike = self.spent.get(part(job)) or [pair for pairs in self.spent.values() for pair in pairs]
        finite = [(cost, taken) for cost, taken in alike if math.isfinite(cost)]
        factor = sum(taken for _, taken in finite) / sum(cost for cost, _ in finite) if finite else 1.0
        expected = max(job.cost, SHORTEST) * max(factor, 0.1)
        return expected if self.limit is None else min(expected, self.limit * len(job.recipes))

    def remaining(self) -> float | None:
        """Expected seconds until all jobs are finished; None where one is unknown or takes longer than expected."""
        left = []
        for name, job in self.pending.items():
            seconds = self.seconds(job) - self._elapsed(name)
            if not math.isfinite(seconds) or seconds < -OVERDUE:
                return None
            left.append(max(seconds, 0.0))
        return max(sum(left) / self.workers, max(left)) if left else 0.0

    def event(self, text: str) -> TrainingEvent:
        """This text with the remaining time, and a warning where one is due."""
        remaining = self.remaining()
        suffix = f", about {duration(remaining)} left" if remaining is not None and remaining >= WORTH_SAYING else ""
        return TrainingEvent(text + suffix, remaining, self._warning())

    def waiting(self) -> TrainingEvent:
        """What is in work, and since when."""
        in_work = [name for name in self.pending if name in self.started]
        if not in_work:
            return self.event("finishing")
        name = max(in_work, key=self._elapsed)
        job = self.pending[name]
        more = f" and {len(job.recipes) - 1} more" if len(job.recipes) > 1 else ""
        return self.event(f"{name}{more} in work for {duration(self._elapsed(name))}")

    def _elapsed(self, name: str) -> float:
        return self.clock() - self.started[name] if name in self.started else 0.0

    def _warning(self) -> str:
        """A sentence about the architecture that takes half of the time or more, once it is in work."""
        times = {name: sum(taken for _, taken in pairs) for name, pairs in self.spent.items()}
        for name, job in self.pending.items():
            expected = self.seconds(job)
            known = expected if math.isfinite(expected) else 0.0
            times[part(job)] = times.get(part(job), 0.0) + max(known, self._elapsed(name))
        total = sum(times.values())
        for name in [name for name in self.pending if name in self.started]:
            architecture = part(self.pending[name])
            most = times[architecture]
            if architecture not in self.warned and most >= max(LONG, total / 2):
                self.warned.add(architecture)
                return (
                    f"{architecture} takes about {duration(most)} of {duration(total)} of processor time, "
                    f"{name} is in work; to shorten that, stop, and bound each model with seconds "
                    "(run --seconds S) or leave it out (run --recipes TOML); finished models are kept"
                )
        return ""


def part(job: Job) -> str:
    """The architecture of a job."""
    return job.recipes[0].architecture


def duration(seconds: float) -> str:
    """A time to read, such as "40 s", "4 min" or "2.5 h"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} h"
