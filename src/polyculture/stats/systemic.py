"""How often would all models fail together by accident? The exact null of the number of systemic failures."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln

NEGLIGIBLE = 1e-18
"""Tail probability that the exact tests leave out at each step."""


def systemic_pmf(errors: Int[np.ndarray, "s m"], sizes: Int[np.ndarray, " s"]) -> Float[np.ndarray, " k"]:
    """Chance that 0, 1, 2, … instances are failed by all models, if each spread its errors at random in each stratum.

    Exact, without simulation: the instances failed by the first j + 1 models are a hypergeometric draw from those
    failed by the first j. Leaves out tails, and strata with an expected number, below 1e-18.

    Parameters
    ----------
    errors : errors of each model in each stratum.
    sizes : instances in each stratum.
    """
    low, pmf = 0, np.ones(1)
    log_factorial = gammaln(np.arange(int(sizes.max(initial=0)) + 1) + 1.0)
    # Markov: P(X ≥ 1) ≤ E X, so strata that expect fewer than 1e-18 cannot change the result.
    expected = sizes * (errors / sizes[:, None]).prod(axis=1)
    # (S6): the order of the models does not matter to X; from the fewest errors on, sequences are shortest.
    for ks, n in zip(errors[expected > NEGLIGIBLE], sizes[expected > NEGLIGIBLE], strict=True):
        shift, part = _chain(np.sort(ks), int(n), log_factorial)
        low, pmf = _trim(low + shift, np.convolve(pmf, part))
    return np.concatenate([np.zeros(low), pmf / pmf.sum()])


def _chain(
    errors: Int[np.ndarray, " m"], n: int, log_factorial: Float[np.ndarray, " f"]
) -> tuple[int, Float[np.ndarray, " k"]]:
    """Smallest likely number of joint failures in one stratum, and the probabilities from there on."""

    def log_choose(total: int, selected: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        logs: Float[np.ndarray, " k"] = log_factorial[total] - log_factorial[selected] - log_factorial[total - selected]
        return logs

    low, pmf = int(errors[0]), np.ones(1)
    for k in map(int, errors[1:]):
        high = low + len(pmf) - 1
        if high == 0:
            break
        if k == n:
            continue
        # P(x | X) = C(k, x) C(n − k, X − x) / C(n, X): taken apart, a correlation over X − x. The slope keeps its
        # parts within floating-point range and cancels in the product.
        first, last = _likely(low, high, k, n)
        current, remaining = np.arange(low, high + 1), np.arange(first, last + 1)
        typical = min(max(low * (n - k) / n, 0.5), n - k - 0.5)
        slope = math.log((n - k - typical) / typical)
        source = np.log(pmf) - log_choose(n, current) + slope * current
        differences = np.arange(low - last, high - first + 1)
        possible = (differences >= 0) & (differences <= n - k)
        kernel = np.full(len(differences), -np.inf)
        kernel[possible] = log_choose(n - k, differences[possible]) - slope * differences[possible]
        joint = np.correlate(np.exp(kernel - kernel.max()), np.exp(source - source.max()), mode="valid")[::-1]
        positive = joint > 0
        target = np.full(len(remaining), -np.inf)
        target[positive] = np.log(joint[positive]) + log_choose(k, remaining[positive]) - slope * remaining[positive]
        pmf = np.exp(target - target.max())
        low, pmf = _trim(first, pmf / pmf.sum())
    return low, pmf


def _likely(low: int, high: int, k: int, n: int) -> tuple[int, int]:
    """Range that a hypergeometric draw of k in n leaves with negligible chance, from low … high marked ones.

    Bernstein's bound, which also holds without replacement.
    """
    bound = -math.log(NEGLIGIBLE)

    def reach(marked: int) -> float:
        variance = marked * (k / n) * (1 - k / n)
        return bound / 3 + math.sqrt(bound**2 / 9 + 2 * bound * variance)

    first = max(0, low + k - n, math.floor(low * k / n - reach(low)))
    return first, min(high, k, math.ceil(high * k / n + reach(high)))


def _trim(low: int, pmf: Float[np.ndarray, " k"]) -> tuple[int, Float[np.ndarray, " t"]]:
    """Without the ends that hold negligible probability."""
    first = int(np.searchsorted(np.cumsum(pmf), NEGLIGIBLE))
    last = len(pmf) - int(np.searchsorted(np.cumsum(pmf[::-1]), NEGLIGIBLE))
    return low + first, pmf[first:last]


def systemic_p(failures: int, pmf: Float[np.ndarray, " k"]) -> float:
    """One-sided mid-P of at least this many systemic failures under `systemic_pmf`; 0 means below 1e-18."""
    point = float(pmf[failures]) if failures < len(pmf) else 0.0
    return min(1.0, float(pmf[failures + 1 :].sum()) + point / 2)
