"""Which instances make a batch? The highest scores, or instances that lie far apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int

Distances = Callable[[int], Float[np.ndarray, " n"]]
"""From the position of an instance to the squared distances of all from it."""


def first_rows(labels: Int[np.ndarray, " n"], count: int, generator: np.random.Generator) -> Int[np.ndarray, " k"]:
    """Positions of the first labels, drawn by chance; further ones until there are two classes among them."""
    order = generator.permutation(len(labels))
    second = int(np.argmax(labels[order] != labels[order[0]]))
    return np.asarray(order[: min(max(count, second + 1), len(order))], np.int64)


def highest(scores: Float[np.ndarray, " n"], k: int, generator: np.random.Generator) -> Int[np.ndarray, " k"]:
    """Positions of the k highest scores, the highest first; equal scores in an order drawn by chance."""
    order = generator.permutation(len(scores))
    return order[np.argsort(-scores[order], kind="stable")][:k].astype(np.int64)


def spread_out(
    distances: Distances, first: int, k: int, n: int, generator: np.random.Generator
) -> Int[np.ndarray, " k"]:
    """Positions of k of n instances, each drawn in proportion to its squared distance from the nearest before it.

    Instances that coincide with all the rest are drawn evenly. Source: Arthur and Vassilvitskii 2007 (k-means++).
    """
    k = min(k, n)
    picks, nearest = [first], np.maximum(distances(first), 0.0)
    free_mask = np.ones(n, bool)
    free_mask[first] = False
    while len(picks) < k:
        weights = np.where(free_mask, nearest, 0.0)
        if not weights.sum() > 0:
            weights = free_mask.astype(np.float64)
        pick = int(generator.choice(n, p=weights / weights.sum()))
        free_mask[pick] = False
        picks.append(pick)
        nearest = np.minimum(nearest, np.maximum(distances(pick), 0.0))
    return np.array(picks, np.int64)


def by_gradients(
    probabilities: Float[np.ndarray, "n c"], features: Any, k: int, generator: np.random.Generator
) -> Int[np.ndarray, " k"]:
    """k instances whose gradients of the last layer are large and unlike each other.

    The gradient of an instance for its own most probable class is the outer product of the probabilities, less 1 for
    that class, and of what the last layer reads. Distances between them are found without forming them. The first is
    the longest gradient. Source: Ash et al. 2020 (BADGE), algorithm 1.

    Parameters
    ----------
    probabilities : of the learner.
    features : n × d array or sparse matrix that its last layer reads.
    k : instances to choose.
    generator : of the draws.
    """
    residuals = np.array(probabilities, np.float64)
    residuals[np.arange(len(residuals)), residuals.argmax(axis=1)] -= 1
    squares = _squares(features)
    lengths = (residuals**2).sum(axis=1) * squares

    def distances(position: int) -> Float[np.ndarray, " n"]:
        products = (residuals @ residuals[position]) * _products(features, position)
        return np.asarray(lengths + lengths[position] - 2 * products)

    return spread_out(distances, int(lengths.argmax()), k, len(residuals), generator)


def far_apart(
    scores: Float[np.ndarray, " n"], features: Any, k: int, candidates: int, generator: np.random.Generator
) -> Int[np.ndarray, " k"]:
    """k of the instances with the highest scores that lie far apart, the highest score first.

    Parameters
    ----------
    scores : the larger, the earlier it is worth asking.
    features : n × d array or sparse matrix, in which distances are taken.
    k : instances to choose.
    candidates : instances with the highest scores that are chosen from.
    generator : of the draws.
    """
    pool = highest(scores, max(k, candidates), generator)
    rows = features[pool]
    squares = _squares(rows)

    def distances(position: int) -> Float[np.ndarray, " n"]:
        return np.asarray(squares + squares[position] - 2 * _products(rows, position))

    return np.asarray(pool[spread_out(distances, 0, k, len(pool), generator)])


def _squares(features: Any) -> Float[np.ndarray, " n"]:
    """Squared length of every row, dense or sparse."""
    products = features.multiply(features) if hasattr(features, "multiply") else np.square(features, dtype=np.float64)
    return np.asarray(products.sum(axis=1), np.float64).ravel()


def _products(features: Any, position: int) -> Float[np.ndarray, " n"]:
    """Inner product of every row with the one at this position."""
    row = features[[position]]
    row = row.toarray() if hasattr(row, "toarray") else row
    return np.asarray(features @ np.asarray(row).ravel(), np.float64).ravel()
