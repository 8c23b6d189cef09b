"""What came of it? The table of means over the seeds, and differences from ours, paired by seed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

OURS = "polyculture"
MEASURES = {"log-loss": 1, "accuracy": -1, "worst shift": -1, "all wrong": 1}
"""What is compared, and whether lower (1) or higher (−1) is better."""
SHARE = {"MNIST-10k": 0.4, "credit default": 1.5, "sentiment": 1821 / 7792, "question type": 500 / 5452}
"""Tested instances per instance learned from, where it is not 2/3."""

SAME_LEARNERS = ("voting", "stacking")
"""Other ways to use the very same learners."""

Runs = dict[str, list[dict[str, Any]]]


def read(folder: Path) -> Runs:
    """By set the results of its seeds."""
    runs: Runs = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        runs[path.stem.rsplit(" ", 1)[0]].append(json.loads(path.read_text()))
    return runs


def gain(runs: list[dict[str, Any]], method: str, measure: str, share: float) -> tuple[float, float, float]:
    """How much better ours is, mean and 95 % limits, for seeds that draw from one set (Nadeau and Bengio 2003)."""
    sign = MEASURES[measure]
    each = np.array([sign * (run[method][measure] - run[OURS][measure]) for run in runs])
    n = len(each)
    reach = student.ppf(0.975, n - 1) * np.sqrt((1 / n + share) * each.var(ddof=1)) if n > 1 else np.nan
    return float(each.mean()), float(each.mean() - reach), float(each.mean() + reach)


def rows(name: str, runs: list[dict[str, Any]]) -> Iterator[str]:
    """One row per method."""
    share = SHARE.get(name, 2 / 3)
    for method in runs[0]:
        cells = [f"{name}, {len(runs)} seeds", method]
        for measure in MEASURES:
            cell = f"{np.mean([run[method][measure] for run in runs]):.4f}"
            if method != OURS:
                cell += " ({:+.4f} [{:+.4f}, {:+.4f}])".format(*gain(runs, method, measure, share))
            cells.append(cell)
        members, seconds = (np.mean([run[method][k] for run in runs]) for k in ("members", "seconds"))
        cells += [f"{members:.0f}", f"{seconds:.1f}"]
        yield f"| {' | '.join(cells)} |"


def tally(runs: Runs) -> Iterator[str]:
    """Per measure: on how many sets ours is best of all, and where somebody is shown to be better."""
    for measure in MEASURES:
        yield f"{measure}: {_best(runs, measure, ())}"
    yield f"log-loss, {' and '.join(SAME_LEARNERS)} left out: {_best(runs, 'log-loss', SAME_LEARNERS)}"


def _best(runs: Runs, measure: str, left_out: tuple[str, ...]) -> str:
    best, beaten = [], []
    for name, each in runs.items():
        methods = [method for method in each[0] if method not in left_out]
        means = {m: MEASURES[measure] * float(np.mean([run[m][measure] for run in each])) for m in methods}
        if means[OURS] <= min(means.values()):
            best.append(name)
        better = [m for m in methods if m != OURS and gain(each, m, measure, SHARE.get(name, 2 / 3))[2] < 0]
        beaten += [f"{name} by {', '.join(better)}"] if better else []
    return f"best mean on {len(best)} of {len(runs)} ({', '.join(best)}); shown worse on: {'; '.join(beaten) or 'none'}"


def against(runs: Runs) -> Iterator[str]:
    """Per rival: on how many sets our mean log-loss is lower, on how many that is shown, and the contrary."""
    methods = dict.fromkeys(method for each in runs.values() for method in each[0] if method != OURS)
    for method in methods:
        tried = {name: each for name, each in runs.items() if method in each[0]}
        gains = [gain(each, method, "log-loss", SHARE.get(name, 2 / 3)) for name, each in tried.items()]
        lower, shown = sum(mean > 0 for mean, _, _ in gains), sum(low > 0 for _, low, _ in gains)
        lost = sum(high < 0 for _, _, high in gains)
        yield f"log-loss lower than {method} on {lower} of {len(gains)}, shown on {shown}; shown higher on {lost}"


def table(folder: Path) -> str:
    """All rows and the tally, in markdown."""
    runs = read(folder)
    head = ["set", "method", *MEASURES, "members", "CPU s"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for name, each in runs.items():
        lines += rows(name, each)
    return "\n".join([*lines, "", *(f"- {line}" for line in (*tally(runs), *against(runs)))])
