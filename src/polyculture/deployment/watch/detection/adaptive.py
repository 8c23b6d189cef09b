"""Has a number changed, by an unknown amount? ADWIN, of the package river.

A CUSUM is told what to look for and finds it soon; ADWIN is told nothing and finds any change, later (Bifet and
Gavaldà 2007). It holds for numbers in [0, 1], such as confidences and shares of members that dissent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from polyculture.errors import InputError, need


class AdaptiveWindow:
    """Looks for a change of the mean of numbers in [0, 1], without a reference.

    Parameters
    ----------
    requests : bounds the false alarms: the chance of one at any request is at most 1/requests.

    Needs river: ``pip install "polyculture[monitor]"``.
    """

    def __init__(self, requests: int = 100_000) -> None:
        if requests < 2:
            raise InputError(f"one false alarm per {requests} requests", "at least 2")
        need("river", extra="monitor")
        from river.drift import ADWIN

        self._window: Any = ADWIN(delta=1 / requests)
        self.requests = 0

    @property
    def mean(self) -> float:
        """Mean since the last change; nan before the first number."""
        return float(self._window.estimation) if self._window.width else math.nan

    def update(self, values: Sequence[float]) -> list[int]:
        """Add numbers in their order; returns the requests (the first is 1) at which a change was found.

        Raises InputError for a number outside of [0, 1]; nan are left out.
        """
        changes = []
        for value in values:
            self.requests += 1
            number = float(value)
            if math.isnan(number):
                continue
            if not 0 <= number <= 1:
                raise InputError(f"the number {number:g}", "a number in [0, 1]")
            self._window.update(number)
            if self._window.drift_detected:
                changes.append(self.requests)
        return changes
