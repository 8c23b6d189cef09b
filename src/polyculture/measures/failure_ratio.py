"""How many times more often do all models fail together than if each failed at its own rate? With its influence values.

The ratio of outcome homogenization of Bommasani et al. (2022), of all instances or of one group of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True, eq=False)
class FailureRatio:
    """Joint failures against independence.

    Parameters
    ----------
    observed : share of instances that every model fails.
    expected : the product of the models' error rates: that share if they failed independently.
    ratio : observed over expected, at least 0; nan where a model is never wrong.
    influence : effect of each instance on the ratio.
    """

    observed: float
    expected: float
    ratio: float
    influence: Float[np.ndarray, " n"]


def failure_ratio(wrong: Bool[np.ndarray, "m n"]) -> FailureRatio:
    """Observed over expected joint failures on instances that every model answered, one or more.

    Source: Bommasani et al. 2022, systemic failure rate over its expectation under independence.
    """
    failed, rates = wrong.all(axis=0), wrong.mean(axis=1)
    observed, expected = float(failed.mean()), float(rates.prod())
    if not expected > 0:
        return FailureRatio(observed, expected, math.nan, np.zeros(wrong.shape[1]))
    # The logarithm of a product of rates moves by the sum of their relative deviations, which takes the models' own
    # difficulty on these instances off the joint failures.
    relative = (wrong / rates[:, None] - 1).sum(axis=0)
    influence = (failed - observed) / expected - observed / expected * relative
    return FailureRatio(observed, expected, observed / expected, influence)
