"""What weight should each member have? Temperatures and weights for members whose predictions were cross-fitted.

Class probabilities are pooled geometrically: p ∝ f b Π (p_m / f)^v_m with the class frequencies f, so that an opinion
counts by how far it moves from knowing nothing, and a factor b per class, which corrects what members get wrong
together. A member's weight for a class, v, is its weight w plus a small deviation, as members may be better at
some classes. The weights w are at least 0, need not sum to one (redundant members count
less) and solve, with the rest, a convex problem, so there is one best answer. Real values are averaged by
weights on the simplex that minimise the squared error, a quadratic programme in the error covariance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from polyculture.models.threads import one_thread
from polyculture.rng import stream

from ..least_squares_weights import PULL, average_weights, without_the_lightest
from ..mixture_weights import mixture_weights

COLDEST, HOTTEST = 1 / 50, 50.0
"""Range of temperatures."""
SMALLEST = 1e-6
"""Probabilities are raised to this before their logarithm is taken."""
LOWEST = math.log(SMALLEST)
MOST_ROWS = 10_000
"""Weights are fitted to so many of the rows at most; more would move them by less than a thousandth."""
CLASS_PULL = 3.0
"""Weights for a class are shrunk to the member's weight with this number times as many pseudo-instances."""
ROWS_PER_CLASS = 100.0
"""With fewer rows per class and class than this, more."""


@dataclass(frozen=True, eq=False)
class OpinionPool:
    """Temperatures and weights by which the members' predictions are combined.

    Parameters
    ----------
    rule : ``"stacking"`` or ``"mixture"``; ``"average"`` for real values.
    weights : of each candidate; 0 for those that are left out.
    temperatures : by which each candidate's scores are divided before they become probabilities.
    frequency : of each class where the weights were fitted; empty for real values.
    bias : of each class, added to the pooled logarithms; 0 but for stacking, empty for real values.
    by_class : weights of each candidate for each class, by which stacking pools; without columns else.
    """

    rule: str
    weights: Float[np.ndarray, " m"]
    temperatures: Float[np.ndarray, " m"]
    frequency: Float[np.ndarray, " c"]
    bias: Float[np.ndarray, " c"]
    by_class: Float[np.ndarray, "m w"]

    @property
    def members(self) -> Int[np.ndarray, " k"]:
        """Positions of the candidates that have a weight, heaviest first; ties in the order given."""
        order = np.argsort(-self.weights, kind="stable")
        return order[self.weights[order] > 0]

    def logs(self, scores: Float[np.ndarray, "m n c"]) -> Float[np.ndarray, "m n c"]:
        """Log-probabilities of all candidates from their scores."""
        return np.asarray(log_softmax(scores / self.temperatures[:, None, None], axis=2))

    def opinion(
        self, position: int, scores: Float[np.ndarray, "k n c"], shares: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, "n c"]:
        """What the members of one candidate say together, in their shares: multiplied or averaged as candidates are."""
        logs = np.asarray(log_softmax(scores / self.temperatures[position], axis=2))
        if self.rule == "mixture":
            return np.asarray(np.tensordot(shares, np.exp(logs), axes=1))
        return np.asarray(softmax(np.tensordot(shares, np.maximum(logs, LOWEST), axes=1), axis=1))

    def combined(self, logs: Float[np.ndarray, "k n c"]) -> Float[np.ndarray, "n c"]:
        """Class probabilities from the log-probabilities of the `members`, in that order."""
        if self.rule == "mixture":
            mixed = np.tensordot(self.weights[self.members], np.exp(logs), axes=1)
            return np.asarray(mixed / mixed.sum(axis=1, keepdims=True))
        prior = np.log(np.maximum(self.frequency, SMALLEST))
        moves = np.maximum(logs, LOWEST) - prior
        opinion = np.einsum("knc,kc->nc", moves, self.by_class[self.members])
        return np.asarray(softmax(prior + self.bias + opinion, axis=1))


