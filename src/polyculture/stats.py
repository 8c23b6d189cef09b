"""How sure are we? Intervals, tests and corrections; every function takes arrays and gives an Interval or p-values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.special import bdtr, betaincinv, betaln, gammaln, ndtri, stdtrit

NEGLIGIBLE = 1e-18
"""Tail probability that the exact tests leave out at each step."""

DRAWS_PER_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate that travels with how sure we are of it.

    Parameters
    ----------
    estimate : the number; nan where undefined (then `reason` says why), inf where the statistic has no upper bound.
    low, high : limits at `level`; nan where no interval can be given.
    level : confidence level in (0, 1).
    n : instances (or whatever was sampled) behind the estimate.
    method : how the limits were made, in the field's words.
    reason : why the estimate is undefined, or what to beware of; empty when all is well.
    """

    estimate: float
    low: float = math.nan
    high: float = math.nan
    level: float = 0.95
    n: int = 0
    method: str = ""
    reason: str = ""

    @classmethod
    def undefined(cls, reason: str, n: int = 0) -> Interval:
        """An estimate that does not exist, and why."""
        return cls(math.nan, n=n, reason=reason)

    @property
    def defined(self) -> bool:
        """Whether there is an estimate at all."""
        return not math.isnan(self.estimate)

    def format(self, spec: str = ".2f") -> str:
        """As people read it: ``1.68 [1.67, 1.69]``, or the reason why there is none."""
        if not self.defined:
            return f"undefined ({self.reason})" if self.reason else "undefined"
        if math.isnan(self.low) or math.isnan(self.high):
            return f"{self.estimate:{spec}}"
        return f"{self.estimate:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def __str__(self) -> str:
        return self.format()


def n_eff_interval(
    n_models: int,
    design_effect: float,
    influence: Float[np.ndarray, " n"],
    clusters: Shaped[np.ndarray, " n"] | None = None,
    level: float = 0.95,
) -> Interval:
    """Effective number of independent models, M/D, with an interval that is symmetric in log D.

    Parameters
    ----------
    n_models : informative models, M.
    design_effect : D; 0 or less gives inf, nan gives nan, both without limits.
    influence : effect of each instance on D; nan on instances that were not used.
    clusters : which instances were sampled together (same patient, same document); each its own where None.

    Limits: t with (clusters − 1) degrees of freedom; nan with fewer than two clusters.
    """

    def effective(d: float) -> float:
        return n_models / d if d > 0 else math.inf

    return _log_scale(effective, design_effect, influence, clusters, level)


def rho_interval(
    n_models: int,
    design_effect: float,
    influence: Float[np.ndarray, " n"],
    clusters: Shaped[np.ndarray, " n"] | None = None,
    level: float = 0.95,
) -> Interval:
    """Mean error covariance over mean error variance, (D − 1)/(M − 1); its limits match `n_eff_interval`."""

    def rho(d: float) -> float:
        return (d - 1) / (n_models - 1)

    return _log_scale(rho, design_effect, influence, clusters, level)


def _log_scale(
    transform: Callable[[float], float],
    design_effect: float,
    influence: Float[np.ndarray, " n"],
    clusters: Shaped[np.ndarray, " n"] | None,
    level: float,
) -> Interval:
    used = ~np.isnan(influence)
    n = int(used.sum())
    if math.isnan(design_effect):
        return Interval.undefined("no design effect", n)
    parts = influence[used]
    if clusters is not None:
        _, cluster = np.unique(clusters[used], return_inverse=True)
        parts = np.bincount(cluster, weights=parts)
    groups = len(parts)
    if design_effect <= 0 or groups < 2:
        reason = "errors are perfectly complementary" if design_effect <= 0 else "fewer than two independent clusters"
        return Interval(transform(design_effect), level=level, n=n, reason=reason)
    error = math.sqrt(groups / (groups - 1) * float(((parts - parts.mean()) ** 2).sum())) / n
    reach = float(stdtrit(groups - 1, 0.5 + level / 2)) * error / design_effect
    ends = sorted(transform(design_effect * math.exp(side * reach)) for side in (-1, 1))
    method = "influence function, log scale" + ("" if clusters is None else f", {groups} clusters")
    return Interval(transform(design_effect), ends[0], ends[1], level, n, method)


