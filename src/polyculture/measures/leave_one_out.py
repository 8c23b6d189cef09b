"""What would rho be without each of the models? What generalizing to a population of models needs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from polyculture.measures.effective import BLOCK


def rho_without_each(
    wrong: Bool[np.ndarray, "m n"], strata: Int[np.ndarray, " n"] | None = None
) -> Float[np.ndarray, " m"]:
    """Mean error covariance over mean error variance, without each model in turn; O(m n), no m × m matrix.

    rho is a U-statistic of degree two in the models, so these are all its delete-one jackknife needs. Resampling models
    with replacement instead would pair copies with themselves and invent alikeness.

    Parameters
    ----------
    wrong : where a model is wrong; informative models, on instances that every model answered. Three models or more.
    strata : groups within which covariances are taken; groups of one instance are left out.

    nan where the others do not vary.
    """
    m, n = wrong.shape
    _, code, size = np.unique(np.zeros(n) if strata is None else strata, return_inverse=True, return_counts=True)
    rates = np.stack([np.bincount(code[row], minlength=len(size)) for row in wrong]) / size
    weight = np.where(size > 1, size / np.maximum(size - 1, 1), 0.0)[code]
    squares, rows = np.zeros((2, m))
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        deviation = wrong[:, block] - rates[:, code[block]]
        # (I7): a model's covariances with all models, itself included, from the centred failure count.
        rows += deviation @ (weight[block] * deviation.sum(axis=0))
        squares += deviation**2 @ weight[block]
    # Row and column of the model go, its variance only once, and then the variances of the others.
    covariances = rows.sum() - 2 * rows + squares - (squares.sum() - squares)
    means = covariances / ((m - 1) * (m - 2))
    variances = (squares.sum() - squares) / (m - 1)
    leave_one_out: Float[np.ndarray, " m"] = np.divide(means, variances, out=np.full(m, np.nan), where=variances > 0)
    return leave_one_out
