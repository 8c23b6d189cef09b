"""Which weights should correlated judges have in a vote? By accuracy alone, or by accuracy and what they share.

A vote of weighted judges is right where the weight of the right ones is larger. With the mean μ of each judge's verdict
above chance and the covariance Σ of the verdicts, the margin of the vote has mean w·μ and variance w·Σw: the weights
that keep it furthest above 0, in standard deviations, are Σ⁻¹μ. Copies then share one weight.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import nnls

HALF = 0.5
"""Right and wrong verdicts that every judge is credited with, so that none is always right."""


def accuracy_weights(
    wrong: Bool[np.ndarray, "m n"], observed: Bool[np.ndarray, "m n"], classes: int = 2
) -> Float[np.ndarray, " m"]:
    """Log-odds of each judge being right, over those of guessing: the best weights of independent judges.

    Parameters
    ----------
    classes : verdicts to choose from; 2 where only right and wrong are known.

    No judge has less than 0. Source: Nitzan and Paroush 1982.
    """
    errors, judged = (wrong & observed).sum(axis=1) + HALF, observed.sum(axis=1) + 2 * HALF
    odds = np.log((judged - errors) / errors * max(classes - 1, 1))
    return np.maximum(odds, 0.0) if (odds > 0).any() else np.ones(len(wrong))


def correlation_weights(
    wrong: Bool[np.ndarray, "m n"], observed: Bool[np.ndarray, "m n"], classes: int = 2
) -> Float[np.ndarray, " m"]:
    """Weights that keep the margin of the vote furthest above 0 for these correlations: Σ⁻¹μ, none below 0.

    Σ is shrunk towards its diagonal by as much as sampling error makes its off-diagonal look larger than it is
    (Schäfer and Strimmer 2005). Parameters as in `accuracy_weights`.
    """
    mask = observed.astype(float)
    counts = mask @ mask.T
    rates = (wrong & observed).sum(axis=1) / np.maximum(observed.sum(axis=1), 1)
    centred = np.where(observed, wrong - rates[:, None], 0.0)
    products = centred @ centred.T
    covariance = products / np.maximum(counts, 1)
    # (JU8): variance of each product's mean against its square: the share of the off-diagonal that is noise.
    squares = (centred**2) @ (centred**2).T / np.maximum(counts, 1)
    noise = (squares - covariance**2) / np.maximum(counts - 1, 1)
    pairs = ~np.eye(len(wrong), dtype=bool)
    total = float((covariance[pairs] ** 2).sum())
    shrinkage = min(1.0, float(noise[pairs].sum()) / total) if total > 0 else 1.0
    covariance[pairs] *= 1 - shrinkage
    floor = 1 / (observed.sum(axis=1) + 2)
    covariance[~pairs] = np.maximum(np.diag(covariance), floor)
    advantage = np.maximum(1 - rates - 1 / max(classes, 2), 0.0)
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 1e-6 * values.max())
    root, inverse = _roots(values, vectors)
    weights, _ = nnls(root, inverse @ advantage)
    return np.asarray(weights) if weights.any() else np.ones(len(wrong))


def _roots(
    values: Float[np.ndarray, " m"], vectors: Float[np.ndarray, "m m"]
) -> tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "m m"]]:
    """Σ^½ and Σ^−½."""
    return (vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T
