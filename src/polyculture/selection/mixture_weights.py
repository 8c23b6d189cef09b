"""What weight should each model have in a mixture? The weights that make the truth most probable, exactly.

The mean log-probability of the truth under Σ_m w_m p_m is concave in the weights, so there is one best value. A few
steps of expectation-maximization lead close, Newton steps within the simplex lead there, and the optimality conditions
say how far from the best the result can still be. Optimal weights are sparse: most models get none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import solve_triangular
from scipy.optimize import nnls

from polyculture.errors import InputError

SMALLEST = 1e-12
"""Probabilities are raised to this before their logarithm is taken."""
TOLERANCE = 1e-6
FIRST_STEPS = 10
MOST_STEPS = 200
NEGLIGIBLE = 1e-8
"""Weights below this are set to zero."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """Weights of the models, and how near they are to the optimum.

    Parameters
    ----------
    weights : at least 0, sum 1.
    log_loss : mean −log of the mixture's probability of the truth, in nats, on the instances they were fitted on.
    gap : by at most this much could the objective (log-loss, and the prior where there is one) still be lower.
    steps : taken, of both kinds.
    """

    weights: Float[np.ndarray, " m"]
    log_loss: float
    gap: float
    steps: int


def mixture_weights(
    truth: Float[np.ndarray, "m n"],
    prior: float = 0.0,
    counts: Float[np.ndarray, " n"] | None = None,
    tolerance: float = TOLERANCE,
) -> Mixture:
    """The weights with which the mixture of the models has the lowest log-loss on these instances.

    Parameters
    ----------
    truth : probability that each model gives to the truth, in [0, 1]; raised to 1e-12.
    prior : Dirichlet(1 + prior) on the weights, as if every model alone had been right on that many more instances;
        0 is none. The larger, the nearer to equal weights.
    counts : how much each instance counts, at least 0; 1 each where None.
    tolerance : stop when nothing could lower the objective by more than this.

    The gap is max_m mean(p_m / mixture) − 1, which is 0 at the optimum and bounds the distance to it (Karush, Kuhn and
    Tucker). Source: the steps as in Kim, Carbonetto, Stephens and Anitescu 2020.
    """
    m, n = truth.shape
    likelihood, count = _evidence(truth, prior, np.ones(n) if counts is None else counts)
    weights, steps = np.full(m, 1 / m), 0
    mixed = weights @ likelihood
    slope = likelihood @ (count / mixed)
    while slope.max() - 1 > tolerance and steps < MOST_STEPS:
        weights = weights * slope if steps < FIRST_STEPS else _newton(likelihood, count, weights, slope)
        weights = weights / weights.sum()
        mixed = weights @ likelihood
        slope = likelihood @ (count / mixed)
        steps += 1
    if prior == 0:
        weights = np.where(weights < NEGLIGIBLE, 0.0, weights)
    gap = max(0.0, float(slope.max()) - 1)
    share = count[:n] / count[:n].sum()
    return Mixture(weights / weights.sum(), -float(share @ np.log(mixed[:n])), gap, steps)


def _evidence(
    truth: Float[np.ndarray, "m n"], prior: float, counts: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "m e"], Float[np.ndarray, " e"]]:
    """Probabilities of what was seen, the prior's instances included, and the share of each."""
    if not counts.sum() > 0:
        raise InputError("weights from no instances", "one instance or more")
    if not np.isfinite(truth).all():
        raise InputError("a probability that is not a number", "probabilities of every model on every instance")
    if prior < 0:
        raise InputError(f"a prior of {prior}", "0 or more instances")
    likelihood = np.maximum(truth, SMALLEST).astype(np.float64)
    if prior > 0:
        likelihood = np.hstack([likelihood, np.eye(len(truth))])
        counts = np.append(counts, np.full(len(truth), prior))
    return likelihood, counts / counts.sum()


def _newton(
    likelihood: Float[np.ndarray, "m n"],
    count: Float[np.ndarray, " n"],
    weights: Float[np.ndarray, " m"],
    slope: Float[np.ndarray, " m"],
) -> Float[np.ndarray, " m"]:
    """One Newton step, shortened until it lowers the objective; a step of expectation-maximization where none does."""
    mixed = weights @ likelihood
    scaled = likelihood * (np.sqrt(count) / mixed)
    curvature = scaled @ scaled.T
    curvature[np.diag_indices_from(curvature)] += 1e-10 * np.trace(curvature) / len(weights)
    upper = np.linalg.cholesky(curvature).T
    target = solve_triangular(upper, 2 * slope - 1, trans="T")
    direction = nnls(upper, target)[0] - weights
    change = (1 - slope) @ direction
    height = -count @ np.log(mixed) + weights.sum()
    along, length = direction @ likelihood, 1.0
    while length > 1e-4:
        step_mix = mixed + length * along
        candidate: Float[np.ndarray, " m"] = weights + length * direction
        if step_mix.min() > 0 and -count @ np.log(step_mix) + candidate.sum() <= height + 0.1 * length * change:
            return candidate
        length /= 2
    return np.asarray(weights * slope)
