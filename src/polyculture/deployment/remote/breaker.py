"""When is a failing service left alone? After some failures in a row, and then tried with one call at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

BreakerState = Literal["closed", "open", "half_open"]


class CircuitBreaker:
    """Stops calls to a service after `failures` in a row; after `seconds` one call is let through as a trial.

    If the trial succeeds, calls are made again; if it fails, the service is left alone for another `seconds`
    (Nygard 2007, Release It!, section 5.2).

    Parameters
    ----------
    failures : in a row, after which no more calls are made; at least 1.
    seconds : until the next trial.
    clock : gives seconds that never go back.
    """

    def __init__(self, failures: int = 5, seconds: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._seconds = seconds
        self._clock = clock
        self._failures = 0
        self._opened: float | None = None
        self._trial = False

    @property
    def state(self) -> BreakerState:
        """``"closed"`` (calls are made), ``"open"`` (none is), or ``"half_open"`` (one trial at a time)."""
        if self._opened is None:
            return "closed"
        return "half_open" if self._clock() - self._opened >= self._seconds else "open"

    def acquire(self) -> bool:
        """Whether a call may be made now; then one of `succeed`, `fail` and `release` must follow."""
        state = self.state
        if state == "half_open" and not self._trial:
            self._trial = True
            return True
        return state == "closed"

    def succeed(self) -> None:
        """The service answered: calls are made again."""
        self._failures, self._opened, self._trial = 0, None, False

    def fail(self) -> None:
        """The service failed: after enough failures in a row, or after a trial, it is left alone."""
        self._failures += 1
        if self._trial or self._failures >= self._limit:
            self._opened = self._clock()
        self._trial = False

    def release(self) -> None:
        """The call ended without a verdict, as it was cancelled."""
        self._trial = False
