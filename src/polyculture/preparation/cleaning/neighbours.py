"""Which vectors are almost equal? Every pair whose correlation reaches a bound, without comparing all pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Int64, Shaped

from polyculture.rng import stream

AXES = 12
"""Principal axes of the projection in which neighbours are searched."""
SAMPLE, BLOCK, PAIRS = 512, 1024, 2_000_000
"""Rows that the axes are learned from, rows that are read at once, and candidates that are held at once."""
_SLACK = 1e-4

Reader = Callable[[Int64[np.ndarray, " k"]], Float[np.ndarray, "k d"]]
"""Numbers of rows → their vectors."""


def correlated_rows(n: int, read: Reader, least: float) -> Iterator[tuple[int, Iterator[int]]]:
    """For each row with an earlier one whose correlation with it is `least` or more: its number, and those rows.

    Centred vectors of length one with the correlation r are √(2 − 2r) apart, and nowhere farther apart in an orthogonal
    projection together with the length of the remainder. A k-d tree finds all that are near there; each of them is
    then compared itself, so none is missed. Memory grows with the number of rows, not of pairs. Rows whose numbers are
    all equal have no correlation and are left out.

    Parameters
    ----------
    n : number of rows.
    read : gives the vectors of rows by their numbers.
    least : smallest correlation, below 1.

    Sources: Bentley 1975.
    """
    from scipy.spatial import cKDTree

    if n < 2:
        return
    points = _projections(n, read)
    usable = np.flatnonzero(np.isfinite(points[:, 0]))
    tree = cKDTree(points[usable])
    radius = float(np.sqrt(2 - 2 * least)) + _SLACK
    for block in np.array_split(usable, max(1, -(-len(usable) // BLOCK))):
        for rows in _affordable(tree, points, block, radius):
            for row, positions in zip(rows, tree.query_ball_point(points[rows], radius), strict=True):
                candidates = np.sort(usable[np.asarray(positions, np.int64)])
                candidates = candidates[candidates < row]
                if len(candidates):
                    yield int(row), _confirmed(int(row), candidates, read, least)


def unit_vectors(vectors: Shaped[np.ndarray, "k d"]) -> Float[np.ndarray, "k d"]:
    """The vectors minus their mean, of length one; nan where all numbers of a vector are equal or one is not finite."""
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(lengths > 1e-6, vectors / lengths, np.nan))


def _projections(n: int, read: Reader) -> Float[np.ndarray, "n k"]:
    sample = np.sort(stream(0, "neighbours").choice(n, min(n, SAMPLE), replace=False))
    units = unit_vectors(read(sample))
    units = units[np.isfinite(units[:, 0])]
    if not len(units):
        return np.full((n, 1), np.nan)
    centre = units.mean(axis=0)
    axes = np.linalg.svd(units - centre, full_matrices=False)[2][:AXES]
    points = []
    for rows in np.array_split(np.arange(n), -(-n // BLOCK)):
        differences = unit_vectors(read(rows)) - centre
        nearby = differences @ axes.T
        remainder = np.einsum("ij,ij->i", differences, differences) - np.einsum("ij,ij->i", nearby, nearby)
        points.append(np.column_stack([nearby, np.sqrt(np.maximum(remainder, 0))]).astype(np.float64))
    return np.concatenate(points)


def _affordable(
    tree: object, points: Float[np.ndarray, "n k"], rows: Int64[np.ndarray, " b"], radius: float
) -> Iterator[Int64[np.ndarray, " s"]]:
    """The rows in pieces with at most `PAIRS` candidates each, or of one row."""
    counts = np.asarray(tree.query_ball_point(points[rows], radius, return_length=True))  # type: ignore[attr-defined]
    pieces = np.cumsum(counts) // PAIRS
    for piece in np.unique(pieces):
        yield rows[pieces == piece]


def _confirmed(row: int, candidates: Int64[np.ndarray, " k"], read: Reader, least: float) -> Iterator[int]:
    vector = unit_vectors(read(np.array([row])))[0]
    for block in np.array_split(candidates, -(-len(candidates) // 64)):
        correlations = unit_vectors(read(block)) @ vector
        yield from block[correlations >= least - 1e-6].tolist()