def fit_pool(
    scores: Float[np.ndarray, "m n c"],
    labels: Int[np.ndarray, " n"],
    counts: Float[np.ndarray, " n"],
    size: int | None = None,
    floor: float | None = None,
    rule: str = "stacking",
    shrinkage: float = PULL,
) -> OpinionPool:
    """Temperatures, then weights, of candidates whose scores come from folds that they were not trained on.

    Parameters
    ----------
    scores : logits or log-probabilities.
    counts : how much each instance counts, at least 0.
    size : maximum number of members; None for all with a positive weight.
    floor : lowest accuracy of a member; None for better than the class frequencies alone. Where no candidate reaches
        it the best one is kept.
    rule : a name in `RULES`.
    shrinkage : number of pseudo-instances of equal weights.
    """
    scores, labels, counts = _some_rows(scores, labels, counts)
    _, n, c = scores.shape
    share = counts / counts.sum()
    temperatures = np.array([temperature(s, labels, share) for s in scores])
    logs = np.stack([log_softmax(s / t, axis=1) for s, t in zip(scores, temperatures, strict=True)])
    losses = -logs[:, np.arange(n), labels] @ share
    frequency = np.bincount(labels, weights=share, minlength=c)
    if floor is None:
        eligible = losses < -float((frequency * np.log(np.maximum(frequency, SMALLEST))).sum())
    else:
        eligible = (logs.argmax(axis=2) == labels) @ share >= floor
    fits = []

    def weigh(members: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        fits.append(RULES[rule](logs[members], labels, counts, shrinkage))
        return fits[-1].weights

    weights, last = without_the_lightest(weigh, eligible, losses, size), fits[-1]
    by_class = np.zeros((len(weights), last.by_class.shape[1]))
    by_class[weights > 0] = last.by_class
    return replace(last, weights=weights, temperatures=temperatures, by_class=by_class)


def weighing_seconds(m: int, n: int, c: int) -> float:
    """Roughly how long `fit_pool` takes."""
    return 500 * (3e-4 + 1e-8 * m * min(n, MOST_ROWS) * max(c, 1))


def _some_rows(
    scores: Float[np.ndarray, "m n c"], labels: Int[np.ndarray, " n"], counts: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "m k c"], Int[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """All rows, or of very many a random part."""
    if len(labels) <= MOST_ROWS:
        return scores, labels, counts
    rows = np.sort(stream(0, "rows to weigh on").permutation(len(labels))[:MOST_ROWS])
    return scores[:, rows], labels[rows], counts[rows]


def fit_average(
    predicted: Float[np.ndarray, "m n"],
    targets: Float[np.ndarray, " n"],
    counts: Float[np.ndarray, " n"],
    size: int | None = None,
    floor: float | None = None,
    shrinkage: float = PULL,
) -> OpinionPool:
    """Weights of candidates whose predictions come from folds that they were not trained on; they sum to one.

    Parameters
    ----------
    size, floor, shrinkage : as in `fit_pool`, of R² in place of accuracy.
    """
    share = counts / counts.sum()
    errors = predicted - targets
    losses = errors**2 @ share
    variance = float(share @ (targets - share @ targets) ** 2)
    eligible = losses < variance if floor is None else losses <= (1 - floor) * variance

    def weigh(members: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        return average_weights(errors[members], counts, shrinkage)

    weights = without_the_lightest(weigh, eligible, losses, size)
    m = len(predicted)
    return OpinionPool("average", weights, np.ones(m), np.empty(0), np.empty(0), np.empty((m, 0)))


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
    logs: Float[np.ndarray, "m n c"],
    labels: Int[np.ndarray, " n"],
    counts: Float[np.ndarray, " n"],
    shrinkage: float = PULL,
) -> OpinionPool:
    """Powers and class biases with which the product of f and (p_m / f) has the lowest log-loss.

    A member's weight is at least 0; its weights by class may deviate. Penalties: shrinkage/n × squared distance of
    weights from 1/m and of biases from 0, and CLASS_PULL times that, more where classes are many and rows few, ×
    squared distance of weights by class from the member's weight.
    Source: Genest and Zidek 1986 (the logarithmic opinion pool).
    """
    m, n, c = logs.shape
    share = counts / counts.sum()
    frequency = np.bincount(labels, weights=share, minlength=c)
    prior = np.log(np.maximum(frequency, SMALLEST))
    moves = np.maximum(logs, LOWEST) - prior
    truth = share[:, None] * (labels[:, None] == np.arange(c))
    start = np.concatenate([np.full(m, 1 / m), np.zeros(m * c + c)])
    by_class = CLASS_PULL * shrinkage * (1 + ROWS_PER_CLASS * c * c / counts.sum())
    pull = np.concatenate([np.full(m, shrinkage), np.full(m * c, by_class), np.full(c, shrinkage)]) / counts.sum()

    def parts(values: Float[np.ndarray, " p"]) -> OpinionPool:
        weights, bias = values[:m], values[m + m * c :]
        by_class = weights[:, None] + values[m : m + m * c].reshape(m, c)
        return OpinionPool("stacking", weights, np.ones(m), frequency, bias, by_class)

    def loss(values: Float[np.ndarray, " p"]) -> tuple[float, Float[np.ndarray, " p"]]:
        current, deviation = parts(values), values - start
        pooled = log_softmax(prior + current.bias + np.einsum("mnc,mc->nc", moves, current.by_class), axis=1)
        surplus = np.exp(pooled) * share[:, None] - truth
        slope = np.einsum("mnc,nc->mc", moves, surplus)
        height = -float(share @ pooled[np.arange(n), labels])
        slopes = np.concatenate([slope.sum(axis=1), slope.ravel(), surplus.sum(axis=0)])
        return height + float(pull @ deviation**2), slopes + 2 * pull * deviation

    limits = [(0, None)] * m + [(None, None)] * (m * c + c)
    with one_thread():  # many short steps, in which other threads would only wait
        optimum = minimize(
            loss, start, jac=True, method="L-BFGS-B", bounds=limits, options={"ftol": 1e-12, "gtol": 1e-7}
        )
    return parts(optimum.x)


def simplex_weights(
    logs: Float[np.ndarray, "m n c"],
    labels: Int[np.ndarray, " n"],
    counts: Float[np.ndarray, " n"],
    _shrinkage: float = PULL,
) -> OpinionPool:
    """Weights on the simplex with which the mean of the probabilities has the lowest log-loss; no biases."""
    m, n, c = logs.shape
    truth = np.exp(logs[:, np.arange(n), labels])
    frequency = np.bincount(labels, weights=counts / counts.sum(), minlength=c)
    weights = mixture_weights(truth, counts=counts).weights
    return OpinionPool("mixture", weights, np.ones(m), frequency, np.zeros(c), np.zeros((m, 0)))


RULES: dict[str, Callable[..., OpinionPool]] = {"stacking": opinion_weights, "mixture": simplex_weights}
"""How class probabilities are combined, by name: a function from log-probabilities, labels and counts."""
