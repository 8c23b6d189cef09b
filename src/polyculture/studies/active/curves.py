"""What did each strategy learn, and how sure is that? Learning curves and their areas, with intervals over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.special import stdtrit

from polyculture.stats import Interval

from .options import RANDOM
from .simulation import QueryRun

Runs = Mapping[str, Sequence[QueryRun]]
"""By strategy its runs, one for each seed, in the same order."""
METHOD = "Student's t over seeds"
SHARE = (0.0, 1.0)
"""Bounds of an accuracy."""


def over_seeds(
    values: Float[np.ndarray, " s"], level: float = 0.95, bounds: tuple[float, float] = (-np.inf, np.inf)
) -> Interval:
    """Mean of independent repetitions with Student's limits; without limits where there is one repetition.

    Repetitions that are nan are left out; the reason says how many. Limits are cut at the bounds of what is averaged.
    """
    finite = values[np.isfinite(values)]
    s, absent = len(finite), len(values) - len(finite)
    if not s:
        return Interval.undefined("no seed has a finite value")
    reason = f"{absent} of {len(values)} seeds undefined" if absent else ""
    mean = float(finite.mean())
    if s < 2:
        return Interval(mean, level=level, n=s, method=METHOD, reason=reason or "one seed has no interval")
    reach = float(stdtrit(s - 1, 0.5 + level / 2)) * float(finite.std(ddof=1)) / s**0.5
    low, high = max(mean - reach, bounds[0]), min(mean + reach, bounds[1])
    return Interval(mean, low, high, level, s, METHOD, reason)


def areas(runs: Runs, strategy: str) -> Float[np.ndarray, " s"]:
    """Area under the learning curve of every seed."""
    return np.array([run.aulc for run in runs[strategy]])


def against_chance(runs: Runs, strategy: str, level: float = 0.95) -> Interval:
    """How much larger the area is than that of the same seeds by chance: a difference in pairs."""
    return over_seeds(areas(runs, strategy) - areas(runs, RANDOM), level)


def labels_to_reach(run: QueryRun, accuracy: float) -> float:
    """Number of labels from which on the learner was as accurate as this for the first time; nan where it never was."""
    at_least = run.values("accuracy") >= accuracy
    return float(run.labels[int(np.argmax(at_least))]) if at_least.any() else float("nan")


def strategy_table(runs: Runs, level: float = 0.95) -> pd.DataFrame:
    """A row per strategy: area, the same less that of chance, and what learner and committee came to at the end.

    ``as_chance`` is the mean number of labels at which the learner is as accurate as by chance with all labels; nan
    where it does not come to that in every seed.
    """
    goal = [float(run.values("accuracy")[-1]) for run in runs[RANDOM]]
    rows = []
    for strategy, repetitions in runs.items():
        area, difference = over_seeds(areas(runs, strategy), level, SHARE), against_chance(runs, strategy, level)
        reach = np.array([labels_to_reach(run, least) for run, least in zip(repetitions, goal, strict=True)])
        row = {"strategy": strategy, "aulc": area.estimate, "low": area.low, "high": area.high}
        row |= {"difference": difference.estimate, "difference_low": difference.low, "difference_high": difference.high}
        row |= {name: _last(repetitions, name) for name in ("accuracy", "committee", "n_eff")}
        row |= {"as_chance": float(reach.mean()), "by_chance": sum(run.by_chance for run in repetitions)}
        rows.append(row)
    return pd.DataFrame(rows).sort_values("aulc", ascending=False, kind="stable", ignore_index=True)


def _last(repetitions: Sequence[QueryRun], name: str) -> float:
    """The mean over seeds of the last measured value."""
    values = np.array([run.values(name)[-1] for run in repetitions])
    return over_seeds(values).estimate


def curve_table(runs: Runs, name: str = "accuracy", level: float = 0.95) -> pd.DataFrame:
    """A row per strategy and number of labels: the mean over seeds of one number, with its interval."""
    rows = []
    for strategy, repetitions in runs.items():
        sizes = common_sizes(repetitions)
        for size in sizes:
            values = np.array([run.values(name)[int(np.flatnonzero(run.labels == size)[0])] for run in repetitions])
            interval = over_seeds(values, level, SHARE if name != "n_eff" else (0.0, np.inf))
            if interval.defined:
                row = {"strategy": strategy, "labels": int(size), name: interval.estimate}
                rows.append(row | {"low": interval.low, "high": interval.high})
    return pd.DataFrame(rows, columns=["strategy", "labels", name, "low", "high"])


def common_sizes(repetitions: Sequence[QueryRun]) -> Int[np.ndarray, " k"]:
    """Numbers of labels that all seeds have a round for."""
    sizes = repetitions[0].labels
    for run in repetitions[1:]:
        sizes = np.intersect1d(sizes, run.labels)
    return np.asarray(sizes, np.int64)
