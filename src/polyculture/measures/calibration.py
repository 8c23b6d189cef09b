"""Does a model know how sure to be, and what does it take for what? Reliability, Brier, ROC and confusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from scipy.special import ndtr

BINS = 15


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often a model is right when it says so, over bins of equally many instances.

    Parameters
    ----------
    size, confidence, accuracy : of each bin: instances, mean stated probability, share right.
    ece : expected calibration error, the mean over instances of |confidence − accuracy| of their bin. Biased upwards:
        bins differ by chance.
    debiased : `ece` less what chance adds to it (twice the estimate less its expectation under the estimated
        differences, as in a parametric bootstrap, in closed form; at least 0).
    influence : effect of each instance on `ece` (and, nearly, on `debiased`), for an interval.
    """

    size: Int[np.ndarray, " b"]
    confidence: Float[np.ndarray, " b"]
    accuracy: Float[np.ndarray, " b"]
    ece: float
    debiased: float
    influence: Float[np.ndarray, " n"]


def reliability(confidence: Float[np.ndarray, " n"], right: Shaped[np.ndarray, " n"], bins: int = BINS) -> Reliability:
    """Reliability table and expected calibration error of one model (or of the group's mean probabilities).

    Parameters
    ----------
    confidence : stated probability of the answer given, in [0, 1].
    right : whether it was right; a part of it where answers were tied.
    bins : bins of (nearly) equally many instances; equal confidences stay together.

    No instances: nan. Sources: Guo et al. 2017; equal-mass bins and the bias: Roelofs et al. 2022.
    """
    n = len(confidence)
    code = _bins(confidence, bins)
    size = np.bincount(code)
    # Bins of equal mass (CA1): where a model is sure, one of equal width would hold nearly all instances.
    confidence_mean = np.bincount(code, confidence) / size
    share = np.bincount(code, right) / size
    gap = confidence_mean - share
    if n == 0:
        return Reliability(size, confidence_mean, share, np.nan, np.nan, np.zeros(0))
    weight = size / n
    ece = float(weight @ np.abs(gap))
    # The spread of confidence − right within the bin, not p(1 − p)/n, which holds only for a calibrated model.
    error = np.sqrt(np.bincount(code, (confidence - right - gap[code]) ** 2) / size / np.maximum(size - 1, 1))
    standardized = np.divide(gap, error, out=np.zeros_like(gap), where=error > 0)
    # (CA2): the mean of |gap| if the gap were drawn anew around its estimate. Closed form: no draws, no seed.
    folded = np.where(
        error > 0,
        error * np.sqrt(2 / np.pi) * np.exp(-(standardized**2) / 2) + gap * (1 - 2 * ndtr(-standardized)),
        np.abs(gap),
    )
    # (CA5): to first order neither the bins nor the signs of the gaps move with one instance.
    influence = np.sign(gap)[code] * (confidence - right) - ece
    return Reliability(size, confidence_mean, share, ece, max(0.0, 2 * ece - float(weight @ folded)), influence)


