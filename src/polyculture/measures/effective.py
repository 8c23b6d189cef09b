"""As how many independent models do these models fail? One number for the set, with what its interval needs.

The variance of the number of models that fail on an instance is compared with what it would be if the models failed
independently with the same error rates: D, the design effect. The set fails like n_eff = M/D independent models, and
rho = (D − 1)/(M − 1) is the mean error covariance in units of the mean error variance, comparable between sets of
different size. Given strata (the true classes), all variances are within strata.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from scipy.special import ndtr

BLOCK = 8192
"""Instances turned into floats at a time."""

TOO_FEW_MODELS = "fewer than two models have both right and wrong answers"
NO_VARIATION = "no model is both right and wrong within any stratum"
NO_PAIRS = "no two models share two instances"
COMPLEMENTARY = "errors are perfectly complementary"


@dataclass(frozen=True, eq=False)
class EffectiveNumber:
    """The effective number of independent models in a set, and what stats needs for its interval.

    Parameters
    ----------
    informative : models with both right and wrong answers; the others carry no information and are left out of all.
    design_effect : D, observed over independent variance of the failure count; nan where undefined.
    influence : effect of each instance on D: raising its weight from 1 to 1 + ε adds ε·influence/(instances used);
        nan on instances that were not used because they are alone in their stratum.
    variation : each instance's part of the independent variance, mean 1 over the instances used; nan elsewhere. With
        weights w on the instances D is (to first order in the strata's means) D + Σ w influence/Σ w variation.
    n_info : instances that carry the variance, (Σk²)²/Σk⁴ over centred failure counts k; below 30 beware of intervals.
    z : permutation z of D = 1 against D > 1, asymptotically standard normal if the models fail independently
        (within strata).
    strata_dropped : strata with a single instance, which say nothing about variances.
    pairs_dropped : pairs of informative models without two common instances, left out of the mean covariance.
    reason : why D is undefined or n_eff infinite; empty otherwise.
    """

    informative: Bool[np.ndarray, " m"]
    design_effect: float
    influence: Float[np.ndarray, " n"]
    variation: Float[np.ndarray, " n"]
    n_info: float
    z: float
    strata_dropped: int = 0
    pairs_dropped: int = 0
    reason: str = ""

    @property
    def n_models(self) -> int:
        """Informative models, M."""
        return int(self.informative.sum())

    @property
    def n_eff(self) -> float:
        """M/D: this many independent models of the same accuracies would vary as much; inf where D is 0 or less."""
        if math.isnan(self.design_effect):
            return math.nan
        return self.n_models / self.design_effect if self.design_effect > 0 else math.inf

    @property
    def rho(self) -> float:
        """(D − 1)/(M − 1): mean error covariance over mean error variance, 0 if independent, 1 for copies."""
        return (self.design_effect - 1) / (self.n_models - 1) if self.n_models > 1 else math.nan

    @property
    def p_value(self) -> float:
        """One-sided p-value of `z`: how surprising so much alikeness is among independent models."""
        return float(ndtr(-self.z))


def effective(
    wrong: Bool[np.ndarray, "m n"],
    strata: Int[np.ndarray, " n"] | None = None,
    observed: Bool[np.ndarray, "m n"] | None = None,
    weights: Float[np.ndarray, " n"] | None = None,
) -> EffectiveNumber:
    """As how many independent models the given ones fail.

    With missing cells, D = 1 + (M − 1) × mean covariance / mean variance over what each pair or model was observed on.
    That is unbiased only if cells are missing at random. Takes O(m n), and an m × m matrix only with missing cells.

    Parameters
    ----------
    wrong : where a model is wrong; what stands in unobserved cells is ignored.
    strata : code of the group, such as the true class, within which variances are taken; all one group where None.
    observed : where an outcome is known; everywhere where None.
    weights : how much each instance counts, in [0, 1], such as the probability that its label is valid; `z` is then
        approximate, and strata are dropped whose weights sum to 1 or less.

    Fewer than two informative models: all nan. D ≤ 0: `n_eff` is inf. Source: Kish 1965, design effect of clusters.
    """
    n = wrong.shape[1]
    if observed is not None and observed.all():
        observed = None
    if weights is not None and not weights.all():
        return _without_the_weightless(wrong, strata, observed, weights)
    groups = _Stratification.of(np.zeros(n, np.int64) if strata is None else strata, weights)
    if observed is None:
        errors = wrong.sum(axis=1)
        informative = (errors > 0) & (errors < n)
    else:
        wrong = wrong & observed
        informative = wrong.any(axis=1) & (observed & ~wrong).any(axis=1)
    if informative.sum() < 2:
        undefined = np.full(n, np.nan)
        return EffectiveNumber(
            informative, math.nan, undefined, undefined, math.nan, math.nan, groups.singletons, reason=TOO_FEW_MODELS
        )
    # (E2): a constant model has covariance 0 with all; counted in M it would pass for an independent one.
    if not informative.all():
        wrong = wrong[informative]
        observed = None if observed is None else observed[informative]
    moments = _complete(wrong, groups) if observed is None else _pairwise(wrong, observed, groups)
    return _finish(informative, moments, groups)


def pair_covariances(
    wrong: Bool[np.ndarray, "m n"],
    strata: Int[np.ndarray, " n"] | None = None,
    observed: Bool[np.ndarray, "m n"] | None = None,
    weights: Float[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, "m m"]:
    """Error covariance within strata of every pair of models, on what both were observed on; nan without two instances.

    D of any set of M informative models is 1 + (M − 1) × mean over its pairs / mean over its diagonal, over what is
    defined: what `effective` gives of that set, missing cells and weights included. Parameters as there.
    """
    groups = _Stratification.of(np.zeros(wrong.shape[1], np.int64) if strata is None else strata, weights)
    mask = np.ones(wrong.shape, bool) if observed is None else observed
    pairs = (_stratum_pairs(wrong & mask, mask, members, groups.weight) for members in groups.positions())
    weight, covariance, *_ = pooled(pairs, len(wrong))
    symmetric: Float[np.ndarray, "m m"] = np.triu(covariance) + np.triu(covariance, 1).T
    return np.where(weight > 0, symmetric, np.nan)


def _without_the_weightless(
    wrong: Bool[np.ndarray, "m n"],
    strata: Int[np.ndarray, " n"] | None,
    observed: Bool[np.ndarray, "m n"] | None,
    weights: Float[np.ndarray, " n"],
) -> EffectiveNumber:
    """Instances that do not count at all are left out."""
    mask = weights > 0
    parts = (None if x is None else x[..., mask] for x in (strata, observed, weights))
    estimate = effective(wrong[:, mask], *parts)
    influence, variation = np.full((2, len(mask)), np.nan)
    influence[mask], variation[mask] = estimate.influence, estimate.variation
    return replace(estimate, influence=influence, variation=variation)


@dataclass(frozen=True, eq=False)
class _Stratification:
    """Instances by stratum: `code` in 0 … len(size) − 1, `size` the instances (their weights) in each."""

    code: Int[np.ndarray, " n"]
    size: Num[np.ndarray, " s"]
    weight: Float[np.ndarray, " n"] | None = None

    @classmethod
    def of(cls, strata: Int[np.ndarray, " n"], weights: Float[np.ndarray, " n"] | None) -> _Stratification:
        _, code = np.unique(strata, return_inverse=True)
        return cls(code.astype(np.int64), np.bincount(code, weights), weights)

    def sums(self, values: Bool[np.ndarray, " n"] | Num[np.ndarray, " n"]) -> Num[np.ndarray, " s"]:
        """Weighted sums of a number per instance by stratum."""
        if self.weight is not None:
            return np.bincount(self.code, self.weight * values, len(self.size))
        if values.dtype == bool:
            return np.bincount(self.code[values], minlength=len(self.size))
        return np.bincount(self.code, values, len(self.size))

    @property
    def singletons(self) -> int:
        return int((self.size <= 1).sum())

    @property
    def unbiased(self) -> Float[np.ndarray, " s"]:
        """n/(n − 1) per stratum; 0 for those that are dropped."""
        out: Float[np.ndarray, " s"] = np.where(self.size > 1, self.size / np.maximum(self.size - 1, 1), 0.0)
        return out

    @property
    def used(self) -> int:
        """Instances that are not alone in their stratum."""
        return int((self.size[self.code] > 1).sum())

    def positions(self) -> Iterator[Int[np.ndarray, " k"]]:
        """Instances of every stratum that is not dropped."""
        ends = np.cumsum(np.bincount(self.code))[:-1]
        parts = np.split(np.argsort(self.code, kind="stable"), ends)
        return (part for part, size in zip(parts, self.size, strict=True) if size > 1)


@dataclass(frozen=True, eq=False)
class _Moments:
    """D, its influence and variation (not yet blanked), centred failure counts, and the permutation z."""

    design_effect: float
    influence: Float[np.ndarray, " n"]
    variation: Float[np.ndarray, " n"]
    centred: Float[np.ndarray, " n"]
    z: float
    reason: str = ""
    pairs_dropped: int = 0


def _finish(informative: Bool[np.ndarray, " m"], moments: _Moments, groups: _Stratification) -> EffectiveNumber:
    squares = moments.centred**2 * (1.0 if groups.weight is None else groups.weight)
    n_info = float(squares.sum() ** 2 / (squares**2).sum()) if squares.any() else 0.0
    mask = groups.size[groups.code] > 1
    influence, variation = (np.where(mask, x, np.nan) for x in (moments.influence, moments.variation))
    reason = moments.reason or (COMPLEMENTARY if moments.design_effect <= 0 else "")
    return EffectiveNumber(
        informative,
        moments.design_effect,
        influence,
        variation,
        n_info,
        moments.z,
        groups.singletons,
        moments.pairs_dropped,
        reason,
    )


def _complete(wrong: Bool[np.ndarray, "m n"], groups: _Stratification) -> _Moments:
    """Every cell known: from the failure count of each instance and the error count of each model in each stratum."""
    n, code, size, unbiased = wrong.shape[1], groups.code, groups.size, groups.unbiased
    failures = wrong.sum(axis=0, dtype=np.int64)
    errors = np.stack([groups.sums(row) for row in wrong])
    rates = errors / size
    centred = failures - (groups.sums(failures) / size)[code]
    # (E10): an instance alone in its stratum deviates from nothing; rounding must not make it count.
    centred[size[code] <= 1] = 0.0
    # (E4): block by block, as a float for every cell would take eight times the memory of the answers.
    squared_deviations = np.empty(n)
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        deviation = wrong[:, block] - rates[:, code[block]]
        squared_deviations[block] = np.einsum("mn,mn->n", deviation, deviation)
    correction = unbiased[code] * (1.0 if groups.weight is None else groups.weight)
    numerator, denominator = correction * centred**2, correction * squared_deviations
    # (E4): strata in which nobody varies leave 0/0, which is no evidence of anything.
    if not denominator.any():
        undefined = np.full(n, math.nan)
        return _Moments(math.nan, undefined, undefined, centred, math.nan, NO_VARIATION)
    design_effect = float(numerator.sum() / denominator.sum())
    per_instance = groups.used / denominator.sum()
    # (E6), (E7): the means move too, but a sum of squares around a mean does not change with that mean to first order.
    influence, variation = (numerator - design_effect * denominator) * per_instance, denominator * per_instance
    # (E11): strata are not made unbiased here: the permutation null has its own n − 1.
    squares = errors * (1 - rates)  # (n − 1) × variance, of a model in a stratum
    excess = (groups.sums(centred**2) - squares.sum(axis=0))[size > 1].sum() / 2
    spread = (squares.sum(axis=0) ** 2 - (squares**2).sum(axis=0)) / 2 / np.maximum(size - 1, 1)
    variance = float(spread[size > 1].sum())
    z = excess / math.sqrt(variance) if variance > 0 else math.nan
    return _Moments(design_effect, influence, variation, centred, z)


@dataclass(frozen=True, eq=False)
class StratumPairs:
    """One stratum's counts on the instances that two models share: how many, the row's errors, the joint errors."""

    n: Float[np.ndarray, "m m"]
    row_wrong: Float[np.ndarray, "m m"]
    both_wrong: Float[np.ndarray, "m m"]

    @property
    def defined(self) -> Bool[np.ndarray, "m m"]:
        return self.n > 1

    @property
    def unbiased(self) -> Float[np.ndarray, "m m"]:
        """n/(n − 1); 0 where a covariance is not defined."""
        out: Float[np.ndarray, "m m"] = np.where(self.defined, self.n / np.maximum(self.n - 1, 1), 0.0)
        return out

    @property
    def rate(self) -> Float[np.ndarray, "m m"]:
        """The row's error rate on what it shares with the column."""
        out: Float[np.ndarray, "m m"] = self.row_wrong / np.maximum(self.n, 1)
        return out

    @property
    def scatter(self) -> Float[np.ndarray, "m m"]:
        """Sum of products of deviations, n × biased covariance."""
        out: Float[np.ndarray, "m m"] = self.both_wrong - self.row_wrong * self.rate.T
        return out


def _stratum_pairs(
    wrong: Bool[np.ndarray, "m n"],
    observed: Bool[np.ndarray, "m n"],
    members: Int[np.ndarray, " k"],
    weight: Float[np.ndarray, " n"] | None,
) -> StratumPairs:
    m = len(wrong)
    n, row_wrong, both_wrong = np.zeros((3, m, m))
    for start in range(0, len(members), BLOCK):
        # (E5): three products serve n_ab, e_ab and the joint errors of all pairs, since W E = E.
        block = members[start : start + BLOCK]  # float32 counts this few instances exactly
        E, W = (np.take(table, block, axis=1).astype(np.float32) for table in (wrong, observed))
        wE, wW = (E, W) if weight is None else (E * weight[block], W * weight[block])
        n += wW @ W.T
        row_wrong += wE @ W.T
        both_wrong += wE @ E.T
    return StratumPairs(n, row_wrong, both_wrong)


def pooled(
    strata: Iterable[StratumPairs], models: int
) -> tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "m m"], float, float]:
    """Instances behind each covariance, the covariances; and the excess of a permutation z and its variance."""
    weight, covariance = np.zeros((2, models, models))
    excess = spread = 0.0
    upper = np.triu_indices(models, 1)
    for pairs in strata:
        scatter, defined, squares = pairs.scatter, pairs.defined, pairs.row_wrong * (1 - pairs.rate)
        weight += pairs.n * defined
        covariance += scatter * pairs.unbiased
        # (E11): every pair by itself, since with gaps the failure count no longer holds the sum of the pairs.
        excess += float((scatter * defined)[upper].sum())
        spread += float((squares * squares.T * defined / np.maximum(pairs.n - 1, 1))[upper].sum())
    return weight, covariance / np.maximum(weight, 1), excess, spread


