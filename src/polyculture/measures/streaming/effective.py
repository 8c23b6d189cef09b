"""As how many independent models do they fail, when instances come in chunks? `effective` in two passes.

First the whole numbers, from them D and its test; then every chunk again, for the influence of its instances. Equal to
`effective` up to rounding, and to itself to the last bit however the instances were cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ..counts import PairCounts, count
from ..effective import COMPLEMENTARY, NO_PAIRS, NO_VARIATION, TOO_FEW_MODELS, StratumPairs, pooled
from .exact_sums import InstanceChunk, StratumCounts, on_grid

Influence = Callable[[InstanceChunk], tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]]
"""Of each instance of a chunk: its influence on D (nan where it is not used), and the centred failure count."""


@dataclass(frozen=True, eq=False)
class StreamedEstimate:
    """D and its test from whole numbers, and how to compute each instance's influence on it.

    Parameters
    ----------
    informative, design_effect, z, reason : as in `effective.Effective`.
    influence : for the second pass; None where D is undefined.
    """

    informative: Bool[np.ndarray, " m"]
    design_effect: float = math.nan
    z: float = math.nan
    reason: str = ""
    influence: Influence | None = None


def from_complete(strata: StratumCounts, informative: Bool[np.ndarray, " m"]) -> StreamedEstimate:
    """Every cell is known: from failure counts and errors by class alone."""
    if informative.sum() < 2:
        return StreamedEstimate(informative, reason=TOO_FEW_MODELS)
    # (E12): D and z are functions of whole numbers, so the first pass knows them without any rounding in between.
    denominator = float(strata.unbiased @ strata.scatter.sum(axis=1))
    if not denominator:
        return StreamedEstimate(informative, reason=NO_VARIATION)
    design_effect = float(strata.unbiased @ strata.power(2)) / denominator
    defined, spread = strata.sizes > 1, strata.scatter
    excess = float((strata.power(2) - spread.sum(axis=1))[defined].sum()) / 2
    products = (spread.sum(axis=1) ** 2 - (spread**2).sum(axis=1)) / 2 / np.maximum(strata.sizes - 1, 1)
    variance = float(products[defined].sum())
    z = excess / math.sqrt(variance) if variance > 0 else math.nan
    reason = COMPLEMENTARY if design_effect <= 0 else ""
    return StreamedEstimate(
        informative, design_effect, z, reason, _CompleteInfluence(strata, design_effect, denominator)
    )


@dataclass(frozen=True, eq=False)
class _CompleteInfluence:
    strata: StratumCounts
    design_effect: float
    denominator: float

    def __call__(self, chunk: InstanceChunk) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        # (E6): the same formula as in memory, with D and the means of all instances, known from the first pass.
        centred, squared_deviations = self.strata.parts(chunk)
        stratum = self.strata.codes(chunk)
        # Not the chunk's own size: influence is per instance used of the whole table.
        per_instance = float(self.strata.sizes[self.strata.sizes > 1].sum()) / self.denominator
        influence = (
            self.strata.unbiased[stratum] * (centred**2 - self.design_effect * squared_deviations) * per_instance
        )
        singleton = self.strata.sizes[stratum] < 2
        return np.where(singleton, np.nan, influence), np.where(singleton, 0.0, centred)


@dataclass(frozen=True, eq=False)
class CommonCounts:
    """Some cells are missing: by class, what every pair of models has in common; adds up over chunks.

    Parameters
    ----------
    n, row_wrong, both_wrong : common instances, on these the errors of the row's model, and of both.
    sizes : instances in each class.
    """

    n: Int[np.ndarray, "s m m"]
    row_wrong: Int[np.ndarray, "s m m"]
    both_wrong: Int[np.ndarray, "s m m"]
    sizes: Int[np.ndarray, " s"]

    @classmethod
    def of_all(cls, counts: PairCounts, instances: int) -> CommonCounts:
        """All instances as one class."""
        tables = (counts.n, counts.n01 + counts.n00, counts.n00)
        n, row_wrong, both_wrong = (np.asarray(table)[None] for table in tables)
        return cls(n, row_wrong, both_wrong, np.array([instances]))

    @classmethod
    def by_class(cls, chunk: InstanceChunk) -> CommonCounts:
        """Of some instances, class by class."""
        m = len(chunk.wrong)
        n, row_wrong, both_wrong = np.zeros((3, chunk.strata, m, m), np.int64)
        observed = np.ones_like(chunk.wrong) if chunk.observed is None else chunk.observed
        correct = np.where(observed, ~chunk.wrong, -1).astype(np.int8)
        for code in np.unique(chunk.stratum):
            tables = count(None, None, np.take(correct, np.flatnonzero(chunk.stratum == code), axis=1), 2)
            n[code], row_wrong[code], both_wrong[code] = tables.n, tables.n01 + tables.n00, tables.n00
        return cls(n, row_wrong, both_wrong, np.bincount(chunk.stratum, minlength=chunk.strata))

    def __add__(self, counts: CommonCounts) -> CommonCounts:
        """Of both sets of instances."""
        return CommonCounts(
            self.n + counts.n,
            self.row_wrong + counts.row_wrong,
            self.both_wrong + counts.both_wrong,
            self.sizes + counts.sizes,
        )

    def at(self, code: int, models: Bool[np.ndarray, " m"]) -> StratumPairs:
        """One class, these models."""
        tables = (self.n[code], self.row_wrong[code], self.both_wrong[code])
        return StratumPairs(*(table[np.ix_(models, models)].astype(float) for table in tables))


def from_pairs(common: CommonCounts, informative: Bool[np.ndarray, " m"]) -> StreamedEstimate:
    """Some cells are missing: covariances are of what a pair shares, variances of what a model answered."""
    m = int(informative.sum())
    if m < 2:
        return StreamedEstimate(informative, reason=TOO_FEW_MODELS)
    strata = (common.at(int(code), informative) for code in np.flatnonzero(common.sizes > 1))
    weight, covariance, excess, spread = pooled(strata, m)
    off_diagonal = (weight > 0) & ~np.eye(m, dtype=bool)
    if not off_diagonal.any():
        return StreamedEstimate(informative, reason=NO_PAIRS)
    # (E5): as in memory, from counts of pairs by class.
    variance = float(np.diag(covariance)[np.diag(weight) > 0].mean())
    if variance == 0:
        return StreamedEstimate(informative, reason=NO_VARIATION)
    ratio = float(covariance[off_diagonal].mean()) / variance
    design_effect = 1 + (m - 1) * ratio
    z = excess / math.sqrt(spread) if spread > 0 else math.nan
    matrices = [
        _influence_matrices(common.at(code, informative), covariance, weight) for code in range(len(common.sizes))
    ]
    n = common.sizes[common.sizes > 1].sum()
    influence = _PairwiseInfluence(informative, matrices, common.sizes, ratio, float((m - 1) * n / variance))
    return StreamedEstimate(informative, design_effect, z, COMPLEMENTARY if design_effect <= 0 else "", influence)


@dataclass(frozen=True, eq=False)
class InfluenceMatrices:
    """One class's matrices of the quadratic forms in E and W that make an instance's influence; see `effective`."""

    ee: Float[np.ndarray, "m m"]
    ew: Float[np.ndarray, "m m"]
    ww: Float[np.ndarray, "m m"]
    own_e: Float[np.ndarray, " m"]
    own_w: Float[np.ndarray, " m"]
    own_rate: Float[np.ndarray, " m"]


def _influence_matrices(
    pairs: StratumPairs, covariance: Float[np.ndarray, "m m"], weight: Float[np.ndarray, "m m"]
) -> InfluenceMatrices:
    defined = (weight > 0) & ~np.eye(len(weight), dtype=bool)
    models = np.diag(weight) > 0
    rate, share = pairs.rate, 1 / np.maximum(weight, 1)
    pull, level = pairs.unbiased * share, covariance * pairs.defined * share
    A, B = (np.where(defined, x, 0.0) / defined.sum() for x in (pull, level))
    own_rate, own_pull, own_level = (np.where(models, np.diag(x), 0.0) for x in (rate, pull, level))
    # (E9): on one grid together, as the three products are added; then any order of adding gives the same bits.
    ee, ew, ww = on_grid(A, -2 * A * rate.T, A * rate * rate.T - B)
    k = models.sum()
    own_e, own_w = on_grid(own_pull * (1 - 2 * own_rate) / k, (own_pull * own_rate**2 - own_level) / k)
    return InfluenceMatrices(ee, ew, ww, own_e, own_w, on_grid(own_rate)[0])


@dataclass(frozen=True, eq=False)
class _PairwiseInfluence:
    informative: Bool[np.ndarray, " m"]
    matrices: Sequence[InfluenceMatrices]
    sizes: Int[np.ndarray, " s"]
    ratio: float
    scale: float

    def __call__(self, chunk: InstanceChunk) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        n = len(chunk.stratum)
        influence, centred = np.full(n, np.nan), np.zeros(n)
        wrong = chunk.wrong[self.informative]
        observed = np.ones_like(wrong) if chunk.observed is None else chunk.observed[self.informative]
        for code, members in chunk.blocks(by_class=len(self.sizes) > 1):
            if self.sizes[code] < 2:
                continue
            matrix = self.matrices[code]
            # BLAS may add in another order for another number of columns; on the grid that changes nothing.
            E, W = (np.take(table, members, axis=1).astype(float) for table in (wrong, observed))
            quadratic = (E * (matrix.ee @ E + matrix.ew @ W) + W * (matrix.ww @ W)).sum(axis=0)
            influence[members] = (quadratic - self.ratio * (matrix.own_e @ E + matrix.own_w @ W)) * self.scale
            centred[members] = E.sum(axis=0) - matrix.own_rate @ W
        return influence, centred
