"""How does a fit end? At its time limit."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from polyculture.errors import TrainingError


@contextmanager
def at_most(seconds: float | None) -> Iterator[None]:
    """A TrainingError as soon as more seconds have passed inside; None for no limit.

    It is raised between two steps of Python, after any call into compiled code. Code that catches it, or makes another
    error of it, ends in it all the same. Outside the main thread, and where the system has no timers, there is no limit
    here; the training loop of nets checks its own.
    """
    timers = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if seconds is None or not timers:
        yield
        return

    cure = "allow more seconds or train for fewer epochs"
    error = TrainingError(f"not done after {seconds:g} seconds", "a fit within the limit", cure)
    passed: list[bool] = []

    def late(*_: object) -> None:
        passed.append(True)
        raise error

    previous = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except Exception:
        if not passed:
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    if passed:
        raise error
