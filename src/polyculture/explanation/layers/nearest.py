"""Which training instances does a model find most like this one? The nearest in its representation, or in the input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from polyculture.errors import InputError
from polyculture.models.fitted_net import FittedNet

from .activations import INPUTS, PENULTIMATE, activations

BLOCK = 512
"""Instances whose distances to all references are held at a time."""


@dataclass(frozen=True, eq=False)
class Prototypes:
    """The nearest references of each instance.

    Parameters
    ----------
    rows : of the references, the nearest first; of two at the same distance the earlier one.
    distances : to them, increasing.
    """

    rows: Int[np.ndarray, "n k"]
    distances: Float[np.ndarray, "n k"]

    def agreement(self, labels: Shaped[np.ndarray, " r"], answers: Shaped[np.ndarray, " n"]) -> float:
        """Share of nearest references with the label that the model answers; low where it answers by exception."""
        return float((labels[self.rows] == answers[:, None]).mean())


def prototypes(
    model: Callable[[np.ndarray], np.ndarray],
    inputs: Shaped[np.ndarray, "n ..."],
    references: Shaped[np.ndarray, "r ..."],
    count: int = 3,
    layer: str = "",
    metric: str = "euclidean",
) -> Prototypes:
    """The training instances that a model finds most like each input.

    Parameters
    ----------
    references : inputs of the training set.
    count : nearest of them for each input.
    layer : in which they are near, as in `represent`; where left out what the last linear layer of a net reads, and
        what any other model reads.
    """
    layer = layer or (PENULTIMATE if isinstance(model, FittedNet) else INPUTS)
    first, second = (activations(model, part, layer) for part in (inputs, references))
    return nearest_instances(first.reshape(len(first), -1), second.reshape(len(second), -1), count, metric)


def nearest_instances(
    instances: Float[np.ndarray, "n d"],
    references: Float[np.ndarray, "r d2"],
    count: int = 3,
    metric: str = "euclidean",
    labels: tuple[Shaped[np.ndarray, " n"], Shaped[np.ndarray, " r"]] | None = None,
) -> Prototypes:
    """The nearest references of each instance.

    Parameters
    ----------
    instances, references : of the test and of the training set: a model's representations, or flat inputs.
    count : nearest references of each.
    metric : ``"euclidean"``, or ``"cosine"``: 1 less the cosine of the angle, 1 for vectors of length 0.
    labels : of the instances (or the answers to them) and of the references; references of another label are left out.

    Raises InputError for different numbers of features, and where there are fewer references than asked for.
    """
    if instances.shape[1] != references.shape[1]:
        raise InputError(
            f"instances of {instances.shape[1]} and references of {references.shape[1]} features", "as many features"
        )
    if metric not in ("euclidean", "cosine"):
        raise InputError(f"no metric {metric!r}", "euclidean or cosine")
    available = len(references) if labels is None else min([int((labels[1] == v).sum()) for v in np.unique(labels[0])])
    if not 1 <= count <= available:
        raise InputError(f"{count} nearest of {available} references", f"a number from 1 to {available}")
    X, Y = (_scaled(table, metric) for table in (instances, references))
    rows = np.empty((len(X), count), np.int64)
    distances = np.empty((len(X), count))
    for start in range(0, len(X), BLOCK):
        part = slice(start, start + BLOCK)
        table = _distances(X[part], Y, metric)
        if labels is not None:
            table[labels[0][part, None] != labels[1]] = np.inf
        rows[part] = np.argsort(table, axis=1, kind="stable")[:, :count]
        distances[part] = np.take_along_axis(table, rows[part], axis=1)
    return Prototypes(rows, distances)


def _scaled(table: Float[np.ndarray, "n d"], metric: str) -> Float[np.ndarray, "n d"]:
    numbers = table.astype(np.float64)
    if metric == "euclidean":
        return numbers
    lengths = np.linalg.norm(numbers, axis=1, keepdims=True)
    scaled: np.ndarray = np.divide(numbers, lengths, out=np.zeros_like(numbers), where=lengths > 0)
    return scaled


def _distances(X: Float[np.ndarray, "n d"], Y: Float[np.ndarray, "r d"], metric: str) -> Float[np.ndarray, "n r"]:
    if metric == "cosine":
        angles: np.ndarray = 1 - X @ Y.T
        return angles
    # Differences from a common centre: the product formula loses digits far from the origin.
    centre = Y.mean(axis=0)
    X, Y = X - centre, Y - centre
    squares = (X**2).sum(axis=1)[:, None] - 2 * X @ Y.T + (Y**2).sum(axis=1)
    distances: np.ndarray = np.sqrt(np.maximum(squares, 0))
    return distances