def _pairwise(wrong: Bool[np.ndarray, "m n"], observed: Bool[np.ndarray, "m n"], groups: _Stratification) -> _Moments:
    """Some cells unknown: every covariance on what the pair shares, every variance on what the model answered."""
    m, n = wrong.shape
    strata = (_stratum_pairs(wrong, observed, members, groups.weight) for members in groups.positions())
    weight, covariance, excess, spread = pooled(strata, m)
    defined = weight > 0
    pairs = defined & ~np.eye(m, dtype=bool)
    pairs_dropped = int((~defined)[np.triu_indices(m, 1)].sum())
    undefined = np.full(n, math.nan)
    if not pairs.any():
        return _Moments(math.nan, undefined, undefined, np.zeros(n), math.nan, NO_PAIRS, pairs_dropped)
    # (E5): numerator and denominator are means, as the numbers of pairs and of models differ where pairs were dropped.
    mean_variance = float(np.diag(covariance)[np.diag(defined)].mean())
    if mean_variance == 0:
        return _Moments(math.nan, undefined, undefined, np.zeros(n), math.nan, NO_VARIATION, pairs_dropped)
    ratio = float(covariance[pairs].mean()) / mean_variance
    influence, variation, centred = np.zeros((3, n))
    for members in groups.positions():
        parts = _pairwise_influence(wrong, observed, (members, groups.weight), (covariance, weight, pairs))
        influence[members] = parts[0] - ratio * parts[1]
        variation[members] = parts[1]
        centred[members] = parts[2]
    # (E8): D moves M − 1 times as much as the ratio of mean covariance and mean variance.
    influence *= (m - 1) * groups.used / mean_variance
    # (E7): what is left of an instance's part of the variance is centred here; its mean must be 1.
    variation = 1 + variation * groups.used / mean_variance
    z = excess / math.sqrt(spread) if spread > 0 else math.nan
    return _Moments(1 + (m - 1) * ratio, influence, variation, centred, z, pairs_dropped=pairs_dropped)


