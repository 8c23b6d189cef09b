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


def letters_display(apart: Bool[np.ndarray, "m m"]) -> list[str]:
    """Compact letter display of an all-pairs comparison: models that share a letter cannot be told apart.

    Parameters
    ----------
    apart : symmetric m × m, True where a test tells the two models apart. Give the models best first, so that the
        letter a belongs to the best.

    Returns
    -------
    One string of letters per model (``"a"``, ``"ab"``, …; after z come aa, ab, …, set apart by blanks).

    Source: Piepho 2004, An algorithm for a letter-based representation of all-pairwise comparisons (insert and absorb).
    """
    m = len(apart)
    columns = _insert_and_absorb(apart)
    columns.sort(key=lambda column: [m - i for i in range(m) if column >> i & 1], reverse=True)
    names = [_name(k) for k in range(len(columns))]
    separator = " " if len(columns) > 26 else ""
    return [separator.join(n for n, c in zip(names, columns, strict=True) if c >> i & 1) for i in range(m)]


def _insert_and_absorb(apart: Bool[np.ndarray, "m m"]) -> list[int]:
    """Maximal sets of models (as bit masks) within which no two are apart."""
    m = len(apart)
    columns = [(1 << m) - 1]
    for i in range(m):
        foes = [j for j in range(i) if apart[i, j]]
        if not foes:
            continue
        mask = sum(1 << j for j in foes)
        clashing = [c for c in columns if c >> i & 1 and c & mask]
        kept = [c for c in columns if not (c >> i & 1 and c & mask)]
        split = [part for c in clashing for part in (c & ~(1 << i), c & ~mask)]
        columns = _maximal(kept, split)
    return columns


def _maximal(kept: list[int], candidates: list[int]) -> list[int]:
    """`kept` and those candidates that are not contained in another set."""
    result = list(kept)
    for c in sorted(set(candidates), key=int.bit_count, reverse=True):
        if c and not any(c & other == c for other in result):
            result.append(c)
    return result


def _name(k: int) -> str:
    """a … z, aa, ab, …"""
    name = ""
    k += 1
    while k:
        k, rest = divmod(k - 1, 26)
        name = chr(ord("a") + rest) + name
    return name
