"""How sure are we of a share? Intervals of counts out of n, and of the difference of two."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import betaincinv, ndtri, stdtrit

from .influence import FEW_DRAWS, StandardError, cluster_inflation, influence_interval
from .interval import Interval

ENOUGH = 20
"""Kish instances from which on the interval of fail@k covers."""


def jeffreys(successes: float | int, n: float | int, level: float = 0.95) -> Interval:
    """A share with the equal-tailed interval of its Beta(½, ½) posterior; 0 and 1 are included where observed.

    Counts may be fractions: ties that count half, instances divided by a design effect.
    """
    if n <= 0:
        return Interval.undefined("no instances")
    # (I8): the posterior never reaches 0 or 1, so an observed 0 or n would lie outside its own interval.
    a, b, tail = successes + 0.5, n - successes + 0.5, (1 - level) / 2
    low = float(betaincinv(a, b, tail)) if successes > 0 else 0.0
    high = float(betaincinv(a, b, 1 - tail)) if successes < n else 1.0
    return Interval(successes / n, low, high, level, round(n), "Jeffreys")


def share_interval(
    values: Shaped[np.ndarray, " n"], clusters: Shaped[np.ndarray, " n"] | None = None, level: float = 0.95
) -> Interval:
    """Mean of numbers from 0 to 1, such as right and wrong or a tie's ½, with Jeffreys limits that know of clusters.

    Parameters
    ----------
    values : one per instance.
    clusters : which instances were sampled together; each its own where None. Counts are then those of `effective_n`.
    """
    return _of_values(jeffreys, values, clusters, level)


def ceiling_interval(
    failed: Shaped[np.ndarray, " n"], clusters: Shaped[np.ndarray, " n"] | None = None, level: float = 0.95
) -> Interval:
    """`ceiling` from which instances every model fails, with limits that know of clusters as in `share_interval`."""
    limits = _of_values(ceiling, failed, clusters, level)
    return replace(limits, estimate=1 - float(np.mean(failed))) if len(failed) else limits


def _of_values(
    limits: Callable[[float, float, float], Interval],
    values: Shaped[np.ndarray, " n"],
    clusters: Shaped[np.ndarray, " n"] | None,
    level: float,
) -> Interval:
    """Limits of a share from one number per instance; counts are divided so that clusters are allowed for."""
    n = len(values)
    if n == 0:
        return Interval.undefined("no instances")
    mean = float(np.mean(values))
    if clusters is None:
        return limits(float(np.sum(values)), n, level)
    draws = len(np.unique(clusters))
    if draws < 2:
        return Interval(mean, level=level, n=n, reason=FEW_DRAWS)
    size = effective_n(values, clusters, level)
    interval = limits(mean * size, size, level)
    return replace(interval, estimate=mean, n=n, method=f"{interval.method}, {draws} clusters")


def effective_n(values: Shaped[np.ndarray, " n"], clusters: Shaped[np.ndarray, " n"], level: float = 0.95) -> float:
    """How many independent instances say as much of a share as these clusters do; at most the instances.

    Instances over their design effect, times (z/t)² with t at (clusters − 1) degrees of freedom, since the design
    effect is estimated. Where all values are equal it cannot be estimated, and a cluster counts as one instance.
    Source: Franco et al. 2019.
    """
    draws = len(np.unique(clusters))
    size = len(values) / design_effect(values, clusters) if np.ptp(np.asarray(values, dtype=float)) else float(draws)
    tail = 0.5 + level / 2
    return size * float(ndtri(tail) / stdtrit(draws - 1, tail)) ** 2


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """A share with its score interval (Wilson 1927)."""
    if n == 0:
        return Interval.undefined("no instances")
    z = float(ndtri(0.5 + level / 2))
    centre = (successes + z * z / 2) / (n + z * z)
    reach = z / (n + z * z) * math.sqrt(successes * (n - successes) / n + z * z / 4)
    low = max(0.0, centre - reach) if successes > 0 else 0.0
    high = min(1.0, centre + reach) if successes < n else 1.0
    return Interval(successes / n, low, high, level, n, "Wilson")


def newcombe(successes_1: int, n_1: int, successes_2: int, n_2: int, level: float = 0.95) -> Interval:
    """Difference of two independent shares, first minus second (Newcombe 1998, method 10)."""
    if n_1 == 0 or n_2 == 0:
        return Interval.undefined("no instances")
    first, second = wilson(successes_1, n_1, level), wilson(successes_2, n_2, level)
    gap = first.estimate - second.estimate
    # (I11): the distances to the limits that push the difference the same way, added as standard errors are.
    low = gap - math.hypot(first.estimate - first.low, second.high - second.estimate)
    high = gap + math.hypot(first.high - first.estimate, second.estimate - second.low)
    return Interval(gap, low, high, level, n_1 + n_2, "Newcombe")


def upper_limit(successes: float | int, n: float | int, level: float = 0.95) -> float:
    """One-sided upper limit of a share (Jeffreys): it is at most this, at `level`; nan without instances."""
    if n == 0:
        return math.nan
    return float(betaincinv(successes + 0.5, n - successes + 0.5, level)) if successes < n else 1.0


def ceiling(failures: float | int, n: float | int, level: float = 0.95) -> Interval:
    """The accuracy that no policy which returns one member's answer can beat: 1 − the share that every model fails.

    The estimate is reached by whoever always knows which member is right. Its upper limit is the certificate: one-sided
    at `level`, as only too low a ceiling would mislead; the lower limit is that of `jeffreys`.

    Parameters
    ----------
    failures : instances that every model fails, out of n.
    """
    if n == 0:
        return Interval.undefined("no instances")
    certified = float(betaincinv(failures + 0.5, n - failures + 0.5, 1 - level)) if failures else 0.0
    return Interval(1 - failures / n, 1 - jeffreys(failures, n, level).high, 1 - certified, level, round(n), "Jeffreys")


def fail_at_k_interval(
    values: Float[np.ndarray, " n"],
    kish: float,
    at_least_k: int,
    clusters: Shaped[np.ndarray, " n"] | None = None,
    level: float = 0.95,
) -> Interval:
    """How often k random different models all fail, as far as the data carry it.

    Where fewer than 20 (Kish) instances carry the rate there is only a one-sided upper limit: of the share of
    instances that k models or more fail, which bounds it. Where every set fails or none does (k = all models) the rate
    is a plain share and has its Jeffreys interval.

    Parameters
    ----------
    values : share of the sets of k models that all fail, on each instance.
    kish : instances that carry the rate.
    at_least_k : instances that k models or more fail.
    """
    n = len(values)
    if n == 0:
        return Interval.undefined("no instances")
    rate = float(values.mean())
    binary = bool(np.isin(values, (0.0, 1.0)).all())
    if binary and clusters is None:
        return jeffreys(round(rate * n), n, level)
    # (J3): Kish instances and not how many k models fail: a hundred of those can hang on eight.
    if kish >= ENOUGH:
        return influence_interval(rate, values - rate, clusters, level, logarithmic=True)
    reason = f"carried by {kish:.0f} instances, below {ENOUGH}: upper limit only"
    inflation = 1.0 if clusters is None else design_effect(values > 0, clusters)
    # Rounded up above and down below: an upper limit must not gain from rounding.
    high = upper_limit(math.ceil(at_least_k / inflation), max(1, math.floor(n / inflation)), level)
    return Interval(rate, math.nan, high, level, n, "one-sided Jeffreys limit of P(k or more fail)", reason)


def design_effect(indicator: Shaped[np.ndarray, " n"], clusters: Shaped[np.ndarray, " n"]) -> float:
    """How many times fewer instances there really are for a share, because clusters go together; at least 1."""
    centred = np.asarray(indicator, dtype=float) - float(np.mean(indicator))
    return cluster_inflation(StandardError.of(centred, clusters), StandardError.of(centred))
