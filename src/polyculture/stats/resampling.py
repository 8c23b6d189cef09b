"""How sure are we where formulas are not to be trusted? The studentized bootstrap and the delete-a-block jackknife."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.special import stdtrit

from .interval import Interval

DRAWS = 1999
CELLS_PER_BLOCK = 1 << 22
BLOCKS = 50


def n_eff_bootstrap(
    n_models: int,
    design_effect: float,
    parts: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
    rng: np.random.Generator,
    clusters: Shaped[np.ndarray, " n"] | None = None,
    level: float = 0.95,
) -> Interval:
    """Effective number of independent models with a bootstrap-t interval in log D; for few informative instances.

    Better than `n_eff_interval` below about 100 informative instances, where a handful of them carries the variance.

    Parameters
    ----------
    n_models, design_effect : as in `n_eff_interval`.
    parts : `influence` and `variation` of each instance, as `measures.effective` gives them.
    rng : source of the 1999 resamples; instances (clusters, where given) are drawn with replacement.
    """
    low, high, n, reason = _bootstrap(design_effect, parts, rng, clusters, level)
    estimate = n_models / design_effect if design_effect > 0 else math.inf
    if math.isnan(design_effect):
        return Interval.undefined("no design effect", n)
    if reason:
        return Interval(estimate, level=level, n=n, reason=reason)
    top = n_models / low if low > 0 else math.inf
    return Interval(estimate, n_models / high, top, level, n, _method(clusters, parts))


def rho_bootstrap(
    n_models: int,
    design_effect: float,
    parts: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
    rng: np.random.Generator,
    clusters: Shaped[np.ndarray, " n"] | None = None,
    level: float = 0.95,
) -> Interval:
    """(D − 1)/(M − 1) with the limits of `n_eff_bootstrap`: the same ones for the same generator."""
    low, high, n, reason = _bootstrap(design_effect, parts, rng, clusters, level)
    if math.isnan(design_effect):
        return Interval.undefined("no design effect", n)
    estimate, low, high = ((d - 1) / (n_models - 1) for d in (design_effect, low, high))
    return Interval(estimate, low, high, level, n, "" if reason else _method(clusters, parts), reason)


def _method(
    clusters: Shaped[np.ndarray, " n"] | None, parts: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]
) -> str:
    suffix = "" if clusters is None else f", {len(np.unique(clusters[~np.isnan(parts[0])]))} clusters"
    return f"bootstrap-t, log scale, {DRAWS} resamples{suffix}"


def _bootstrap(
    design_effect: float,
    parts: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
    rng: np.random.Generator,
    clusters: Shaped[np.ndarray, " n"] | None,
    level: float,
) -> tuple[float, float, int, str]:
    """Limits of D, the instances used, and why there are no limits.

    D is the ratio of the means of x = influence + D·variation and of y = variation, so a resample needs five weighted
    sums: of x, y, x², xy and y². Draws that are equal are drawn together.
    """
    influence, variation = parts
    mask = ~np.isnan(influence)
    n = int(mask.sum())
    if math.isnan(design_effect) or design_effect <= 0:
        return math.nan, math.nan, n, "errors are perfectly complementary"
    x, y = influence[mask] + design_effect * variation[mask], variation[mask]
    if clusters is not None:
        _, cluster = np.unique(clusters[mask], return_inverse=True)
        x, y = (np.bincount(cluster, weights=part) for part in (x, y))
    draws = len(x)
    if draws < 2:
        return math.nan, math.nan, n, "fewer than two independent clusters"
    # (I5): instances with the same two parts are interchangeable; drawing how often each kind occurs is the same.
    kinds, sizes = np.unique(x + 1j * y, return_counts=True)
    moments = np.stack([kinds.real, kinds.imag, kinds.real**2, kinds.real * kinds.imag, kinds.imag**2], axis=1)
    centre, error = _studentize(sizes[None] @ moments)
    per_block = max(1, CELLS_PER_BLOCK // len(kinds))
    t = []
    for start in range(0, DRAWS, per_block):
        weights = rng.multinomial(draws, sizes / draws, size=min(per_block, DRAWS - start)).astype(float)
        logs, errors = _studentize(weights @ moments)
        # A resample without spread has no t; if half of them have none, the limits would rest on the rest alone.
        sound = np.isfinite(logs) & (errors > 0)
        t.append((logs[sound] - centre[0]) / errors[sound])
    scores = np.concatenate(t)
    if error[0] == 0 or len(scores) < DRAWS / 2:
        return math.nan, math.nan, n, "too few different instances to resample"
    # (I5): crosswise, the upper quantile makes the lower limit: t is estimate minus truth, and the truth is sought.
    upper, lower = np.quantile(scores, [(1 + level) / 2, (1 - level) / 2])
    with np.errstate(over="ignore"):
        ends = np.exp(centre[0] - np.array([upper, lower]) * error[0])
    return float(ends[0]), float(ends[1]), n, ""


def _studentize(sums: Float[np.ndarray, "b 5"]) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
    """log of the ratio Σx/Σy, and its standard error, from Σx, Σy, Σx², Σxy, Σy²."""
    x, y, xx, xy, yy = sums.T
    with np.errstate(all="ignore"):
        ratio = x / y
        # (I5): Σ (x − D y)² from sums, so a resample is one product with five columns.
        squares = np.maximum(xx - 2 * ratio * xy + ratio**2 * yy, 0)
        return np.log(ratio), np.sqrt(squares) / x


def block_of(clusters: Shaped[np.ndarray, " n"], blocks: int = BLOCKS) -> Int[np.ndarray, " n"]:
    """Block 0 … blocks − 1 of each instance, from a hash of its cluster's name: the same on every machine.

    Parameters
    ----------
    clusters : which instances were sampled together; the instance ids where each is its own.
    """
    names, cluster = np.unique(np.asarray(clusters).astype(str), return_inverse=True)
    # Not Python's hash, which differs between processes, and not the order of rows, which differs between files.
    digests = (hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names.tolist())
    block = np.array([int.from_bytes(digest, "big") % blocks for digest in digests], dtype=np.int64)
    return block[cluster]


def jackknife(
    estimate: float, leave_outs: Float[np.ndarray, " g"], n: int, level: float = 0.95, bound: float | None = None
) -> Interval:
    """Any statistic with delete-a-block limits: how much it moves when each block of instances is left out.

    Parameters
    ----------
    estimate : from all instances.
    leave_outs : from all instances but one block's; 20 blocks or more, of about equal size.
    n : instances.
    bound : the statistic's lower bound; the interval is then symmetric in log(statistic − bound).

    Limits: t with (blocks − 1) degrees of freedom. Without limits where a replicate is not finite.
    """
    if math.isnan(estimate):
        return Interval.undefined("undefined on all instances", n)
    if len(leave_outs) < 2:
        return Interval(estimate, level=level, n=n, reason="fewer than two blocks of instances")
    base = 0.0 if bound is None else bound
    replicates = np.append(leave_outs, estimate) - base
    if not np.isfinite(replicates).all() or (bound is not None and (replicates <= 0).any()):
        return Interval(estimate, level=level, n=n, reason="undefined without some block of instances")
    replicates = replicates if bound is None else np.log(replicates)
    g = len(leave_outs)
    # (I6): (G − 1)/G and not 1/(G (G − 1)): the replicates share all but a block, so they hardly move.
    error = math.sqrt((g - 1) / g * float(((replicates[:-1] - replicates[:-1].mean()) ** 2).sum()))
    reach = float(stdtrit(g - 1, 0.5 + level / 2)) * error
    ends = [replicates[-1] - reach, replicates[-1] + reach]
    low, high = ends if bound is None else [base + math.exp(end) for end in ends]
    return Interval(estimate, float(low), float(high), level, n, f"delete-a-block jackknife, {g} blocks")
