"""Are models that are alike in one respect alike in another? The correlation of two m × m similarities."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

FEWEST = 5
"""Models: fewer have at most 24 orders, and a p-value cannot be small."""


@dataclass(frozen=True, eq=False)
class MatrixCorrelation:
    """Association of two similarities over pairs of models.

    Parameters
    ----------
    correlation : Spearman's, over the pairs that are defined in both; nan where undefined.
    p : two-sided, by permutation of models (pairs that share a model are not independent).
    pairs : pairs of models behind it.
    reason : why it is undefined; empty otherwise.
    """

    correlation: float
    p: float
    pairs: int
    reason: str = ""


def mantel(
    A: Float[np.ndarray, "m m"], B: Float[np.ndarray, "m m"], rng: np.random.Generator, permutations: int = 999
) -> MatrixCorrelation:
    """Whether pairs of models that are alike by A are alike by B (Mantel 1967), with ranks in place of values.

    Parameters
    ----------
    A, B : symmetric; the diagonal is not used, nan is an undefined pair.
    rng : source of the permutations of B's models.

    An association over these models; what makes them alike in both respects it does not say.
    """
    m = len(A)
    rows, columns = np.triu_indices(m, 1)
    common = int((np.isfinite(A) & np.isfinite(B))[rows, columns].sum())
    if m < FEWEST:
        return MatrixCorrelation(math.nan, math.nan, common, f"{m} models are fewer than {FEWEST}")
    first, second = _ranks(A, rows, columns), _ranks(B, rows, columns)
    value = _correlation(first[rows, columns], second[rows, columns])
    if math.isnan(value):
        return MatrixCorrelation(math.nan, math.nan, common, "one of the similarities is the same for all pairs")
    draws = np.empty(permutations)
    for t in range(permutations):
        order = rng.permutation(m)
        draws[t] = _correlation(first[rows, columns], second[order[rows], order[columns]])
    exceeding = int((np.abs(draws) >= abs(value) - 1e-12).sum())
    return MatrixCorrelation(value, (1 + exceeding) / (permutations + 1), common)


def _ranks(matrix: Float[np.ndarray, "m m"], rows: np.ndarray, columns: np.ndarray) -> Float[np.ndarray, "m m"]:
    """Symmetric matrix of the ranks of the pairs; nan where undefined."""
    ranks = np.full(matrix.shape, math.nan)
    ranks[rows, columns] = rankdata(matrix[rows, columns], nan_policy="omit")
    ranks[columns, rows] = ranks[rows, columns]
    return ranks


def _correlation(x: Float[np.ndarray, " k"], y: Float[np.ndarray, " k"]) -> float:
    defined = np.isfinite(x) & np.isfinite(y)
    if defined.sum() < 3:
        return math.nan
    # Ranks again: those of the defined pairs alone, as Spearman's correlation of them has it.
    x, y = (rankdata(part[defined]) if not defined.all() else part for part in (x, y))
    x, y = x - x.mean(), y - y.mean()
    length = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / length if length > 0 else math.nan
