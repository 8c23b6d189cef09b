"""How fast is CAPA of all pairs from probabilities? 100 models × 100,000 instances × 10 classes, beside lm-sim.

    python benchmarks/capa.py [--pairs 2]

Prints rows for benchmarks/README.md. Both get the same float32 probabilities in memory, in one run, and must agree.
lm-sim works on one pair at a time; it is timed on some of the 4950 pairs and extrapolated, and the row says so.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import platform
import statistics
import time

import numpy as np

from polyculture.measures.similarity.probabilities import capa, hellinger_squared

MODELS, INSTANCES, CLASSES = 100, 100_000, 10
SIZE = f"{MODELS} × {INSTANCES:,} × {CLASSES}"


def probabilities() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of models that are sure of the truth on 80 % of the instances, and the labels."""
    rng = np.random.default_rng(0)
    p = rng.random((MODELS, INSTANCES, CLASSES), dtype=np.float32)
    labels = rng.integers(0, CLASSES, INSTANCES)
    p[:, np.arange(INSTANCES), labels] += 5 * (rng.random((MODELS, INSTANCES)) < 0.8)
    p /= p.sum(axis=2, keepdims=True)
    return p, labels


def seconds(job: object, repeats: int = 5) -> float:
    """Median wall time, after one run to warm up."""
    assert callable(job)
    job()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2, help="pairs to time lm-sim on")
    sample = parser.parse_args().pairs
    p, labels = probabilities()
    ours = seconds(lambda: capa(p, labels))
    print(f"{os.cpu_count()} cores, {platform.machine()}, numpy {np.__version__}\n")
    print("| what | size | tool | seconds | polyculture is faster by |\n|---|---|---|---|---|")
    print(f"| CAPA of all pairs | {SIZE} | polyculture | {ours:.2f} | |")
    if importlib.util.find_spec("lmsim"):
        from lmsim.metrics import CAPA

        found, truth = capa(p, labels), labels.tolist()
        pairs = list(itertools.combinations(range(MODELS), 2))[:sample]
        start = time.perf_counter()
        for a, b in pairs:
            theirs = CAPA().compute_k(list(p[a]), list(p[b]), truth)
            assert abs(theirs - found[a, b]) < 1e-4, "the two disagree"
        total = (time.perf_counter() - start) / len(pairs) * MODELS * (MODELS - 1) / 2
        name = f"lm-sim `CAPA`, extrapolated from {len(pairs)} pairs"
        print(f"| CAPA of all pairs | {SIZE} | {name} | {total:,.0f} | {total / ours:,.0f}× |")
    else:
        print(f"| CAPA of all pairs | {SIZE} | lm-sim | not run: not installed | |")
    apart = seconds(lambda: hellinger_squared(p))
    print(f"| Hellinger distance of all pairs | {SIZE} | polyculture | {apart:.2f} | |")


if __name__ == "__main__":
    main()
