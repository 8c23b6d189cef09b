"""How do several models become one? Votes, means of probabilities, and fitted weights; arrays in, arrays out.

Weights are one per model, or one per model and instance where the choice depends on the instance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from .mixture_weights import SMALLEST

MISSING = -1
BLOCK = 8192
"""Instances turned into logarithms at a time."""
RIDGE = 10.0
"""Strength of the stacking prior: number of standard normal priors around equal weights."""
COLDEST, HOTTEST = 0.05, 20.0


@dataclass(frozen=True, eq=False)
class Vote:
    """What a vote decides on each instance.

    Parameters
    ----------
    leader : position of the first model that gives the winning answer; MISSING where no model answered.
    share : the winning answer's part of the weight of all models that answered; nan where none did.
    tied : whether another answer has the same weight.
    """

    leader: Int[np.ndarray, " n"]
    share: Float[np.ndarray, " n"]
    tied: Bool[np.ndarray, " n"]


def plurality(answers: Int[np.ndarray, "m n"], weights: Float[np.ndarray, "m ..."] | None = None) -> Vote:
    """The answer with the most weight; of tied answers the one given by the first model.

    Parameters
    ----------
    answers : codes of the answers; MISSING ones do not vote.
    weights : of the models, or of the models on each instance, at least 0; equal where None.
    """
    m, n = answers.shape
    votes = np.where(answers != MISSING, _spread(weights, m), 0.0)
    support = np.zeros((m, n))
    for row, vote in zip(answers, votes, strict=True):
        support += np.where(answers == row, vote, 0.0)
    support[answers == MISSING] = -1.0
    leader = support.argmax(axis=0)
    top = support[leader, np.arange(n)]
    total = votes.sum(axis=0)
    runner_up = np.where(answers == answers[leader, np.arange(n)], -1.0, support).max(axis=0)
    share = np.divide(top, total, out=np.full(n, np.nan), where=total > 0)
    return Vote(np.where(top >= 0, leader, MISSING), share, (top >= 0) & np.isclose(runner_up, top, rtol=1e-12, atol=0))


def wrong_share(
    wrong: Bool[np.ndarray, "m n"],
    weights: Float[np.ndarray, "m ..."] | None = None,
    observed: Bool[np.ndarray, "m n"] | None = None,
) -> Float[np.ndarray, " n"]:
    """Part of the weight of the observed models that is wrong, on each instance; nan where none was observed."""
    votes = np.broadcast_to(_spread(weights, len(wrong)), wrong.shape)
    votes = votes if observed is None else np.where(observed, votes, 0.0)
    total = votes.sum(axis=0)
    shares = np.full(wrong.shape[1], np.nan)
    np.divide((votes * wrong).sum(axis=0), total, out=shares, where=total > 0)
    return shares


def majority_loss(share: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Loss of a vote of which only right and wrong is known: 1 where more than half of the weight is wrong.

    Exactly half is ½, what a tossed coin would cost; nan stays nan.

    Parameters
    ----------
    share : from `wrong_share`.
    """
    half = np.isclose(share, 0.5, rtol=0, atol=1e-12)
    return np.where(np.isnan(share), np.nan, np.where(half, 0.5, share > 0.5))


def arithmetic(
    probabilities: Float[np.ndarray, "m n c"], weights: Float[np.ndarray, "m ..."] | None = None
) -> Float[np.ndarray, "n c"]:
    """Weighted mean of the probabilities; the mixture of the models where the weights are their probabilities."""
    m, n, c = probabilities.shape
    spread = _spread(weights, m)
    mixed = np.zeros((n, c))
    for model, weight in zip(probabilities, spread / spread.sum(axis=0), strict=True):
        mixed += model * weight[:, None]
    return mixed


