"""Are better models more alike? Only beyond what hard instances and wrong labels alone produce.

Instance difficulty alone makes κ fall with accuracy; 3 % wrong labels alone make it rise from 0 to .74. So the joint
failures of the strong models are compared with nulls that have difficulty, and with nulls that have wrong labels too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import brentq
from scipy.special import expit, ndtr, ndtri

from .rasch import log_symmetric

NODES, MASS = np.polynomial.hermite_e.hermegauss(41)
MASS = MASS / MASS.sum()
LEGENDRE = np.polynomial.legendre.leggauss(24)
MOST_SPREAD = 6.0
"""Largest standard deviation of difficulty, in logits, that is looked for."""


@dataclass(frozen=True)
class JointFailureExcess:
    """How much more often the strong models fail together than a null says.

    Parameters
    ----------
    observed, expected : mean joint failure rate of their pairs (corrected for wrong labels), and under the null.
    spread : standard deviation of instance difficulty in logits; nan where the null does not need it.
    """

    observed: float
    expected: float
    spread: float = math.nan

    @property
    def relative(self) -> float:
        """Observed over expected, minus 1; nan where nothing is expected."""
        return self.observed / self.expected - 1 if self.expected > 0 else math.nan


def excess_over_difficulty_and_labels(
    both_wrong: Float[np.ndarray, "m m"], strong: Bool[np.ndarray, " m"], label_errors: float, answers: float
) -> JointFailureExcess:
    """Calibrate difficulty on the weak models, predict how often the strong ones fail together.

    Difficulty is normal on the logit scale; its spread is what the pairs without a strong model show. A share of
    labels is taken to be wrong and is removed first. The answer depends on that share, and on models being equally
    discriminating: report it for several.

    Parameters
    ----------
    both_wrong : share of instances that two models both fail; the diagonal holds the error rates.
    strong : which models; at least two, and two others.
    label_errors : assumed share of wrong labels, in [0, 1).
    answers : mean number of answers to choose from; a model agrees with a wrong label 1/(answers − 1) of its errors.
    """
    coincidence = 1 / (answers - 1)
    rate = np.diag(both_wrong)
    # (SC6): rate = (1 − ν) e + ν (1 − κ e) solved for e; clipped for models better than such labels allow.
    e = np.clip((rate - label_errors) / (1 - label_errors * (1 + coincidence)), 1e-4, 1 - 1e-4)
    # On a wrong label a model counts as right only if its own error happens to be that label.
    mislabelled = (1 - coincidence * e[:, None]) * (1 - coincidence * e[None, :])
    joint = (both_wrong - label_errors * mislabelled) / (1 - label_errors)
    upper = np.triu(np.ones_like(joint, dtype=bool), 1)
    weak_pairs, strong_pairs = (upper & np.outer(x, x) for x in (~strong, strong))
    target = float(joint[weak_pairs].mean())

    def gap(spread: float) -> float:
        return float(_joint_failures(e, spread)[weak_pairs].mean()) - target

    # The joint failures grow with the spread, so the root is unique; outside the bracket an end is the answer.
    if gap(1e-3) >= 0:
        spread = 0.0
    else:
        spread = float(brentq(gap, 1e-3, MOST_SPREAD, xtol=1e-4)) if gap(MOST_SPREAD) > 0 else MOST_SPREAD
    predicted = float(_joint_failures(e, spread)[strong_pairs].mean())
    return JointFailureExcess(float(joint[strong_pairs].mean()), predicted, spread)


def _joint_failures(e: Float[np.ndarray, " m"], spread: float) -> Float[np.ndarray, "m m"]:
    """Probability that two models both fail if difficulty is normal with this spread; each fails at its rate e."""
    # Start: the logistic is close to a probit of scale 1.7 (0.346 = 1/1.7²), for which the marginal has a closed form.
    b = np.log(e / (1 - e)) * math.sqrt(1 + 0.346 * spread**2)
    for _ in range(30):
        p = expit(spread * NODES + b[:, None])
        step = (p @ MASS - e) / np.maximum((p * (1 - p)) @ MASS, 1e-12)
        # Far out the slope is almost 0 and a full Newton step would leave the range of the logistic.
        b = b - np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    p = expit(spread * NODES + b[:, None])
    # (SC7): given difficulty the two fail independently, so the joint rate is a mean of products.
    return np.asarray((p * MASS) @ p.T)


def excess_over_rasch(
    both_wrong: Int[np.ndarray, "m m"],
    histogram: Int[np.ndarray, " m1"],
    ability: Float[np.ndarray, " m"],
    strong: Bool[np.ndarray, " m"],
) -> tuple[JointFailureExcess, float]:
    """Excess of the strong models' joint failures over the conditional Rasch model, and its z (a little conservative).

    Whatever the difficulties are, they drop out given how many models fail. Immune to difficulty, but neither to
    wrong labels nor to models that discriminate better.

    Parameters
    ----------
    both_wrong, histogram : as in `rasch.ability`, counts on instances that every model answered.
    ability : log-odds of failing, from there; no nan.
    strong : which models; at least two and not all.
    """
    m, s = len(ability), int(strong.sum())
    # (SC8): elementary symmetric functions of dozens of models overflow; their logarithms do not.
    strong_logs, weak_logs, all_logs = (log_symmetric(b) for b in (ability[strong], ability[~strong], ability))
    failing = np.flatnonzero(histogram)
    j = np.arange(s + 1)
    weak_failures = failing[:, None] - j
    # Failures that are not of strong models must fit among the weak ones.
    possible = (weak_failures >= 0) & (weak_failures <= m - s)
    logs = (
        strong_logs
        + np.where(possible, weak_logs[np.clip(weak_failures, 0, m - s)], -np.inf)
        - all_logs[failing][:, None]
    )
    chance = np.exp(np.minimum(logs, 0))
    pairs = j * (j - 1) / 2
    mean = chance @ pairs
    variance = np.maximum(chance @ pairs**2 - mean**2, 0)
    weights = histogram[failing].astype(float)
    observed = float(np.triu(both_wrong[np.ix_(strong, strong)], 1).sum())
    expected, spread = float(weights @ mean), math.sqrt(float(weights @ variance))
    scale = weights.sum() * s * (s - 1) / 2
    z = (observed - expected) / spread if spread > 0 else math.nan
    return JointFailureExcess(observed / scale, expected / scale), z


def tetrachoric(
    first: Float[np.ndarray, " p"], second: Float[np.ndarray, " p"], joint: Float[np.ndarray, " p"]
) -> Float[np.ndarray, " p"]:
    """Correlation of two normal variables whose exceedances have these rates and this joint rate, in [−1, 1].

    Beside κ it brackets the mechanism: κ is constant in accuracy if errors are copied, this one if a threshold moves.
    nan where a rate is 0 or 1. Source: Pearson 1900; joint rate by Plackett's integral.
    """
    usable = (first > 0) & (first < 1) & (second > 0) & (second < 1)
    # (SC9) in the angle: the integrand stays smooth up to r = ±1, where in r it is singular.
    h, k = ndtri(np.where(usable, first, 0.5)), ndtri(np.where(usable, second, 0.5))
    low, high = np.full(len(h), -math.pi / 2 + 1e-6), np.full(len(h), math.pi / 2 - 1e-6)
    target = joint - ndtr(h) * ndtr(k)
    for _ in range(36):
        # Bisection for all pairs at once: the joint rate grows with r, and 36 halvings are ten digits.
        middle = (low + high) / 2
        too_low = _plackett(h, k, middle) < target
        low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    return np.where(usable, np.sin((low + high) / 2), np.nan)


def _plackett(
    h: Float[np.ndarray, " p"], k: Float[np.ndarray, " p"], angle: Float[np.ndarray, " p"]
) -> Float[np.ndarray, " p"]:
    """Joint rate beyond independence at the correlation sin(angle)."""
    nodes, mass = LEGENDRE
    t = angle[:, None] * (nodes + 1) / 2
    square = h[:, None] ** 2 + k[:, None] ** 2 - 2 * (h * k)[:, None] * np.sin(t)
    return np.asarray(np.exp(-square / (2 * np.cos(t) ** 2)) @ mass * angle / (4 * math.pi))
