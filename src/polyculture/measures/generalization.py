"""How well can errors on unlabelled data be estimated, and when not to trust the estimate?

Disagreement estimates error only if models are calibrated and err independently given the input: whatever they share
makes it too low. Agreement-on-the-line needs the shift to leave alikeness alone, and a high R² does not show that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtr, ndtri

from polyculture.measures.multiplicity import self_consistency

EDGE = 1e-3
"""Shares are kept this far from 0 and 1 on the probit scale."""


def disagreement(answers: Int[np.ndarray, "m n"]) -> Float[np.ndarray, " n"]:
    """Share of the pairs of models that answer an instance differently, for each instance; needs no labels.

    Its mean estimates the mean error rate of calibrated models that are independent given the input (generalization
    disagreement equality, Jiang et al. 2022). nan on instances with fewer than two answers.
    """
    return 1 - self_consistency(answers)


@dataclass(frozen=True, eq=False)
class ErrorEstimate:
    """Mean error rate elsewhere, estimated without labels there.

    Parameters
    ----------
    plain : the disagreement itself; too low whenever models share anything.
    calibrated : scaled by error over disagreement where there are labels; nan where no models disagree there.
    factor : that ratio; 1 for calibrated, independent models, 1/(1 − c) if a share c of the answers is common.
    """

    plain: float
    calibrated: float
    factor: float


def error_without_labels(
    unlabelled: Float[np.ndarray, " n1"], labelled: Float[np.ndarray, " n2"], error_here: float
) -> ErrorEstimate:
    """Mean error rate on instances without labels, from how much the models disagree there.

    Trust it only as far as calibration and alikeness are the same as where there are labels.

    Parameters
    ----------
    unlabelled, labelled : `disagreement` per instance, without and with labels.
    error_here : mean error rate of the models where there are labels.

    Source: Jiang et al. 2022; limits in Kirsch and Gal 2022.
    """
    estimate, labelled_rate = (
        float(x[~np.isnan(x)].mean()) if (~np.isnan(x)).any() else np.nan for x in (unlabelled, labelled)
    )
    # (G2): what models share lowers disagreement here and there by the same factor, so labels here give it.
    factor = error_here / labelled_rate if labelled_rate > 0 else np.nan
    return ErrorEstimate(estimate, estimate * factor, factor)


@dataclass(frozen=True, eq=False)
class AgreementLine:
    """Agreement-on-the-line: accuracies elsewhere, estimated without labels there.

    Parameters
    ----------
    simple : each model's accuracy, from the line through the pairs' agreements (ALine-S).
    detailed : the same, corrected by how far each model's pairs are off the line (ALine-D).
    slope, bias : the line, on the probit scale.
    r2 : how well the pairs lie on it. Not a safety check: it stays above .95 when the shift makes models more or less
        alike and the estimates are off by 4 to 7 points.
    """

    simple: Float[np.ndarray, " m"]
    detailed: Float[np.ndarray, " m"]
    slope: float
    bias: float
    r2: float


def agreement_on_the_line(
    labelled: Float[np.ndarray, "m m"], unlabelled: Float[np.ndarray, "m m"], accuracy_here: Float[np.ndarray, " m"]
) -> AgreementLine:
    """Accuracies on instances without labels, from how agreement between models moves with the shift.

    Parameters
    ----------
    labelled, unlabelled : label agreement of each pair with and without labels, in [0, 1].
    accuracy_here : of each model where there are labels. Three models or more.

    Source: Baek et al. 2022.
    """
    m = len(accuracy_here)
    a, b = np.triu_indices(m, 1)
    # (G3): on the probit scale accuracies and agreements are on one line; plain shares bend at the ends.
    x, y = _probit(labelled[a, b]), _probit(unlabelled[a, b])
    accuracy = _probit(accuracy_here)
    # Written out, as equal agreements have no line and a solver would return one all the same.
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / spread) if spread > 0 else np.nan
    bias = float(y.mean() - slope * x.mean())
    # least squares of (s_a + s_b)/2 on the pairs, whose normal equations are ((m − 2) I + 1 1ᵀ)/4
    target = y + slope * ((accuracy[a] + accuracy[b]) / 2 - x)
    sums = (np.bincount(a, target, m) + np.bincount(b, target, m)) / 2
    # (G4): I plus a constant matrix is inverted in closed form, also with thousands of models.
    detailed = 4 / (m - 2) * (sums - sums.sum() / (2 * m - 2))
    total = float(((y - y.mean()) ** 2).sum())
    r2 = slope**2 * spread / total if total > 0 else np.nan
    return AgreementLine(ndtr(bias + slope * accuracy), ndtr(detailed), slope, bias, float(r2))


def _probit(shares: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    scores: Float[np.ndarray, " k"] = ndtri(np.clip(shares, EDGE, 1 - EDGE))
    return scores
