"""How do linear models, Gaussian densities and multilayer perceptrons become graphs?"""

from __future__ import annotations

from typing import Any

import numpy as np

from .graph_builder import GraphBuilder
from .preprocessing_graphs import Matrix


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
    """Probabilities from independent normal densities."""
    means, variances = estimator.theta_, estimator.var_
    middle = means.mean(axis=0)  # squares of small numbers lose fewer digits
    means = means - middle
    centred = g.add("Sub", x.value, middle[None])
    constant = np.log(estimator.class_prior_) - 0.5 * np.log(2 * np.pi * variances).sum(axis=1)
    constant = constant - 0.5 * (means**2 / variances).sum(axis=1)
    squares = g.add("MatMul", g.add("Mul", centred, centred), -0.5 / variances.T)
    return g.add("Softmax", g.add("Add", squares, g.affine(centred, (means / variances).T, constant[None])), axis=1)


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


def _dense(matrix: Any) -> np.ndarray:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)