def jeffreys(successes: int, n: int, level: float = 0.95) -> Interval:
    """A share with the equal-tailed interval of its Beta(½, ½) posterior; 0 and 1 are included where they were seen."""
    if n == 0:
        return Interval.undefined("no instances")
    a, b, tail = successes + 0.5, n - successes + 0.5, (1 - level) / 2
    low = float(betaincinv(a, b, tail)) if successes > 0 else 0.0
    high = float(betaincinv(a, b, 1 - tail)) if successes < n else 1.0
    return Interval(successes / n, low, high, level, n, "Jeffreys")


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """A share with its score interval (Wilson 1927)."""
    if n == 0:
        return Interval.undefined("no instances")
    z = float(ndtri(0.5 + level / 2))
    centre = (successes + z * z / 2) / (n + z * z)
    reach = z / (n + z * z) * math.sqrt(successes * (n - successes) / n + z * z / 4)
    low = max(0.0, centre - reach) if successes > 0 else 0.0
    high = min(1.0, centre + reach) if successes < n else 1.0
    return Interval(successes / n, low, high, level, n, "Wilson")


def newcombe(successes_1: int, n_1: int, successes_2: int, n_2: int, level: float = 0.95) -> Interval:
    """Difference of two independent shares, first minus second (Newcombe 1998, method 10)."""
    if n_1 == 0 or n_2 == 0:
        return Interval.undefined("no instances")
    first, second = wilson(successes_1, n_1, level), wilson(successes_2, n_2, level)
    gap = first.estimate - second.estimate
    low = gap - math.hypot(first.estimate - first.low, second.high - second.estimate)
    high = gap + math.hypot(first.high - first.estimate, second.estimate - second.low)
    return Interval(gap, low, high, level, n_1 + n_2, "Newcombe")


