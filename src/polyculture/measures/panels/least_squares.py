"""How much of a preference goes with something, given how strong the two candidates are? Least squares over verdicts.

The credit of the first output less one half is modelled as x·β, plus the difference of the two candidates' strengths,
plus further columns. β is in shares of a win. Verdicts are 0, ½ or 1: a linear probability model, whose errors are
allowed for by influence values that go together by item.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from .comparisons import PairedComparisons, PreferenceBias

FEWEST_PER_COLUMN = 5
"""Verdicts per column that least squares needs."""
TOO_FEW = "too few verdicts to allow for how strong each candidate is"
ALIASED = "it cannot be told from which candidates were compared"


def linear_preference(
    comparisons: PairedComparisons, x: Float[np.ndarray, " r"], *further: Float[np.ndarray, " r"]
) -> PreferenceBias:
    """The coefficient of x, with the influence of each verdict on it.

    Parameters
    ----------
    comparisons : valid verdicts only.
    x : such as 1 for the first position, or the sign of the difference of two lengths.
    further : columns that are allowed for, too; those that add nothing change nothing.

    nan, with the reason, from fewer than five verdicts per column, and where x is a combination of the others.
    """
    r = len(comparisons.credit)
    candidates, codes = np.unique(comparisons.outputs, return_inverse=True)
    codes = codes.reshape(-1, 2)
    strengths = np.zeros((r, len(candidates)))
    strengths[np.arange(r), codes[:, 0]] += 1
    strengths[np.arange(r), codes[:, 1]] -= 1
    others = np.column_stack([strengths[:, 1:], *further])
    empty = np.full(r, np.nan)
    if r < FEWEST_PER_COLUMN * (1 + others.shape[1]):
        return PreferenceBias(math.nan, empty, comparisons.item, TOO_FEW)
    basis = _basis(others)
    unique = x - basis @ (basis.T @ x)
    square = float(unique @ unique)
    if square < 1e-6 * max(1.0, float(x @ x)):
        return PreferenceBias(math.nan, empty, comparisons.item, ALIASED)
    y = comparisons.credit - 0.5
    # (JU10), by Frisch and Waugh: x without what the other columns say of it.
    value = float(unique @ y) / square
    residual = y - basis @ (basis.T @ y) - value * unique
    return PreferenceBias(value, r * unique * residual / square, comparisons.item)


def _basis(columns: Float[np.ndarray, "r k"]) -> Float[np.ndarray, "r q"]:
    """An orthonormal basis of the columns, without those that are combinations of others."""
    if not columns.shape[1]:
        return np.zeros((len(columns), 0))
    vectors, values, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(vectors[:, values > 1e-9 * max(1.0, float(values[0]))])
