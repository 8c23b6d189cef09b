"""How did it go over time? Sums in up to 120 stretches of equal length, which become longer as time goes on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Float, Int

MOST = 120
FIRST_STEP = 10.0
"""Seconds of a stretch at the start."""
MOST_STRATA = 32
"""True classes within which the effective number is computed over time; it is left out where there are more."""
LATENCY_EDGES = np.geomspace(0.05, 120_000, 160)
"""Upper ends of the bins of latencies, in ms: a percentile is known to about 10 %."""


class TimeBuckets:
    """Sums of answers and labelled answers by time.

    Parameters
    ----------
    members : number of members.
    strata : number of true classes; 0 for a regression.
    """

    def __init__(self, members: int, strata: int) -> None:
        self.start, self.step = math.nan, FIRST_STEP
        self._strata = max(1, strata) if strata <= MOST_STRATA else 0
        self._sums = {
            "n": np.zeros(MOST),
            "defined": np.zeros(MOST),
            "disagreeing": np.zeros(MOST),
            "latency": np.zeros((MOST, len(LATENCY_EDGES) + 1)),
            "labelled": np.zeros(MOST),
            "all_wrong": np.zeros(MOST),
            # By class: instances that all members answered, failures, their squares, and errors of each member.
            "moments": np.zeros((MOST, self._strata, 3 + members)),
        }

    def add(
        self, time: Float[np.ndarray, " n"], disagreeing: Int[np.ndarray, " n"], latency: Float[np.ndarray, " n"]
    ) -> None:
        """Add answers; `disagreeing` is 1, 0, or -1 where it is not defined."""
        place = self._places(time)
        np.add.at(self._sums["n"], place, 1)
        np.add.at(self._sums["defined"], place, disagreeing >= 0)
        np.add.at(self._sums["disagreeing"], place, disagreeing == 1)
        timed = ~np.isnan(latency)
        bins = np.searchsorted(LATENCY_EDGES, latency[timed])
        np.add.at(self._sums["latency"], (place[timed], bins), 1)

    def add_labels(
        self, time: Float[np.ndarray, " n"], wrong: Int[np.ndarray, "n m"], stratum: Int[np.ndarray, " n"]
    ) -> None:
        """Add labelled answers: where members were wrong (1, 0, -1 for none), and the code of the true class."""
        defined = (wrong >= 0).any(axis=1) & ~(time < self.start)
        time, wrong, stratum = time[defined], wrong[defined], stratum[defined]
        if not len(time):
            return
        place = self._places(time)
        np.add.at(self._sums["labelled"], place, 1)
        np.add.at(self._sums["all_wrong"], place, ~(wrong == 0).any(axis=1))
        complete = (wrong >= 0).all(axis=1) & (stratum >= 0) & (stratum < self._strata)
        failures = (wrong[complete] == 1).sum(axis=1)
        columns = [np.ones(len(failures)), failures, failures**2, *(wrong[complete] == 1).T]
        np.add.at(self._sums["moments"], (place[complete], stratum[complete]), np.column_stack(columns))

    def _places(self, time: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """Stretch of each time; when they run out, neighbours are put together."""
        if math.isnan(self.start):
            self.start = float(time.min())
        while time.max() - self.start >= self.step * MOST:
            self.step *= 2
            for name, sums in self._sums.items():
                pairs = sums[0::2] + sums[1::2]
                self._sums[name] = np.concatenate([pairs, np.zeros_like(pairs)])
        places: Int[np.ndarray, " n"] = np.maximum((time - self.start) // self.step, 0).astype(int)
        return places

    def points(self) -> list[dict[str, Any]]:
        """The stretches that have answers, oldest first, as `TimePoint`."""
        sums = self._sums
        points = []
        for k in np.flatnonzero(sums["n"]):
            defined, labelled = sums["defined"][k], sums["labelled"][k]
            point: dict[str, Any] = {"time": self.start + float(k) * self.step, "n": int(sums["n"][k])}
            point |= {f"p{q}": _percentile(sums["latency"][k], q / 100) for q in (50, 99)}
            point["disagreement"] = float(sums["disagreeing"][k] / defined) if defined else None
            point["all_wrong"] = float(sums["all_wrong"][k] / labelled) if labelled else None
            point["n_eff"] = _n_eff(sums["moments"][k])
            points.append(point)
        return points


def _percentile(counts: Float[np.ndarray, " b"], share: float) -> float | None:
    """A percentile from counts in bins: the upper end of the bin that it falls into."""
    if not counts.sum():
        return None
    place = int(np.searchsorted(np.cumsum(counts), share * counts.sum()))
    return float(LATENCY_EDGES[min(place, len(LATENCY_EDGES) - 1)])


def _n_eff(moments: Float[np.ndarray, "s k"]) -> float | None:
    """Effective number given the true class, from sums; None where it is undefined or has no bound."""
    moments = moments[moments[:, 0] > 1]
    n, failures, squares, errors = moments[:, 0], moments[:, 1], moments[:, 2], moments[:, 3:]
    total = errors.sum(axis=0)
    informative = (total > 0) & (total < n.sum())
    if informative.sum() < 2:
        return None
    unbiased = n / (n - 1)
    # A member that is always right, or always wrong, adds nothing to the first sum but a constant.
    observed = (unbiased * (squares - failures**2 / n)).sum()
    independent = (unbiased[:, None] * (errors - errors**2 / n[:, None]))[:, informative].sum()
    return float(informative.sum() * independent / observed) if observed > 0 and independent > 0 else None
