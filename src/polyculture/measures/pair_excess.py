"""Which models are more alike than the difficulty of the instances explains? A null that knows how hard each one is.

Given how many models fail on an instance, its difficulty drops out (conditional Rasch model, instances as persons and
models as items): only who fails is left, and each pair's joint failures have a known mean and variance. The pair counts
and the histogram of failure counts suffice, so nothing here looks at instances. Any null that keeps the failure counts
makes the excess of all pairs sum to zero: it tells which pairs are more alike than others, never how alike all are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

TOO_FEW = "fewer than three models both fail and succeed where some but not all of the others fail"
NOT_CONVERGED = "the models' error rates given difficulty have no finite estimate"
CLOSE = 3e-4
"""Log-odds closer than this take derivatives for differences: the quotient would lose its digits."""
ITERATIONS = 500
TOLERANCE = 1e-8
MAD_TO_SD = 1.4826


@dataclass(frozen=True, eq=False)
class PairExcess:
    """Joint failures of each pair beyond what the difficulty of the instances explains.

    Parameters
    ----------
    excess : observed minus expected joint failures as a share of all instances; sums to 0 over the pairs.
    z : the same in standard errors, asymptotically standard normal if models fail independently given difficulty.
    scaled : `z` over `scale`: keeps its level where the model is only roughly right (unequal discrimination).
    scale : spread of the bulk of the z, max(1, 1.4826 × median |z − median|): the empirical null (Efron 2004).
    ability : log-odds of failing at equal difficulty, mean 0; higher fails more; nan for models left out.
    n : instances on which some but not all (informative) models fail; only these say which models are alike.
    reason : why nothing is defined; empty otherwise.

    All matrices are nan on the diagonal and for models that were left out because they always fail or never do on
    those instances.
    """

    excess: Float[np.ndarray, "m m"]
    z: Float[np.ndarray, "m m"]
    scaled: Float[np.ndarray, "m m"]
    scale: float
    ability: Float[np.ndarray, " m"]
    n: int
    reason: str = ""


def pair_excess(both_wrong: Int[np.ndarray, "m m"], histogram: Int[np.ndarray, " m1"]) -> PairExcess:
    """How much more often each pair fails together than the difficulty of the instances explains.

    Takes O(m³), whatever the number of instances.

    Parameters
    ----------
    both_wrong : instances that both models fail; the diagonal holds each model's errors.
    histogram : instances on which exactly 0, 1, …, m models fail. Both from the same instances, answered by every
        model (`counts.count` and `systemic.systemic`).

    Fewer than three informative models, or no finite estimate: all nan, with a reason. Source: Rasch 1960; conditional
    maximum likelihood as in Andersen 1972.
    """
    m, total = len(both_wrong), int(histogram.sum())
    excess, z, scaled = np.full((3, m, m), np.nan)
    ability = np.full(m, np.nan)
    selected, joint, failing = _informative(both_wrong, histogram)
    n = int(failing.sum())
    if selected.sum() < 3:
        return PairExcess(excess, z, scaled, np.nan, ability, n, TOO_FEW)
    fitted = fit(np.diag(joint), failing)
    if fitted is None:
        return PairExcess(excess, z, scaled, np.nan, ability, n, NOT_CONVERGED)
    expected, variance = _moments(fitted, failing)
    off_diagonal = ~np.eye(len(fitted), dtype=bool)
    difference = np.where(off_diagonal, joint - expected, np.nan)
    # (X7): given the counts it can be settled which pairs fail together; a variance of rounding errors is no variance.
    usable = off_diagonal & (variance > 1e-9 * max(n, 1))
    scores = np.full(joint.shape, np.nan)
    np.divide(difference, np.sqrt(np.where(usable, variance, 1.0)), out=scores, where=usable)
    # (X9): median and MAD, as the pairs that are looked for must not widen their own yardstick.
    bulk = scores[np.triu(usable, 1)]
    scale = max(1.0, MAD_TO_SD * float(np.median(np.abs(bulk - np.median(bulk))))) if bulk.size else np.nan
    square = np.ix_(selected, selected)
    excess[square], z[square], scaled[square], ability[selected] = difference / total, scores, scores / scale, fitted
    return PairExcess(excess, z, scaled, scale, ability, n)


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
    # (X5): the ½ keeps the start finite where a model nearly always or never fails.
    b: Float[np.ndarray, " m"] = np.log((errors + 0.5) / (n - errors + 0.5))
    b -= b.mean()
    weights = failing.astype(float)
    for _ in range(ITERATIONS):
        rates = rates_given_count(b)
        gap = errors - rates @ weights
        if np.abs(gap).max() <= TOLERANCE * n:
            return b
        information = (rates * (1 - rates)) @ weights
        # (X5): b + constant fits as well as b: the full information matrix is singular, its diagonal is not.
        b = b + (m - 1) / m * np.clip(gap / np.maximum(information, 1e-12), -2, 2)
        b -= b.mean()
    return None


def rates_given_count(ability: Float[np.ndarray, " m"]) -> Float[np.ndarray, "m m1"]:
    """Probability that each model fails, given that 0, 1, …, m models do: each column sums to its count."""
    return _rates_and_slopes(ability)[0]


def joint_rates_given_count(ability: Float[np.ndarray, " m"]) -> Float[np.ndarray, "m m m1"]:
    """Probability that two models both fail, given that 0, 1, …, m models do; the diagonal holds the single rates."""
    rates, slopes = _rates_and_slopes(ability)
    share, slope = _mixture(ability)
    mixed = share[:, :, None] * rates[:, None] - slope[:, :, None] * slopes[:, None]
    joint: Float[np.ndarray, "m m m1"] = mixed + mixed.transpose(1, 0, 2)
    return joint


def log_symmetric(ability: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m1"]:
    """Logarithm of the elementary symmetric functions of exp(ability), of order 0 … m."""
    logs = np.full(len(ability) + 1, -np.inf)
    logs[0] = 0.0
    for order, b in enumerate(ability, start=1):
        logs[1 : order + 1] = np.logaddexp(logs[1 : order + 1], b + logs[:order])
    return logs


def _rates_and_slopes(ability: Float[np.ndarray, " m"]) -> tuple[Float[np.ndarray, "m m1"], Float[np.ndarray, "m m1"]]:
    """π_m|k and its derivative by the model's log-odds, the symmetric functions held fixed.

    π_k = r_k (1 − π_{k−1}) with r_k = ε γ_{k−1}/γ_k, which grows with k. Upwards the recursion damps errors while
    r < 1, downwards while r > 1: each side is computed in its own direction, and no digits are lost.
    """
    m = len(ability)
    logs = log_symmetric(ability)
    r = np.exp(np.clip(ability[:, None] + logs[:-1] - logs[1:], -700, 700))  # r[:, k − 1] is r_k
    rates, slopes = np.zeros((2, m, m + 1))
    rates[:, m] = 1.0
    # (X3): the two loops share the work; which of them computes a cell depends on where errors are damped.
    for k in range(1, m):
        increasing = r[:, k - 1] < 1
        rates[increasing, k] = r[increasing, k - 1] * (1 - rates[increasing, k - 1])
        slopes[increasing, k] = rates[increasing, k] - r[increasing, k - 1] * slopes[increasing, k - 1]
    for k in range(m, 1, -1):
        decreasing = r[:, k - 2] >= 1  # π_{k−1} belongs to the upper side
        q = rates[decreasing, k] / r[decreasing, k - 1]
        rates[decreasing, k - 1] = 1 - q
        slopes[decreasing, k - 1] = q - slopes[decreasing, k] / r[decreasing, k - 1]
    return np.clip(rates, 0, 1), slopes


def _mixture(ability: Float[np.ndarray, " m"]) -> tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "m m"]]:
    """How a pair's joint rate mixes its two single rates: π_ab = A_ab π_a + A_ba π_b − B_ab π'_a − B_ba π'_b.

    From P(only a)/P(only b) = ε_a/ε_b and P(only a) − P(only b) = π_a − π_b. B only serves pairs of (nearly) equal
    log-odds, for which the difference quotient of π turns into its derivative.
    """
    gap = ability[:, None] - ability[None, :]
    # (X4): −1/expm1(gap) is ε_b/(ε_b − ε_a), written so that small gaps lose no digits before they are close.
    close = np.abs(gap) < CLOSE
    divisor = np.where(close, 1.0, gap)
    share = np.where(close, 0.5, -1 / np.expm1(np.clip(divisor, -700, 700)))
    slope = np.where(close, 0.5 * (1 + gap**2 / 12), 0.0)
    np.fill_diagonal(slope, 0.0)
    return share, slope


def _moments(
    ability: Float[np.ndarray, " m"], failing: Int[np.ndarray, " m1"]
) -> tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "m m"]]:
    """Mean and variance of each pair's joint failures, the variance without what estimating their log-odds took.

    A joint rate is a mixture of single rates that is the same for every failure count, so sums over the counts are
    products of m × k matrices.
    """
    occurring = np.flatnonzero(failing)
    w = failing[occurring].astype(float)
    rates, slopes = (x[:, occurring] for x in _rates_and_slopes(ability))
    share, slope = _mixture(ability)
    # (X8): the weights of (X4) do not depend on k, so sums over k of products of joint rates are these three.
    P, D, PD = (rates * w) @ rates.T, (slopes * w) @ slopes.T, (rates * w) @ slopes.T
    p, d = rates @ w, slopes @ w

    expected = share * p[:, None] - slope * d[:, None]
    expected = expected + expected.T
    pp, dd, pd = np.diag(P)[:, None], np.diag(D)[:, None], np.diag(PD)[:, None]
    square = share**2 * pp - 2 * share * slope * pd + slope**2 * dd
    cross = share * share.T * P - share * slope.T * PD - slope * share.T * PD.T + slope * slope.T * D
    square = square + square.T + 2 * cross
    # Σ w π_ab π_a, for the covariance of a joint failure with a's own
    with_a = share * pp - slope * pd + share.T * P - slope.T * PD
    c = expected - with_a
    v = p - np.diag(P)
    cov = expected - P
    # (X7): what the pair's own two error counts explain of its joint failures, which fitting them took away.
    determinant = v[:, None] * v[None, :] - cov**2
    explained = c**2 * v[None, :] - 2 * c * c.T * cov + c.T**2 * v[:, None]
    fitted = np.divide(explained, determinant, out=np.zeros_like(explained), where=determinant > 0)
    variance = expected - square - fitted
    return expected, (variance + variance.T) / 2
