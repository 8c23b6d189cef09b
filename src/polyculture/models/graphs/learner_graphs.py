"""How do learners other than trees become graphs? Linear models, densities, nets, nearest neighbours, vector machines.

Where several training rows are equally far away and not all of them belong to the nearest ones, scikit-learn takes
any of them and a graph the first ones: `ambiguous` says for which rows the answer is not determined.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from .graph_builder import FLOAT, INT64, GraphBuilder
from .preprocessing_graphs import Matrix

ROUNDING = 1e-9
"""Distances that differ by less, relative to the size of the rows, count as equal."""


def linear(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """The linear function: scores of classes (one column where there are two classes), or the predicted number."""
    coefficients = _dense(estimator.coef_).astype(float)
    coefficients = np.atleast_2d(coefficients)
    shift = np.broadcast_to(np.asarray(estimator.intercept_, float).reshape(1, -1), (1, len(coefficients)))
    return g.add("Add", x.product(g, coefficients.T), shift)


def logistic(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """Probabilities by the logistic function, or among three classes or more by the softmax of the scores."""
    scores = linear(g, estimator, x)
    if len(estimator.classes_) == 2:
        return g.binary(g.add("Sigmoid", scores))
    return g.add("Softmax", scores, axis=1)


def generalized(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """The number predicted by a generalized linear model: the linear function, or its exponential."""
    value = linear(g, estimator, x)
    return g.add("Exp", value) if type(estimator._base_loss.link).__name__ == "LogLink" else value


def isotonic(g: GraphBuilder, regression: Any, x: str) -> str:
    """The values of an isotonic regression for a column: linear between its thresholds, constant beyond them."""
    places, values = regression.X_thresholds_.astype(float), regression.y_thresholds_.astype(float)
    if len(places) == 1:
        places, values = places[0] + np.array([0.0, 1.0]), np.repeat(values, 2)
    slopes = np.diff(values) / np.diff(places)
    bounded = g.add("Clip", x, float(places[0]), float(places[-1]))
    piece = g.total(g.cast(g.add("GreaterOrEqual", bounded, places[None, 1:-1]), INT64)) if len(places) > 2 else ""
    index = piece or g.cast(g.add("Mul", bounded, 0.0), INT64)
    distance = g.add("Sub", bounded, g.add("Gather", places[:-1], index))
    return g.add("Add", g.add("Gather", values[:-1], index), g.add("Mul", distance, g.add("Gather", slopes, index)))


def stochastic(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """Probabilities of a linear model by stochastic gradient descent, one class against all others; else its scores."""
    scores, classes = linear(g, estimator, x), len(estimator.classes_)
    if estimator.loss == "log_loss" and classes == 2:
        return g.binary(g.add("Sigmoid", scores))
    if estimator.loss == "log_loss":  # logarithms, so that no sum of tiny numbers is 0
        tail = g.add("Log", g.add("Add", g.add("Exp", g.add("Neg", g.add("Abs", scores))), 1.0))
        p = g.add("Softmax", g.add("Sub", g.add("Min", scores, 0.0), tail), axis=1)
        highest = g.add("ReduceMax", scores, np.array([1]), keepdims=1)
        return g.add("Where", g.add("Less", highest, np.log(np.finfo(float).tiny)), 1.0 / classes, p)
    if estimator.loss != "modified_huber":
        return scores
    p = g.add("Div", g.add("Add", g.add("Clip", scores, -1.0, 1.0), 1.0), 2.0)
    if classes == 2:
        return g.binary(p)
    total = g.total(p)
    absent = g.add("Equal", total, 0.0)
    return g.add("Where", absent, 1.0 / classes, g.add("Div", p, g.add("Where", absent, 1.0, total)))


def naive_bayes(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """Probabilities from independent normal densities.

    Fitted to single precision, scikit-learn adds up hundreds of terms in it, which can move a probability by more than
    a thousandth: then the terms are added up in its order.
    """
    if estimator.theta_.dtype == np.float32:
        return _single_naive_bayes(g, estimator, x)
    means, variances = estimator.theta_, estimator.var_
    middle = means.mean(axis=0)  # squares of small numbers lose fewer digits
    means = means - middle
    centred = g.add("Sub", x.value, middle[None])
    constant = np.log(estimator.class_prior_) - 0.5 * np.log(2 * np.pi * variances).sum(axis=1)
    constant = constant - 0.5 * (means**2 / variances).sum(axis=1)
    squares = g.add("MatMul", g.add("Mul", centred, centred), -0.5 / variances.T)
    return g.add("Softmax", g.add("Add", squares, g.affine(centred, (means / variances).T, constant[None])), axis=1)


def _single_naive_bayes(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """The same in single precision, step by step as scikit-learn computes it."""
    rows = g.add("Unsqueeze", g.cast(x.value, FLOAT), np.array([1]))
    difference = g.add("Sub", rows, g.single(estimator.theta_[None]))
    terms = g.add("Div", g.add("Mul", difference, difference), g.single(estimator.var_[None]))
    half = g.add("Mul", pairwise_sum(g, terms, x.width), g.single(np.array(0.5)))
    normal = np.array([-0.5 * np.sum(np.log(2.0 * np.pi * row)) for row in estimator.var_], np.float32)
    logs = g.add("Add", g.single(np.log(estimator.class_prior_)[None]), g.add("Sub", g.single(normal[None]), half))
    highest = g.add("ReduceMax", logs, np.array([1]), keepdims=1)
    total = g.cast(g.add("Log", g.total(g.cast(g.add("Exp", g.add("Sub", logs, highest))))), FLOAT)
    return g.cast(g.add("Exp", g.add("Sub", logs, g.add("Add", total, highest))))


def pairwise_sum(g: GraphBuilder, x: str, n: int) -> str:
    """The sum over the last axis, of length n, of a value with three axes, rounded as numpy rounds it.

    Source: the pairwise summation of numpy: eight sums of up to 16 numbers, and halves of what is longer than 128.
    """
    if n > 128:
        half = n // 2 - n // 2 % 8
        first, second = g.add_many("Split", 2, x, np.array([half, n - half]), axis=2)
        return g.add("Add", pairwise_sum(g, first, half), pairwise_sum(g, second, n - half))
    complete = n - n % 8
    parts = g.add_many("Split", n, x, axis=2, num_outputs=n) if n < 8 else []
    if n >= 8:
        block, *remainder = g.add_many("Split", 1 + n % 8, x, np.array([complete, *[1] * (n % 8)]), axis=2)
        sums = g.add("CumSum", g.add("Reshape", block, np.array([0, 0, -1, 8])), np.array(2))
        eight = g.add_many("Split", 8, g.add("Gather", sums, np.array(-1), axis=2), axis=2, num_outputs=8)
        pairs = [g.add("Add", eight[i], eight[i + 1]) for i in (0, 2, 4, 6)]
        total = g.add("Add", g.add("Add", pairs[0], pairs[1]), g.add("Add", pairs[2], pairs[3]))
        parts = [total, *remainder]
    value = parts[0]
    for part in parts[1:]:
        value = g.add("Add", value, part)
    return g.add("Squeeze", value, np.array([2]))


def multinomial_bayes(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """Probabilities from counts."""
    return g.add("Softmax", g.affine(x.value, estimator.feature_log_prob_.T, estimator.class_log_prior_[None]), axis=1)


def quadratic(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """Probabilities from normal densities with a covariance for each class."""
    columns = []
    for k in range(len(estimator.classes_)):
        scale = estimator.scalings_[k]
        factors = estimator.rotations_[k] * scale**-0.5
        whitened = g.add("MatMul", g.add("Sub", x.value, estimator.means_[k][None]), factors)
        constant = np.log(estimator.priors_[k]) - 0.5 * np.log(scale).sum()
        distance = g.total(g.add("Mul", whitened, whitened))
        columns.append(g.add("Add", g.add("Mul", distance, -0.5), float(constant)))
    return g.add("Softmax", g.joined(columns), axis=1)


def perceptron(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """Probabilities or numbers of a multilayer perceptron."""
    functions = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}
    value = x.value
    for layer, (weights, shift) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True), 2):
        value = g.affine(value, weights, shift[None])
        if layer < estimator.n_layers_ and estimator.activation in functions:
            value = g.add(functions[estimator.activation], value)
    if estimator.out_activation_ == "softmax":
        return g.add("Softmax", value, axis=1)
    return g.binary(g.add("Sigmoid", value)) if estimator.out_activation_ == "logistic" else value


def nearest(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """Probabilities, or the mean, of the nearest training rows in Euclidean distance."""
    k = np.array([estimator.n_neighbors])
    if x.ones and hasattr(estimator._fit_X, "indices"):
        overlap, index = g.add_many("TopK", 2, x.overlaps(g, estimator._fit_X), k, axis=1)
        squares = g.add("Sub", 2.0 * x.ones, g.add("Mul", overlap, 2.0))
    else:
        rows = _dense(estimator._fit_X).astype(float)
        middle = rows.mean(axis=0)  # products of small numbers lose fewer digits
        rows, centred = rows - middle, g.add("Sub", x.value, middle[None])
        closeness = g.add("Sub", g.add("MatMul", g.add("Mul", centred, 2.0), rows.T), (rows**2).sum(axis=1)[None])
        index = g.add_many("TopK", 2, closeness, k, axis=1)[1]
        difference = g.add("Sub", g.add("Gather", rows, index, axis=0), g.add("Unsqueeze", centred, np.array([1])))
        squares = g.total(g.add("Mul", difference, difference), 2, 0)
    outcomes = g.add("Gather", _outcomes(estimator), index, axis=0)
    if estimator.weights == "uniform":
        return g.add("ReduceMean", outcomes, np.array([1]), keepdims=0)
    weights = g.add("Unsqueeze", _inverse_distances(g, squares), np.array([2]))
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


def machine(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """Scores of a support vector machine, one column where there are two classes; or the predicted number."""
    values = _kernel(g, estimator, x)
    coefficients = _dense(estimator.dual_coef_).astype(float)
    if not hasattr(estimator, "classes_") or len(estimator.classes_) == 2:
        return g.affine(values, coefficients.T, np.asarray(estimator.intercept_, float)[None])
    pairs = g.affine(values, _pairwise(estimator, coefficients), np.asarray(estimator.intercept_, float)[None])
    if estimator.decision_function_shape == "ovo":
        return pairs
    return _one_against_all(g, pairs, len(estimator.classes_))


def _kernel(g: GraphBuilder, estimator: Any, x: Matrix) -> str:
    """Kernel between each row and each support vector."""
    vectors, kernel = estimator.support_vectors_, estimator.kernel
    is_sparse = bool(x.ones) and hasattr(vectors, "indices")
    if kernel == "rbf":
        distances = _sparse_distances(g, x, vectors) if is_sparse else _distances(g, x, _dense(vectors).astype(float))
        return g.add("Exp", g.add("Mul", distances, -float(estimator._gamma)))
    product = x.overlaps(g, vectors) if is_sparse else g.add("MatMul", x.value, _dense(vectors).astype(float).T)
    if kernel == "linear":
        return product
    product = g.add("Add", g.add("Mul", product, float(estimator._gamma)), float(estimator.coef0))
    return g.add("Tanh", product) if kernel == "sigmoid" else g.add("Pow", product, float(estimator.degree))


def _sparse_distances(g: GraphBuilder, x: Matrix, vectors: Any) -> str:
    """Squared distances of rows with the same number of ones."""
    return g.add("Sub", 2.0 * x.ones, g.add("Mul", x.overlaps(g, vectors), 2.0))


def _distances(g: GraphBuilder, x: Matrix, vectors: np.ndarray) -> str:
    """Squared distances of each row from each vector."""
    middle = vectors.mean(axis=0)
    vectors, centred = vectors - middle, g.add("Sub", x.value, middle[None])
    squares = g.add("Add", g.total(g.add("Mul", centred, centred)), (vectors**2).sum(axis=1)[None])
    return g.add("Max", g.add("Sub", squares, g.add("MatMul", g.add("Mul", centred, 2.0), vectors.T)), 0.0)


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
    defeats = g.cast(g.add("Less", pairs, 0.0))
    votes = g.affine(defeats, second - first, first.sum(axis=0)[None])
    confidence = g.add("MatMul", pairs, first - second)
    bounded = g.add("Mul", g.add("Add", g.add("Abs", confidence), 1.0), 3.0)
    return g.add("Add", votes, g.add("Div", confidence, bounded))


def _inverse_distances(g: GraphBuilder, squares: str) -> str:
    """Weight of each neighbour; where one is at the distance 0, those at the distance 0 only."""
    equal = g.cast(g.add("Equal", squares, 0.0))
    present = g.add("ReduceMax", equal, np.array([1]), keepdims=1)
    inverse = g.add("Reciprocal", g.add("Sqrt", g.add("Add", squares, equal)))
    return g.add("Where", g.add("Greater", present, 0.0), equal, inverse)


def _outcomes(estimator: Any) -> Float[np.ndarray, "n c"]:
    """Class of each training row as columns of 0 and 1, or its number."""
    y = np.asarray(estimator._y)
    if not hasattr(estimator, "classes_"):
        return y.reshape(len(y), -1).astype(float)
    columns: Float[np.ndarray, "n c"] = np.eye(len(estimator.classes_))[y.ravel()]
    return columns


def _dense(matrix: Any) -> np.ndarray:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)
