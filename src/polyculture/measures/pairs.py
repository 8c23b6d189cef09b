"""How alike are two models? Every pairwise number is a short formula on the counts, for all pairs at once.

Most outcome measures are the excess co-failure, cov = P(both wrong) − P(a wrong) P(b wrong), times a factor that
depends on the two error rates alone. A number that the counts do not determine is nan; `reasons` tells why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float, Num, Shaped

from polyculture.measures.counts import PairCounts

Matrix = Float[np.ndarray, "m m"]


def agreement(counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """Share of common instances on which both gave the same answer, in [0, 1]; nan where there are only outcomes.

    Not adjusted for accuracy: two independent accurate models agree often.
    """
    return _ratio(_known(counts.same_answer, counts), counts.n)


def outcome_agreement(counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """Share of common instances on which both were right or both were wrong, in [0, 1]; not adjusted for accuracy."""
    return _ratio(counts.n11 + counts.n00, counts.n)


def disagreement(counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """Share of common instances on which exactly one was right, in [0, 1] (Kuncheva and Whitaker 2003)."""
    return _ratio(counts.n10 + counts.n01, counts.n)


def double_fault(counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """Share of common instances on which both were wrong, in [0, 1]; the diagonal holds the error rates."""
    return _ratio(counts.n00, counts.n)


def covariance(counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """Excess co-failure: P(both wrong) − P(a wrong) P(b wrong), in [−¼, ¼]; 0 where a model is constant."""
    # (P1): from whole numbers, so that independence is 0 and not a rounding error with a sign.
    return _ratio(_cross(counts), counts.n.astype(float) ** 2)


def kappa(counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """Error consistency: agreement of outcomes beyond what the two accuracies imply, in [−1, 1], 0 if independent.

    Its largest attainable value is below 1 where the accuracies differ (`h` is relative to it). nan where a model is
    perfect or always wrong on the common instances. Source: Geirhos, Meding and Wichmann 2020.
    """
    n = counts.n.astype(float)
    a, b = _errors(counts)
    # (P2): times n² above and below; 1 − c_exp would lose digits where both are nearly perfect.
    return _blank(counts, _ratio(2 * _cross(counts), n * n - (n - a) * (n - b) - a * b))


def phi(counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """Correlation of the two error indicators, in [−1, 1]; nan where a model is perfect or always wrong."""
    n = counts.n.astype(float)
    a, b = _errors(counts)
    # (P3): in two halves, so that swapping the two models gives the same bits.
    return _blank(counts, _ratio(_cross(counts), np.sqrt(a * (n - a) * (b * (n - b)))))


def h(counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """Excess co-failure relative to the largest (smallest) that the two accuracies allow, in [−1, 1], both attainable.

    nan where a model is perfect or always wrong. Source: Loevinger 1948, signed.
    """
    n = counts.n.astype(float)
    a, b = _errors(counts)
    cross = _cross(counts)
    # (P4): the bounds of the joint failures given both error counts, on the side of independence that was observed.
    extreme = np.where(cross >= 0, np.minimum(a, b) * n - a * b, a * b - np.maximum(0, a + b - n) * n)
    return _blank(counts, _ratio(cross, extreme))


def q(counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """Yule's Q, (n11 n00 − n10 n01)/(n11 n00 + n10 n01), in [−1, 1]; ±1 as soon as one of the four counts is 0.

    nan where a model is perfect or always wrong. Source: Yule 1900.
    """
    concordant = counts.n11.astype(float) * counts.n00
    discordant = counts.n10.astype(float) * counts.n01
    return _blank(counts, _ratio(concordant - discordant, concordant + discordant))


def lift(counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """How many times more often both fail than if they failed independently, in [0, 1/larger error rate].

    nan where a model is never wrong.
    """
    a, b = _errors(counts)
    return _ratio(counts.n00 * counts.n.astype(float), a * b)


def jaccard(counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """Of the instances that at least one got wrong, the share that both did, in [0, 1]; nan without errors."""
    return _ratio(counts.n00, counts.n00 + counts.n10 + counts.n01)


def both_wrong_agreement(counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """Of the instances on which both were wrong, the share with the same wrong answer, in [0, 1].

    Instances with a single option do not count. nan where the two were never wrong together or there are only
    outcomes. Source: Kim, Garg, Peng and Garg 2025.
    """
    return _ratio(_known(counts.same_wrong, counts), _known(counts.n00_open, counts))


def both_wrong_adjusted(counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """`both_wrong_agreement` beyond evenly picked wrong answers, at most 1; 0 if picked evenly.

    The chance level is the pair's own: the mean of 1/(options − 1) over the instances on which both were wrong. nan
    where that level is 1 (two options each: wrong together is wrong in the same way) and as in `both_wrong_agreement`.
    """
    # (P6): the pair's own baseline, as instances on which two fail together may offer fewer options than others.
    joint, baseline = _known(counts.n00_open, counts), _known(counts.baseline, counts)
    return _ratio(_known(counts.same_wrong, counts) - baseline, joint - baseline)


def capa(counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """Same answer beyond what the two accuracies imply, at most 1; 0 if independent with evenly picked wrong answers.

    κ with same answers in place of same outcomes, from answers alone; the chance level of each pair is that of the
    options of its own common instances. Instances with a single option do not count. nan where a model is perfect or
    always wrong, and where there are only outcomes. `similarity.probabilities.capa` is the same of probabilities.
    Source: Goel et al. 2025, with wrong answers spread evenly over each instance's own other options.
    """
    n11, n10 = _known(counts.n11_open, counts), _known(counts.n10_open, counts)
    n00, same_wrong = _known(counts.n00_open, counts), _known(counts.same_wrong, counts)
    n = n11 + (n10 + n10.T) + n00
    mean = _ratio(_known(counts.coincidence, counts), n)
    # (P7): times n², as for κ, so that independence is 0 and not a rounding error.
    chance = (n11 + n10) * (n11 + n10.T) + (n10.T + n00) * (n10 + n00) * mean
    return _blank(counts, _ratio(n * (n11 + same_wrong) - chance, n * n - chance))


MEASURES: Mapping[str, Callable[[PairCounts], Matrix]] = MappingProxyType(
    {
        "agreement": agreement,
        "outcome_agreement": outcome_agreement,
        "disagreement": disagreement,
        "double_fault": double_fault,
        "covariance": covariance,
        "kappa": kappa,
        "phi": phi,
        "h": h,
        "q": q,
        "lift": lift,
        "jaccard": jaccard,
        "both_wrong_agreement": both_wrong_agreement,
        "both_wrong_adjusted": both_wrong_adjusted,
        "capa": capa,
    }
)
"""Every measure of pairs by name, each from the counts of all pairs to an m × m matrix."""


def reasons(counts: PairCounts) -> Shaped[np.ndarray, "m m"]:
    """Why numbers of a pair are undefined, as words; empty where all outcome measures are defined.

    ``no_overlap``: no common instance, nothing is defined. ``constant_model``: one of the two is perfect or always
    wrong on the common instances; kappa, phi, h and q are nan. ``no_joint_errors``: never wrong together; concerns
    only `both_wrong_agreement` and its adjusted form.
    """
    words = np.full(counts.n.shape, "", dtype="<U15")
    # From the weakest reason to the strongest: each of these words may overwrite the one before.
    words[(counts.n00 if counts.n00_open is None else counts.n00_open) == 0] = "no_joint_errors"
    words[_constant(counts)] = "constant_model"
    words[counts.n == 0] = "no_overlap"
    return words


def _ratio(numerator: Num[np.ndarray, "m m"], denominator: Num[np.ndarray, "m m"]) -> Float[np.ndarray, "m m"]:
    """Quotient; nan where the denominator is 0."""
    out = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def _errors(counts: PairCounts) -> tuple[Matrix, Matrix]:
    """Errors on the common instances: of the row's model, of the column's."""
    return (counts.n01 + counts.n00).astype(float), (counts.n10 + counts.n00).astype(float)


def _cross(counts: PairCounts) -> Float[np.ndarray, "m m"]:
    """n11 n00 − n10 n01 = n² cov: no rounding while n² < 2⁵³, so independence is exactly 0."""
    cross: Matrix = counts.n11.astype(float) * counts.n00 - counts.n10.astype(float) * counts.n01
    return cross


def _constant(counts: PairCounts) -> Bool[np.ndarray, "m m"]:
    """Where one of the two is perfect or always wrong on the common instances (or there are none)."""
    n = counts.n
    a, b = counts.n01 + counts.n00, counts.n10 + counts.n00
    constant: Bool[np.ndarray, "m m"] = (a == 0) | (a == n) | (b == 0) | (b == n)
    return constant


def _blank(counts: PairCounts, values: Float[np.ndarray, "m m"]) -> Float[np.ndarray, "m m"]:
    """nan for constant models: 0 would be an accident of algebra, not evidence of independence."""
    return np.where(_constant(counts), np.nan, values)


def _known(matrix: Num[np.ndarray, "m m"] | None, counts: PairCounts) -> Float[np.ndarray, "m m"]:
    return np.full(counts.n.shape, np.nan) if matrix is None else matrix.astype(float)
