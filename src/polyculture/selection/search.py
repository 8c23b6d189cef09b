"""Which sets are worth looking at? Forward, exhaustive and swapping search over any score; lower is better.

A score is a function of a set of positions; scores are compared as Python compares them, so tuples are lexicographic.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from polyculture.errors import InputError

MOST_SETS = 100_000
"""Sets that exhaustive search looks at; more over-fit, and take too long."""

Members = tuple[int, ...]
Score = Callable[[Members], Any]


def greedy(score: Score, candidates: Sequence[int], k: int | None = None) -> list[Members]:
    """Sets of growing size, each the one before with the member that makes the score lowest.

    Parameters
    ----------
    score : of a set, its members in the order in which they joined.
    candidates : positions to choose from.
    k : size at which to stop; where None, as soon as no candidate makes the score lower.
    """
    path: list[Members] = []
    selected: Members = ()
    lowest: Any = None
    while len(selected) < (len(candidates) if k is None else k):
        sets = [(*selected, c) for c in candidates if c not in selected]
        scores = [score(members) for members in sets]
        position = min(range(len(sets)), key=scores.__getitem__)
        if k is None and lowest is not None and not scores[position] < lowest:
            break
        selected, lowest = sets[position], scores[position]
        path.append(selected)
    return path


def exact(score: Score, candidates: Sequence[int], k: int) -> Members:
    """The best of all sets of k; the first in lexicographic order where several are equally good."""
    if math.comb(len(candidates), k) > MOST_SETS:
        raise InputError(
            f"{math.comb(len(candidates), k):,} sets of {k} out of {len(candidates)} models",
            f"at most {MOST_SETS:,} for the method 'exact'",
            "take the method 'greedy' or 'swap'",
        )
    return min(itertools.combinations(candidates, k), key=score)


def swap(score: Score, candidates: Sequence[int], start: Members) -> Members:
    """Exchange one member for one outsider as long as that lowers the score, the best exchange first."""
    selected, lowest = start, score(start)
    while True:
        outsiders = [c for c in candidates if c not in selected]
        sets = [(*selected[:i], new, *selected[i + 1 :]) for i in range(len(selected)) for new in outsiders]
        scores = [score(members) for members in sets]
        position = min(range(len(sets)), key=scores.__getitem__, default=-1)
        if position < 0 or not scores[position] < lowest:
            return selected
        selected, lowest = sets[position], scores[position]


def efficient(rows: Sequence[tuple[float, ...]]) -> list[bool]:
    """Which rows no other row beats: none is as low in everything and lower in something. Rows with nan are beaten."""

    def beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
        return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))

    complete = [not any(map(math.isnan, row)) for row in rows]
    return [complete[i] and not any(beats(competitor, row) for competitor in rows) for i, row in enumerate(rows)]
