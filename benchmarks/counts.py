"""How fast are the counts of all pairs? 100 models × 100,000 instances × 10 classes, beside the usual libraries.

    python benchmarks/counts.py [--pairs 40]

Prints rows for benchmarks/README.md. Every tool gets the same answers in memory, in the same run. Tools that work on
one pair at a time are timed on some of the 4950 pairs and extrapolated; the row says so.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np

from polyculture.measures.counts import count
from polyculture.measures.pairs import double_fault

MODELS, INSTANCES, CLASSES = 100, 100_000, 10


def seconds(job: Callable[[], object], repeats: int) -> float:
    """Median wall time, after one run to warm up."""
    job()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def table(classes: int, models: int, instances: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers of models that are right on 80 % of the instances, and the labels."""
    rng = np.random.default_rng(0)
    dtype = np.int8 if classes <= 127 else np.int16
    labels = rng.integers(0, classes, instances).astype(dtype)
    guesses = rng.integers(0, classes, (models, instances)).astype(dtype)
    return np.where(rng.random((models, instances)) < 0.8, labels, guesses), labels


def one_pair_at_a_time(job: Callable[[int, int], object], sample: int) -> float:
    """Seconds for all pairs, from the mean of a sample."""
    pairs = list(itertools.combinations(range(MODELS), 2))
    chosen = [pairs[i] for i in np.random.default_rng(1).choice(len(pairs), sample, replace=False)]
    job(*chosen[0])
    start = time.perf_counter()
    for a, b in chosen:
        job(a, b)
    return (time.perf_counter() - start) / sample * len(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40, help="pairs to time where a tool takes one pair at a time")
    sample = parser.parse_args().pairs
    answers, labels = table(CLASSES, MODELS, INSTANCES)
    size = f"{MODELS} × {INSTANCES:,} × {CLASSES}"
    ours = seconds(lambda: count(answers, labels, None, CLASSES), 9)
    print(f"{os.cpu_count()} cores, {platform.machine()}, numpy {np.__version__}\n")
    print("| what | size | tool | seconds | polyculture is faster by |\n|---|---|---|---|---|")
    print(f"| counts of all pairs | {size} | polyculture | {ours:.3f} | |")
    if importlib.util.find_spec("sklearn"):
        from sklearn.metrics import cohen_kappa_score

        theirs = one_pair_at_a_time(lambda a, b: cohen_kappa_score(answers[a], answers[b]), sample)
        name = f"scikit-learn `cohen_kappa_score`, extrapolated from {sample} pairs"
        print(f"| counts of all pairs | {size} | {name} | {theirs:.1f} | {theirs / ours:,.0f}× |")
    else:
        print(f"| counts of all pairs | {size} | scikit-learn | not run: not installed | |")
    if importlib.util.find_spec("deslib"):
        from deslib.util.diversity import double_fault as their_double_fault

        by_instance = np.ascontiguousarray(answers.T)

        def pair(a: int, b: int) -> float:
            return float(their_double_fault(labels, by_instance[:, a], by_instance[:, b]))

        ours_matrix = double_fault(count(answers, labels, None, CLASSES))
        assert abs(pair(0, 1) - ours_matrix[0, 1]) < 1e-9, "the two disagree"
        theirs = one_pair_at_a_time(pair, min(sample, 5))
        name = f"DESlib `double_fault`, extrapolated from {min(sample, 5)} pairs"
        print(f"| counts of all pairs | {size} | {name} | {theirs:.1f} | {theirs / ours:,.0f}× |")
    else:
        print(f"| counts of all pairs | {size} | DESlib | not run: not installed | |")
    many, truth = table(1000, 67, 50_000)
    wide = seconds(lambda: count(many, truth, None, 1000), 9)
    print(f"| counts of all pairs | 67 × 50,000 × 1000 | polyculture | {wide:.3f} | |")


if __name__ == "__main__":
    main()
