"""How much is each member's opinion worth? Temperatures and weights for members whose predictions were cross-fitted.

Class probabilities are pooled geometrically: p ∝ f Π (p_m / f)^w_m with the class frequencies f, so that an opinion
counts by how far it moves from knowing nothing. The weights are at least 0, need not sum to one (members that tell
the same are worth less together) and solve a convex problem, so there is one best answer. Real values are averaged by
weights on the simplex that minimise the squared error, a quadratic programme in the error covariance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import solve_triangular
from scipy.optimize import minimize, minimize_scalar, nnls
from scipy.special import log_softmax, softmax

from ..weights import mixture_weights

PULL = 10.0
"""Weights are drawn to equal ones as if by so many instances' worth: the penalty is PULL/n × squared distance."""
COLDEST, HOTTEST = 1 / 50, 50.0
"""Temperatures are looked for in between."""
LIGHTEST = 0.01
"""A member with less than this share of the heaviest weight is dropped."""
SMALLEST = 1e-6
"""Probabilities are raised to this before their logarithm is taken."""
LOWEST = math.log(SMALLEST)


@dataclass(frozen=True, eq=False)
class Pool:
    """How opinions are put together.

    Parameters
    ----------
    rule : ``"geometric"`` or ``"mixture"``; ``"average"`` for real values.
    weights : of each candidate; 0 for those that are left out.
    temperatures : by which each candidate's scores are divided before they become probabilities.
    frequency : of each class where the weights were fitted; empty for real values.
    """

    rule: str
    weights: Float[np.ndarray, " m"]
    temperatures: Float[np.ndarray, " m"]
    frequency: Float[np.ndarray, " c"]

    @property
    def kept(self) -> Int[np.ndarray, " k"]:
        """Positions of the candidates that have a weight, heaviest first; ties in the order given."""
        order = np.argsort(-self.weights, kind="stable")
        return order[self.weights[order] > 0]

    def logs(self, scores: Float[np.ndarray, "m n c"]) -> Float[np.ndarray, "m n c"]:
        """Log-probabilities of all candidates from their scores."""
        logs: Float[np.ndarray, "m n c"] = log_softmax(scores / self.temperatures[:, None, None], axis=2)
        return logs

    def combined(self, logs: Float[np.ndarray, "k n c"]) -> Float[np.ndarray, "n c"]:
        """Class probabilities from the log-probabilities of the members in `kept`, in that order."""
        weights = self.weights[self.kept]
        if self.rule == "mixture":
            mixed: Float[np.ndarray, "n c"] = np.tensordot(weights, np.exp(logs), axes=1)
            mixed /= mixed.sum(axis=1, keepdims=True)
            return mixed
        nothing = np.log(np.maximum(self.frequency, SMALLEST))
        moves = np.maximum(logs, LOWEST) - nothing
        pooled: Float[np.ndarray, "n c"] = softmax(nothing + np.tensordot(weights, moves, axes=1), axis=1)
        return pooled


@dataclass(frozen=True)
class Wish:
    """What a choice of members has to keep to.

    Parameters
    ----------
    size : at most so many members; None for as many as earn a weight.
    floor : lowest accuracy (real values: R²) of a member; None for better than knowing nothing but the class
        frequencies (the mean). Where no candidate reaches it the best one is kept.
    rule : a name in `RULES`; real values have only the average.
    """

    size: int | None = None
    floor: float | None = None
    rule: str = "geometric"


def fit_pool(
    scores: Float[np.ndarray, "m n c"],
    labels: Int[np.ndarray, " n"],
    counts: Float[np.ndarray, " n"],
    wish: Wish,
) -> Pool:
    """Temperatures, then weights, of candidates whose scores come from folds that they were not trained on.

    Parameters
    ----------
    scores : logits or log-probabilities.
    counts : how much each instance counts, at least 0.
    """
    _, n, c = scores.shape
    share = counts / counts.sum()
    temperatures = np.array([temperature(s, labels, share) for s in scores])
    logs = np.stack([log_softmax(s / t, axis=1) for s, t in zip(scores, temperatures, strict=True)])
    losses = -logs[:, np.arange(n), labels] @ share
    frequency = np.bincount(labels, weights=share, minlength=c)
    if wish.floor is None:
        good = losses < -float((frequency * np.log(np.maximum(frequency, SMALLEST))).sum())
    else:
        good = (logs.argmax(axis=2) == labels) @ share >= wish.floor
    weights = _chosen(lambda kept: RULES[wish.rule](logs[kept], labels, counts), good, losses, wish.size)
    return Pool(wish.rule, weights, temperatures, frequency)


