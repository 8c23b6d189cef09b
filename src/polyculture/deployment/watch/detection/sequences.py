"""How sure are we of a rate while we keep looking? Confidence sequences: intervals that hold at every time of looking.

A rate is bounded by Robbins' mixture (Robbins 1970): the likelihood ratio of a Beta mixture against a rate is a
martingale if that is the rate, and exceeds 1/α ever with probability at most α (Ville 1939). The mean of a difference
of outcomes, which is −1, 0 or 1, is bounded by bets in the same way (Waudby-Smith and Ramdas 2024). Both follow from
counts alone: they can be added up over workers, and computed when somebody looks.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Num
from scipy.special import betaln, xlog1py, xlogy

from polyculture.errors import InputError
from polyculture.stats import Interval

_STAKES = np.geomspace(0.002, 0.98, 20)
"""Shares of the capital that are bet; the mixture does about as well as the best of them."""
_HALVINGS = 40
RATE_METHOD = "confidence sequence, Beta mixture"
DIFFERENCE_METHOD = "confidence sequence, betting"


def rate_evidence(
    successes: Num[np.ndarray, ...] | float, n: Num[np.ndarray, ...] | float, rate: Num[np.ndarray, ...] | float
) -> Float[np.ndarray, ...]:
    """Log of the evidence against a rate after n trials; it ever exceeds log(1/α) with probability at most α.

    Parameters
    ----------
    successes, n : counts, of any common shape.
    rate : in [0, 1].
    """
    failures = np.asarray(n) - successes
    mixture = betaln(np.asarray(successes) + 0.5, failures + 0.5) - betaln(0.5, 0.5)
    evidence: Float[np.ndarray, ...] = mixture - xlogy(successes, rate) - xlog1py(failures, -np.asarray(rate))
    return evidence


def rate_sequence(successes: int, n: int, level: float = 0.95) -> Interval:
    """A rate with limits that hold at every time of looking.

    Parameters
    ----------
    successes, n : events and trials so far.
    level : in (0, 1); with this probability the limits hold at all times together.

    The trials are a stream whose rate stays the same; after a change start a new one. Source: Robbins 1970.
    """
    _check(level, 0 <= successes <= n, f"{successes} events in {n} trials")
    if n == 0:
        return Interval(math.nan, 0.0, 1.0, level, 0, RATE_METHOD, "no labels")
    estimate, bound = successes / n, -math.log1p(-level)
    mixture, failures = float(rate_evidence(successes, n, 0.5)) + n * math.log(0.5), n - successes

    def excluded(rate: float) -> bool:
        return mixture - successes * math.log(rate) - failures * math.log1p(-rate) > bound

    low = _root(excluded, 0.0, estimate) if successes else 0.0
    high = _root(excluded, 1.0, estimate) if failures else 1.0
    return Interval(estimate, low, high, level, n, RATE_METHOD)


def difference_evidence(
    gains: Num[np.ndarray, ...] | float,
    losses: Num[np.ndarray, ...] | float,
    n: Num[np.ndarray, ...] | float,
    mean: float,
) -> Float[np.ndarray, ...]:
    """Log evidence that the mean of differences is above this one; that it is below, with gains and losses exchanged.

    If it is not above, this ever exceeds log(1/α) with probability at most α.

    Parameters
    ----------
    gains, losses : how many of the n differences are +1, and −1; the others are 0.
    mean : in (−1, 1).
    """
    gains, losses = np.asarray(gains)[..., None], np.asarray(losses)[..., None]
    ties = np.asarray(n)[..., None] - gains - losses
    # A bet of the share k of the capital on (1 + d)/(1 + mean), whose expectation is 1 at that mean.
    factors = [np.log1p(_STAKES * ((1 + d) / (1 + mean) - 1)) for d in (1, 0, -1)]
    logs = gains * factors[0] + ties * factors[1] + losses * factors[2]
    top = logs.max(axis=-1, keepdims=True)
    evidence: Float[np.ndarray, ...] = top[..., 0] + np.log(np.exp(logs - top).mean(axis=-1))
    return evidence


def difference_sequence(gains: int, losses: int, n: int, level: float = 0.95) -> Interval:
    """The mean of differences that are −1, 0 or 1, with limits that hold at every time of looking.

    Parameters
    ----------
    gains, losses : how many of the n differences are +1, and −1.
    level : in (0, 1); with this probability the limits hold at all times together.

    In [−1, 1]. Source: Waudby-Smith and Ramdas 2024, section 4, with a mixture of bets.
    """
    _check(level, min(gains, losses) >= 0 and gains + losses <= n, f"{gains} and {losses} of {n} differences")
    if n == 0:
        return Interval(math.nan, -1.0, 1.0, level, 0, DIFFERENCE_METHOD, "no labels")
    estimate, bound = (gains - losses) / n, math.log(2 / (1 - level))
    low = _root(lambda mean: float(difference_evidence(gains, losses, n, mean)) > bound, -1.0, estimate)
    high = -_root(lambda mean: float(difference_evidence(losses, gains, n, mean)) > bound, -1.0, -estimate)
    return Interval(estimate, low, high, level, n, DIFFERENCE_METHOD)


def gain_over_best(
    gains: Num[np.ndarray, " m"], losses: Num[np.ndarray, " m"], n: Num[np.ndarray, " m"], level: float = 0.95
) -> Interval:
    """Error of the best single member minus error of the combination, at every time of looking.

    Parameters
    ----------
    gains : instances on which the combination is right and the member is wrong.
    losses : instances on which it is the other way round.
    n : labelled instances that the member answered.

    Which member is the best need not be known: the gain over it is the least of the gains over all, whose limits hold
    together (each at 1 − α/m).
    """
    gains, losses, n = (np.asarray(x).astype(int).tolist() for x in (gains, losses, n))
    if not n or min(n) == 0:
        return Interval(math.nan, -1.0, 1.0, level, 0, DIFFERENCE_METHOD, "no labels for some member")
    level_each = 1 - (1 - level) / len(n)
    limits = [difference_sequence(g, l, k, level_each) for g, l, k in zip(gains, losses, n, strict=True)]
    estimate, low, high = (min(getattr(i, name) for i in limits) for name in ("estimate", "low", "high"))
    return Interval(estimate, low, high, level, min(n), DIFFERENCE_METHOD)


def _check(level: float, consistent: bool, counts: str) -> None:
    if not 0 < level < 1:
        raise InputError(f"level {level}", "a confidence level between 0 and 1, such as 0.95")
    if not consistent:
        raise InputError(counts, "counts that add up")


def _root(excluded: Callable[[float], bool], excluded_end: float, included: float) -> float:
    """The limit between a value that may be excluded and one that is not, by halving; on the safe side."""
    for _ in range(_HALVINGS):
        middle = (excluded_end + included) / 2
        if middle in (excluded_end, included):
            break
        excluded_end, included = (middle, included) if excluded(middle) else (excluded_end, middle)
    return excluded_end
