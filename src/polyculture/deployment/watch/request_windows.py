"""How did it go from request to request? Counts of remembered answers in up to 25 windows of equal size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .reference import all_wrong

if TYPE_CHECKING:
    from .live import LiveWatch

MOST_WINDOWS = 25
LEAST = 40
"""Answers of a window."""


def request_windows(watch: LiveWatch) -> list[dict[str, Any]]:
    """The remembered answers in windows of equal size, oldest first, as `RequestWindow`.

    Windows are of equal size and not of equal time, so that each is as sure as any other.
    """
    rows = watch.window.rows
    n = len(rows)
    if not n:
        return []
    time, disagreeing = rows.column("time"), rows.column("disagreeing")
    wrong, failed = rows.column("own_wrong"), all_wrong(rows.column("wrong"))
    edges = np.linspace(0, n, int(np.clip(n // LEAST, 1, MOST_WINDOWS)) + 1).astype(int)
    # Requests are numbered as those of alarms are, which go on after a restart.
    first = watch.answer_bank.requests - n
    windows = []
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        window: dict[str, Any] = {"request": first + start + 1, "time": float(time[start]), "n": stop - start}
        for name, events in (("disagreement", disagreeing), ("error", wrong), ("all_wrong", failed)):
            window[name] = _counts(events[start:stop])
        windows.append(window)
    return windows


def _counts(events: Any) -> list[int]:
    """How often an event happened, and of how many answers that is known."""
    return [int((events == 1).sum()), int((events >= 0).sum())]
