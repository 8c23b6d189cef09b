"""With which weights has the mean of several predictions the least squared error? A quadratic programme, solved."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import solve_triangular
from scipy.optimize import nnls

PULL = 10.0
"""Weights are shrunk to equal ones with this number of pseudo-instances: the penalty is PULL/n × squared distance."""
LIGHTEST = 0.01
"""A member with less than this share of the heaviest weight is dropped."""


def average_weights(
    errors: Float[np.ndarray, "m n"], counts: Float[np.ndarray, " n"], pull: float = PULL
) -> Float[np.ndarray, " m"]:
    """Weights on the simplex with which the mean of the predictions has the lowest squared error, exactly.

    Parameters
    ----------
    errors : predicted less true.
    counts : how much each instance counts, at least 0.
    pull : number of pseudo-instances of equal weights.
    """
    return moment_weights((errors * (counts / counts.sum())) @ errors.T, float(counts.sum()), pull)


def moment_weights(moments: Float[np.ndarray, "m m"], count: float, pull: float = PULL) -> Float[np.ndarray, " m"]:
    """The same from the second moments of the errors, Σ e_a e_b / n, of `count` instances.

    min wᵀGw for the moments G, shrunk to equal weights by pull/n of the mean squared error. Equal weights where no
    model errs. Source: Breiman 1996 (stacked regressions); Krogh and Vedelsby 1995 for why uncorrelated errors earn
    weight.
    """
    m = len(moments)
    size = float(np.trace(moments)) / m
    if size == 0:
        return np.full(m, 1 / m)
    penalized = moments + size * max(pull / count, 1e-9) * np.eye(m)
    lower = np.linalg.cholesky(penalized)
    solution, _ = nnls(lower.T, solve_triangular(lower, np.ones(m), lower=True))
    return np.asarray(solution / solution.sum())


def without_the_lightest(
    fit: Callable[[Int[np.ndarray, " k"]], Float[np.ndarray, " k"]],
    eligible: Bool[np.ndarray, " m"],
    losses: Float[np.ndarray, " m"],
    size: int | None,
) -> Float[np.ndarray, " m"]:
    """Weights of the eligible candidates; the lightest is dropped and the others refitted until none is negligible."""
    members = np.flatnonzero(eligible) if eligible.any() else np.array([int(losses.argmin())])
    while True:
        weights = fit(members)
        light = int(weights.argmin())
        if len(members) == 1 or (len(members) <= (size or len(members)) and weights[light] >= LIGHTEST * weights.max()):
            break
        members = np.delete(members, light)
    result = np.zeros(len(eligible))
    result[members] = np.maximum(weights, np.finfo(float).tiny)
    return result