def geometric(
    probabilities: Float[np.ndarray, "m n c"],
    weights: Float[np.ndarray, "m ..."] | None = None,
    bias: Float[np.ndarray, " c"] | None = None,
) -> Float[np.ndarray, "n c"]:
    """Normalized product of powers of the probabilities: a weighted mean of their logarithms, plus a bias per class.

    Parameters
    ----------
    probabilities : raised to 1e-12.
    weights : the powers, one per model or one per model and class; 1/m each where None. They may be negative and need
        not sum to 1.
    """
    m, n, c = probabilities.shape
    powers = np.full(m, 1 / m) if weights is None else weights
    mixed = np.zeros((n, c))
    for model, power in zip(probabilities, powers, strict=True):
        if np.any(power):
            mixed += power * np.log(np.maximum(model, SMALLEST))
    return softmax(mixed if bias is None else mixed + bias, axis=1)


def log_odds(errors: Float[np.ndarray, " m"], classes: int = 2) -> Float[np.ndarray, " m"]:
    """Weights with which a vote of independent models is most often right: log((1 − e)/e) + log(classes − 1).

    At least 0; a model that does no better than guessing has none. Source: Nitzan and Paroush 1982.
    """
    odds = np.log((1 - errors) / errors) + np.log(max(classes - 1, 1))
    weights: Float[np.ndarray, " m"] = np.maximum(odds, 0.0)
    return weights if weights.any() else np.ones(len(errors))


def stack(
    probabilities: Float[np.ndarray, "m n c"], labels: Int[np.ndarray, " n"], ridge: float = RIDGE
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " c"]]:
    """Powers and class biases with which `geometric` has the lowest log-loss: multinomial logistic regression.

    One power per model, not one per model and class, so that a few hundred instances are enough.

    Parameters
    ----------
    probabilities : on instances that the models were not trained on (cross-fitted).
    ridge : how strongly powers are held at 1/m and biases at 0; number of standard normal priors.

    Source: Wolpert 1992; the logarithmic pool: Genest and Zidek 1986.
    """
    m, n, c = probabilities.shape
    logs = np.log(np.maximum(probabilities, SMALLEST)).astype(np.float64)
    true = logs[:, np.arange(n), labels].sum(axis=1)
    frequency = np.bincount(labels, minlength=c)
    start = np.append(np.full(m, 1 / m), np.zeros(c))

    def loss(values: Float[np.ndarray, " p"]) -> tuple[float, Float[np.ndarray, " p"]]:
        scores = np.tensordot(values[:m], logs, 1) + values[m:]
        normal = log_softmax(scores, axis=1)
        pooled = np.exp(normal)
        deviation = values - start
        height = -normal[np.arange(n), labels].sum() + ridge / 2 * float(deviation @ deviation)
        models = np.tensordot(logs, pooled, ((1, 2), (0, 1))) - true
        return height / n, (np.append(models, pooled.sum(axis=0) - frequency) + ridge * deviation) / n

    optimum = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return optimum.x[:m], optimum.x[m:]


def temperature(probabilities: Float[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> float:
    """The number by which to divide log-probabilities for the lowest log-loss; above 1 they were overconfident.

    In [0.05, 20]. Source: Guo et al. 2017.
    """
    logs = np.log(np.maximum(probabilities, SMALLEST))

    def loss(log_temperature: float) -> float:
        normal = log_softmax(logs / np.exp(log_temperature), axis=1)
        return -float(normal[np.arange(len(labels)), labels].mean())

    optimum = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(optimum.x))


def cooled(probabilities: Float[np.ndarray, "n c"], by: float) -> Float[np.ndarray, "n c"]:
    """Probabilities whose logarithms are divided by a temperature, normalized again."""
    return np.asarray(softmax(np.log(np.maximum(probabilities, SMALLEST)) / by, axis=1))


def _spread(weights: Float[np.ndarray, "m ..."] | None, m: int) -> Float[np.ndarray, "m n1"]:
    """Weights with a column per instance, or with one column for all of them."""
    return np.ones((m, 1)) if weights is None else weights.reshape(m, -1).astype(np.float64)
