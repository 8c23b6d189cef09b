"""How good is each worker, and who guesses, always says the same, or is wrong on purpose?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from polyculture.measures.annotators import Consensus, vote_share
from polyculture.stats import jeffreys

from .labels import CrowdLabels

FEWEST = 5
"""Labels from which on a worker is judged."""
CONSTANT, BELOW, GUESSING = "always the same label", "below chance", "not shown better than chance"


def worker_table(labels: CrowdLabels, consensus: Consensus, level: float) -> pd.DataFrame:
    """One row per worker, worst first: labels, accuracy with limits, quality as the method sees it, agreement, remark.

    Accuracy is against the truth where items with truth were labelled by the worker; else the expected number of right
    labels under the posterior of the consensus, which includes the worker's own label.
    """
    a = labels.annotations
    right = consensus.posterior[a.item, a.label]
    known = labels.truth[a.item] >= 0
    hits = np.where(known, labels.truth[a.item] == a.label, 0.0)
    others = vote_share(a).quality
    frequent = np.zeros((a.workers, a.classes))
    np.add.at(frequent, (a.worker, a.label), 1)
    with_truth = np.bincount(a.worker, known, a.workers)
    sums = np.bincount(a.worker, hits, a.workers), np.bincount(a.worker, right, a.workers)
    rows = []
    for worker, name in enumerate(labels.workers):
        count = int(a.labels_per_worker[worker])
        source = "truth" if with_truth[worker] else "consensus"
        n = int(with_truth[worker]) if with_truth[worker] else count
        interval = jeffreys(float(min(sums[0][worker] if with_truth[worker] else sums[1][worker], n)), n, level)
        remark = _remark(count, frequent[worker], interval.low, interval.high, 1 / a.classes)
        rows.append(
            {"worker": name, "labels": count, "accuracy": interval.estimate, "low": interval.low}
            | {"high": interval.high, "judged_by": source, "quality": float(consensus.quality[worker])}
            | {"agreement": float(others[worker]), "remark": remark}
        )
    return pd.DataFrame(rows).sort_values("accuracy", kind="stable", na_position="last").reset_index(drop=True)


def _remark(count: int, frequent: np.ndarray, low: float, high: float, chance: float) -> str:
    """What to beware of in a worker."""
    if count < FEWEST:
        return f"fewer than {FEWEST} labels" if count else "no labels"
    if frequent.max() == count:
        return CONSTANT
    if high < chance:
        return BELOW
    return GUESSING if low <= chance else ""
