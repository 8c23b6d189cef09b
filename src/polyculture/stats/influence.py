"""How sure are we of a number whose change with each instance is known? Limits from influence values, cluster-aware.

The influence of an instance is how much the number moves, times the instances used, when its weight goes from 1 to
1 + ε, per ε. Instances that were not used have nan. Draws that were made together (clusters) move the number together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import stdtrit

from .interval import Interval

WIDEST = 300.0
"""Half-width of an interval on the log scale beyond which nothing is known anyway and numbers would overflow."""
FEW_DRAWS = "fewer than two independent clusters"


@dataclass(frozen=True)
class StandardError:
    """Standard error of a number from the influence of the instances on it.

    Parameters
    ----------
    value : nan from fewer than two draws.
    draws : independent draws it rests on: instances used, or their clusters.
    n : instances used.
    clustered : whether draws are clusters of instances.
    """

    value: float
    draws: int
    n: int
    clustered: bool = False

    @classmethod
    def of(cls, influence: Float[np.ndarray, " n"], clusters: Shaped[np.ndarray, " n"] | None = None) -> StandardError:
        """From influence values, nan on instances that were not used."""
        value, draws = standard_error(influence, clusters)
        return cls(value, draws, int((~np.isnan(influence)).sum()), clusters is not None)


def cluster_inflation(clustered: StandardError, independent: StandardError) -> float:
    """How many times fewer instances there are in effect because clusters go together; at least 1."""
    # (I4): clusters that seem to help are taken for chance: never fewer than 1, or counts would grow.
    numerator, denominator = clustered.value, independent.value
    return max(1.0, (numerator / denominator) ** 2) if denominator > 0 and numerator > 0 else 1.0


def n_eff_interval(
    n_models: int,
    design_effect: float,
    influence: Float[np.ndarray, " n"] | StandardError,
    clusters: Shaped[np.ndarray, " n"] | None = None,
    level: float = 0.95,
) -> Interval:
    """Effective number of independent models, M/D, with an interval that is symmetric in log D.

    Parameters
    ----------
    n_models : informative models, M.
    design_effect : D; 0 or less gives inf, nan gives nan, both without limits.
    influence : effect of each instance on D, nan on instances that were not used; or the standard error made of it.
    clusters : which instances were sampled together (same patient, same document); each its own where None.

    Limits: t with (clusters − 1) degrees of freedom; nan with fewer than two clusters.
    """

    def effective(d: float) -> float:
        return n_models / d if d > 0 else math.inf

    return _log_scale(effective, design_effect, influence, clusters, level)


def rho_interval(
    n_models: int,
    design_effect: float,
    influence: Float[np.ndarray, " n"] | StandardError,
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
    influence: Float[np.ndarray, " n"] | StandardError,
    clusters: Shaped[np.ndarray, " n"] | None,
    level: float,
) -> Interval:
    error = influence if isinstance(influence, StandardError) else StandardError.of(influence, clusters)
    if math.isnan(design_effect):
        return Interval.undefined("no design effect", error.n)
    if design_effect <= 0 or error.draws < 2:
        reason = "errors are perfectly complementary" if design_effect <= 0 else FEW_DRAWS
        return Interval(transform(design_effect), level=level, n=error.n, reason=reason)
    # (I2): SE(log D) = SE(D)/D. On this scale D and M/D have limits that match, and none is below 0.
    reach = min(_t(level, error.draws) * error.value / design_effect, WIDEST)
    # rho rises with D and n_eff falls: sorting serves both, and the limits of the two match.
    ends = sorted(transform(design_effect * math.exp(side * reach)) for side in (-1, 1))
    method = _method(", log scale", error.clustered, error.draws)
    return Interval(transform(design_effect), ends[0], ends[1], level, error.n, method)


def influence_interval(
    estimate: float,
    influence: Float[np.ndarray, " n"],
    clusters: Shaped[np.ndarray, " n"] | None = None,
    level: float = 0.95,
    logarithmic: bool = False,
) -> Interval:
    """Any number with limits from the influence of the instances on it.

    Parameters
    ----------
    estimate : nan gives nan.
    influence : effect of each instance on the estimate.
    logarithmic : whether limits are symmetric in the logarithm; for positive numbers only.
    """
    n = int((~np.isnan(influence)).sum())
    if math.isnan(estimate):
        return Interval.undefined("undefined", n)
    error, draws = standard_error(influence, clusters)
    if draws < 2 or (logarithmic and estimate <= 0):
        reason = FEW_DRAWS if draws < 2 else "the logarithm of zero is undefined"
        return Interval(estimate, level=level, n=n, reason=reason)
    reach = _t(level, draws) * error
    if logarithmic:
        # SE(log θ) = SE(θ)/θ: limits of a rate near 0 stay above 0.
        factor = math.exp(min(reach / estimate, WIDEST))
        ends, scale = (estimate / factor, estimate * factor), ", log scale"
    else:
        ends, scale = (estimate - reach, estimate + reach), ""
    return Interval(estimate, ends[0], ends[1], level, n, _method(scale, clusters is not None, draws))


def paired_difference(
    estimates: tuple[float, float],
    influences: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
    clusters: Shaped[np.ndarray, " n"] | None = None,
    level: float = 0.95,
) -> Interval:
    """First number minus second, both from the same instances: what hits both cancels.

    For rho of two sets of models or of two dates: n_eff is not comparable between sets of different size.

    Parameters
    ----------
    estimates : the two numbers.
    influences : effect of each instance on the first and on the second, in the same order of instances.
    """
    difference = estimates[0] - estimates[1]
    # (I3): each influence is per instance used by its own number; on a common scale they can be subtracted.
    shares = [part / max(int((~np.isnan(part)).sum()), 1) for part in influences]
    mask = ~(np.isnan(shares[0]) & np.isnan(shares[1]))
    n = int(mask.sum())
    combined = np.where(mask, n * (np.nan_to_num(shares[0]) - np.nan_to_num(shares[1])), np.nan)
    interval = influence_interval(difference, combined, clusters, level)
    method = interval.method.replace("influence function", "paired influence function")
    return Interval(interval.estimate, interval.low, interval.high, level, n, method, interval.reason)


def independent_difference(
    estimates: tuple[float, float],
    influences: tuple[Float[np.ndarray, " n1"], Float[np.ndarray, " n2"]],
    clusters: tuple[Shaped[np.ndarray, " n1"] | None, Shaped[np.ndarray, " n2"] | None] = (None, None),
    level: float = 0.95,
) -> Interval:
    """First number minus second, from different instances such as test and shifted test: their variances add up.

    Parameters as in `paired_difference`. Degrees of freedom: Welch and Satterthwaite.
    """
    difference = estimates[0] - estimates[1]
    n = sum(int((~np.isnan(part)).sum()) for part in influences)
    if math.isnan(difference):
        return Interval.undefined("undefined", n)
    (first, m1), (second, m2) = (standard_error(i, c) for i, c in zip(influences, clusters, strict=True))
    if min(m1, m2) < 2:
        return Interval(difference, level=level, n=n, reason=FEW_DRAWS)
    error = math.hypot(first, second)
    # Welch and Satterthwaite: degrees of freedom between those of the smaller set and of both together.
    spread = first**4 / (m1 - 1) + second**4 / (m2 - 1)
    reach = float(stdtrit(error**4 / spread if spread > 0 else 1.0, 0.5 + level / 2)) * error
    return Interval(difference, difference - reach, difference + reach, level, n, "influence functions, independent")


def rho_population_interval(
    rho: float,
    influence: Float[np.ndarray, " n"],
    without_each: Float[np.ndarray, " m"],
    clusters: Shaped[np.ndarray, " n"] | None = None,
    level: float = 0.95,
) -> Interval:
    """rho with limits for a population of models of which these are a random sample, not for these models only.

    Variance of the instances (influence values) plus variance of the models (delete-one jackknife of the U-statistic).
    Resampling models with replacement is not offered: copies paired with themselves make it cover 27 to 58 %.

    Parameters
    ----------
    rho : mean error covariance over mean error variance.
    influence : effect of each instance on rho, which is `effective`'s influence over (models − 1).
    without_each : rho without each model in turn.

    Limits: t with (models − 1) degrees of freedom. Fewer than ten models: no limits.
    """
    m, n = len(without_each), int((~np.isnan(influence)).sum())
    if math.isnan(rho):
        return Interval.undefined("no design effect", n)
    if m < 10:
        return Interval(rho, level=level, n=n, reason=f"{m} models are too few to speak of a population; 10 are needed")
    by_instance, draws = standard_error(influence, clusters)
    if draws < 2:
        return Interval(rho, level=level, n=n, reason=FEW_DRAWS)
    # (I7): leaving a model out never pairs it with a copy of itself, which resampling with replacement does.
    by_model = math.sqrt((m - 1) / m * float(((without_each - without_each.mean()) ** 2).sum()))
    reach = _t(level, m) * math.hypot(by_instance, by_model)
    method = f"influence function + jackknife of {m} models"
    return Interval(rho, rho - reach, rho + reach, level, n, method)


def standard_error(
    influence: Float[np.ndarray, " n"], clusters: Shaped[np.ndarray, " n"] | None = None
) -> tuple[float, int]:
    """Standard error from influence values, and how many independent draws it rests on; nan from fewer than two."""
    mask = ~np.isnan(influence)
    parts = influence[mask]
    # (I1): instances of a cluster move together, so their influences are added before they are squared.
    if clusters is not None:
        _, cluster = np.unique(clusters[mask], return_inverse=True)
        parts = np.bincount(cluster, weights=parts)
    draws = len(parts)
    if draws < 2:
        return math.nan, draws
    return math.sqrt(draws / (draws - 1) * float(((parts - parts.mean()) ** 2).sum())) / int(mask.sum()), draws


def _t(level: float, draws: int) -> float:
    return float(stdtrit(draws - 1, 0.5 + level / 2))


def _method(scale: str, clustered: bool, draws: int) -> str:
    return f"influence function{scale}" + (f", {draws} clusters" if clustered else "")
