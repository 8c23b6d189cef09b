"""How fast is attribution? 100 models × 100,000 instances, 4 factors, 2,000 permutations.

    python benchmarks/attribution.py

Prints a row for benchmarks/README.md. The peer is the textbook loop: one regression per permutation, on the same pairs.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from polyculture.auditing.sections.attribution import attribute
from polyculture.measures.attribution.covariance_split import accuracy_controls, by_level
from polyculture.measures.attribution.hypothesis_tests import PairRegression
from polyculture.predictions import Predictions

MODELS, INSTANCES, PERMUTATIONS = 100, 100_000, 2_000
LEVELS = {"data": 5, "architecture": 5, "optimizer": 4, "pretraining": 3}


def seconds(job: Callable[[], object], repeats: int) -> float:
    """Median wall time, after one run to warm up."""
    job()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def table() -> Predictions:
    """Models whose errors share a part with others of the same data and, less, of the same architecture."""
    rng = np.random.default_rng(0)
    levels = {name: rng.integers(0, k, MODELS) for name, k in LEVELS.items()}
    latent = rng.standard_normal((MODELS, INSTANCES))
    for name, weight in (("data", 0.6), ("architecture", 0.4)):
        latent += weight * rng.standard_normal((LEVELS[name], INSTANCES))[levels[name]]
    wrong = latent < np.quantile(latent, 0.25)
    models = pd.DataFrame({name: [f"{name} {x}" for x in codes] for name, codes in levels.items()})
    models.index = pd.Index([f"model-{i}" for i in range(MODELS)], name="model", dtype=object)
    instances = pd.DataFrame(index=pd.RangeIndex(INSTANCES))
    return Predictions(models, instances, correct=(~wrong).astype(np.int8))


def one_permutation_at_a_time(predictions: Predictions, sample: int) -> float:
    """Seconds of the permutations alone, by a full regression for each, extrapolated from a sample."""
    rng = np.random.default_rng(1)
    codes = [pd.factorize(predictions.models[name])[0] for name in LEVELS]
    phi = np.corrcoef(predictions.wrong)
    controls = accuracy_controls(predictions.wrong.mean(axis=1))
    pairs = PairRegression.of(phi, [by_level(c) for c in codes], controls)
    start = time.perf_counter()
    for _ in range(sample):
        dealt = rng.permutation(codes[0])
        X = pairs.X.copy()
        X[:, 1] = dealt[pairs.a] == dealt[pairs.b]
        np.linalg.lstsq(X, pairs.y)
    return (time.perf_counter() - start) / sample * PERMUTATIONS * len(LEVELS)


def main() -> None:
    predictions = table()
    ours = seconds(lambda: attribute(predictions, permutations=PERMUTATIONS - 1), 3)
    loop = one_permutation_at_a_time(predictions, 200)
    size = f"{MODELS} × {INSTANCES:,}, {len(LEVELS)} factors, {PERMUTATIONS:,} permutations"
    print(f"{os.cpu_count()} cores, {platform.machine()}, numpy {np.__version__}\n")
    print("| what | size | tool | seconds | polyculture is faster by |\n|---|---|---|---|---|")
    print(f"| attribution, everything | {size} | polyculture | {ours:.2f} | |")
    peer = "its permutations alone, one regression each, extrapolated from 200"
    print(f"| attribution, everything | {size} | {peer} | {loop:.1f} | {loop / ours:.1f}× |")


if __name__ == "__main__":
    main()