def fit_average(
    predicted: Float[np.ndarray, "m n"],
    targets: Float[np.ndarray, " n"],
    counts: Float[np.ndarray, " n"],
    wish: Wish,
) -> Pool:
    """Weights of candidates whose predictions come from folds that they were not trained on; they sum to one."""
    share = counts / counts.sum()
    errors = predicted - targets
    losses = errors**2 @ share
    variance = float(share @ (targets - share @ targets) ** 2)
    good = losses < variance if wish.floor is None else losses <= (1 - wish.floor) * variance
    weights = _chosen(lambda kept: average_weights(errors[kept], counts), good, losses, wish.size)
    return Pool("average", weights, np.ones(len(predicted)), np.empty(0))


def temperature(
    scores: Float[np.ndarray, "n c"], labels: Int[np.ndarray, " n"], share: Float[np.ndarray, " n"]
) -> float:
    """What to divide scores by for the lowest log-loss, in [1/50, 50]. Source: Guo et al. 2017."""

    def loss(log_temperature: float) -> float:
        logs = log_softmax(scores * math.exp(-log_temperature), axis=1)
        return -float(share @ logs[np.arange(len(labels)), labels])

    bounds = (math.log(COLDEST), math.log(HOTTEST))
    return math.exp(float(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def opinion_weights(
    logs: Float[np.ndarray, "m n c"], labels: Int[np.ndarray, " n"], counts: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " m"]:
    """Powers, at least 0, with which the normalized product of f and (p_m / f) has the lowest log-loss.

    Drawn to 1/m each by PULL/n × squared distance. Source: Genest and Zidek 1986 (the logarithmic opinion pool).
    """
    m, n, c = logs.shape
    share, pull = counts / counts.sum(), PULL / counts.sum()
    nothing = np.log(np.maximum(np.bincount(labels, weights=share, minlength=c), SMALLEST))
    moves = np.maximum(logs, LOWEST) - nothing
    flat = moves.reshape(m, -1)
    true = moves[:, np.arange(n), labels] @ share

    def loss(weights: Float[np.ndarray, " m"]) -> tuple[float, Float[np.ndarray, " m"]]:
        pooled = log_softmax(nothing + (weights @ flat).reshape(n, c), axis=1)
        slope = flat @ (np.exp(pooled) * share[:, None]).ravel() - true
        height = -float(share @ pooled[np.arange(n), labels])
        away = weights - 1 / m
        return height + pull * float(away @ away), slope + 2 * pull * away

    found = minimize(loss, np.full(m, 1 / m), jac=True, method="L-BFGS-B", bounds=[(0, None)] * m)
    weights: Float[np.ndarray, " m"] = found.x
    return weights


def truth_weights(
    logs: Float[np.ndarray, "m n c"], labels: Int[np.ndarray, " n"], counts: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " m"]:
    """Weights on the simplex with which the mean of the probabilities has the lowest log-loss."""
    truth = np.exp(logs[:, np.arange(logs.shape[1]), labels])
    return mixture_weights(truth, counts=counts).weights


def average_weights(errors: Float[np.ndarray, "m n"], counts: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    """Weights on the simplex with which the mean of the predictions has the lowest squared error, exactly.

    min wᵀGw for the second moments G of the errors, drawn to equal weights by PULL/n of the mean squared error. With
    G = LLᵀ and w = v/Σv this is min ‖Lᵀv − L⁻¹1‖² over v ≥ 0. Source: Breiman 1996 (stacked regressions); Krogh and
    Vedelsby 1995 for why errors that do not go together earn weight.
    """
    m = len(errors)
    moments = (errors * (counts / counts.sum())) @ errors.T
    size = float(np.trace(moments)) / m
    if size == 0:
        return np.full(m, 1 / m)
    moments[np.diag_indices(m)] += size * max(PULL / counts.sum(), 1e-9)
    lower = np.linalg.cholesky(moments)
    solution, _ = nnls(lower.T, solve_triangular(lower, np.ones(m), lower=True))
    weights: Float[np.ndarray, " m"] = solution / solution.sum()
    return weights


def _chosen(
    fit: Callable[[Int[np.ndarray, " k"]], Float[np.ndarray, " k"]],
    good: Bool[np.ndarray, " m"],
    losses: Float[np.ndarray, " m"],
    size: int | None,
) -> Float[np.ndarray, " m"]:
    """Weights of the good candidates; the lightest is dropped and the rest weighed again until all are worth it."""
    kept = np.flatnonzero(good) if good.any() else np.array([int(losses.argmin())])
    while True:
        weights = fit(kept)
        light = int(weights.argmin())
        if len(kept) == 1 or (len(kept) <= (size or len(kept)) and weights[light] >= LIGHTEST * weights.max()):
            break
        kept = np.delete(kept, light)
    whole = np.zeros(len(good))
    whole[kept] = np.maximum(weights, np.finfo(float).tiny)
    return whole


RULES: dict[str, Callable[..., Float[np.ndarray, " m"]]] = {"geometric": opinion_weights, "mixture": truth_weights}
"""How class probabilities are put together, by name: a function from log-probabilities, labels, counts to weights."""
