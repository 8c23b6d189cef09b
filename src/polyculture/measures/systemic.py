"""How many models fail on each instance, and how many would if they failed independently?

Independence is always given the stratum (the true class): there the failure count is Poisson-binomial with the models'
error rates. Only instances that every model answered count. `stats.systemic_pmf` gives the exact test of the rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from polyculture.measures.counts import PairCounts

NO_COMPLETE_INSTANCE = "no instance was answered by every model"
NEVER_RIGHT_TOGETHER = "no two models are ever right together"
BLOCK = 8192
"""Instances turned into floats at a time."""


@dataclass(frozen=True, eq=False)
class FailureCounts:
    """Failure counts of a set of models against independence given the stratum.

    Parameters
    ----------
    histogram : instances on which exactly 0, 1, …, m models fail.
    expected : the same if the models failed independently within strata; sums to the same total.
    errors : errors of each model in each stratum, for the exact test.
    sizes : instances in each stratum.
    expected_rate : share of instances that all models would fail if independent: Σ_s share_s Π_m e_ms.
    largest_rate : the largest share that the error rates allow: Σ_s share_s min_m e_ms.
    reason : why nothing is defined; empty otherwise.
    """

    histogram: Int[np.ndarray, " m1"]
    expected: Float[np.ndarray, " m1"]
    errors: Int[np.ndarray, "s m"]
    sizes: Int[np.ndarray, " s"]
    expected_rate: float
    largest_rate: float
    reason: str = ""

    @classmethod
    def of(
        cls, histogram: Int[np.ndarray, " m1"], errors: Int[np.ndarray, "s m"], sizes: Int[np.ndarray, " s"]
    ) -> FailureCounts:
        """From the failure counts, and from strata that are not empty."""
        n = int(sizes.sum())
        if n == 0:
            return cls(histogram, np.zeros(len(histogram)), errors, sizes, math.nan, math.nan, NO_COMPLETE_INSTANCE)
        # (S3): within strata, then averaged; averaging the rates first would take class difficulty for alikeness.
        rates, shares = errors / sizes[:, None], sizes / n
        expected_rate, largest_rate = float(shares @ rates.prod(axis=1)), float(shares @ rates.min(axis=1))
        return cls(histogram, sizes @ poisson_binomial(rates), errors, sizes, expected_rate, largest_rate)

    @property
    def n(self) -> int:
        """Instances that every model answered."""
        return int(self.histogram.sum())

    @property
    def failures(self) -> int:
        """Instances that every model fails."""
        return int(self.histogram[-1])

    @property
    def rate(self) -> float:
        """Systemic failure rate: the share of instances that every model fails; nan without instances."""
        return self.failures / self.n if self.n else math.nan

    @property
    def ratio(self) -> float:
        """Observed over expected rate (Bommasani et al. 2022); not comparable between sets of different size.

        nan where the expected rate is 0: then some model of every stratum is perfect and no instance can fail all.
        """
        return self.rate / self.expected_rate if self.expected_rate > 0 else math.nan

    @property
    def excess(self) -> float:
        """Observed minus expected rate."""
        return self.rate - self.expected_rate

    @property
    def index(self) -> float:
        """Excess relative to the largest that the error rates allow, at most 1; nan where none is possible."""
        # (S4): no room where only one rate is possible, such as 0 with a perfect model in every stratum.
        room = self.largest_rate - self.expected_rate
        return self.excess / room if room > 0 else math.nan

    @property
    def n_sys(self) -> float:
        """Independent models of the same (geometric mean) error rate that all fail as often; inf if that never happens.

        nan where every model is always wrong. Source: log rate / mean log error rate.
        """
        if not self.n:
            return math.nan
        if self.failures == 0:
            return math.inf
        # (S8): over all strata, as one number of models is asked for. A systemic failure makes every rate positive.
        logs = np.log(self.errors.sum(axis=0) / self.n)
        return len(logs) * math.log(self.rate) / float(logs.sum()) if logs.any() else math.nan


def systemic(
    wrong: Bool[np.ndarray, "m n"],
    strata: Int[np.ndarray, " n"] | None = None,
    observed: Bool[np.ndarray, "m n"] | None = None,
) -> FailureCounts:
    """How many models fail together, against independence within strata.

    Parameters
    ----------
    wrong : where a model is wrong.
    strata : code of the group, such as the true class, within which the models are taken as independent.
    observed : where an outcome is known; instances that some model did not answer are left out.

    Source: Bommasani et al. 2022, Toups et al. 2023.
    """
    if observed is not None:
        complete = observed.all(axis=0)
        wrong = wrong[:, complete]
        strata = None if strata is None else strata[complete]
    m, n = wrong.shape
    _, code, sizes = np.unique(np.zeros(n) if strata is None else strata, return_inverse=True, return_counts=True)
    errors = np.stack([np.bincount(code[row], minlength=len(sizes)) for row in wrong], axis=1)
    return FailureCounts.of(np.bincount(failure_counts(wrong), minlength=m + 1), errors, sizes.astype(np.int64))


def expectation_error(failures: Int[np.ndarray, "s m1"], errors: Int[np.ndarray, "s m"]) -> float:
    """Logarithm of the factor by which small strata may put the expected rate wrong: bias plus two standard errors.

    A stratum's error rates come from its own few instances. Models that fail together are then all wrong on the same
    ones, and the product of their rates takes that for the difficulty of the stratum: with one instance in each
    stratum the expectation is the observation itself. Log-normal approximation of the product, with the covariance of
    the models within strata; infinite where no stratum has two instances.

    Parameters
    ----------
    failures : instances of each stratum on which exactly 0, 1, …, m models fail; no stratum is empty.
    errors : errors of each model in each stratum.
    """
    sizes, m = failures.sum(axis=1), errors.shape[1]
    if (sizes < 2).all():
        return math.inf
    # (S9): half an error more of either kind, since a rate of 0 has no logarithm.
    rates = (errors + 0.5) / (sizes + 1)[:, None]
    spread = np.sqrt(1 / rates - 1)
    variance, pairs = (spread**2).sum(axis=1), spread.sum(axis=1) ** 2 - (spread**2).sum(axis=1)
    covariance = np.clip(_mean_correlation(failures, errors), 0, 1) * pairs / sizes
    product = np.log(rates).sum(axis=1) + np.log(sizes)
    weight = np.exp(product - product.max())
    weight /= weight.sum()
    bias = -math.log(max(float(weight @ np.exp(-covariance / 2)), 1e-300))
    return bias + 2 * math.sqrt(float(weight**2 @ (variance / sizes + covariance))) if m > 1 else 0.0


def _mean_correlation(failures: Int[np.ndarray, "s m1"], errors: Int[np.ndarray, "s m"]) -> float:
    """Sum of the error covariances of all pairs within strata, relative to the largest that the variances allow."""
    sizes = failures.sum(axis=1)
    counts = np.arange(failures.shape[1])
    mean = failures @ counts / sizes
    unbiased = sizes / np.maximum(sizes - 1, 1) * (sizes > 1)
    total = float(((failures @ counts**2 - sizes * mean**2) * unbiased).sum())
    rates = errors / sizes[:, None]
    variance = rates * (1 - rates) * (sizes * unbiased)[:, None]
    largest = float((np.sqrt(variance).sum(axis=1) ** 2 - variance.sum(axis=1)).sum())
    return (total - float(variance.sum())) / largest if largest > 0 else 0.0


def failure_counts(wrong: Bool[np.ndarray, "m n"]) -> Int[np.ndarray, " n"]:
    """How many models fail on each instance."""
    counts: Int[np.ndarray, " n"] = wrong.sum(axis=0, dtype=np.int64)
    return counts


def poisson_binomial(rates: Float[np.ndarray, "s m"]) -> Float[np.ndarray, "s m1"]:
    """Probability that exactly 0, 1, …, m independent models fail, for each row of error rates."""
    strata, m = rates.shape
    pmf = np.zeros((strata, m + 1))
    pmf[:, 0] = 1
    # (S1): in place. The right side is complete before the left is written, and cell 0 is needed until the end.
    for k, rate in enumerate(rates.T[:, :, None], start=1):
        pmf[:, 1 : k + 1] = pmf[:, 1 : k + 1] * (1 - rate) + pmf[:, :k] * rate
        pmf[:, :1] *= 1 - rate
    return pmf


@dataclass(frozen=True, eq=False)
class FailAtK:
    """How often k random different models all fail, for k = 1 … m, and what its interval needs.

    Parameters
    ----------
    rates : probability that k random different models all fail a random instance; `recourse` is its complement.
    expected : the same if the models failed independently within strata.
    kish : instances that carry each rate, (Σf)²/Σf² over each instance's share f of failing sets; below 20 no
        interval can be trusted, however many instances k models fail.
    reached : instances that k models or more fail.
    failures : how many models fail on each instance.
    shares : share of all sets of k models that fail on an instance on which j do, C(j, k)/C(m, k), at [j, k − 1].
    """

    rates: Float[np.ndarray, " m"]
    expected: Float[np.ndarray, " m"]
    kish: Float[np.ndarray, " m"]
    reached: Int[np.ndarray, " m"]
    failures: Int[np.ndarray, " n"]
    shares: Float[np.ndarray, "m1 m"]

    @property
    def recourse(self) -> Float[np.ndarray, " m"]:
        """Probability that one of k random different models is right."""
        return 1 - self.rates

    def values(self, k: int) -> Float[np.ndarray, " n"]:
        """Share of the sets of k models that all fail, on each instance; its mean is the rate."""
        values: Float[np.ndarray, " n"] = self.shares[self.failures, k - 1]
        return values


def fail_at_k_curve(
    wrong: Bool[np.ndarray, "m n"],
    strata: Int[np.ndarray, " n"] | None = None,
    observed: Bool[np.ndarray, "m n"] | None = None,
) -> FailAtK:
    """How often k random different models all fail, compared with what independence within strata implies.

    Parameters as in `systemic`; only instances that every model answered count. All nan without any.
    """
    counts = systemic(wrong, strata, observed)
    complete = wrong if observed is None else wrong[:, observed.all(axis=0)]
    m, histogram = len(wrong), counts.histogram
    shares = fail_shares(m)
    # (J3): from the histogram, since instances that as many models fail have the same share.
    sums, squares = histogram @ shares, histogram @ shares**2
    kish = np.divide(sums**2, squares, out=np.zeros(m), where=squares > 0)
    expected = np.full(m, np.nan)
    if counts.n:
        rates = counts.errors / counts.sizes[:, None]
        expected = counts.sizes / counts.n @ np.stack([fail_at_k_expected(row) for row in rates])
    at_least_k = histogram[::-1].cumsum()[::-1][1:]
    return FailAtK(fail_at_k(histogram), expected, kish, at_least_k, failure_counts(complete), shares)


def fail_shares(m: int) -> Float[np.ndarray, "m1 m"]:
    """Share of all sets of k out of m models that lie within j of them, C(j, k)/C(m, k), at [j, k − 1]."""
    failures, share = np.arange(m + 1.0), np.ones(m + 1)
    shares = np.empty((m + 1, m))
    # (J1): as a running product of ratios; factorials of a thousand models would overflow.
    for k in range(m):
        share = share * np.maximum(failures - k, 0) / (m - k)
        shares[:, k] = share
    return shares


def fail_at_k(histogram: Int[np.ndarray, " m1"]) -> Float[np.ndarray, " m"]:
    """Probability that k random different models all fail a random instance, for k = 1 … m; nan without instances.

    Parameters
    ----------
    histogram : instances on which exactly 0, 1, …, m models fail.

    Unbiased (a U-statistic), as in pass@k (Chen et al. 2021): the mean of C(failures, k)/C(m, k).
    """
    m, n = len(histogram) - 1, histogram.sum()
    rates: Float[np.ndarray, " m"] = histogram @ fail_shares(m) / n if n else np.full(m, np.nan)
    return rates


def fail_at_k_expected(rates: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """`fail_at_k` of independent models: the mean over all sets of k models of the product of their error rates."""
    out = np.zeros(len(rates) + 1)
    out[0] = 1
    for size, rate in enumerate(rates):
        # (J2): the new model is in k of the size + 1 places of a random order, hence in this share of the sets.
        k = np.arange(1, size + 2)
        out[k] = ((size + 1 - k) * out[k] + k * rate * out[k - 1]) / (size + 1)
    return out[1:]


def common_shock_rate(counts: PairCounts) -> float:
    """Share of instances on which all models would have to fail together to explain all alikeness, if else independent.

    Also the label-error rate that would explain all of it. Sum of cov over sum of P(both right), over all pairs with
    common instances; nan where no pair is ever right together. Exact for a pure shock on independent models.
    """
    upper = np.triu(counts.n > 0, 1)
    n, n11, n00, n10, n01 = (x[upper].astype(float) for x in (counts.n, counts.n11, counts.n00, counts.n10, counts.n01))
    # (J6): shares of each pair's own instances, so that pairs with more of them do not decide the rate.
    right = float((n11 / n).sum())
    return float(((n11 * n00 - n10 * n01) / n**2).sum()) / right if right > 0 else math.nan


@dataclass(frozen=True, eq=False)
class CommonShock:
    """The share of instances that would have to take all models down together, with what its interval needs.

    Parameters
    ----------
    rate : ν*; below 0 where errors repel, nan where no two models are ever right together.
    influence : effect of each instance on the rate (its mean is 0); nan on instances that do not count.
    reason : why it is undefined; empty otherwise.
    """

    rate: float
    influence: Float[np.ndarray, " n"]
    reason: str = ""


def common_shock(
    wrong: Bool[np.ndarray, "m n"],
    strata: Int[np.ndarray, " n"] | None = None,
    observed: Bool[np.ndarray, "m n"] | None = None,
) -> CommonShock:
    """Share of instances that would have to fail all models at once, if they otherwise err independently within strata.

    Read backwards, the tipping point: a label-error rate of this size would explain all excess alikeness. Sum of
    covariances within strata over sum of P(both right), over all pairs; exact for a pure shock on independent models.
    Only instances that every model answered count (`common_shock_rate` takes pairs as they come).

    Parameters as in `systemic`.
    """
    n = wrong.shape[1]
    complete = np.ones(n, dtype=bool) if observed is None else observed.all(axis=0)
    influence = np.full(n, np.nan)
    if not complete.any():
        return CommonShock(math.nan, influence, NO_COMPLETE_INSTANCE)
    wrong = wrong[:, complete] if observed is not None else wrong
    _, code = np.unique(np.zeros(n) if strata is None else strata, return_inverse=True)
    excess = _excess_pairs(wrong, code[complete])
    # (J7): pairs that are both right, from how many are: no loop over pairs.
    right = len(wrong) - failure_counts(wrong)
    both_right = right * (right - 1) / 2
    if not both_right.any():
        return CommonShock(math.nan, influence, NEVER_RIGHT_TOGETHER)
    rate = float(excess.sum() / both_right.sum())
    # (J8): a ratio of two means; that the error rates move too does not matter to first order, as in (E6).
    influence[complete] = (excess - rate * both_right) / both_right.mean()
    return CommonShock(rate, influence)


def _excess_pairs(wrong: Bool[np.ndarray, "m n"], code: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Σ over pairs of the product of their deviations from their error rates in the stratum, for each instance."""
    n = wrong.shape[1]
    size = np.maximum(np.bincount(code), 1)
    rates = np.stack([np.bincount(code[row], minlength=len(size)) for row in wrong]) / size
    pairs = np.empty(n)
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        deviation = wrong[:, block] - rates[:, code[block]]
        pairs[block] = (deviation.sum(axis=0) ** 2 - np.einsum("mn,mn->n", deviation, deviation)) / 2
    return pairs
