"""How do nearest neighbours and support vector machines become graphs? By the distances to rows that they keep.

Where several training rows are equally far away and not all of them belong to the nearest ones, scikit-learn takes
any of them and a graph the first ones: `ambiguous` says for which rows the answer is not determined.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from .graph_builder import GraphBuilder
from .preprocessing_graphs import Matrix

ROUNDING = 1e-9
"""Distances that differ by less, relative to the size of the rows, count as equal."""


def nearest(g: GraphBuilder, estimator: Any, matrix: Matrix) -> str:
    """Probabilities, or the mean, of the nearest training rows in Euclidean distance."""
    rows = _dense(estimator._fit_X).astype(float)
    middle = rows.mean(axis=0)  # products of small numbers lose fewer digits
    rows, x = rows - middle, g.add("Sub", matrix.value, middle[None])
    closeness = g.add("Sub", g.add("MatMul", g.add("Mul", x, 2.0), rows.T), (rows**2).sum(axis=1)[None])
    index = g.add_many("TopK", 2, closeness, np.array([estimator.n_neighbors]), axis=1)[1]
    outcomes = g.add("Gather", _outcomes(estimator), index, axis=0)
    if estimator.weights == "uniform":
        return g.add("ReduceMean", outcomes, np.array([1]), keepdims=0)
    weights = g.add("Unsqueeze", _inverse_distances(g, x, rows, index), np.array([2]))
    return g.add("Div", g.total(g.add("Mul", outcomes, weights), 1, 0), g.total(weights, 1, 0))


def is_euclidean(estimator: Any) -> bool:
    """Whether neighbours are the nearest ones in Euclidean distance, with equal weights or by their distance."""
    return (
        estimator.effective_metric_ in ("euclidean", "l2")
        or (estimator.effective_metric_ == "minkowski" and estimator.effective_metric_params_.get("p") == 2)
    ) and estimator.weights in ("uniform", "distance")


def ambiguous(estimator: Any, rows: Any) -> Bool[np.ndarray, " n"]:
    """For which rows the nearest neighbours are not determined, because the last of them is as far as the next one."""
    k, n = estimator.n_neighbors, estimator.n_samples_fit_
    if k >= n:
        return np.zeros(rows.shape[0], bool)
    distances, _ = estimator.kneighbors(rows, k + 1)
    size = float(np.abs(_dense(estimator._fit_X)).max(initial=0.0)) + 1.0
    gap: Float[np.ndarray, " n"] = distances[:, k] ** 2 - distances[:, k - 1] ** 2
    return gap <= ROUNDING * size**2


def machine(g: GraphBuilder, estimator: Any, matrix: Matrix) -> str:
    """Scores of a support vector machine, one column where there are two classes; or the predicted number."""
    values = _kernel(g, estimator, matrix.value)
    coefficients = _dense(estimator.dual_coef_).astype(float)
    if not hasattr(estimator, "classes_") or len(estimator.classes_) == 2:
        return g.affine(values, coefficients.T, np.asarray(estimator.intercept_, float)[None])
    pairs = g.affine(values, _pairwise(estimator, coefficients), np.asarray(estimator.intercept_, float)[None])
    if estimator.decision_function_shape == "ovo":
        return pairs
    return _one_against_all(g, pairs, len(estimator.classes_))


def _kernel(g: GraphBuilder, estimator: Any, x: str) -> str:
    """Kernel between each row and each support vector."""
    vectors, kernel = _dense(estimator.support_vectors_).astype(float), estimator.kernel
    if kernel == "rbf":
        middle = vectors.mean(axis=0)
        vectors, x = vectors - middle, g.add("Sub", x, middle[None])
        squares = g.add("Add", g.total(g.add("Mul", x, x)), (vectors**2).sum(axis=1)[None])
        distances = g.add("Sub", squares, g.add("MatMul", g.add("Mul", x, 2.0), vectors.T))
        return g.add("Exp", g.add("Mul", g.add("Max", distances, 0.0), -float(estimator._gamma)))
    product = g.add("MatMul", x, vectors.T)
    if kernel == "linear":
        return product
    product = g.add("Add", g.add("Mul", product, float(estimator._gamma)), float(estimator.coef0))
    return g.add("Tanh", product) if kernel == "sigmoid" else g.add("Pow", product, float(estimator.degree))


def _pairwise(estimator: Any, coefficients: Float[np.ndarray, "c v"]) -> Float[np.ndarray, "v p"]:
    """Coefficients of the support vectors for each pair of classes."""
    owner = np.repeat(np.arange(len(estimator.classes_)), estimator.n_support_)
    columns = []
    for a, b in itertools.combinations(range(len(estimator.classes_)), 2):
        columns.append(np.where(owner == a, coefficients[b - 1], 0.0) + np.where(owner == b, coefficients[a], 0.0))
    return np.column_stack(columns)


def _one_against_all(g: GraphBuilder, pairs: str, classes: int) -> str:
    """Votes of the pairs, ties broken by the sum of their scores (as `sklearn.utils.multiclass` does it)."""
    combinations = list(itertools.combinations(range(classes), 2))
    first, second = np.zeros((2, len(combinations), classes))
    for position, (a, b) in enumerate(combinations):
        first[position, a] = second[position, b] = 1.0
    lost = g.cast(g.add("Less", pairs, 0.0))
    votes = g.affine(lost, second - first, first.sum(axis=0)[None])
    confidence = g.add("MatMul", pairs, first - second)
    bounded = g.add("Mul", g.add("Add", g.add("Abs", confidence), 1.0), 3.0)
    return g.add("Add", votes, g.add("Div", confidence, bounded))


def _inverse_distances(g: GraphBuilder, x: str, rows: np.ndarray, index: str) -> str:
    """Weight of each neighbour; where one is at the distance 0, those at the distance 0 only."""
    difference = g.add("Sub", g.add("Gather", rows, index, axis=0), g.add("Unsqueeze", x, np.array([1])))
    squares = g.total(g.add("Mul", difference, difference), 2, 0)
    equal = g.cast(g.add("Equal", squares, 0.0))
    present = g.add("ReduceMax", equal, np.array([1]), keepdims=1)
    inverse = g.add("Reciprocal", g.add("Sqrt", g.add("Add", squares, equal)))
    return g.add("Where", g.add("Greater", present, 0.0), equal, inverse)


def _outcomes(estimator: Any) -> Float[np.ndarray, "n c"]:
    """Class of each training row as columns of 0 and 1, or its number."""
    y = np.asarray(estimator._y)
    if not hasattr(estimator, "classes_"):
        return y.reshape(len(y), -1).astype(float)
    return np.eye(len(estimator.classes_))[y.ravel()]


def _dense(matrix: Any) -> np.ndarray:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)
