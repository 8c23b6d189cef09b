"""Which sets are worth looking at? Forward, exhaustive and swapping search over any score; lower is better.

A score is a function of a set of positions; scores are compared as Python compares them, so tuples are lexicographic.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from polyculture.errors import InputError

MOST_SETS = 100_000
"""Sets that exhaustive search looks at; more over-fit, and take too long."""

MOST_AFFORDABLE = 20_000
"""Affordable sets that are all looked at; of more only those on greedy paths are."""

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


def best_affordable(
    score: Score, candidates: Sequence[int], prices: Float[np.ndarray, " m"], budget: float, k: int | None = None
) -> tuple[Members, bool]:
    """The affordable set with the lowest score, the cheapest of equals, and whether all affordable sets were compared.

    Where there are more than `MOST_AFFORDABLE`, paths are compared that begin with each candidate and grow by the one
    that makes the score lowest, as long as there is money.

    Parameters
    ----------
    score : of a set.
    candidates : positions to choose from.
    prices : of all models.
    budget : that a set may cost.
    k : size of the set; any if None.
    """
    tolerance = budget * (1 + 1e-9)  # three prices of .1 are .30000000000000004
    affordable = [row for row in candidates if prices[row] <= tolerance]
    sets: list[Members] = []
    exact = True
    for members in _subsets(affordable, prices, tolerance, k):
        sets.append(members)
        if len(sets) > MOST_AFFORDABLE:
            sets, exact = list(_paths(score, affordable, prices, tolerance, k)), False
            break
    if not sets:
        raise InputError(f"{k} members for {budget:g}", "a larger budget, or fewer members")
    return min(sets, key=lambda members: (score(members), prices[list(members)].sum(), len(members))), exact


def _subsets(
    candidates: Sequence[int], prices: Float[np.ndarray, " m"], budget: float, k: int | None
) -> Iterator[Members]:
    """All affordable sets, of size k where it is given."""
    order = sorted(candidates, key=lambda row: prices[row])
    stack: list[tuple[Members, int, float]] = [((), 0, 0.0)]
    while stack:
        members, start, spent = stack.pop()
        if members and k in (None, len(members)):
            yield members
        if k == len(members):
            continue
        for place in range(start, len(order)):
            total = spent + prices[order[place]]
            if total > budget:
                break  # the others cost as much or more
            stack.append(((*members, order[place]), place + 1, total))


def _paths(
    score: Score, candidates: Sequence[int], prices: Float[np.ndarray, " m"], budget: float, k: int | None
) -> Iterator[Members]:
    """Sets that grow from each candidate by the one that makes the score lowest, as long as there is money."""
    for first in candidates:
        members: Members = (first,)
        while True:
            if k in (None, len(members)):
                yield members
            spent = prices[list(members)].sum()
            others = [row for row in candidates if row not in members and spent + prices[row] <= budget]
            if not others or k == len(members):
                break
            members = min(((*members, row) for row in others), key=score)


def efficient(rows: Sequence[tuple[float, ...]]) -> list[bool]:
    """Which rows no other row beats: none is as low in everything and lower in something. Rows with nan are beaten."""

    def beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
        return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))

    complete = [not any(map(math.isnan, row)) for row in rows]
    return [complete[i] and not any(beats(competitor, row) for competitor in rows) for i, row in enumerate(rows)]
