"""How is a mean similarity split among what models share, and how sure is each part over instances and over models?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.special import stdtrit

from polyculture.measures.attribution.covariance_split import CovarianceSplit, Identifiability, split
from polyculture.measures.attribution.hypothesis_tests import PairRegression, grams_without, jackknife_error
from polyculture.recipe import Ingredient, exchangeable_units
from polyculture.stats import Interval, influence_interval

FEW_UNITS = 10
"""Independent models (or families of them) below which nothing is said of a population of models."""


@dataclass(frozen=True, eq=False)
class Sampling:
    """How instances were drawn, for intervals.

    Parameters
    ----------
    used : draws (instances, or blocks of them) that say something about the similarity.
    clusters : which were drawn together; each its own where None.
    instances : instances behind blocks; 0 where draws are instances.
    reason : why there are no limits; empty where there are.
    """

    used: Bool[np.ndarray, " n"]
    clusters: Int[np.ndarray, " n"] | None
    level: float
    instances: int = 0
    reason: str = ""

    def interval(self, estimate: float, influence: Float[np.ndarray, " n"]) -> Interval:
        """Limits of a number from what each draw adds to it."""
        if self.reason:
            return Interval(estimate, level=self.level, reason=self.reason)
        limits = influence_interval(estimate, np.where(self.used, influence, np.nan), self.clusters, self.level)
        if not self.instances:
            return limits
        return replace(limits, n=self.instances, method=f"jackknife over {len(self.used)} blocks")


@dataclass(frozen=True, eq=False)
class SimilaritySplit:
    """A similarity split among factors, with what each draw of instances adds.

    Parameters
    ----------
    similarity : of every two models, in units of `unit`.
    parts : the split.
    influence : what each draw adds to each coefficient.
    draws : the same before the unit, which is estimated too, is allowed for; as many rows, or none.
    """

    similarity: Float[np.ndarray, "m m"]
    parts: CovarianceSplit
    influence: Float[np.ndarray, "k n"]
    sampling: Sampling
    draws: Float[np.ndarray, "k n"] = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def mean(self) -> Interval:
        """The mean similarity (ρ, of covariances)."""
        return self.sampling.interval(self.parts.rho, self.parts.pair_shares @ self.influence)

    def contribution(self, rows: Sequence[int]) -> Interval:
        """Part of the mean of these columns of the regression together."""
        columns = list(rows)
        influence = self.parts.pair_shares[columns] @ self.influence[columns]
        return self.sampling.interval(float(self.parts.contributions[columns].sum()), influence)

    def share(self, rows: Sequence[int]) -> Interval:
        """The same as a share of the mean; undefined where that may be 0."""
        columns, mean = list(rows), self.mean
        if not (mean.low > 0 or (self.sampling.reason and mean.estimate > 0)):
            return Interval.undefined("ρ may be 0, and nothing has no shares", mean.n)
        share = float(self.parts.contributions[columns].sum()) / mean.estimate
        total_influence = self.parts.pair_shares @ self.influence
        influence = self.parts.pair_shares[columns] @ self.influence[columns] - share * total_influence
        return self.sampling.interval(share, influence / mean.estimate)

    def n_eff_without(self, rows: Sequence[int]) -> Interval:
        """Effective number of models if no two shared it (and all else stayed)."""
        columns, m = list(rows), len(self.similarity)
        remainder = self.parts.rho - float(self.parts.contributions[columns].sum())
        total_influence = self.parts.pair_shares @ self.influence
        influence = total_influence - self.parts.pair_shares[columns] @ self.influence[columns]
        limits = self.sampling.interval(remainder, influence)

        def effective(rho: float) -> float:
            d = 1 + (m - 1) * rho
            return m / d if d > 0 else math.inf

        return Interval(
            effective(remainder), effective(limits.high), effective(limits.low), limits.level, limits.n, limits.method
        )

    def over_models(
        self, rows: Sequence[int], factors: Sequence[Ingredient], units: Int[np.ndarray, " m"]
    ) -> tuple[Interval, Interval]:
        """Contribution and share of these columns with limits for other models drawn like these.

        Parameters
        ----------
        factors : those of the split, in its order.
        units : what was drawn as one.

        Limits: instances (as in `contribution`) and a jackknife over units added up, t with units − 1 degrees of
        freedom; with fewer than ten units no limits.
        """
        estimates = self.contribution(rows), self.share(rows)
        pairs = PairRegression.of(self.similarity, [i.factor for i in factors])
        grams = grams_without(pairs, units)
        count, columns = len(grams), list(rows)
        if count < FEW_UNITS:
            reason = f"{count} independent models are too few to speak of a population; {FEW_UNITS} are needed"
            return tuple(Interval(i.estimate, level=i.level, n=i.n, reason=i.reason or reason) for i in estimates)  # type: ignore[return-value]
        # The first row of the cross-products holds sums over pairs: the shares of pairs, and the mean.
        slopes = np.einsum("ujk,uk->uj", np.linalg.pinv(grams[:, :-1, :-1], hermitian=True), grams[:, :-1, -1])
        parts = (slopes * grams[:, 0, :-1])[:, columns].sum(axis=1) / grams[:, 0, 0]
        means = grams[:, 0, -1] / grams[:, 0, 0]
        first, second = parts, parts / np.where(means > 0, means, np.nan)
        return _widened(estimates[0], first), _widened(estimates[1], second)


def _widened(interval: Interval, replicates: Float[np.ndarray, " u"]) -> Interval:
    """Limits over instances and models, from the number without each unit in turn."""
    if not interval.defined:
        return interval
    u = len(replicates)
    by_instance = 0.0
    if math.isfinite(interval.high):
        by_instance = (
            (interval.high - interval.low) / 2 / float(stdtrit(max(interval.n - 1, 1), 0.5 + interval.level / 2))
        )
    reach = float(stdtrit(u - 1, 0.5 + interval.level / 2)) * math.hypot(by_instance, jackknife_error(replicates))
    if not math.isfinite(reach):
        return Interval(interval.estimate, level=interval.level, n=interval.n, reason="undefined without some model")
    method = f"{interval.method + ' + ' if by_instance else ''}jackknife of {u} models or families"
    return Interval(
        interval.estimate, interval.estimate - reach, interval.estimate + reach, interval.level, interval.n, method
    )


def split_of(
    similarity: Float[np.ndarray, "m m"], factors: Sequence[Ingredient], unit: float | None = None
) -> CovarianceSplit:
    """The split of a similarity among named factors."""
    return split(similarity, [i.factor for i in factors], unit)


def units_of(rows: Sequence[int], factors: Sequence[Ingredient], gate: Identifiability) -> Int[np.ndarray, " m"]:
    """What was drawn as one for the parts of these factors; of all models alike (no factor) for what is common."""
    if len(rows) == 1:
        return exchangeable_units(rows[0], factors, gate)[0]
    finer = [factors[int(g)].factor.alike > 0.5 for g in np.flatnonzero(gate.nested.any(axis=1))]
    if not finer:
        return np.arange(len(factors[0].words))
    return connected_components(csr_array(np.any(finer, axis=0)), directed=False)[1].astype(np.int64)
