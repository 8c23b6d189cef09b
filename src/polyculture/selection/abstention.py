"""When is it better not to answer? Risk and coverage, sets that hold the truth, and a budget for referrals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import betaincinv
from scipy.stats import binom

from polyculture.errors import InputError, near
from polyculture.stats import Interval, influence_interval, jeffreys


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """The risk that remains when only the most confident answers are given.

    Parameters
    ----------
    coverage : share of the instances answered, ascending; one entry per different confidence.
    risk : share of wrong answers among them.
    threshold : the confidence from which on they are answered.
    area : mean risk over all coverages (AURC), in [0, 1]; the error rate where confidence carries no information.
    """

    coverage: Float[np.ndarray, " t"]
    risk: Float[np.ndarray, " t"]
    threshold: Float[np.ndarray, " t"]
    area: Interval


def risk_coverage(
    wrong: Float[np.ndarray, " n"], confidence: Float[np.ndarray, " n"], level: float = 0.95
) -> RiskCoverage:
    """The risk–coverage curve, with an interval for the area under it.

    Parameters
    ----------
    wrong : loss of the answer, in [0, 1]; nan where there is none, which is left out.
    confidence : the share of the members (of their weight) that agree, or a probability; equal ones are answered
        together.

    Limits: influence function. Source: Geifman and El-Yaniv 2017; the area: Geifman, Uziel and El-Yaniv 2019.
    """
    valid = ~(np.isnan(wrong) | np.isnan(confidence))
    n = int(valid.sum())
    if not n:
        empty = np.zeros(0)
        return RiskCoverage(empty, empty, empty, Interval.undefined("no instances"))
    order = np.argsort(-confidence[valid], kind="stable")
    loss, confidences = wrong[valid][order], confidence[valid][order]
    last = np.append(np.flatnonzero(np.diff(confidences)), n - 1)
    size = np.diff(np.append(-1, last))
    risk = np.cumsum(loss)[last] / (last + 1)
    area = float(size @ risk) / n
    # Instance j moves the threshold's distribution, and the risk at every threshold at or below its confidence.
    weight = size / (last + 1)
    weight_below = np.cumsum(weight[::-1])[::-1]
    risk_below = np.cumsum((weight * risk)[::-1])[::-1]
    code = np.repeat(np.arange(len(last)), size)
    influence = risk[code] - area + loss * weight_below[code] - risk_below[code]
    interval = influence_interval(area, influence, level=level)
    return RiskCoverage((last + 1) / n, risk, confidences[last], interval)


@dataclass(frozen=True)
class Referral:
    """What happens when the least confident answers are referred to a human.

    Parameters
    ----------
    threshold : instances with a confidence below this are referred.
    referred : share of the instances that are.
    error : share of wrong answers among the rest.
    remaining : share of all instances that are answered wrongly.
    """

    threshold: float
    referred: Interval
    error: Interval
    remaining: Interval


def budget_threshold(confidence: Float[np.ndarray, " n"], budget: float) -> float:
    """The highest threshold below which at most this share of the instances lies; −inf if none fits.

    Parameters
    ----------
    confidence : on instances like those to come; nan (no answer at all) is referred first.
    budget : share of the instances that can be referred, in [0, 1].
    """
    if not 0 <= budget <= 1:
        raise InputError(f"a referral budget of {budget}", "a share of the instances, 0 … 1")
    ordered = np.sort(np.nan_to_num(confidence, nan=-math.inf))
    count = math.floor(budget * len(ordered) + 1e-9)
    return math.inf if count >= len(ordered) else float(ordered[count])


def refer(
    wrong: Float[np.ndarray, " n"], confidence: Float[np.ndarray, " n"], threshold: float, level: float = 0.95
) -> Referral:
    """What a threshold from `budget_threshold` does on other instances.

    Parameters
    ----------
    wrong, confidence : as in `risk_coverage`; instances without an answer are referred.
    """
    answered_rows = np.nan_to_num(confidence, nan=-math.inf) >= threshold
    n, losses = len(wrong), wrong[answered_rows & ~np.isnan(wrong)]
    remaining = np.where(answered_rows, np.nan_to_num(wrong, nan=1.0), 0.0)
    referred = jeffreys(n - int(answered_rows.sum()), n, level)
    return Referral(threshold, referred, _mean(losses, level), _mean(remaining, level))


def _mean(values: Float[np.ndarray, " n"], level: float) -> Interval:
    if not len(values):
        return Interval.undefined("every instance is referred")
    centre = float(values.mean())
    return influence_interval(centre, values - centre, level=level)


@dataclass(frozen=True)
class CertifiedThreshold:
    """The lowest confidence from which on the error is guaranteed to stay below a bound.

    Parameters
    ----------
    threshold : answers with this confidence or more are given; nan where no threshold is certified.
    bound : exact one-sided limit of their error on the certifying instances; nan likewise.
    steps : of every threshold that was tested, in order: threshold, share answered, error and its limit.
    """

    threshold: float
    bound: float
    steps: tuple[tuple[float, float, float, float], ...]


def certified_threshold(
    wrong: Bool[np.ndarray, " n"],
    confidence: Float[np.ndarray, " n"],
    certifies: Bool[np.ndarray, " n"],
    largest: float,
    level: float = 0.95,
) -> CertifiedThreshold:
    """A threshold of confidence with a guarantee: with probability `level` the error of what is answered is ≤ largest.

    The other instances fix where to begin, at the threshold whose error is most surely below the bound, and the order,
    downwards; the certifying ones test each in turn (Clopper and Pearson) until one fails. For exchangeable instances.

    Parameters
    ----------
    certifies : the instances that test; the others only order.
    largest : the bound on the error, in (0, 1).

    Source: Angelopoulos et al. 2021 (fixed-sequence testing).
    """
    if not 0 < largest < 1:
        raise InputError(f"a largest error of {largest}", "a share between 0 and 1, such as 0.05")
    thresholds = np.unique(confidence)[::-1]

    def counts(threshold: float, rows: Bool[np.ndarray, " n"]) -> tuple[int, int]:
        answered = rows & (confidence >= threshold - 1e-12)
        return int((answered & wrong).sum()), int(answered.sum())

    sureness = [binom.cdf(*counts(t, ~certifies), largest) for t in thresholds]
    first = int(np.argmin(sureness)) if len(thresholds) else 0
    steps: list[tuple[float, float, float, float]] = []
    best, bound = math.nan, math.nan
    for threshold in thresholds[first:]:
        errors, size = counts(threshold, certifies)
        limit = 1.0 if errors == size else float(betaincinv(errors + 1, size - errors, level))
        steps.append(
            (float(threshold), size / max(int(certifies.sum()), 1), errors / size if size else math.nan, limit)
        )
        if limit > largest:
            break
        best, bound = float(threshold), limit
    return CertifiedThreshold(best, bound, tuple(steps))


@dataclass(frozen=True)
class Conformal:
    """A rule that answers with a set of classes which holds the truth with a chosen probability.

    On exchangeable instances at least 1 − alpha of the sets hold the truth, whatever the model; that is so on average
    over all instances, not in every class or group, and not under a shift.

    Parameters
    ----------
    score : ``"lac"`` or ``"aps"``.
    alpha : share of the sets that may miss the truth.
    threshold : classes whose score is at most this belong to the set; inf where calibration instances are too few
        to leave anything out.
    seen : number of calibration instances.
    """

    score: str
    alpha: float
    threshold: float
    seen: int

    def sets(self, probabilities: Float[np.ndarray, "n c"]) -> Bool[np.ndarray, "n c"]:
        """Which classes belong to the set of each instance; the most probable one always does."""
        members = SCORES[self.score](probabilities) <= self.threshold
        members[np.arange(len(members)), probabilities.argmax(axis=1)] = True
        return members

    def coverage(
        self, probabilities: Float[np.ndarray, "n c"], labels: Int[np.ndarray, " n"], level: float = 0.95
    ) -> tuple[Interval, Interval]:
        """Share of other instances whose set holds the truth, and the mean size of the sets."""
        members = self.sets(probabilities)
        contains, size = members[np.arange(len(labels)), labels], members.sum(axis=1).astype(np.float64)
        sizes = influence_interval(float(size.mean()), size - size.mean(), level=level)
        return jeffreys(int(contains.sum()), len(contains), level), sizes


def conformal(
    probabilities: Float[np.ndarray, "n c"], labels: Int[np.ndarray, " n"], alpha: float = 0.1, score: str = "lac"
) -> Conformal:
    """Calibrate a set-valued answer on instances that the model was neither trained nor chosen on.

    Parameters
    ----------
    alpha : share of the sets that may miss the truth, in (0, 1).
    score : ``"lac"``, 1 − probability: smallest sets on average (Sadinle, Lei and Wasserman 2019). ``"aps"``, the
        probability of all classes that are at least as probable: larger sets on hard instances (Romano, Sesia and
        Candès 2020; without their randomization, so that coverage is at least, not exactly, 1 − alpha).

    The threshold is the ⌈(n + 1)(1 − alpha)⌉-th smallest score (Vovk, Gammerman and Shafer 2005).
    """
    if not 0 < alpha < 1:
        raise InputError(f"alpha is {alpha}", "a share of sets that may miss the truth, between 0 and 1")
    if score not in SCORES:
        raise InputError(f"no score {score!r}", cure=near(score, SCORES))
    n = len(labels)
    scores = np.sort(SCORES[score](probabilities)[np.arange(n), labels])
    rank = math.ceil((n + 1) * (1 - alpha) - 1e-9)
    return Conformal(score, alpha, float(scores[rank - 1]) if rank <= n else math.inf, n)


def _aps(probabilities: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    order = np.argsort(-probabilities, axis=1, kind="stable")
    descending = np.take_along_axis(probabilities.astype(np.float64), order, 1)
    mass = np.empty_like(descending)
    np.put_along_axis(mass, order, np.cumsum(descending, axis=1), 1)
    return mass


SCORES: Mapping[str, Callable[[Float[np.ndarray, "n c"]], Float[np.ndarray, "n c"]]] = {
    "lac": lambda probabilities: 1 - probabilities.astype(np.float64),
    "aps": _aps,
}
"""Nonconformity of each class as the truth, by name; smaller is more plausible."""
