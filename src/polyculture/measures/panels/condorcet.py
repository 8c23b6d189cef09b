"""How often would a majority of independent judges of the same accuracies be wrong, and how far is the panel from it?

A panel errs on an item when more than half of its judges are wrong; a tie is half an error. Independent judges are
wrong together by accident only: the number of wrong ones is then Poisson-binomial (Condorcet's jury theorem).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from polyculture.measures.systemic import poisson_binomial

NODES = 60
"""Points of the integral over the common factor."""
NO_COMPLETE_ITEM = "no item was judged by every judge"
NOT_BETWEEN = "no common factor gives this mean correlation"


@dataclass(frozen=True, eq=False)
class CondorcetGap:
    """How often the majority is wrong, and how often it would be if the judges erred independently.

    Parameters
    ----------
    panel : share of the items on which the majority is wrong, ties as half.
    independent : the same of independent judges of the same accuracies; within strata where those were given.
    influence : effect of each item on panel − independent, per item used; nan on items that were not used.
    losses : 0, ½ or 1 per item; nan on items that were not used.
    reason : why nothing is defined; empty otherwise.
    """

    panel: float
    independent: float
    influence: Float[np.ndarray, " n"]
    losses: Float[np.ndarray, " n"]
    reason: str = ""

    @property
    def gap(self) -> float:
        """Panel − independent: what the judges' dependence costs, in share of the items."""
        return self.panel - self.independent


def majority_loss(wrong: Bool[np.ndarray, "m n"]) -> Float[np.ndarray, " n"]:
    """1 where most judges are wrong, ½ where as many are wrong as right, else 0."""
    twice = 2 * wrong.sum(axis=0, dtype=np.int64) - len(wrong)
    return np.asarray((np.sign(twice) + 1) / 2)


def majority_error(rates: Float[np.ndarray, "s m"]) -> Float[np.ndarray, " s"]:
    """Probability that the majority of independent judges with these error rates is wrong, ties as half; per row."""
    return np.asarray(poisson_binomial(rates) @ _costs(rates.shape[1]))


def _costs(judges: int) -> Float[np.ndarray, " m1"]:
    """What an item costs on which 0, 1, …, m judges are wrong."""
    return np.asarray((np.sign(2 * np.arange(judges + 1) - judges) + 1) / 2)


def condorcet_gap(
    wrong: Bool[np.ndarray, "m n"],
    observed: Bool[np.ndarray, "m n"] | None = None,
    strata: Int[np.ndarray, " n"] | None = None,
) -> CondorcetGap:
    """The error of the majority against that of independent judges with the same accuracies.

    Parameters
    ----------
    wrong : where a judge is wrong.
    observed : where a verdict is known; only items that every judge judged count.
    strata : code of the group, such as the true class or a degree of difficulty, within which judges are taken as
        independent with the accuracies they have there; all one group where None.
    """
    n = wrong.shape[1]
    mask = np.ones(n, bool) if observed is None else observed.all(axis=0)
    undefined = np.full(n, np.nan)
    if not mask.any():
        return CondorcetGap(math.nan, math.nan, undefined, undefined, NO_COMPLETE_ITEM)
    complete = wrong[:, mask]
    code = np.zeros(int(mask.sum()), np.int64) if strata is None else np.unique(strata[mask], return_inverse=True)[1]
    losses, influence, independent = majority_loss(complete), np.empty(len(code)), 0.0
    for stratum in range(int(code.max()) + 1):
        members = code == stratum
        part, share = complete[:, members], float(members.mean())
        rates = part.mean(axis=1)
        expected = float(majority_error(rates[None])[0])
        # (JU7): the expected error is linear in each rate; its slope is what one judge's verdict changes.
        slopes = _slopes(rates)
        influence[members] = losses[members] - expected - slopes @ (part - rates[:, None])
        independent += share * expected
    gap = float(losses.mean()) - independent
    out, full = undefined.copy(), undefined.copy()
    out[mask], full[mask] = influence - gap, losses
    return CondorcetGap(float(losses.mean()), independent, out, full)


def _slopes(rates: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """Change of the majority's error with each judge's error rate."""
    m = len(rates)
    costs = _costs(m)
    others = np.stack([np.delete(rates, judge) for judge in range(m)]) if m > 1 else np.zeros((1, 0))
    pmf = poisson_binomial(others)
    return np.asarray(pmf @ (costs[1:] - costs[:-1]))


def one_factor_error(rates: Float[np.ndarray, " m"], correlation: float) -> tuple[float, str]:
    """Error of the majority if all that the judges share is one difficulty, of this mean error correlation.

    A judge is wrong where √r F + √(1 − r) ε exceeds its threshold; F, the item's difficulty, and ε are standard
    normal, and r is such that the mean correlation of the errors is the one given. What the panel errs beyond that is
    shared by some of the judges only: by families, prompts, pre-training.

    Returns the error and why it is undefined (else empty). A correlation of 0 or less is independence.
    """
    inside = (rates > 0) & (rates < 1)
    if correlation <= 0 or inside.sum() < 2:
        return float(majority_error(rates[None])[0]), ""
    thresholds = ndtri(1 - rates[inside])
    if _mean_correlation(thresholds, 0.9999) <= correlation:
        return math.nan, NOT_BETWEEN
    r = float(brentq(lambda x: _mean_correlation(thresholds, x) - correlation, 0.0, 0.9999, xtol=1e-6))
    points, weights = np.polynomial.hermite_e.hermegauss(NODES)
    given = np.repeat(rates[None].astype(float), NODES, axis=0)
    given[:, inside] = ndtr((math.sqrt(r) * points[:, None] - thresholds) / math.sqrt(1 - r))
    return float(weights @ majority_error(given) / weights.sum()), ""


def _mean_correlation(thresholds: Float[np.ndarray, " m"], r: float) -> float:
    """Mean error correlation of judges with these thresholds and this share of the common factor."""
    points, weights = np.polynomial.hermite_e.hermegauss(NODES)
    given = ndtr((math.sqrt(r) * points[:, None] - thresholds) / math.sqrt(1 - r))
    weights = weights / weights.sum()
    rates = weights @ given
    covariance = (given * weights[:, None]).T @ given - np.outer(rates, rates)
    spread = np.sqrt(rates * (1 - rates))
    pairs = np.triu_indices(len(rates), 1)
    return float((covariance / np.outer(spread, spread))[pairs].mean())


def best_aggregation_error(wrong: Bool[np.ndarray, "m n"], strata: Int[np.ndarray, " n"] | None = None) -> float:
    """Lowest error that any rule on the pattern of who agrees could have on these very items: a bound, too low.

    Of two verdicts a pattern and its complement are the same votes for the two answers; a rule decides each pattern of
    votes one way. It is fitted and judged on the same items, so real rules stay above it.

    Parameters
    ----------
    wrong : where a judge is wrong.
    strata : code (0, 1) of the true answer where verdicts are of two classes: the pattern of answers is then known;
        where None the rule may only say which judges' answer it takes.
    """
    votes = wrong if strata is None else wrong ^ (strata > 0)
    truth = np.zeros(wrong.shape[1], np.int64) if strata is None else (strata > 0).astype(np.int64)
    if strata is None:  # without answers a pattern and its complement cannot be told apart
        flipped = votes[0]
        votes, truth = votes ^ flipped, flipped.astype(np.int64)
    _, pattern = np.unique(votes.T, axis=0, return_inverse=True)
    counts = np.zeros((int(pattern.max()) + 1, 2))
    np.add.at(counts, (pattern.ravel(), truth), 1)
    return float(counts.min(axis=1).sum() / wrong.shape[1])
