"""Which instances carry it? Error covariances of all pairs, and what each instance adds to any weighted sum of them.

Everything streams over the instances in blocks, so memory is bounded by the results and the block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

BLOCK = 8192


@dataclass(frozen=True, eq=False)
class StratifiedErrors:
    """Who errs where, ready for covariances within strata.

    Parameters
    ----------
    wrong : where a model is wrong; False where nothing is known. Every model is both right and wrong somewhere.
    strata : code 0, 1, … of the group, such as the true class, within which covariances are taken.
    observed : where an outcome is known; everywhere where None.
    """

    wrong: Bool[np.ndarray, "m n"]
    strata: Int[np.ndarray, " n"]
    observed: Bool[np.ndarray, "m n"] | None = None

    @property
    def sizes(self) -> Int[np.ndarray, " s"]:
        """Instances in each stratum."""
        sizes: Int[np.ndarray, " s"] = np.bincount(self.strata).astype(np.int64)
        return sizes

    @property
    def used(self) -> Bool[np.ndarray, " n"]:
        """Instances that are not alone in their stratum; the others say nothing about covariances."""
        mask: Bool[np.ndarray, " n"] = self.sizes[self.strata] > 1
        return mask

    @property
    def rates(self) -> Float[np.ndarray, "m s"]:
        """Error rate of each model in each stratum, on the instances it answered; 0 where it answered none."""
        k = len(self.sizes)
        errors = np.stack([np.bincount(self.strata[row], minlength=k) for row in self.wrong])
        if self.observed is None:
            answered = np.broadcast_to(self.sizes, errors.shape)
        else:
            answered = np.stack([np.bincount(self.strata[row], minlength=k) for row in self.observed])
        rates: Float[np.ndarray, "m s"] = errors / np.maximum(answered, 1)
        return rates

    def blocks(self) -> Iterator[tuple[slice, Float[np.ndarray, "m k"]]]:
        """Residuals from the error rates, × √(n/(n − 1)) of the stratum, block by block; 0 where unknown."""
        sizes = self.sizes
        # (A1): n/(n − 1) of each stratum, split between the two factors of a product of residuals.
        unbiased = np.sqrt(np.where(sizes > 1, sizes / np.maximum(sizes - 1, 1), 0.0)).astype(np.float32)
        rates = self.rates.astype(np.float32)
        for start in range(0, len(self.strata), BLOCK):
            block = slice(start, start + BLOCK)
            code = self.strata[block]
            # One stratum is the usual case; broadcasting saves an m × block copy of the rates.
            residual = self.wrong[:, block] - (rates if len(sizes) == 1 else rates[:, code])
            residual *= unbiased[code]
            if self.observed is not None:
                residual *= self.observed[:, block]
            yield block, residual


def error_covariance(errors: StratifiedErrors) -> Float[np.ndarray, "m m"]:
    """Unbiased covariance of every two models' errors within strata, pooled over strata by their size.

    From counts, which single precision holds exactly. With missing cells, on what both models answered; nan where
    no stratum holds two such instances.
    """
    m = len(errors.wrong)
    weight, covariance = np.zeros((2, m, m))
    # Stratum by stratum, since means are the stratum's own: pooling first would put class difficulty into C.
    order = np.argsort(errors.strata, kind="stable")
    for members in np.split(order, np.cumsum(errors.sizes)[:-1]):
        n, row, joint = _counts(errors, members)
        defined = n > 1
        # Means over the pair's common instances: over each model's own, missing cells would bias the covariance.
        scatter = joint - row * row.T / np.maximum(n, 1)
        covariance += np.where(defined, scatter * n / np.maximum(n - 1, 1), 0.0)
        weight += n * defined
    out: Float[np.ndarray, "m m"] = np.divide(covariance, weight, out=np.full((m, m), np.nan), where=weight > 0)
    return out


def _counts(
    errors: StratifiedErrors, members: Int[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "m m"], Float[np.ndarray, "m m"]]:
    """Of one stratum: instances that two models answered, errors of the row's model there, errors of both."""
    m = len(errors.wrong)
    n, row, joint = np.zeros((3, m, m))
    for start in range(0, len(members), BLOCK):
        block = members[start : start + BLOCK]
        E = np.take(errors.wrong, block, axis=1).astype(np.float32)
        joint += E @ E.T
        if errors.observed is None:
            n += len(block)
            row += E.sum(axis=1)[:, None]
        else:
            W = np.take(errors.observed, block, axis=1).astype(np.float32)
            n += W @ W.T
            row += E @ W.T
    return n, row, joint


def instance_parts(
    errors: StratifiedErrors, covariance: Float[np.ndarray, "m m"], weights: Float[np.ndarray, "k m m"]
) -> Float[np.ndarray, "k n"]:
    """What each instance adds to ½ Σ_ab H_ab C_ab, for each symmetric H: the mean over used instances is that sum.

    One matrix product per H and block, in single precision. 0 on instances that are not used. With missing cells the
    residuals are from each model's own error rates, exact to first order.
    """
    # (A6): q(i) = ½ rᵀ H r, all instances of a block in one product; C itself need not be formed again.
    parts = np.zeros((len(weights), len(errors.strata)))
    filled = np.nan_to_num(covariance)
    expected = (weights * filled).sum(axis=(1, 2)) / 2
    scaled, pull = weights.astype(np.float32), None
    if errors.observed is not None:
        common = _used_together(errors, errors.observed)
        # A pair with few common instances carries each of them with more weight: N / N_ab.
        scale = np.divide(errors.used.sum(), common, out=np.zeros_like(common), where=common > 0)
        scaled, pull = (weights * scale).astype(np.float32), (weights * filled * scale).astype(np.float32)
    for block, residual in errors.blocks():
        for k, H in enumerate(scaled):
            parts[k, block] = np.einsum("mn,mn->n", residual, H @ residual) / 2
        if pull is not None and errors.observed is not None:
            answered = errors.observed[:, block].astype(np.float32)
            for k, H in enumerate(pull):
                # C_ab is a ratio with N_ab below: where both answered only the deviation from it counts.
                parts[k, block] += expected[k] - np.einsum("mn,mn->n", answered, H @ answered) / 2
    parts[:, ~errors.used] = 0.0
    return parts


def _used_together(errors: StratifiedErrors, observed: Bool[np.ndarray, "m n"]) -> Float[np.ndarray, "m m"]:
    """Instances that each two models both answered, without those alone in their stratum."""
    common = np.zeros((len(observed), len(observed)))
    for start in range(0, observed.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        answered = (observed[:, block] & errors.used[block]).astype(np.float32)
        common += answered @ answered.T
    return common
