"""Is it more than accident? Exact tests of many pairs at once, and what many tests at once do to p-values."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int
from scipy.special import bdtr, betaln, gammaln

PAIRS_PER_BLOCK = 8192
WIDE, NODES = 30.0, 24
"""Standard deviation from which on a tail is integrated, and the points of the integral."""
NOTHING = 1e-17
"""Share of a tail below which its next terms are not worth adding."""


def mcnemar(n10: Int[np.ndarray, "*pairs"], n01: Int[np.ndarray, "*pairs"]) -> Float[np.ndarray, "*pairs"]:
    """Two-sided mid-P that two models are equally accurate, from the instances on which only one of them is right.

    1 where there is no such instance. Source: Fagerland, Lydersen and Laake 2013.
    """
    fewer, n = np.minimum(n10, n01), n10 + n01
    # C(n, k) = 1/((n + 1) B(k + 1, n − k + 1)); in logarithms, as 2⁻ⁿ underflows from a thousand draws on.
    exactly = np.exp(-betaln(fewer + 1.0, n - fewer + 1.0) - np.log1p(n) - n * math.log(2))
    p: Float[np.ndarray, "*pairs"] = np.minimum(1.0, 2 * bdtr(fewer.astype(float), n, 0.5) - exactly)
    return np.asarray(p)


def co_failure(
    n: Int[np.ndarray, " k"],
    errors_a: Int[np.ndarray, " k"],
    errors_b: Int[np.ndarray, " k"],
    joint: Int[np.ndarray, " k"],
) -> Float[np.ndarray, " k"]:
    """One-sided mid-P of at least this many joint failures, if each pair's errors fell at random on their instances.

    Given the two error counts the joint failures are hypergeometric. Wide distributions are integrated (within 1e-6).

    Parameters
    ----------
    n, errors_a, errors_b, joint : common instances, the errors of the two models on them, and instances both fail.

    ½ where no other outcome is possible (a model is perfect or always wrong, no common instance).
    """
    p: Float[np.ndarray, " k"] = np.empty(len(n))
    for start in range(0, len(n), PAIRS_PER_BLOCK):
        block = slice(start, start + PAIRS_PER_BLOCK)
        p[block] = _upper_mid_p(*(x[block].astype(float) for x in (n, errors_a, errors_b, joint)))
    return p


def _upper_mid_p(
    n: Float[np.ndarray, " k"], a: Float[np.ndarray, " k"], b: Float[np.ndarray, " k"], x: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    """Sums outwards, away from the mean: the tail on the far side, else its complement."""
    # (P11): terms fall away from the mean, so summing outwards stops early and adds small numbers to larger ones.
    upwards = x * n >= a * b
    # counting what both get right instead turns the other tail into this one: b becomes n − b
    b, x = np.where(upwards, b, n - b), np.where(upwards, x, a - x)
    spread = np.sqrt(a * (n - a) * b * (n - b) / np.maximum(n, 1) ** 3)
    wide = spread > WIDE
    tail = np.empty_like(x)
    tail[~wide] = _summed_tail(n[~wide], a[~wide], b[~wide], x[~wide])
    tail[wide] = _integrated_tail((n[wide], a[wide], b[wide]), x[wide], spread[wide])
    p: Float[np.ndarray, " k"] = np.clip(np.where(upwards, tail, 1 - tail), 0, 1)
    return p


def _summed_tail(
    n: Float[np.ndarray, " k"], a: Float[np.ndarray, " k"], b: Float[np.ndarray, " k"], x: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    """P(more than x) + P(x)/2 of hypergeometric counts, term by term until nothing is added."""
    density = np.exp(_log_pmf((n, a, b), x))
    tail: Float[np.ndarray, " k"] = density / 2
    term, position = density.copy(), x.copy()
    active = np.flatnonzero(term > 0)
    while len(active):
        N, A, B, k = n[active], a[active], b[active], position[active]
        term[active] *= (A - k) * (B - k) / ((k + 1) * (N - A - B + k + 1))
        tail[active] += term[active]
        position[active] += 1
        active = active[term[active] > NOTHING * tail[active]]
    return tail


def _integrated_tail(
    counts: tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], Float[np.ndarray, " k"]],
    x: Float[np.ndarray, " k"],
    spread: Float[np.ndarray, " k"],
) -> Float[np.ndarray, " k"]:
    """The same for wide distributions, as an integral (Euler and Maclaurin: less a twelfth of the slope at x)."""
    n, a, b = counts
    distance = (x - a * b / n) / spread
    length = np.minimum((np.sqrt(distance**2 + 80) - distance) * spread, np.minimum(a, b) - x)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    # (P11): a standard deviation above 30 means hundreds of terms; 24 nodes of a smooth integrand do the same.
    integral = np.zeros_like(x)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        integral += weight * np.exp(_log_pmf(counts, x + node * length))
    slope = np.exp(_log_pmf(counts, np.minimum(x + 1, np.minimum(a, b)))) - np.exp(_log_pmf(counts, x))
    tail: Float[np.ndarray, " k"] = integral * length - slope / 12
    return tail


def _log_pmf(
    counts: tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], Float[np.ndarray, " k"]], x: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    n, a, b = counts
    logs: Float[np.ndarray, " k"] = _log_choose(a, x) + _log_choose(n - a, b - x) - _log_choose(n, b)
    return logs


def _log_choose(total: Float[np.ndarray, " k"], k: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    logs: Float[np.ndarray, " k"] = gammaln(total + 1) - gammaln(k + 1) - gammaln(total - k + 1)
    return logs


def benjamini_hochberg(p: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """p-values adjusted for the false discovery rate: reject those at most q; nan stays nan and is not counted.

    Source: Benjamini and Hochberg 1995.
    """
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested])]
    # (I12): running minimum from the largest p, so that a smaller p never gets the larger adjusted value.
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return adjusted
