"""When has a rate changed? Bernoulli CUSUMs, many at a time, with a promised number of false alarms per request.

A CUSUM adds up the log likelihood ratio of the changed rate against the rate at certification, and never falls below 0
(Page 1954). It signals when the sum reaches a threshold, which follows from the promise (`run_length`). While an alarm
is up the same statistic watches for the return: the alarm ends when the rate is back.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from polyculture.errors import InputError

from .run_length import Lattice, run_length, threshold_for

UNKNOWN = -1
"""Code of a request on which an event is not defined: the score stays as it is."""
RETURN = 0.5
"""Threshold of the return, as a part of that of the alarm: an alarm that ends too early soon comes back."""
BLOCK = 4096
"""Requests whose scores are computed at a time."""


@dataclass(frozen=True)
class RateAlarm:
    """An alarm on the rate of an event.

    Parameters
    ----------
    name : what is watched, such as ``"disagreement"`` or ``"member_drift:ID"``.
    reference : rate up to which the promise of few false alarms holds (direction "down": from which on), in (0, 1).
    shifted : rate that is to be detected soon, in (0, 1).
    direction : ``"up"`` where the shifted rate is above the reference, ``"down"`` where it is below.
    false_alarms_per : requests from one false alarm to the next on average, at least.
    threshold : of the log likelihood ratio; 0 to compute it from the promise.

    Raises InputError for rates outside of (0, 1) or on the wrong side of each other, and for another direction.

    The promise is exact for independent requests. Requests that come in dependent batches (the frames of a film, copies
    of a document) signal more often: count such a batch as one request.
    """

    name: str
    reference: float
    shifted: float
    direction: str = "up"
    false_alarms_per: int = 10_000
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if self.direction not in ("up", "down"):
            raise InputError(f"direction {self.direction!r} of the alarm {self.name!r}", "'up' or 'down'")
        low, high = sorted((self.reference, self.shifted))
        rising = self.reference < self.shifted
        if not 0 < low < high < 1 or rising != (self.direction == "up"):
            raise InputError(
                f"rates {self.reference:g} and {self.shifted:g} of the alarm {self.name!r}",
                f"rates between 0 and 1, the second {'above' if self.direction == 'up' else 'below'} the first",
            )
        if not math.isfinite(self.threshold) or self.threshold < 0:
            raise InputError(f"threshold {self.threshold} of the alarm {self.name!r}", "a positive number, or 0")

    @property
    def rates(self) -> tuple[float, float]:
        """Reference and shifted rate of the event whose rate rises: the event itself, or that it does not happen."""
        if self.direction == "up":
            return self.reference, self.shifted
        return 1 - self.reference, 1 - self.shifted

    def calibrated(self) -> RateAlarm:
        """The alarm with the threshold of its promise, where it has none."""
        if self.threshold > 0:
            return self
        return dataclasses.replace(self, threshold=threshold_for(*self.rates, float(self.false_alarms_per)))

    @property
    def requests_per_false_alarm(self) -> float:
        """Average number of requests from the start to a false alarm at the reference rate; exact."""
        return self._run_length(self.rates[0])

    @property
    def mean_delay(self) -> float:
        """Average number of requests from a score of 0 to the alarm at the shifted rate; exact."""
        return self._run_length(self.rates[1])

    def _run_length(self, rate: float) -> float:
        lattice = Lattice.of(*self.rates)
        return run_length(rate, lattice, lattice.steps(self.calibrated().threshold))


def shared_promise(alarms: Sequence[RateAlarm], requests: int) -> tuple[RateAlarm, ...]:
    """The alarms with thresholds such that all of them together give one false alarm per that many requests.

    The rates of false alarms add up, however the alarms depend on each other: each may signal once per requests ×
    number of alarms.
    """
    if requests < 1:
        raise InputError(f"one false alarm per {requests} requests", "at least 1")
    requests_each = requests * max(1, len(alarms))
    return tuple(
        dataclasses.replace(alarm, false_alarms_per=requests_each, threshold=0.0).calibrated() for alarm in alarms
    )


def _lattices(alarm: RateAlarm) -> tuple[Lattice, Lattice]:
    """Scores for the change, and for the return: from the rate at which the first neither rises nor falls on average.

    A return from the shifted rate itself would end alarms, and begin them again, wherever the rate is in between.
    """
    change = Lattice.of(*alarm.rates)
    return change, Lattice.of(1 - change.fall / (change.rise + change.fall), 1 - alarm.rates[0])


class Signal(NamedTuple):
    """An alarm goes up, or down again: which one, and at which request (the first is 1)."""

    alarm: int
    request: int
    up: bool


class CusumBank:
    """The scores of several alarms, updated together.

    Parameters
    ----------
    alarms : those without a threshold are calibrated.
    """

    def __init__(self, alarms: Sequence[RateAlarm]) -> None:
        self.alarms = tuple(alarm.calibrated() for alarm in alarms)
        lattices = [_lattices(alarm) for alarm in self.alarms]
        # Second index: 0 watches for the change, 1, while the alarm is up, for the return.
        shape = (len(self.alarms), 2)
        self._rise = np.array([[x.rise for x in pair] for pair in lattices], np.int64).reshape(shape)
        self._fall = np.array([[x.fall for x in pair] for pair in lattices], np.int64).reshape(shape)
        limits = [
            [change.steps(a.threshold), back.steps(RETURN * a.threshold)]
            for a, (change, back) in zip(self.alarms, lattices, strict=True)
        ]
        self._limit = np.array(limits, np.int64).reshape(shape)
        self._event = np.array([[a.direction == "up", a.direction != "up"] for a in self.alarms], bool).reshape(shape)
        count = len(self.alarms)
        self.up = np.zeros(count, bool)
        self.score = np.zeros(count, np.int64)
        self.signals = np.zeros(count, np.int64)
        """How often each alarm went up."""
        self.changed = np.zeros(count, np.int64)
        """Requests before the rate began to rise: the last at which the score was 0 before the alarm."""
        self.requests = 0
        """Requests so far."""

    def level_of(self, alarm: int) -> float:
        """How far an alarm is from its threshold: 0 at rest, 1 at it; of one that is up above 1."""
        is_up = bool(self.up[alarm])
        share = float(self.score[alarm] / self._limit[alarm, int(is_up)])
        return 2.0 - share if is_up else share

    def update(self, events: Int[np.ndarray, "n j"]) -> list[Signal]:
        """Add requests, in their order; returns every change.

        Parameters
        ----------
        events : 1 where the event of the alarm happened, 0 where not, negative where it is not defined.
        """
        signals: list[Signal] = []
        for start in range(0, len(events), BLOCK):
            signals += self._update(np.asarray(events[start : start + BLOCK]))
        return sorted(signals, key=lambda signal: signal.request)

    def _update(self, events: Int[np.ndarray, "n j"]) -> list[Signal]:
        index, mode = np.arange(len(self.alarms)), self.up.astype(int)
        path = self._path(events, index, mode, self.score)
        crossed = (path >= self._limit[index, mode]).any(axis=0)
        if len(events):
            self.score = path[-1]
            # While an alarm is up, its change is the one that led to it.
            at_zero = ~self.up & (path == 0).any(axis=0)
            last = len(path) - np.argmax((path == 0)[::-1], axis=0)
            self.changed = np.where(at_zero & ~crossed, self.requests + last, self.changed)
        signals = [
            signal for j in np.flatnonzero(crossed) for signal in self._signals(events[:, j], int(j), path[:, j])
        ]
        self.requests += len(events)
        return signals

    def _path(
        self, events: Int[np.ndarray, "n j"], index: Int[np.ndarray, " j"], mode: Int[np.ndarray, " j"], score: Any
    ) -> Int[np.ndarray, "n j"]:
        """The scores after each request: a sum that is held at 0 is the sum less its lowest value below 0."""
        adverse = (events == 1) == self._event[index, mode]
        steps = np.where(adverse, self._rise[index, mode], -self._fall[index, mode])
        steps[events < 0] = 0
        total = score + np.cumsum(steps, axis=0)
        path: Int[np.ndarray, "n j"] = total - np.minimum(np.minimum.accumulate(total, axis=0), 0)
        return path

    def _signals(self, events: Int[np.ndarray, " n"], j: int, path: Int[np.ndarray, " n"]) -> list[Signal]:
        """Every crossing of one alarm in a block, from the path up to the first."""
        signals: list[Signal] = []
        start, index = 0, np.array([j])
        while True:
            crossed = np.flatnonzero(path >= self._limit[j, int(self.up[j])])
            if not len(crossed):
                self.score[j] = path[-1] if len(path) else 0
                at_zero = np.flatnonzero(path == 0)
                if not self.up[j] and len(at_zero):
                    self.changed[j] = self.requests + start + int(at_zero[-1]) + 1
                return signals
            at_zero = np.flatnonzero(path[: crossed[0]] == 0)
            if not self.up[j] and len(at_zero):
                self.changed[j] = self.requests + start + int(at_zero[-1]) + 1
            start += int(crossed[0]) + 1
            self.up[j] = not self.up[j]
            if not self.up[j]:
                self.changed[j] = self.requests + start
            self.signals[j] += self.up[j]
            signals.append(Signal(j, self.requests + start, bool(self.up[j])))
            self.score[j] = 0
            path = self._path(events[start:, None], index, self.up[index].astype(int), 0)[:, 0]

    def reset(self, name: str = "") -> None:
        """Start again from a score of 0, with the alarm of that name (all, if empty) down."""
        mask = np.array([name in ("", alarm.name) for alarm in self.alarms], bool)
        self.score[mask], self.up[mask] = 0, False

    def state(self) -> dict[str, Any]:
        """Scores and flags by the name of the alarm, as JSON."""
        columns = {"score": self.score, "up": self.up, "signals": self.signals, "changed": self.changed}
        scores = {
            alarm.name: {name: column[j].item() for name, column in columns.items()} | {"threshold": alarm.threshold}
            for j, alarm in enumerate(self.alarms)
        }
        return {"requests": self.requests, "alarms": scores}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave; alarms that it lacks, or whose threshold is another, start at 0."""
        self.requests = int(state["requests"])
        for j, alarm in enumerate(self.alarms):
            row = state["alarms"].get(alarm.name)
            if row and math.isclose(row["threshold"], alarm.threshold):
                self.score[j], self.up[j] = int(row["score"]), bool(row["up"])
                self.signals[j], self.changed[j] = int(row["signals"]), int(row["changed"])
