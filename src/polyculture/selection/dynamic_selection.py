"""Which models can be trusted here? Per-instance choice by who was right on the nearest instances seen before."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError

from .evaluation import EvaluationSet

NEIGHBOURS = 15
MOST_SEEN = 5000
"""Of more instances seen before, so many evenly spaced ones serve as neighbours."""
CELLS = 1 << 22
"""Distances held at a time."""


class NearestInstances:
    """Instances seen before with who was right on them, and the nearest of them to any other.

    Parameters
    ----------
    seen : exam that was seen before.
    rows : positions of the members; distances are between all of their outputs (decision space).
    """

    def __init__(self, seen: EvaluationSet, rows: Int[np.ndarray, " k"]) -> None:
        self.seen, self.rows = seen, rows
        self._kept = evenly(seen.n)
        self._found: WeakKeyDictionary[EvaluationSet, Int[np.ndarray, "n k"]] = WeakKeyDictionary()

    def weights(self, exam: EvaluationSet, rows: Int[np.ndarray, " j"]) -> Float[np.ndarray, "j n"]:
        """Weights of some members on each instance of an exam; an instance is never its own neighbour."""
        if exam.predictions.classes != self.seen.predictions.classes:
            raise InputError("classes that are not those seen before", "the same, in the same order")
        if exam not in self._found:
            own = None
            if exam is self.seen:
                own = np.full(exam.n, -1)
                own[self._kept] = np.arange(len(self._kept))
            places = _places(self.seen, self.rows)[self._kept]
            self._found[exam] = nearest(places, _places(exam, self.rows), own=own)
        return competence(~self.seen.wrong[rows][:, self._kept], self._found[exam])


def _places(exam: EvaluationSet, rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, "n d"]:
    """Where each instance lies in the space of the members' outputs."""
    p = exam.predictions
    if p.probabilities is not None:
        places: Float[np.ndarray, "n d"] = p.probabilities[rows].transpose(1, 0, 2).reshape(exam.n, -1)
        return places.astype(np.float32)
    assert p.answers is not None
    return one_hot(p.answers[rows], len(p.classes))


def nearest(
    seen: Float[np.ndarray, "r d"],
    places: Float[np.ndarray, "n d"],
    k: int = NEIGHBOURS,
    own: Int[np.ndarray, " n"] | None = None,
) -> Int[np.ndarray, "n k"]:
    """Positions of the k nearest seen instances of each place, nearest first (Euclidean; ties in the order seen).

    Parameters
    ----------
    seen, places : features of the instances: inputs, or the models' outputs (decision space).
    own : where each place stands among the seen ones, −1 where it does not; none is its own neighbour.
    """
    r, n = len(seen), len(places)
    k = min(k, r - (own is not None))
    squares = np.einsum("rd,rd->r", seen, seen)
    found = np.empty((n, k), np.int64)
    step = max(1, CELLS // max(r, 1))
    for start in range(0, n, step):
        here = slice(start, start + step)
        distance = squares - 2 * places[here] @ seen.T
        if own is not None:
            rows = np.flatnonzero(own[here] >= 0)
            distance[rows, own[here][rows]] = np.inf
        near = np.sort(np.argpartition(distance, k - 1, axis=1)[:, :k], axis=1) if k < r else _everyone(distance)
        order = np.argsort(np.take_along_axis(distance, near, 1), axis=1, kind="stable")
        found[here] = np.take_along_axis(near, order, 1)
    return found


def _everyone(distance: Float[np.ndarray, "n r"]) -> Int[np.ndarray, "n r"]:
    return np.broadcast_to(np.arange(distance.shape[1]), distance.shape)


def competence(right: Bool[np.ndarray, "m r"], neighbours: Int[np.ndarray, "n k"]) -> Float[np.ndarray, "m n"]:
    """Weight 1 for the models that are right on the most nearest instances in a row, 0 for the others.

    Where no model is right on the nearest instance all have weight 1. This is KNORA-Eliminate: the neighbourhood
    shrinks until some model is right on all of it (Ko, Sabourin and Britto 2008).

    Parameters
    ----------
    right : where each model was right among the instances seen before.
    neighbours : from `nearest`, positions in the columns of `right`.
    """
    run = np.stack([np.cumprod(row[neighbours], axis=1).sum(axis=1) for row in right])
    weights: Float[np.ndarray, "m n"] = (run == run.max(axis=0)).astype(np.float64)
    return weights


def evenly(n: int, most: int = MOST_SEEN) -> Int[np.ndarray, " r"]:
    """At most so many of n positions, evenly spaced."""
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).round().astype(np.int64)


def one_hot(answers: Int[np.ndarray, "m n"], classes: int) -> Float[np.ndarray, "n d"]:
    """Answers as places: one 1 for every model; a missing answer is at the same distance from all."""
    m, n = answers.shape
    places = np.zeros((n, m, classes), np.float32)
    model, at = np.nonzero(answers >= 0)
    places[at, model, answers[model, at]] = 1.0
    return places.reshape(n, m * classes)
