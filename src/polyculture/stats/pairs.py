"""How sure are we of a pair of models? Posterior limits from the counts alone, without another pass over the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int, Num
from scipy.special import gammaincinv, ndtr, ndtri

from .interval import Interval

DRAWS_PER_BLOCK = 1 << 18
POINTS, MULTIPLIER = 1021, 574
"""Points of the posterior that limits of many pairs rest on, the same for every pair, and what scatters them."""
POINTS_PER_BLOCK = 1 << 15
"""As many as stay in a core's cache."""
STEP, LAST = 0.25, 20.0
"""Gamma quantiles come from a table up to this shape, and from Wilson and Hilferty's cube root beyond it."""
MANY = 20_000
"""Pairs above which limits come from a formula instead of the posterior."""

Cells = tuple[Float[np.ndarray, "*pairs"], ...]


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
        # (P8): gammas over their sum are a Dirichlet draw.
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
    return np.asarray(_kappa_of(tuple(np.moveaxis(shares[None], -1, 0)), slice(None))[0])


@dataclass(frozen=True, eq=False)
class Limits:
    """Lower and upper limits of many pairs at once; nan where the estimate is undefined."""

    low: Float[np.ndarray, " k"]
    high: Float[np.ndarray, " k"]
    method: str


def kappa_limits(counts: Num[np.ndarray, "k 4"], level: float = 0.95) -> Limits:
    """Error consistency of many pairs: limits of the same posterior as `dirichlet_kappa`, without its randomness.

    The posterior is looked at in 1021 evenly scattered points that all pairs share: half of the limits are within 0.01
    posterior standard deviations, all within 0.15 even where cells are empty. Above 20,000 pairs a formula takes over
    (delta method on Fisher's z with ½ added to every count), which covers .91 to 1 from 5 errors up, too much where the
    two are independent.

    Parameters
    ----------
    counts : per pair: both right, only the first right, only the second right, both wrong. Divide them by the pair's
        design effect where instances come in clusters.
    """
    return _limits(_kappa_of, counts, np.full(4, 0.5), level)


def capa_limits(counts: Num[np.ndarray, "k 5"], coincidence: Float[np.ndarray, " k"], level: float = 0.95) -> Limits:
    """CAPA of many pairs of answering models: limits of its Dirichlet(½, ½, ½, ¼, ¼) posterior.

    Parameters
    ----------
    counts : per pair: both right, only the first right, only the second right, wrong in the same way, wrong
        differently.
    coincidence : chance that two evenly picked wrong answers are the same, mean of 1/(options − 1) over
        common instances.

    Covers .91 to .98 from 3 errors up (.88 at CAPA .9 with 3 errors). Accuracy as in `kappa_limits`.
    """
    prior = np.array([0.5, 0.5, 0.5, 0.25, 0.25])

    def capa(cells: Cells, rows: slice) -> Float[np.ndarray, "*pairs"]:
        return _capa_of(cells, coincidence[rows].reshape(-1, *[1] * (cells[0].ndim - 1)))

    return _limits(capa, counts, prior, level)


def _limits(
    statistic: Callable[[Cells, slice], Float[np.ndarray, "*pairs"]],
    counts: Num[np.ndarray, "k c"],
    prior: Float[np.ndarray, " c"],
    level: float,
) -> Limits:
    # the points are not symmetric in the two models, but which of them is first must not matter
    counts = np.concatenate([counts[:, :1], np.sort(counts[:, 1:3], axis=1), counts[:, 3:]], axis=1)
    n = counts.sum(axis=1)
    a, b = counts[:, [0, 1]].sum(axis=1), counts[:, [0, 2]].sum(axis=1)
    undefined = (n == 0) | (a == 0) | (a == n) | (b == 0) | (b == n)
    by_formula = len(counts) > MANY
    limits = (_by_formula if by_formula else _by_posterior)(statistic, counts + prior, level)
    low, high = np.where(undefined, np.nan, limits)
    kind = "1/2" if len(prior) == 4 else "1/2, 1/2, 1/2, 1/4, 1/4"
    return Limits(low, high, "Fisher z, smoothed counts" if by_formula else f"Dirichlet({kind}) posterior")