def _bins(confidence: Float[np.ndarray, " n"], bins: int) -> Int[np.ndarray, " n"]:
    """Bin 0, 1, … of each instance; a value that would straddle two bins belongs to the lower one."""
    values, inverse, counts = np.unique(confidence, return_inverse=True, return_counts=True)
    # Splitting equal confidences would make the table depend on the order of the instances.
    first = np.cumsum(counts) - counts
    code = (first * bins // max(len(confidence), 1)).astype(np.int64)
    _, dense = np.unique(code, return_inverse=True)
    return dense[inverse] if len(values) else np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class BrierScore:
    """The Brier score and what it is made of: score = reliability − resolution + uncertainty + within.

    Parameters
    ----------
    score : mean squared distance of the probabilities from the truth, summed over classes, in [0, 2].
    reliability : how far stated probabilities are from the shares that come true; 0 is best.
    resolution : how far those shares differ from one another; more is better.
    uncertainty : of the classes themselves, the score of always stating their frequencies.
    within : what binning leaves over: spread of the probabilities within a bin less twice their covariance with truth.
    values : the score of each instance.
    """

    score: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float
    values: Float[np.ndarray, " n"]


def brier(probabilities: Float[np.ndarray, "n c"], labels: Int[np.ndarray, " n"], bins: int = BINS) -> BrierScore:
    """Brier score of one model with its decomposition, each class against the rest, added up.

    Parameters
    ----------
    probabilities : of each class.
    labels : the true class.

    Sources: Brier 1950, Murphy 1973; the terms within bins: Stephenson, Coelho and Jolliffe 2008.
    """
    n, classes = probabilities.shape
    parts = np.zeros(4)
    values = np.zeros(n)
    for c in range(classes):
        probability, true = probabilities[:, c].astype(float), (labels == c).astype(float)
        values += (probability - true) ** 2
        code = _bins(probability, bins)
        size = np.bincount(code)
        mean, share, base = np.bincount(code, probability) / size, np.bincount(code, true) / size, true.mean()
        # (CA4): without these two the decomposition is exact only if all probabilities in a bin are equal.
        spread, joint = probability - mean[code], true - share[code]
        parts += [
            float(size @ (mean - share) ** 2) / n,
            float(size @ (share - base) ** 2) / n,
            base * (1 - base),
            float((spread**2 - 2 * spread * joint).mean()),
        ]
    miscalibration, resolution, spread, remainder = map(float, parts)
    return BrierScore(float(values.mean()), miscalibration, resolution, spread, remainder, values)


@dataclass(frozen=True, eq=False)
class RocCurve:
    """How well a score tells one class from the rest.

    Parameters
    ----------
    false_positive, true_positive : rates at each threshold, from 0 to 1.
    threshold : the score at or above which an instance is called positive; inf first.
    auc : probability that a positive outscores a negative, ties count ½; nan without both.
    influence : effect of each instance on it; its variance is DeLong's.
    """

    false_positive: Float[np.ndarray, " t"]
    true_positive: Float[np.ndarray, " t"]
    threshold: Float[np.ndarray, " t"]
    auc: float
    influence: Float[np.ndarray, " n"]


def roc(scores: Float[np.ndarray, " n"], positive: Bool[np.ndarray, " n"]) -> RocCurve:
    """Receiver operating characteristic of one class against the rest, with the influence of each instance on the area.

    Parameters
    ----------
    scores : the model's probability of the class, or any number that grows with it.
    positive : whether the instance is of the class.

    Source: DeLong, DeLong and Clarke-Pearson 1988 (structural components from midranks, Sun and Xu 2014).
    """
    n, yes = len(scores), int(positive.sum())
    no = n - yes
    # Only the last of equal scores is a threshold: between them no threshold can cut.
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), n - 1) if n else np.zeros(0, np.int64)
    true_positives, false_positives = np.cumsum(positive[order])[ends], np.cumsum(~positive[order])[ends]
    curve = [np.append(0, x) / max(total, 1) for x, total in ((false_positives, no), (true_positives, yes))]
    threshold = np.append(np.inf, scores[order][ends])
    if not yes or not no:
        return RocCurve(curve[0], curve[1], threshold, np.nan, np.full(n, np.nan))
    # Rank among all less rank within the class counts the other class beaten: O(n log n) instead of all pairs.
    ranks, class_ranks = _midranks(scores), np.empty(n)
    class_ranks[positive], class_ranks[~positive] = _midranks(scores[positive]), _midranks(scores[~positive])
    beaten = np.where(positive, (ranks - class_ranks) / no, 1 - (ranks - class_ranks) / yes)
    auc = float(beaten[positive].mean())
    # (CA6): each class is its own sample, so its instances weigh n over their number.
    return RocCurve(curve[0], curve[1], threshold, auc, (beaten - auc) * np.where(positive, n / yes, n / no))


def _midranks(scores: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Ranks from 1, the mean rank for ties."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks: Float[np.ndarray, " k"] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def confusion(answers: Int[np.ndarray, " n"], labels: Int[np.ndarray, " n"], classes: int) -> Int[np.ndarray, "c c"]:
    """How often each true class (row) was answered as each class (column); instances without either are left out."""
    defined = (answers >= 0) & (labels >= 0)
    cells = np.bincount(labels[defined].astype(np.int64) * classes + answers[defined], minlength=classes**2)
    return cells.reshape(classes, classes)