def _pairwise_influence(
    wrong: Bool[np.ndarray, "m n"],
    observed: Bool[np.ndarray, "m n"],
    stratum: tuple[Int[np.ndarray, " k"], Float[np.ndarray, " n"] | None],
    moments: tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "m m"], Bool[np.ndarray, "m m"]],
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """For one stratum's instances: influence on the mean covariance and on the mean variance, centred failure count.

    Expands Σ_ab w_ab (E_a − e_ab)(E_b − e_ba) over the pairs that see the instance into quadratic forms in E and W.
    """
    covariance, weight, pairs = moments
    members, counts_for = stratum
    common = _stratum_pairs(wrong, observed, members, counts_for)
    rate, share = common.rate, 1 / np.maximum(weight, 1)
    pull, level = common.unbiased * share, covariance * common.defined * share
    models = np.diag(weight) > 0
    # (E9): one product with A, R and B for all instances, instead of a loop over pairs for each.
    A, B = (np.where(pairs, x, 0.0) / pairs.sum() for x in (pull, level))
    own_rate, own_pull, own_level = (np.where(models, np.diag(x), 0.0) for x in (rate, pull, level))
    on_covariance, on_variance, centred = np.empty((3, len(members)))
    for start in range(0, len(members), BLOCK):
        block = slice(start, start + BLOCK)
        E, W = (np.take(table, members[block], axis=1).astype(float) for table in (wrong, observed))
        quadratic = E * (A @ E - 2 * (A * rate.T) @ W) + W * ((A * rate * rate.T - B) @ W)
        on_covariance[block] = quadratic.sum(axis=0)
        on_variance[block] = (own_pull * (1 - 2 * own_rate)) @ E + (own_pull * own_rate**2 - own_level) @ W
        centred[block] = E.sum(axis=0) - own_rate @ W
    # (E8): raising the weight of an instance that counts half moves everything half as much.
    if counts_for is not None:
        on_covariance *= counts_for[members]
        on_variance *= counts_for[members]
    return on_covariance, on_variance / models.sum(), centred
