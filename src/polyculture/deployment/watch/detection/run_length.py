"""How long does a CUSUM run before it signals? Exact average run lengths, and the threshold for a promised one.

The score of a Bernoulli CUSUM rises by a fixed amount with every event and falls by another without one. On a lattice
both are whole numbers and the score is a finite Markov chain, so its average run length is the solution of a system of
linear equations (Brook and Evans 1972; Reynolds and Stoumbos 1999).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from polyculture.errors import InputError

FINEST, COARSEST = 128, 64
"""Steps of the lattice to an event's score: enough that rounding moves the rate aimed at by less than 1 %."""
LONGEST = 10**9
"""Longest average run length that a threshold is computed for."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """Scores of a CUSUM for a rise of a rate from `reference` to `shifted`, as whole numbers.

    Parameters
    ----------
    rise : added for an event.
    fall : subtracted without one; the score never falls below 0.
    unit : log likelihood ratio of one step.
    """

    rise: int
    fall: int
    unit: float

    @classmethod
    def of(cls, reference: float, shifted: float) -> Lattice:
        """The lattice whose ratio of rise to fall is nearest to that of the log likelihood ratios.

        Parameters
        ----------
        reference, shifted : rates in (0, 1), the second above the first.
        """
        if not 0 < reference < shifted < 1:
            raise InputError(f"rates {reference:g} and {shifted:g}", "0 < reference < shifted < 1")
        span = math.log(shifted / reference) + math.log1p(-reference) - math.log1p(-shifted)
        drift = (math.log1p(-reference) - math.log1p(-shifted)) / span
        if drift < 1 / COARSEST:
            steps, fall = max(2, round(1 / drift)), 1
        else:
            errors = {m: abs(round(drift * m) / m - drift) for m in range(COARSEST, FINEST + 1)}
            steps = min(errors, key=errors.__getitem__)
            fall = min(max(1, round(drift * steps)), steps - 1)
            divisor = math.gcd(steps, fall)
            steps, fall = steps // divisor, fall // divisor
        return cls(steps - fall, fall, span / steps)

    def steps(self, threshold: float) -> int:
        """A threshold in log likelihood ratios as a whole number of steps."""
        return max(1, round(threshold / self.unit))


def run_length(rate: float, lattice: Lattice, limit: int) -> float:
    """Average number of requests until the score, which starts at 0, reaches the limit.

    Parameters
    ----------
    rate : probability of an event, in (0, 1); requests are independent.
    limit : whole number of steps of the lattice, at least 1.
    """
    if lattice.fall == 1:
        return _skip_free(rate, lattice.rise, limit)
    from scipy.linalg import solve_banded

    rise, fall = min(lattice.rise, limit - 1), min(lattice.fall, limit - 1)
    bands: Float[np.ndarray, "b n"] = np.zeros((rise + fall + 1, limit))
    bands[rise] = 1.0
    if lattice.rise < limit:
        bands[0, rise:] -= rate
    states = np.arange(limit)
    targets = np.maximum(states - lattice.fall, 0)
    np.subtract.at(bands, (rise + states - targets, targets), 1 - rate)
    return float(solve_banded((fall, rise), bands, np.ones(limit))[0])


def _skip_free(rate: float, rise: int, limit: int) -> float:
    """The score falls by single steps: from the top state down, each run length is linear in that of the top."""
    slopes, offsets = np.zeros((2, limit + rise + 1))
    slopes[limit - 1] = 1.0
    for state in range(limit - 1, 0, -1):
        slopes[state - 1] = (slopes[state] - rate * slopes[state + rise]) / (1 - rate)
        offsets[state - 1] = (offsets[state] - 1 - rate * offsets[state + rise]) / (1 - rate)
    top = (1 - rate * (offsets[0] - offsets[rise])) / (rate * (slopes[0] - slopes[rise]))
    return float(slopes[0] * top + offsets[0])


@lru_cache(maxsize=4096)
def threshold_for(reference: float, shifted: float, requests: float) -> float:
    """Smallest threshold, in log likelihood ratios, with an average run length of at least that many requests.

    Parameters
    ----------
    reference, shifted : rates in (0, 1), the second above the first; false alarms are those at the reference rate.
    requests : average number of requests from one false alarm to the next, in [1, 1e9].

    Exact but for the rounding of the lattice, whose steps are taken upwards: there are never more false alarms than
    that. Raises InputError for rates that do not rise, and for a number of requests outside of its range.
    """
    if not 1 <= requests <= LONGEST:
        raise InputError(f"one false alarm per {requests:g} requests", f"a number from 1 to {LONGEST:g}")
    lattice = Lattice.of(reference, shifted)
    low, high = 0, 1
    while run_length(reference, lattice, high) < requests:
        # The run length grows like exp(threshold): the next guess is near, and the bracket is closed by halving.
        gap = math.log(requests / run_length(reference, lattice, high)) / lattice.unit
        low, high = high, high + max(1, math.ceil(1.02 * gap))
    while high - low > 1:
        middle = (low + high) // 2
        if run_length(reference, lattice, middle) < requests:
            low = middle
        else:
            high = middle
    return high * lattice.unit
