"""Effective numbers and representations beside Vendi and netrep, in an environment of their own.

    python3 -m venv peers && peers/bin/pip install vendi-score jaxtyping pandas
    OPENBLAS_NUM_THREADS=1 PYTHONPATH=src peers/bin/python benchmarks/peers.py

Prints rows for benchmarks/README.md; every tool gets the same arrays in memory, in the same run. netrep is not on PyPI:
its row is run where it has been installed from its repository.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import time
from collections.abc import Callable

import numpy as np

from polyculture.measures.similarity.representations import cka, procrustes
from polyculture.measures.effective import effective
from polyculture.measures.structure import structural

MODELS, INSTANCES, CLASSES = 100, 100_000, 10
INPUTS, FEATURES = 5000, 256


def seconds(job: Callable[[], object], repeats: int = 5) -> float:
    """Median wall time, after one run to warm up."""
    job()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def errors() -> tuple[np.ndarray, np.ndarray]:
    """Errors of ten equally large kinds of models, copies of their kind on half of the instances; and the classes."""
    rng = np.random.default_rng(0)
    kinds = np.repeat(rng.random((10, INSTANCES)) < 0.2, MODELS // 10, axis=0)
    copied = rng.random((MODELS, INSTANCES)) < 0.7
    return np.where(copied, kinds, rng.random((MODELS, INSTANCES)) < 0.2), rng.integers(0, CLASSES, INSTANCES)


def representations() -> tuple[np.ndarray, np.ndarray]:
    """Of two models that see half of the same signal."""
    rng = np.random.default_rng(1)
    signal = rng.standard_normal((INPUTS, FEATURES))
    first, second = (signal @ rng.standard_normal((FEATURES, FEATURES)) / FEATURES**0.5 for _ in range(2))
    noise = rng.standard_normal((2, INPUTS, FEATURES))
    return first + noise[0], second + noise[1]


def row(what: str, size: str, tool: str, took: float | None, value: str) -> None:
    print(f"| {what} | {size} | {tool} | {'not run: not installed' if took is None else f'{took:.3f}'} | {value} |")


def main() -> None:
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}, numpy {np.__version__}\n")
    print("| what | size | tool | seconds | number |\n|---|---|---|---|---|")
    wrong, classes = errors()
    size = f"{MODELS} × {INSTANCES:,}"
    n_eff, n_struct = effective(wrong, classes), structural(wrong)
    what = "effective number of models"
    row(
        what,
        size,
        "polyculture n_eff, with influence values",
        seconds(lambda: effective(wrong, classes)),
        f"{n_eff.n_eff:.2f}",
    )
    row(what, size, "polyculture n_struct", seconds(lambda: structural(wrong)), f"{n_struct.n_struct:.2f}")
    for order in (1, 2):
        tool = f"vendi-score of the error correlations, q = {order}"
        if importlib.util.find_spec("vendi_score"):
            from vendi_score import vendi

            def score(q: int = order) -> float:
                return float(vendi.score_K(np.corrcoef(wrong.astype(np.float32)), q=q))

            row(what, size, tool, seconds(score), f"{score():.2f}")
        else:
            row(what, size, tool, None, "")
    X, Y = representations()
    size, what = f"{INPUTS:,} × {FEATURES}", "two representations"
    row(what, size, "polyculture debiased CKA", seconds(lambda: cka(X, Y)), f"{cka(X, Y):.3f}")
    ours = procrustes(X, Y)
    row(what, size, "polyculture Procrustes", seconds(lambda: procrustes(X, Y)), f"{ours:.3f}")
    tool = "netrep `LinearMetric(alpha=1)`, cosine of its angle"
    if importlib.util.find_spec("netrep"):
        from netrep.metrics import LinearMetric

        theirs = float(np.cos(LinearMetric(alpha=1.0).fit_score(X, Y)))
        assert abs(theirs - ours) < 1e-6, "the two disagree"
        row(what, size, tool, seconds(lambda: LinearMetric(alpha=1.0).fit_score(X, Y)), f"{theirs:.3f}")
    else:
        row(what, size, tool, None, "")


if __name__ == "__main__":
    main()