def dirichlet_kappa(
    counts: Int[np.ndarray, "k 4"], rng: np.random.Generator, level: float = 0.95, draws: int = 4000
) -> list[Interval]:
    """Error consistency of each pair with equal-tailed limits of its Dirichlet(½, ½, ½, ½) posterior.

    Parameters
    ----------
    counts : per pair: both right, only the first right, only the second right, both wrong.
    rng : source of the posterior draws.
    draws : posterior draws per pair; 4000 put each limit within about 0.1 posterior standard deviations.

    A pair with a model that is perfect or always wrong is undefined (``constant_model``), one without instances
    (``no_overlap``) too. Covers .93 to .98 from 3 errors up, where Wald intervals and the bootstrap collapse.
    """
    method, intervals = "Dirichlet(1/2) posterior", []
    per_block = max(1, DRAWS_PER_BLOCK // draws)
    tails = [(1 - level) / 2, (1 + level) / 2]
    for start in range(0, len(counts), per_block):
        block = counts[start : start + per_block]
        weights = rng.standard_gamma(block[:, None, :] + 0.5, size=(len(block), draws, 4))
        posterior = _kappa(weights / weights.sum(axis=-1, keepdims=True))
        limits = np.quantile(posterior, tails, axis=1).T
        for cells, (low, high) in zip(block, limits, strict=True):
            n = int(cells.sum())
            a, b = int(cells[2] + cells[3]), int(cells[1] + cells[3])
            if n == 0 or a in (0, n) or b in (0, n):
                intervals.append(Interval.undefined("constant_model" if n else "no_overlap", n))
            else:
                intervals.append(Interval(float(_kappa(cells / n)), float(low), float(high), level, n, method))
    return intervals


def _kappa(shares: Float[np.ndarray, "*pairs 4"]) -> Float[np.ndarray, "*pairs"]:
    n11, n10, n01, n00 = np.moveaxis(shares, -1, 0)
    chance = (n11 + n10) * (n11 + n01) + (n01 + n00) * (n10 + n00)
    kappa: Float[np.ndarray, "*pairs"] = np.asarray((n11 + n00 - chance) / (1 - chance))
    return kappa


def systemic_pmf(errors: Int[np.ndarray, "s m"], sizes: Int[np.ndarray, " s"]) -> Float[np.ndarray, " k"]:
    """Chance that 0, 1, 2, … instances are failed by all models, if each spread its errors at random in each stratum.

    Exact, without simulation: the instances failed by the first j + 1 models are a hypergeometric draw from those
    failed by the first j. Leaves out tails, and strata with an expected number, below 1e-18.

    Parameters
    ----------
    errors : errors of each model in each stratum.
    sizes : instances in each stratum.
    """
    low, pmf = 0, np.ones(1)
    log_factorial = gammaln(np.arange(int(sizes.max(initial=0)) + 1) + 1.0)
    expected = sizes * (errors / sizes[:, None]).prod(axis=1)
    for ks, n in zip(errors[expected > NEGLIGIBLE], sizes[expected > NEGLIGIBLE], strict=True):
        more, part = _chain(np.sort(ks), int(n), log_factorial)
        low, pmf = _trim(low + more, np.convolve(pmf, part))
    return np.concatenate([np.zeros(low), pmf / pmf.sum()])


def _chain(
    errors: Int[np.ndarray, " m"], n: int, log_factorial: Float[np.ndarray, " f"]
) -> tuple[int, Float[np.ndarray, " k"]]:
    """Smallest likely number of joint failures in one stratum, and the probabilities from there on."""

    def log_choose(total: int, chosen: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        logs: Float[np.ndarray, " k"] = log_factorial[total] - log_factorial[chosen] - log_factorial[total - chosen]
        return logs

    low, pmf = int(errors[0]), np.ones(1)
    for k in map(int, errors[1:]):
        high = low + len(pmf) - 1
        if high == 0:
            break
        if k == n:
            continue
        # P(x | X) = C(k, x) C(n − k, X − x) / C(n, X): taken apart, a correlation over X − x. The slope keeps its
        # parts within floating-point range and cancels in the product.
        first, last = _likely(low, high, k, n)
        before, after = np.arange(low, high + 1), np.arange(first, last + 1)
        typical = min(max(low * (n - k) / n, 0.5), n - k - 0.5)
        slope = math.log((n - k - typical) / typical)
        source = np.log(pmf) - log_choose(n, before) + slope * before
        apart = np.arange(low - last, high - first + 1)
        possible = (apart >= 0) & (apart <= n - k)
        kernel = np.full(len(apart), -np.inf)
        kernel[possible] = log_choose(n - k, apart[possible]) - slope * apart[possible]
        joint = np.correlate(np.exp(kernel - kernel.max()), np.exp(source - source.max()), mode="valid")[::-1]
        reached = joint > 0
        target = np.full(len(after), -np.inf)
        target[reached] = np.log(joint[reached]) + log_choose(k, after[reached]) - slope * after[reached]
        pmf = np.exp(target - target.max())
        low, pmf = _trim(first, pmf / pmf.sum())
    return low, pmf


def _likely(low: int, high: int, k: int, n: int) -> tuple[int, int]:
    """Range that a hypergeometric draw of k in n leaves with negligible chance, from low … high marked ones.

    Bernstein's bound, which also holds without replacement.
    """
    bound = -math.log(NEGLIGIBLE)

    def reach(marked: int) -> float:
        variance = marked * (k / n) * (1 - k / n)
        return bound / 3 + math.sqrt(bound**2 / 9 + 2 * bound * variance)

    first = max(0, low + k - n, math.floor(low * k / n - reach(low)))
    return first, min(high, k, math.ceil(high * k / n + reach(high)))


def _trim(low: int, pmf: Float[np.ndarray, " k"]) -> tuple[int, Float[np.ndarray, " t"]]:
    """Without the ends that hold negligible probability."""
    first = int(np.searchsorted(np.cumsum(pmf), NEGLIGIBLE))
    last = len(pmf) - int(np.searchsorted(np.cumsum(pmf[::-1]), NEGLIGIBLE))
    return low + first, pmf[first:last]


def systemic_p(failures: int, pmf: Float[np.ndarray, " k"]) -> float:
    """One-sided mid-P of so many systemic failures or more under `systemic_pmf`; 0 means below 1e-18."""
    here = float(pmf[failures]) if failures < len(pmf) else 0.0
    return min(1.0, float(pmf[failures + 1 :].sum()) + here / 2)


def mcnemar(n10: Int[np.ndarray, "*pairs"], n01: Int[np.ndarray, "*pairs"]) -> Float[np.ndarray, "*pairs"]:
    """Two-sided mid-P that two models are equally accurate, from the instances on which only one of them is right.

    1 where there is no such instance. Source: Fagerland, Lydersen and Laake 2013.
    """
    fewer, n = np.minimum(n10, n01), n10 + n01
    exactly = np.exp(-betaln(fewer + 1.0, n - fewer + 1.0) - np.log1p(n) - n * math.log(2))
    p: Float[np.ndarray, "*pairs"] = np.minimum(1.0, 2 * bdtr(fewer.astype(float), n, 0.5) - exactly)
    return np.asarray(p)


def benjamini_hochberg(p: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """p-values adjusted for the false discovery rate: reject those at most q; nan stays nan and is not counted.

    Source: Benjamini and Hochberg 1995.
    """
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested])]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return adjusted
