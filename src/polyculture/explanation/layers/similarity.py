"""Do the models represent the same instances alike? Every pair, with what chance alone gives and with limits.

Similarities are inner products of one n × n table per model, so that a permutation of every model's instances gives a
draw of the null for all pairs in one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped
from scipy.spatial.distance import pdist, squareform

from polyculture.errors import InputError, near
from polyculture.measures.similarity import distance_ranks, procrustes
from polyculture.rng import stream
from polyculture.stats import Interval, block_of, jackknife

BLOCKS = 20
"""Blocks of instances that are left out in turn."""
FEWEST = 40
"""Instances, so that every block has two."""
MOST = 2000
"""Instances; every model has a table of their pairs."""
NEIGHBOURS = 10

Table = Float[np.ndarray, "n n"]


@dataclass(frozen=True, eq=False)
class RepresentationSimilarity:
    """How alike representations are, pair by pair.

    Parameters
    ----------
    models : names, in order.
    measure : name in `SIMILARITIES`.
    values : m × m, as measured; 1 on the diagonal.
    adjusted : 0 on average for unrelated representations, 1 for equal ones; the same as `values` where these are so.
    low, high : 95 % limits of `adjusted` over the instances; nan where there are none.
    p : one-sided p-values of unrelated representations by permutation of instances, at least 1/(permutations + 1).
    n : instances.
    mean : of `adjusted` over the pairs where it is defined, with limits over the instances.
    """

    models: tuple[str, ...]
    measure: str
    values: Float[np.ndarray, "m m"]
    adjusted: Float[np.ndarray, "m m"]
    low: Float[np.ndarray, "m m"]
    high: Float[np.ndarray, "m m"]
    p: Float[np.ndarray, "m m"]
    n: int
    mean: Interval

    def frame(self) -> pd.DataFrame:
        """One row per pair: the two models, value, adjusted, low, high, p."""
        rows = [(i, j) for i in range(len(self.models)) for j in range(i + 1, len(self.models))]
        first, second = (np.array([pair[side] for pair in rows], int) for side in (0, 1))
        names = np.array(self.models, object)
        columns = {"value": self.values, "adjusted": self.adjusted, "low": self.low, "high": self.high, "p": self.p}
        numbers = {name: matrix[first, second] for name, matrix in columns.items()}
        return pd.DataFrame({"first": names[first], "second": names[second], **numbers})

    @property
    def effective_number(self) -> Interval:
        """As how many unrelated representations these are: M/(1 + (M − 1) mean), 1 if all are equal, M if unrelated."""
        m, mean = len(self.models), self.mean
        if not mean.defined:
            return mean
        # The limits change places: the more alike, the fewer.
        estimate, high, low = (m / spread if (spread := 1 + (m - 1) * x) > 0 else math.inf for x in _ends(mean))
        return replace(mean, estimate=estimate, low=low, high=high)


def representation_similarity(
    arrays: Mapping[str, Float[np.ndarray, "n _"]],
    measure: str = "cka",
    seed: int = 0,
    permutations: int = 99,
    clusters: Shaped[np.ndarray, " n"] | None = None,
) -> RepresentationSimilarity:
    """Similarity of the representations of all pairs of models.

    Parameters
    ----------
    arrays : by model, n × d representations of the same instances.
    measure : ``"cka"`` (debiased), ``"rsa"``, ``"mutual-knn"`` (10 neighbours, beyond chance) or ``"procrustes"``
        (beyond its permutation null; a singular value decomposition per pair and permutation, so much slower).
    seed : of the permutations and blocks.
    clusters : which instances were sampled together; blocks do not cut through them.

    Raises InputError for an unknown measure, fewer than 40 or more than 2,000 instances, and models with different
    numbers of instances.
    """
    counts = {len(array) for array in arrays.values()}
    if measure not in SIMILARITIES:
        raise InputError(f"no similarity of representations {measure!r}", "", near(measure, SIMILARITIES))
    if len(counts) != 1 or not FEWEST <= (n := counts.pop()) <= MOST:
        sizes = " and ".join(str(len(array)) for array in list(arrays.values())[:2]) or "no"
        raise InputError(f"representations of {sizes} instances", f"the same {FEWEST} to {MOST:,} for all models")
    tables = [np.asarray(array, float).reshape(n, -1) for array in arrays.values()]
    if not all(np.isfinite(table).all() for table in tables):
        raise InputError("a representation with nan or infinite values", "finite numbers", "choose another layer")
    rule = SIMILARITIES[measure]
    values = rule(tables)
    p, null = _null(rule, tables, values, stream(seed, "representations", measure), permutations)
    chance = (
        null if measure == "procrustes" else np.full_like(null, NEIGHBOURS / (n - 1) if measure == "mutual-knn" else 0)
    )
    adjusted = (values - chance) / (1 - chance)
    blocks = stream(seed, "blocks").permutation(n) % BLOCKS if clusters is None else block_of(clusters, BLOCKS)
    leave_outs = [rule([table[blocks != block] for table in tables]) for block in np.unique(blocks)]
    replicates = (np.array(leave_outs) - chance) / (1 - chance)
    low, high = _limits(adjusted, replicates, n)
    mean = jackknife(_mean(adjusted), np.array([_mean(matrix) for matrix in replicates]), n)
    if not mean.defined:
        mean = Interval.undefined("no two models have representations that vary", n)
    return RepresentationSimilarity(tuple(arrays), measure, values, adjusted, low, high, p, n, mean)


def _mean(matrix: Float[np.ndarray, "m m"]) -> float:
    """Mean over the pairs that are defined; nan without any."""
    pairs = matrix[np.triu_indices(len(matrix), 1)]
    defined = pairs[np.isfinite(pairs)]
    return float(defined.mean()) if len(defined) else math.nan


def _ends(interval: Interval) -> tuple[float, float, float]:
    return interval.estimate, interval.low, interval.high


def _null(
    rule: Similarities,
    tables: list[Float[np.ndarray, "n _"]],
    values: Float[np.ndarray, "m m"],
    rng: np.random.Generator,
    permutations: int,
) -> tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "m m"]]:
    """p-values, and the mean similarity with permuted instances."""
    exceeding, total = np.ones_like(values), np.zeros_like(values)
    prepared = [rule.prepare(table) for table in tables]
    for _ in range(permutations):
        # Every model has a permutation of its own, so those of any two differ by a random one.
        orders = [rng.permutation(len(table)) for table in tables]
        draw = rule.compare([rule.permute(part, order) for part, order in zip(prepared, orders, strict=True)])
        exceeding += draw >= values - 1e-12
        total += draw
    p = exceeding / (permutations + 1)
    np.fill_diagonal(p, math.nan)
    mean = total / max(permutations, 1)
    np.fill_diagonal(mean, 0.0)
    return np.where(np.isfinite(values), p, math.nan), mean


def _limits(
    adjusted: Float[np.ndarray, "m m"], replicates: Float[np.ndarray, "g m m"], n: int
) -> tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "m m"]]:
    """95 % limits of every pair from the values without each block of instances."""
    low, high = np.full_like(adjusted, math.nan), np.full_like(adjusted, math.nan)
    for i in range(len(adjusted)):
        for j in range(i):
            interval = jackknife(float(adjusted[i, j]), replicates[:, i, j], n)
            low[i, j] = low[j, i] = interval.low
            high[i, j] = high[j, i] = interval.high
    return low, high


@dataclass(frozen=True)
class Similarities:
    """All pairs of one measure.

    Parameters
    ----------
    prepare : from a representation to what is compared.
    permute : the same for the instances in another order.
    compare : m × m similarities.
    """

    prepare: Callable[[Float[np.ndarray, "n _"]], Float[np.ndarray, "n _"]]
    permute: Callable[[Float[np.ndarray, "n _"], Shaped[np.ndarray, " n"]], Float[np.ndarray, "n _"]]
    compare: Callable[[list[Float[np.ndarray, "n _"]]], Float[np.ndarray, "m m"]]

    def __call__(self, tables: list[Float[np.ndarray, "n _"]]) -> Float[np.ndarray, "m m"]:
        """Similarity of all pairs of representations; nan where one does not vary."""
        return self.compare([self.prepare(table) for table in tables])


def centred_products(X: Float[np.ndarray, "n d"]) -> Table:
    """Inner products of centred instances, U-centred and of length 1; the inner product of two such tables is CKA.

    The same as `measures.similarity.cka`, by the n × n side. Source: Székely and Rizzo 2014, definition 2.
    """
    n = len(X)
    X = X - X.mean(axis=0)
    K = X @ X.T
    np.fill_diagonal(K, 0)
    rows, total = K.sum(axis=1), float(K.sum())
    U = K - (rows[:, None] + rows) / (n - 2) + total / ((n - 1) * (n - 2))
    np.fill_diagonal(U, 0)
    return _unit(U)


def ranked_distances(X: Float[np.ndarray, "n d"]) -> Table:
    """Ranks of the distances of all pairs of instances, centred and of length 1; an inner product is RSA."""
    table: np.ndarray = squareform(distance_ranks(X))
    return _unit(table)


def neighbours(X: Float[np.ndarray, "n d"]) -> Table:
    """Marks of the nearest instances of each, of length 1; an inner product is the share of common neighbours."""
    distances = squareform(pdist(X - X.mean(axis=0)))
    np.fill_diagonal(distances, math.inf)
    table = np.zeros_like(distances)
    np.put_along_axis(table, np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS], 1.0, axis=1)
    if not np.ptp(X, axis=0).any():
        return table * math.nan  # all instances in one place have no neighbours
    return _unit(table)


def _unit(table: Table) -> Table:
    length = float(np.linalg.norm(table))
    # Rounding errors of a constant representation are no representation.
    return table / length if length > 1e-12 * len(table) else np.full_like(table, math.nan)


def _products(tables: list[Table]) -> Float[np.ndarray, "m m"]:
    flat = np.stack([table.ravel() for table in tables])
    products: np.ndarray = flat @ flat.T
    return products


def _both_ways(table: Table, order: Shaped[np.ndarray, " n"]) -> Table:
    permuted: np.ndarray = table[np.ix_(order, order)]
    return permuted


def _rotations(tables: list[Float[np.ndarray, "n _"]]) -> Float[np.ndarray, "m m"]:
    similarity = np.eye(len(tables))
    for i in range(len(tables)):
        for j in range(i + 1):
            similarity[i, j] = similarity[j, i] = procrustes(tables[i], tables[j])
    return similarity


SIMILARITIES: dict[str, Similarities] = {
    "cka": Similarities(centred_products, _both_ways, _products),
    "rsa": Similarities(ranked_distances, _both_ways, _products),
    "mutual-knn": Similarities(neighbours, _both_ways, _products),
    "procrustes": Similarities(lambda table: table, lambda table, order: table[order], _rotations),
}
"""Measures by name."""
