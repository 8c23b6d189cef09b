"""How many independent votes are correlated votes worth? The mean error correlation, and Kish's formula."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

NO_VARIATION = "fewer than two judges are both right and wrong"
NO_PAIR = "no two judges that are both right and wrong share two items"


def kish(judges: int, correlation: float) -> float:
    """k / (1 + (k − 1) φ̄): votes of k judges with this mean error correlation, in independent votes.

    inf where the correlation is so negative that the errors cancel. Source: Kish 1965; for judges, arXiv 2605.29800.

    Examples
    --------
    >>> from polyculture.measures.panels import kish
    >>> round(kish(6, 0.42), 2)
    1.94
    """
    effect = 1 + (judges - 1) * correlation
    return math.nan if math.isnan(effect) else judges / effect if effect > 0 else math.inf


@dataclass(frozen=True, eq=False)
class ErrorCorrelation:
    """Correlations of the judges' errors, their mean, and what an interval of it needs.

    Parameters
    ----------
    matrix : m × m Pearson (φ) correlations of being wrong; nan where a judge is always right or always wrong on what
        the pair shares.
    mean : φ̄ over all defined pairs; nan where there is none, with the reason.
    influence : effect of each item on the mean, per item.
    varied : judges that are both right and wrong; the others have no correlation and are left out.
    reason : why the mean is undefined; empty otherwise.
    """

    matrix: Float[np.ndarray, "m m"]
    mean: float
    influence: Float[np.ndarray, " n"]
    varied: Bool[np.ndarray, " m"]
    reason: str = ""

    @property
    def judges(self) -> int:
        """Judges that are both right and wrong."""
        return int(self.varied.sum())

    @property
    def design_effect(self) -> float:
        """1 + (k − 1) φ̄."""
        return 1 + (self.judges - 1) * self.mean

    @property
    def votes(self) -> float:
        """Effective votes by Kish's formula, of the judges that vary."""
        return kish(self.judges, self.mean)

    def of(self, judges: Int[np.ndarray, " k"]) -> float:
        """Effective votes of some of the judges; nan where no two of them have a correlation."""
        part = self.matrix[np.ix_(judges, judges)]
        pairs = part[np.triu_indices(len(judges), 1)]
        defined = pairs[~np.isnan(pairs)]
        return kish(int(self.varied[judges].sum()), float(defined.mean())) if len(defined) else math.nan


def error_correlation(
    wrong: Bool[np.ndarray, "m n"], observed: Bool[np.ndarray, "m n"] | None = None
) -> ErrorCorrelation:
    """Correlation of every two judges' errors on the items that both judged.

    Parameters
    ----------
    wrong : where a judge is wrong; what stands in unobserved cells is ignored.
    observed : where a verdict is known; everywhere where None.
    """
    mask = np.ones(wrong.shape, bool) if observed is None else observed
    E, W = (wrong & mask).astype(float), mask.astype(float)
    varied = (wrong & mask).any(axis=1) & (mask & ~wrong).any(axis=1)
    common, row_wrong, both = W @ W.T, E @ W.T, E @ E.T
    with np.errstate(all="ignore"):
        rate = row_wrong / common
        covariance = both / common - rate * rate.T
        spread = np.sqrt(rate * (1 - rate))
        matrix = covariance / (spread * spread.T)
    matrix[(common < 2) | (spread * spread.T == 0)] = np.nan
    defined = ~np.isnan(matrix)
    pairs = np.triu(defined, 1)
    if not pairs.any():
        reason = NO_VARIATION if varied.sum() < 2 else NO_PAIR
        return ErrorCorrelation(matrix, math.nan, np.full(wrong.shape[1], np.nan), varied, reason)
    mean = float(matrix[pairs].mean())
    influence = _influence(E, W, (matrix, rate, spread, common), pairs)
    return ErrorCorrelation(matrix, mean, influence, varied)


def _influence(
    E: Float[np.ndarray, "m n"],
    W: Float[np.ndarray, "m n"],
    moments: tuple[Float[np.ndarray, "m m"], ...],
    pairs: Bool[np.ndarray, "m m"],
) -> Float[np.ndarray, " n"]:
    """Effect of each item on the mean correlation: of a pair, z_a z_b − φ (z_a² + z_b²)/2 on what it shares.

    (JU5): quadratic forms in E and W for all pairs at once, since every z is linear in E with the pair's own mean.
    """
    matrix, rate, spread, common = moments
    n, mask = E.shape[1], pairs | pairs.T
    share = np.where(mask, n / np.maximum(common, 1), 0.0) / mask.sum()
    with np.errstate(all="ignore"):
        scale = np.where(mask, share / (spread * spread.T), 0.0)
        level = np.where(mask, share * matrix / spread**2, 0.0)
    rates = np.where(mask, rate, 0.0)
    cross = (E * (scale @ E)).sum(axis=0)
    cross -= 2 * (E * ((scale * rates.T) @ W)).sum(axis=0)
    cross += (W * ((scale * rates * rates.T) @ W)).sum(axis=0)
    # z_a² = (E − 2 r E + r² W)/s², as E² = E, and counts where the other judged, too.
    squares = ((level * (1 - 2 * rates)) @ W * E).sum(axis=0) + ((level * rates**2) @ W * W).sum(axis=0)
    return np.asarray(cross - squares)
