"""How small and how quick is an ensemble that is light, saved and exported?

    python -m benchmarks.light

Fits the default learners to 2,000 × 20 rows and prints a table for benchmarks/README.md: members, megabytes, log-loss
on 1,000 new rows, and milliseconds for one row.
"""

from __future__ import annotations

import pickle
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss

from polyculture.deployment import open_bundle
from polyculture.selection.estimators import DiverseEnsembleClassifier

ROWS, NEW = 2_000, 1_000


def milliseconds(call: Callable[[Any], Any], rows: list[Any]) -> str:
    """Median and 95th percentile of one row, after one that is not counted."""
    call(rows[0])
    taken = []
    for row in rows:
        started = time.perf_counter()
        call(row)
        taken.append(1000 * (time.perf_counter() - started))
    return f"{np.median(taken):.2f} ({np.quantile(taken, 0.95):.2f})"


def megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> None:
    X, y = make_classification(ROWS + NEW, 20, n_informative=8, n_classes=3, random_state=7)
    new, truth, rows = X[ROWS:], y[ROWS:], [X[i : i + 1] for i in range(ROWS, ROWS + 100)]
    started = time.process_time()
    model = DiverseEnsembleClassifier(random_state=0).fit(X[:ROWS], y[:ROWS])
    print(f"default fit of {ROWS:,} × 20: {time.process_time() - started:.1f} CPU s\n")
    print("| | members | of them pickled, MB | saved, MB | log-loss | one row, ms: median (95 %) |")
    print("|---|---|---|---|---|---|")
    forest = RandomForestClassifier(200, random_state=0).fit(X[:ROWS], y[:ROWS])
    size, loss = len(pickle.dumps(forest)) / 1e6, log_loss(truth, forest.predict_proba(new))
    print(f"| a forest of 200 trees | 1 | {size:.1f} | | {loss:.4f} | {milliseconds(forest.predict_proba, rows)} |")
    with tempfile.TemporaryDirectory() as place:
        for name, kept in (("all members", model), ("light", model.light())):
            kept.save(Path(place) / name)
            count = sum(map(len, kept.members_.values()))
            size, saved = len(pickle.dumps(kept.members_)) / 1e6, megabytes(Path(place) / name)
            loss = log_loss(truth, kept.predict_proba(new))
            taken = milliseconds(kept.predict_proba, rows)
            print(f"| {name} | {count} | {size:.1f} | {saved:.1f} | {loss:.4f} | {taken} |")
        model.light().export(Path(place) / "bundle")
        bundle = open_bundle(Path(place) / "bundle")
        loss = log_loss(truth, bundle.predict(bundle.read_inputs(new)).combined)
        taken = milliseconds(bundle.predict, [bundle.read_inputs(row) for row in rows])
        count, size = len(bundle.manifest.members), megabytes(bundle.path)
        print(f"| light, exported | {count} | | {size:.1f} | {loss:.4f} | {taken} |")


if __name__ == "__main__":
    main()
