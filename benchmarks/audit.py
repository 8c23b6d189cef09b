"""How long does a whole audit take, and how much memory? 100 × 100,000 in memory; 1,000 × 1,000,000 from Parquet.

    python benchmarks/audit.py [--keep FOLDER]

Prints rows for benchmarks/README.md. Every row is a process of its own, whose peak memory is what the system counted.
The large table (10 classes, int8) is written to a temporary folder first; `--keep` names a folder that is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import polyculture as pc
from polyculture.formats.tables.shards import read_shards
from polyculture.results import Audit

CLASSES, FAMILIES, FILES = 10, 10, 16
COLUMNS = {
    "audit": "audit s",
    "json": "JSON s",
    "page": "page s",
    "json MB": "JSON MB",
    "page MB": "page MB",
    "peak GB": "peak memory GB",
}


def answers(models: int, instances: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers of models of ten families, some 80 % right, that find the same instances hard; and the labels."""
    rng = np.random.default_rng([20261122, seed])
    labels = rng.integers(0, CLASSES, instances, dtype=np.int8)
    tempting = (labels + rng.integers(1, CLASSES, instances, dtype=np.int8)) % CLASSES
    difficulty = rng.beta(0.6, 2.4, instances).astype(np.float32)
    by_family = rng.random((FAMILIES, instances), dtype=np.float32)
    table = np.empty((models, instances), np.int8)
    for m in range(models):
        with_family = rng.random(instances, dtype=np.float32) < 0.4
        draw = np.where(with_family, by_family[m % FAMILIES], rng.random(instances, dtype=np.float32))
        other = np.where(draw < 0.7 * difficulty, tempting, rng.integers(0, CLASSES, instances, dtype=np.int8))
        table[m] = np.where(draw < difficulty * (0.8 + 0.4 * m / models), other, labels)
    return table, labels


def write(folder: Path, models: int, instances: int) -> None:
    """A folder of Parquet files with the same models and different instances."""
    per_file = instances // FILES
    for k in range(FILES):
        table, labels = answers(models, per_file, k)
        columns = {"label": labels} | {f"model-{m:04d}": row for m, row in enumerate(table)}
        pq.write_table(pa.table(columns), folder / f"part-{k:02d}.parquet", row_group_size=per_file)


def in_memory(_: Path) -> Callable[[], Audit]:
    """100 × 100,000 answers that are in memory already."""
    table, labels = answers(100, 100_000, 0)
    ids = [f"model-{m:04d}" for m in range(100)]
    predictions = pc.Predictions(
        pd.DataFrame(index=pd.Index(ids, name="model")),
        pd.DataFrame(index=pd.RangeIndex(100_000, name="instance")),
        table,
        labels,
        classes=tuple(map(str, range(CLASSES))),
    )
    return lambda: pc.audit(predictions)


def from_parquet(folder: Path) -> Callable[[], Audit]:
    """1,000 × 1,000,000 answers in a folder of Parquet files."""
    return lambda: pc.audit(read_shards(folder))


ROWS = {"100 × 100,000 in memory": in_memory, "1,000 × 1,000,000 from Parquet": from_parquet}


def measure(job: Callable[[], Audit]) -> dict[str, float]:
    """Seconds of the audit, of its JSON and of its page, their sizes, and the peak memory of this process."""
    start = time.perf_counter()
    audit = job()
    row = {"audit": time.perf_counter() - start}
    with tempfile.TemporaryDirectory() as out:
        at = Path(out) / "audit.json"
        start = time.perf_counter()
        at.write_text(audit.to_json(), encoding="utf-8")
        row |= {"json": time.perf_counter() - start, "json MB": at.stat().st_size / 1e6}
        start = time.perf_counter()
        at = pc.report(audit, Path(out) / "page.html")
        row |= {"page": time.perf_counter() - start, "page MB": at.stat().st_size / 1e6}
    row["peak GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="folder for the large table, which is used again if it is there")
    parser.add_argument("--row", choices=list(ROWS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        if arguments.row:
            print(json.dumps(measure(ROWS[arguments.row](folder))))
            return
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / f"part-{FILES - 1:02d}.parquet").exists():
            write(folder, 1000, 1_000_000)
        print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}, numpy {np.__version__}\n")
        print(f"| what | {' | '.join(COLUMNS.values())} |\n|{'---|' * (len(COLUMNS) + 1)}")
        for name in ROWS:
            command = [sys.executable, __file__, "--keep", str(folder), "--row", name]
            row = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            print(f"| whole audit, {name} | {' | '.join(f'{row[key]:.1f}' for key in COLUMNS)} |", flush=True)


if __name__ == "__main__":
    main()
