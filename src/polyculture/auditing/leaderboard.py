"""How well does each model do, and which can be told apart at all?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from polyculture.measures.counts import PairCounts
from polyculture.predictions import Predictions
from polyculture.results import Leaderboard
from polyculture.stats import benjamini_hochberg, mcnemar, wilson

from .letters import letters_display

ALPHA = 0.05
MOST_LETTERED = 300
"""With more models the display takes minutes and nobody reads it."""


def leaderboard(predictions: Predictions, counts: PairCounts, level: float = 0.95) -> Leaderboard:
    """Accuracy of every model with its interval, and all pairs of models compared on their common instances.

    Tests are McNemar's, mid-P, with Benjamini-Hochberg over all pairs at 5 %. Intervals are Wilson's.
    """
    n = np.diag(counts.n)
    errors = np.diag(counts.n00)
    accuracy: Float[np.ndarray, " m"] = np.divide(n - errors, n, out=np.full(len(n), np.nan), where=n > 0)
    best_first = np.argsort(-np.nan_to_num(accuracy, nan=-1), kind="stable")
    apart, tested = told_apart(counts)
    letters = [""] * len(n)
    if len(n) <= MOST_LETTERED:
        letters = letters_display(apart[np.ix_(best_first, best_first)])
    limits = [wilson(int(k - e), int(k), level) for k, e in zip(n[best_first], errors[best_first], strict=True)]
    table = pd.DataFrame(
        {
            "model": np.array(predictions.model_ids, dtype=object)[best_first],
            "n": n[best_first],
            "errors": errors[best_first],
            "accuracy": accuracy[best_first],
            "low": [i.low for i in limits],
            "high": [i.high for i in limits],
            "letters": letters,
        }
    )
    factors = predictions.models.iloc[best_first].reset_index(drop=True)
    known = [c for c in factors.columns if str(c) not in table.columns]
    return Leaderboard(pd.concat([table, factors[known]], axis=1), tested, int(np.triu(apart, 1).sum()))


def told_apart(counts: PairCounts) -> tuple[Bool[np.ndarray, "m m"], int]:
    """Which pairs differ in accuracy, and how many pairs were tested (those with common instances)."""
    m = len(counts.n)
    a, b = np.triu_indices(m, 1)
    tested = counts.n[a, b] > 0
    apart = np.zeros((m, m), dtype=bool)
    p = mcnemar(counts.n10[a, b][tested], counts.n01[a, b][tested])
    apart[a[tested], b[tested]] = benjamini_hochberg(p) <= ALPHA
    return apart | apart.T, int(tested.sum())
