"""How able is each model, whatever the difficulty of the instances is? Conditional Rasch model.

Instances stand in the place of persons, models in that of items. Given how many models fail on an instance its
difficulty drops out: only who fails is left. Joint failure counts and the histogram of failures suffice.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

TOO_FEW = "fewer than three models both fail and succeed where some but not all of the others fail"
NOT_CONVERGED = "the models' error rates given difficulty have no finite estimate"
ITERATIONS = 500
TOLERANCE = 1e-8


def ability(
    both_wrong: Int[np.ndarray, "m m"], histogram: Int[np.ndarray, " m1"]
) -> tuple[Float[np.ndarray, " m"], str]:
    """Log-odds of failing at equal difficulty, mean 0 (higher fails more), and why there are none (else empty).

    Parameters
    ----------
    both_wrong : instances that both models fail; the diagonal holds each model's errors.
    histogram : instances on which exactly 0, 1, …, m models fail. Both from the same instances, answered by every
        model (`counts.count` and `systemic.systemic`).

    nan for models that always fail, or never do, where some but not all models fail. Source: Rasch 1960; conditional
    maximum likelihood as in Andersen 1972.
    """
    abilities: Float[np.ndarray, " m"] = np.full(len(both_wrong), np.nan)
    selected, joint, failing = _informative(both_wrong, histogram)
    if selected.sum() < 3:
        return abilities, TOO_FEW
    fitted = fit(np.diag(joint), failing)
    if fitted is None:
        return abilities, NOT_CONVERGED
    abilities[selected] = fitted
    return abilities, ""


def _informative(
    both_wrong: Int[np.ndarray, "m m"], histogram: Int[np.ndarray, " m1"]
) -> tuple[Bool[np.ndarray, " m"], Int[np.ndarray, "k k"], Int[np.ndarray, " k1"]]:
    """Models that neither always fail nor never do where some but not all fail, and the counts on those instances.

    Leaving a model out can make others uninformative, so it repeats until none is.
    """
    selected = np.ones(len(both_wrong), dtype=bool)
    joint, failing = both_wrong.astype(np.int64), histogram.astype(np.int64)
    while True:
        joint = joint - failing[-1]
        failing = failing.copy()
        failing[0] = failing[-1] = 0
        errors, n = np.diag(joint), int(failing.sum())
        never_wrong, always_wrong = errors <= 0, errors >= n
        out = never_wrong | always_wrong
        if n == 0 or out.all():
            return np.zeros(len(selected), dtype=bool), joint[:0, :0], failing[:1]
        if not out.any():
            return selected, joint, failing
        selected[np.flatnonzero(selected)[out]] = False
        joint = joint[np.ix_(~out, ~out)]
        low, high = int(always_wrong.sum()), len(failing) - int(never_wrong.sum())
        failing = failing[low:high]


def fit(errors: Int[np.ndarray, " m"], failing: Int[np.ndarray, " m1"]) -> Float[np.ndarray, " m"] | None:
    """Log-odds of failing at equal difficulty, by conditional maximum likelihood; None where it does not exist.

    Parameters
    ----------
    errors : of each model, where some but not all fail.
    failing : instances on which 0, 1, …, m models fail; none at the ends.

    Newton steps with the diagonal of the information, which is a graph Laplacian: (m − 1)/m of a step converges.
    """
    m, n = len(errors), failing.sum()
    # (X13): the ½ keeps the start finite where a model nearly always or never fails.
    b: Float[np.ndarray, " m"] = np.log((errors + 0.5) / (n - errors + 0.5))
    b -= b.mean()
    weights = failing.astype(float)
    for _ in range(ITERATIONS):
        rates = rates_given_count(b)
        gap = errors - rates @ weights
        if np.abs(gap).max() <= TOLERANCE * n:
            return b
        information = (rates * (1 - rates)) @ weights
        # (X13): b + constant fits as well as b: the full information matrix is singular, its diagonal is not.
        b = b + (m - 1) / m * np.clip(gap / np.maximum(information, 1e-12), -2, 2)
        b -= b.mean()
    return None


def log_symmetric(ability: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m1"]:
    """Logarithm of the elementary symmetric functions of exp(ability), of order 0 … m."""
    logs = np.full(len(ability) + 1, -np.inf)
    logs[0] = 0.0
    for order, b in enumerate(ability, start=1):
        logs[1 : order + 1] = np.logaddexp(logs[1 : order + 1], b + logs[:order])
    return logs


def rates_given_count(ability: Float[np.ndarray, " m"]) -> Float[np.ndarray, "m m1"]:
    """Probability that each model fails, given that 0, 1, …, m models do: each column sums to its count.

    π_k = r_k (1 − π_{k−1}) with r_k = ε γ_{k−1}/γ_k, which grows with k. Upwards the recursion damps errors while
    r < 1, downwards while r > 1: each side is computed in its own direction, and no digits are lost.
    """
    m = len(ability)
    logs = log_symmetric(ability)
    r = np.exp(np.clip(ability[:, None] + logs[:-1] - logs[1:], -700, 700))  # r[:, k − 1] is r_k
    rates = np.zeros((m, m + 1))
    rates[:, m] = 1.0
    # (X12): the two loops share the work; which of them computes a cell depends on where errors are damped.
    for k in range(1, m):
        increasing = r[:, k - 1] < 1
        rates[increasing, k] = r[increasing, k - 1] * (1 - rates[increasing, k - 1])
    for k in range(m, 1, -1):
        decreasing = r[:, k - 2] >= 1  # π_{k−1} belongs to the upper side
        rates[decreasing, k - 1] = 1 - rates[decreasing, k] / r[decreasing, k - 1]
    return np.clip(rates, 0, 1)
