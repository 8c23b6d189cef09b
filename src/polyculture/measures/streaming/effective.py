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
from ..effective import COMPLEMENTARY, NO_PAIRS, NO_VARIATION, TOO_FEW_MODELS
from .exact_sums import InstanceChunk, StratumCounts, on_grid

Influence = Callable[[InstanceChunk], tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]]
"""Of each instance of a chunk: its influence on D (nan where it is not used), and the centred failure count."""


@dataclass(frozen=True, eq=False)
class StreamedEstimate:
    """D and its test from whole numbers, and how to see each instance's influence on it.

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
    below = float(strata.unbiased @ strata.scatter.sum(axis=1))
    if not below:
        return StreamedEstimate(informative, reason=NO_VARIATION)
    design_effect = float(strata.unbiased @ strata.power(2)) / below
    several, spread = strata.sizes > 1, strata.scatter
    excess = float((strata.power(2) - spread.sum(axis=1))[several].sum()) / 2
    products = (spread.sum(axis=1) ** 2 - (spread**2).sum(axis=1)) / 2 / np.maximum(strata.sizes - 1, 1)
    variance = float(products[several].sum())
    z = excess / math.sqrt(variance) if variance > 0 else math.nan
    reason = COMPLEMENTARY if design_effect <= 0 else ""
    return StreamedEstimate(informative, design_effect, z, reason, _CompleteInfluence(strata, design_effect, below))


@dataclass(frozen=True, eq=False)
class _CompleteInfluence:
    strata: StratumCounts
    design_effect: float
    below: float

    def __call__(self, chunk: InstanceChunk) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        centred, own = self.strata.parts(chunk)
        stratum = self.strata.codes(chunk)
        per_instance = float(self.strata.sizes[self.strata.sizes > 1].sum()) / self.below
        influence = self.strata.unbiased[stratum] * (centred**2 - self.design_effect * own) * per_instance
        alone = self.strata.sizes[stratum] < 2
        return np.where(alone, np.nan, influence), np.where(alone, 0.0, centred)


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
        known = np.ones_like(chunk.wrong) if chunk.observed is None else chunk.observed
        correct = np.where(known, ~chunk.wrong, -1).astype(np.int8)
        for code in np.unique(chunk.stratum):
            found = count(None, None, np.take(correct, np.flatnonzero(chunk.stratum == code), axis=1), 2)
            n[code], row_wrong[code], both_wrong[code] = found.n, found.n01 + found.n00, found.n00
        return cls(n, row_wrong, both_wrong, np.bincount(chunk.stratum, minlength=chunk.strata))

    def __add__(self, other: CommonCounts) -> CommonCounts:
        """Of both sets of instances."""
        return CommonCounts(
            self.n + other.n,
            self.row_wrong + other.row_wrong,
            self.both_wrong + other.both_wrong,
            self.sizes + other.sizes,
        )

    def at(self, code: int, models: Bool[np.ndarray, " m"]) -> _Pairs:
        """One class, these models."""
        tables = (self.n[code], self.row_wrong[code], self.both_wrong[code])
        return _Pairs(*(table[np.ix_(models, models)].astype(float) for table in tables))


@dataclass(frozen=True, eq=False)
class _Pairs:
    n: Float[np.ndarray, "m m"]
    row_wrong: Float[np.ndarray, "m m"]
    both_wrong: Float[np.ndarray, "m m"]

    @property
    def enough(self) -> Bool[np.ndarray, "m m"]:
        return self.n > 1

    @property
    def unbiased(self) -> Float[np.ndarray, "m m"]:
        return np.where(self.enough, self.n / np.maximum(self.n - 1, 1), 0.0)

    @property
    def rate(self) -> Float[np.ndarray, "m m"]:
        rate: Float[np.ndarray, "m m"] = self.row_wrong / np.maximum(self.n, 1)
        return rate

    @property
    def scatter(self) -> Float[np.ndarray, "m m"]:
        scatter: Float[np.ndarray, "m m"] = self.both_wrong - self.row_wrong * self.rate.T
        return scatter


def from_pairs(common: CommonCounts, informative: Bool[np.ndarray, " m"]) -> StreamedEstimate:
    """Some cells are missing: covariances are of what a pair shares, variances of what a model was seen on."""
    m = int(informative.sum())
    if m < 2:
        return StreamedEstimate(informative, reason=TOO_FEW_MODELS)
    weight, covariance = np.zeros((2, m, m))
    excess = spread = 0.0
    upper = np.triu_indices(m, 1)
    for code in np.flatnonzero(common.sizes > 1):
        pairs = common.at(int(code), informative)
        scatter, enough, own = pairs.scatter, pairs.enough, pairs.row_wrong * (1 - pairs.rate)
        weight += pairs.n * enough
        covariance += scatter * pairs.unbiased
        excess += float((scatter * enough)[upper].sum())
        spread += float((own * own.T * enough / np.maximum(pairs.n - 1, 1))[upper].sum())
    covariance /= np.maximum(weight, 1)
    defined = (weight > 0) & ~np.eye(m, dtype=bool)
    if not defined.any():
        return StreamedEstimate(informative, reason=NO_PAIRS)
    variance = float(np.diag(covariance)[np.diag(weight) > 0].mean())
    if variance == 0:
        return StreamedEstimate(informative, reason=NO_VARIATION)
    ratio = float(covariance[defined].mean()) / variance
    design_effect = 1 + (m - 1) * ratio
    z = excess / math.sqrt(spread) if spread > 0 else math.nan
    looks = [_look(common.at(code, informative), covariance, weight) for code in range(len(common.sizes))]
    used = common.sizes[common.sizes > 1].sum()
    influence = _PairwiseInfluence(informative, looks, common.sizes, ratio, float((m - 1) * used / variance))
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


def _look(pairs: _Pairs, covariance: Float[np.ndarray, "m m"], weight: Float[np.ndarray, "m m"]) -> InfluenceMatrices:
    defined = (weight > 0) & ~np.eye(len(weight), dtype=bool)
    models = np.diag(weight) > 0
    rate, share = pairs.rate, 1 / np.maximum(weight, 1)
    pull, level = pairs.unbiased * share, covariance * pairs.enough * share
    A, B = (np.where(defined, x, 0.0) / defined.sum() for x in (pull, level))
    own_rate, own_pull, own_level = (np.where(models, np.diag(x), 0.0) for x in (rate, pull, level))
    ee, ew, ww = on_grid(A, -2 * A * rate.T, A * rate * rate.T - B)
    k = models.sum()
    own_e, own_w = on_grid(own_pull * (1 - 2 * own_rate) / k, (own_pull * own_rate**2 - own_level) / k)
    return InfluenceMatrices(ee, ew, ww, own_e, own_w, on_grid(own_rate)[0])


@dataclass(frozen=True, eq=False)
class _PairwiseInfluence:
    informative: Bool[np.ndarray, " m"]
    looks: Sequence[InfluenceMatrices]
    sizes: Int[np.ndarray, " s"]
    ratio: float
    scale: float

    def __call__(self, chunk: InstanceChunk) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        n = len(chunk.stratum)
        influence, centred = np.full(n, np.nan), np.zeros(n)
        wrong = chunk.wrong[self.informative]
        known = np.ones_like(wrong) if chunk.observed is None else chunk.observed[self.informative]
        for code, at in chunk.blocks(by_class=len(self.sizes) > 1):
            if self.sizes[code] < 2:
                continue
            look = self.looks[code]
            E, W = (np.take(table, at, axis=1).astype(float) for table in (wrong, known))
            quadratic = (E * (look.ee @ E + look.ew @ W) + W * (look.ww @ W)).sum(axis=0)
            influence[at] = (quadratic - self.ratio * (look.own_e @ E + look.own_w @ W)) * self.scale
            centred[at] = E.sum(axis=0) - look.own_rate @ W
        return influence, centred
