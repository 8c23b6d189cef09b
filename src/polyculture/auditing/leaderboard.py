"""How accurate is each model, and which models differ in accuracy?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from polyculture.measures.counts import PairCounts
from polyculture.predictions import Predictions
from polyculture.results import Leaderboard
from polyculture.stats import benjamini_hochberg, mcnemar, wilson

ALPHA = 0.05
MOST_LETTERED = 300
"""With more models the display takes minutes and is not readable."""


def leaderboard(predictions: Predictions, counts: PairCounts, level: float = 0.95) -> Leaderboard:
    """Accuracy of every model with its interval, and all pairs of models compared on their common instances.

    Tests are McNemar's, mid-P, with Benjamini-Hochberg over all pairs at 5 %. Intervals are Wilson's.
    """
    n = np.diag(counts.n)
    errors = np.diag(counts.n00)
    accuracy: Float[np.ndarray, " m"] = np.divide(n - errors, n, out=np.full(len(n), np.nan), where=n > 0)
    best_first = np.argsort(-np.nan_to_num(accuracy, nan=-1), kind="stable")
    differs, tested = significant_pairs(counts)
    letters = [""] * len(n)
    if len(n) <= MOST_LETTERED:
        letters = letters_display(differs[np.ix_(best_first, best_first)])
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
    extra_columns = [c for c in factors.columns if str(c) not in table.columns]
    return Leaderboard(pd.concat([table, factors[extra_columns]], axis=1), tested, int(np.triu(differs, 1).sum()))


def significant_pairs(counts: PairCounts) -> tuple[Bool[np.ndarray, "m m"], int]:
    """Which pairs differ in accuracy, and how many pairs were tested (those with common instances)."""
    m = len(counts.n)
    a, b = np.triu_indices(m, 1)
    tested = counts.n[a, b] > 0
    differs = np.zeros((m, m), dtype=bool)
    p = mcnemar(counts.n10[a, b][tested], counts.n01[a, b][tested])
    differs[a[tested], b[tested]] = benjamini_hochberg(p) <= ALPHA
    return differs | differs.T, int(tested.sum())


def letters_display(differs: Bool[np.ndarray, "m m"]) -> list[str]:
    """Compact letter display of an all-pairs comparison: models that share a letter do not differ significantly.

    Parameters
    ----------
    differs : symmetric m × m, True where a test tells the two models apart. Give the models best first, so that the
        letter a belongs to the best.

    Returns
    -------
    One string of letters per model (``"a"``, ``"ab"``, …; after z come aa, ab, …, set apart by blanks).

    Source: Piepho 2004, An algorithm for a letter-based representation of all-pairwise comparisons (insert and absorb).
    """
    m = len(differs)
    columns = _insert_and_absorb(differs)
    columns.sort(key=lambda column: [m - i for i in range(m) if column >> i & 1], reverse=True)
    names = [_name(k) for k in range(len(columns))]
    separator = " " if len(columns) > 26 else ""
    return [separator.join(n for n, c in zip(names, columns, strict=True) if c >> i & 1) for i in range(m)]


def _insert_and_absorb(differs: Bool[np.ndarray, "m m"]) -> list[int]:
    """Maximal sets of models (as bit masks) within which no two are apart."""
    m = len(differs)
    columns = [(1 << m) - 1]
    for i in range(m):
        rivals = [j for j in range(i) if differs[i, j]]
        if not rivals:
            continue
        mask = sum(1 << j for j in rivals)
        clashing = [c for c in columns if c >> i & 1 and c & mask]
        compatible = [c for c in columns if not (c >> i & 1 and c & mask)]
        split = [part for c in clashing for part in (c & ~(1 << i), c & ~mask)]
        columns = _maximal(compatible, split)
    return columns


def _maximal(compatible: list[int], candidates: list[int]) -> list[int]:
    """`compatible` and those candidates that are not contained in another set."""
    result = list(compatible)
    for c in sorted(set(candidates), key=int.bit_count, reverse=True):
        if c and not any(c & superset == c for superset in result):
            result.append(c)
    return result


def _name(k: int) -> str:
    """a … z, aa, ab, …"""
    name = ""
    k += 1
    while k:
        k, digit = divmod(k - 1, 26)
        name = chr(ord("a") + digit) + name
    return name
