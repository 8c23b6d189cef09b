"""Which few runs keep all axes balanced against each other? Orthogonal arrays from linear forms over a finite field."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

ORDERS = (2, 3, 4, 5, 7)
"""Numbers of levels for which arrays are built; axes with fewer use some levels twice."""
MOST_RUNS = 1 << 14
FOUR = ((0, 0, 0, 0), (0, 1, 2, 3), (0, 2, 3, 1), (0, 3, 1, 2))
"""Products in the field with four elements; sums there are exclusive ors."""

Vector = tuple[int, ...]


def orthogonal_array(counts: Sequence[int], resolution: int = 3) -> Int[np.ndarray, "k f"] | None:
    """Fewest rows of level codes in which any resolution − 1 axes are crossed evenly; None with more than 7 levels.

    Axes with fewer levels than the largest use some of theirs more often: still crossed in proportion. Columns are
    chosen one after another, which is not always the shortest array there is.

    Source: Rao 1947, Bush 1952; fractions as in Box and Hunter 1961.
    """
    order = next((q for q in ORDERS if q >= max(counts)), None)
    if order is None:
        return None
    size = max(1, math.ceil(math.log(len(counts) * (order - 1) + 1, order) - 1e-9)) if len(counts) > 1 else 1
    while order**size <= MOST_RUNS:
        forms = _forms(order, size, len(counts), resolution)
        if forms is not None:
            runs = list(itertools.product(range(order), repeat=size))
            table = np.array([[_value(order, form, run) for form in forms] for run in runs], dtype=np.int64)
            return np.asarray(table % np.array(counts))
        size += 1
    return None


def _forms(order: int, size: int, count: int, resolution: int) -> list[Vector] | None:
    """This many vectors of which no resolution − 1 are linearly dependent; None if two orders of search find none."""
    basis = [tuple(int(i == j) for j in range(size)) for i in range(size)]
    points = [v for v in itertools.product(range(order), repeat=size) if next((x for x in v if x), 0) == 1]
    points.sort(key=lambda v: v not in basis)
    heavy_first = sorted(points, key=lambda v: (v not in basis, -sum(x > 0 for x in v)))
    return _taken(order, points, count, resolution) or _taken(order, heavy_first, count, resolution)


def _taken(order: int, points: list[Vector], count: int, resolution: int) -> list[Vector] | None:
    """The first points (`count` of them) that depend on no resolution − 2 selected before; None if they run out."""
    selected: list[Vector] = []
    spans: list[set[Vector]] = [{(0,) * len(points[0])}] + [set() for _ in range(resolution - 2)]
    for point in points:
        if len(selected) == count:
            break
        if any(point in vectors for vectors in spans):
            continue
        multiples = [tuple(_times(order, s, x) for x in point) for s in range(1, order)]
        for depth in range(resolution - 2, 0, -1):
            spans[depth] |= {
                tuple(_plus(order, a, b) for a, b in zip(v, m, strict=True))
                for v in spans[depth - 1]
                for m in multiples
            }
        selected.append(point)
    return selected if len(selected) == count else None


def _value(order: int, form: Vector, run: Vector) -> int:
    total = 0
    for a, b in zip(form, run, strict=True):
        total = _plus(order, total, _times(order, a, b))
    return total


def _plus(order: int, a: int, b: int) -> int:
    return a ^ b if order == 4 else (a + b) % order


def _times(order: int, a: int, b: int) -> int:
    return FOUR[a][b] if order == 4 else a * b % order


def strength(rows: Int[np.ndarray, "k f"]) -> int:
    """Largest t ≤ 4 such that any t columns are crossed in proportion to their single levels; 1 if none are.

    Resolution is t + 1.
    """
    codes = [np.unique(column, return_inverse=True)[1] for column in rows.T]
    columns = [c for c in codes if c.max(initial=0) > 0]
    result = 1
    for t in range(2, min(4, len(columns)) + 1):
        if not all(_proportional(subset) for subset in itertools.combinations(columns, t)):
            break
        result = t
    return result


def _proportional(columns: Sequence[Int[np.ndarray, " k"]]) -> bool:
    n = len(columns[0])
    shape = [int(c.max()) + 1 for c in columns]
    table = np.bincount(np.ravel_multi_index(tuple(columns), shape), minlength=math.prod(shape)).reshape(shape)
    expected = np.ones(())
    for column in columns:
        expected = np.multiply.outer(expected, np.bincount(column) / n)
    return bool(np.abs(table / n - expected).max() < 1e-12)