def _by_posterior(
    statistic: Callable[[Cells, slice], Float[np.ndarray, "*pairs"]], shapes: Float[np.ndarray, "k c"], level: float
) -> Float[np.ndarray, "2 k"]:
    """Quantiles over the scattered points, each moved by how far those of the linearized statistic miss theirs.

    The linearized statistic is a sum of the points' normal scores, so its quantiles are known.
    """
    limits = np.empty((2, len(shapes)))
    columns, size = shapes.shape[1], max(1, POINTS_PER_BLOCK // POINTS)
    # (P9): the standard deviation of a gamma is the root of its shape, so this is the statistic per normal score.
    slopes = _slopes(statistic, shapes) * np.sqrt(shapes)
    spread = np.sqrt((slopes**2).sum(axis=1))
    z = _scattered(columns)
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    for start in range(0, len(shapes), size):
        block = slice(start, start + size)
        values = statistic(tuple(_gamma_points(shapes[block, c], c, columns) for c in range(columns)), block)
        # (P9): the lattice misses both statistics' tails nearly alike; of the linear one it is known by how much.
        correction = _quantiles(slopes[block] @ z, tails) - ndtri(tails)[:, None] * spread[block]
        limits[:, block] = _quantiles(values, tails) - correction
    return np.clip(limits, -1, 1)


def _quantiles(values: Float[np.ndarray, "k p"], tails: Float[np.ndarray, " t"]) -> Float[np.ndarray, "t k"]:
    """Along the points, the i-th of p values being the quantile of (i − ½)/p."""
    ranks = np.clip(values.shape[1] * tails - 0.5, 0, values.shape[1] - 1)
    lower = np.floor(ranks).astype(int)
    ordered = np.partition(values, sorted({*lower.tolist(), *np.ceil(ranks).astype(int).tolist()}), axis=1)
    first, last = ordered[:, lower], ordered[:, np.ceil(ranks).astype(int)]
    return np.asarray((first + (ranks - lower) * (last - first)).T)


def _slopes(
    statistic: Callable[[Cells, slice], Float[np.ndarray, "*pairs"]], shapes: Float[np.ndarray, "k c"]
) -> Float[np.ndarray, "k c"]:
    """Derivatives of the statistic by each cell, taken numerically; cells need not sum to 1."""
    slopes = np.empty_like(shapes)
    step = 1e-6 * shapes.sum(axis=1)
    for c in range(shapes.shape[1]):
        raised, lowered = (tuple((shapes + np.eye(shapes.shape[1])[c] * side * step[:, None]).T) for side in (1, -1))
        slopes[:, c] = (statistic(raised, slice(None)) - statistic(lowered, slice(None))) / (2 * step)
    return slopes


def _gamma_points(shapes: Float[np.ndarray, " k"], column: int, columns: int) -> Float[np.ndarray, "k p"]:
    """Quantiles of gamma distributions of these shapes at one coordinate of the scattered points."""
    z = _scattered(columns)[column]
    scale = 1 / (3 * np.sqrt(shapes[:, None]))
    # Wilson and Hilferty: the cube root of a gamma is nearly normal, the nearer the larger the shape.
    points: Float[np.ndarray, "k p"] = scale * z + (1 - scale**2)
    points *= points * points * shapes[:, None]
    small = shapes < LAST
    if small.any():
        position = shapes[small] / STEP - 1
        lower = np.floor(position).astype(int)
        roots = _root_table(column, columns)
        share = (position - lower)[:, None]
        points[small] = (roots[lower] * (1 - share) + roots[lower + 1] * share) ** 3
    return points


@cache
def _scattered(columns: int) -> Float[np.ndarray, "c p"]:
    """Normal scores of evenly scattered points: a rank-1 lattice (Korobov), its multiplier the best of 150 tried."""
    multipliers = np.array([pow(MULTIPLIER, c, POINTS) for c in range(columns)])
    z: Float[np.ndarray, "c p"] = ndtri((multipliers[:, None] * np.arange(POINTS) % POINTS + 0.5) / POINTS)
    return z


@cache
def _root_table(column: int, columns: int) -> Float[np.ndarray, "s p"]:
    """Cube roots of gamma quantiles, nearly linear in the shape, at shapes STEP, 2 STEP, … just above LAST."""
    shapes = STEP * np.arange(1, int(LAST / STEP) + 2)
    roots: Float[np.ndarray, "s p"] = np.cbrt(gammaincinv(shapes[:, None], ndtr(_scattered(columns)[column])))
    return roots


def _by_formula(
    statistic: Callable[[Cells, slice], Float[np.ndarray, "*pairs"]], shapes: Float[np.ndarray, "k c"], level: float
) -> Float[np.ndarray, "2 k"]:
    """Delta method on Fisher's z."""
    value, slopes = statistic(tuple(shapes.T), slice(None)), _slopes(statistic, shapes)
    n = shapes.sum(axis=1)
    # (P10): multinomial variance; the second term is 0 in theory, as scaling all cells leaves kappa as it is.
    variance = np.maximum((shapes * slopes**2).sum(axis=1) - (shapes * slopes).sum(axis=1) ** 2 / n, 0)
    bounded = np.clip(value, -0.9999, 0.9999)
    reach = ndtri(0.5 + level / 2) * np.sqrt(variance) / (1 - bounded**2)
    return np.stack([np.tanh(np.arctanh(bounded) + side * reach) for side in (-1, 1)])


def _kappa_of(cells: Cells, _: slice) -> Float[np.ndarray, "*pairs"]:
    n11, n10, n01, n00 = cells
    cross = n11 * n00 - n10 * n01
    # (P2): n² (1 − c_exp) = n² (e_a (1 − e_b) + e_b (1 − e_a)): no difference of large numbers.
    return np.asarray(2 * cross / ((n11 + n10) * (n10 + n00) + (n11 + n01) * (n01 + n00)))


def _capa_of(cells: Cells, coincidence: Float[np.ndarray, "*#pairs"]) -> Float[np.ndarray, "*pairs"]:
    n11, n10, n01, same_wrong, different_wrong = cells
    n00 = same_wrong + different_wrong
    n = n11 + n10 + n01 + n00
    # (P7): times n², so cells need not sum to 1: gamma draws go in as they are.
    chance = (n11 + n10) * (n11 + n01) + (n01 + n00) * (n10 + n00) * coincidence
    return np.asarray((n * (n11 + same_wrong) - chance) / (n * n - chance))
