"""Which models can be told apart at all? Two models share a letter exactly when no test tells them apart."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool


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
