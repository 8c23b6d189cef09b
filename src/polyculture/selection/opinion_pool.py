"""How do several models become one? Means of probabilities, and fitted weights; arrays in, arrays out.

Weights are one per model, or one per model and instance where the choice depends on the instance.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from .mixture_weights import SMALLEST

BLOCK = 8192
"""Instances turned into logarithms at a time."""
RIDGE = 10.0
"""Strength of the stacking prior: number of standard normal priors around equal weights."""
COLDEST, HOTTEST = 0.05, 20.0


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
    """Powers, at least 0, and class biases with which `geometric` has the lowest log-loss: multinomial regression.

    One power per model, not one per model and class, so that a few hundred instances are enough.

    Parameters
    ----------
    probabilities : on instances that the models were not trained on (cross-fitted).
    ridge : how strongly powers are held at 1/m and biases at 0; number of standard normal priors.

    Source: Wolpert 1992; no negative powers: Breiman 1996; the logarithmic pool: Genest and Zidek 1986.
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

    bounds = [(0, None)] * m + [(None, None)] * c
    optimum = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200})
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
