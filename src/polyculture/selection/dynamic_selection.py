"""Which models can be trusted on this instance? Those that were right on the nearest reference instances."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError

from .evaluation import EvaluationSet

NEIGHBOURS = 15
MAX_REFERENCE = 5000
"""Of more reference instances, this number of evenly spaced ones serve as neighbours."""
CELLS = 1 << 22
"""Distances held at a time."""


class NearestInstances:
    """Reference instances with the models that were right on them, and the nearest of them to any other.

    Distances are between all outputs of the members, which are given by their positions (decision space).
    """

    def __init__(self, reference: EvaluationSet, rows: Int[np.ndarray, " k"]) -> None:
        self.reference, self.rows = reference, rows
        self._sample = evenly_spaced(reference.n)
        self._neighbours: WeakKeyDictionary[EvaluationSet, Int[np.ndarray, "n k"]] = WeakKeyDictionary()

    def weights(self, evaluation: EvaluationSet, rows: Int[np.ndarray, " j"]) -> Float[np.ndarray, "j n"]:
        """Weights of some members on each instance; an instance is never its own neighbour."""
        if evaluation.predictions.classes != self.reference.predictions.classes:
            raise InputError("classes that are not those seen before", "the same, in the same order")
        if evaluation not in self._neighbours:
            self_positions = None
            if evaluation is self.reference:
                self_positions = np.full(evaluation.n, -1)
                self_positions[self._sample] = np.arange(len(self._sample))
            reference = _features(self.reference, self.rows)[self._sample]
            features = _features(evaluation, self.rows)
            self._neighbours[evaluation] = nearest(reference, features, self_positions=self_positions)
        return competence(~self.reference.wrong[rows][:, self._sample], self._neighbours[evaluation])


def _features(evaluation: EvaluationSet, rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, "n d"]:
    """Where each instance lies in the space of the members' outputs."""
    p = evaluation.predictions
    if p.probabilities is not None:
        features: Float[np.ndarray, "n d"] = p.probabilities[rows].transpose(1, 0, 2).reshape(evaluation.n, -1)
        return features.astype(np.float32)
    assert p.answers is not None
    return one_hot(p.answers[rows], len(p.classes))


def nearest(
    reference: Float[np.ndarray, "r d"],
    features: Float[np.ndarray, "n d"],
    k: int = NEIGHBOURS,
    self_positions: Int[np.ndarray, " n"] | None = None,
) -> Int[np.ndarray, "n k"]:
    """Positions of the k nearest reference instances of each instance, nearest first (Euclidean; ties in their order).

    Parameters
    ----------
    reference, features : features of the instances: inputs, or the models' outputs (decision space).
    self_positions : position of each instance among the reference ones, −1 where it is none; excluded from its
        neighbours.
    """
    r, n = len(reference), len(features)
    k = min(k, r - (self_positions is not None))
    squares = np.einsum("rd,rd->r", reference, reference)
    neighbours = np.empty((n, k), np.int64)
    step = max(1, CELLS // max(r, 1))
    for start in range(0, n, step):
        chunk = slice(start, start + step)
        distance = squares - 2 * features[chunk] @ reference.T
        if self_positions is not None:
            rows = np.flatnonzero(self_positions[chunk] >= 0)
            distance[rows, self_positions[chunk][rows]] = np.inf
        if k < r:
            closest = np.sort(np.argpartition(distance, k - 1, axis=1)[:, :k], axis=1)
        else:
            closest = np.broadcast_to(np.arange(r), distance.shape)
        order = np.argsort(np.take_along_axis(distance, closest, 1), axis=1, kind="stable")
        neighbours[chunk] = np.take_along_axis(closest, order, 1)
    return neighbours


def competence(right: Bool[np.ndarray, "m r"], neighbours: Int[np.ndarray, "n k"]) -> Float[np.ndarray, "m n"]:
    """Weight 1 for the models that are right on the most nearest instances in a row, 0 for the others.

    Where no model is right on the nearest instance all have weight 1. This is KNORA-Eliminate: the neighbourhood
    shrinks until some model is right on all of it (Ko, Sabourin and Britto 2008).

    Parameters
    ----------
    right : where each model was right among the reference instances.
    neighbours : from `nearest`, positions in the columns of `right`.
    """
    run = np.stack([np.cumprod(row[neighbours], axis=1).sum(axis=1) for row in right])
    return np.asarray((run == run.max(axis=0)).astype(np.float64))


def evenly_spaced(n: int, limit: int = MAX_REFERENCE) -> Int[np.ndarray, " r"]:
    """At most `limit` of n positions, evenly spaced."""
    return np.arange(n) if n <= limit else np.linspace(0, n - 1, limit).round().astype(np.int64)


def one_hot(answers: Int[np.ndarray, "m n"], classes: int) -> Float[np.ndarray, "n d"]:
    """Answers as features: one 1 for every model; a missing answer is at the same distance from all."""
    m, n = answers.shape
    features = np.zeros((n, m, classes), np.float32)
    model, instance = np.nonzero(answers >= 0)
    features[instance, model, answers[model, instance]] = 1.0
    return features.reshape(n, m * classes)
