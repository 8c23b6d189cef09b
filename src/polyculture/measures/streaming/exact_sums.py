"""What must be known of instances that never lie in memory together? Whole numbers, and sums that are exact.

Whole numbers (a first pass) and exact sums of floats (a second one) add up to the same bits however the instances are
cut, in whatever order the parts come and on whatever machine they were made. Memory: m × m, and the classes × m.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from ..counts import PairCounts, count, total
from ..systemic import FailureCounts, expectation_error

BLOCK = 8192
"""Instances turned into floats at a time."""

Exact = tuple[float, ...]
"""A few floats whose sum, taken without rounding, is the sum of all that were added."""


def exact(values: Iterable[float]) -> Exact:
    """The unrounded sum of finite numbers. Add two of them by giving the parts of both."""
    remainder, parts = list(values), []
    # fsum rounds once. What it rounded away is the sum of the same numbers minus that: again a sum, until 0 is left.
    while part := math.fsum(remainder):
        parts.append(part)
        remainder.append(-part)
    return tuple(parts)


def on_grid(*weights: Float[np.ndarray, "*any"]) -> list[np.ndarray]:
    """The weights rounded so little (2⁻⁵² of their total) that no sum of any of them is ever rounded.

    Products of such matrices with zeros and ones do not depend on the order in which the terms are added.
    """
    largest = sum(float(np.abs(w).sum()) for w in weights)
    # (E9): every partial sum is a multiple of step and below 2⁵³ steps, hence a float without rounding.
    step = math.ldexp(1.0, math.frexp(largest)[1] - 52) if largest > 0 else 1.0
    return [np.rint(w / step) * step for w in weights]


@dataclass(frozen=True, eq=False)
class TableCounts:
    """Whole numbers of one chunk or of all: what an audit needs before it looks at single instances.

    Parameters
    ----------
    pairs : all-pairs counts by the number of answers that one could choose from.
    joint : instances by how many models answered (rows) and how many of these were wrong (columns).
    failures : by class, instances that every model answered by how many models are wrong.
    errors : by class, each model's errors on those.
    both_wrong : joint failures on those.
    """

    pairs: Mapping[int, PairCounts]
    joint: Int[np.ndarray, "m1 m1"]
    failures: Int[np.ndarray, "s m1"]
    errors: Int[np.ndarray, "s m"]
    both_wrong: Int[np.ndarray, "m m"]

    def __add__(self, table: TableCounts) -> TableCounts:
        """Of both sets of instances."""
        pairs = dict(self.pairs)
        for options, counts in table.pairs.items():
            pairs[options] = pairs[options] + counts if options in pairs else counts
        return TableCounts(
            pairs,
            self.joint + table.joint,
            self.failures + table.failures,
            self.errors + table.errors,
            self.both_wrong + table.both_wrong,
        )

    @property
    def n(self) -> int:
        """Instances."""
        return int(self.joint.sum())

    @property
    def missing(self) -> int:
        """Cells without an outcome."""
        m = len(self.joint) - 1
        return int(self.joint.sum(axis=1) @ (m - np.arange(m + 1)))

    @property
    def missing_share(self) -> float:
        """Share of the cells without an outcome."""
        cells = self.n * (len(self.joint) - 1)
        return 1 - (cells - self.missing) / cells if self.missing else 0.0

    @property
    def missing_correlation(self) -> float:
        """Correlation over instances between the share of models that answered and the share of these that are wrong.

        nan with fewer than three answered instances, and where one of the two does not vary.
        """
        answered, wrong = np.nonzero(self.joint)
        answered, wrong = answered[answered > 0], wrong[answered > 0]
        # Instances with the same two counts are the same to a correlation: (m + 1)² cells stand for all of them.
        times = self.joint[answered, wrong].astype(float)
        x, y, n = answered / (len(self.joint) - 1), wrong / np.maximum(answered, 1), times.sum()
        if n < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
            return math.nan
        dx, dy = (v - times @ v / n for v in (x, y))
        return float(times @ (dx * dy)) / math.sqrt(float(times @ dx**2) * float(times @ dy**2))

    @cached_property
    def counts(self) -> PairCounts:
        """All-pairs counts, as `counts.count` gives them of all instances at once."""
        groups = [_with_baseline(counts, options) for options, counts in sorted(self.pairs.items())]
        return total(groups)

    def strata(self, by_class: bool) -> StratumCounts:
        """The instances that every model answered, by class or all in one."""
        if by_class:
            return StratumCounts(self.failures, self.errors)
        return StratumCounts(self.failures.sum(axis=0, keepdims=True), self.errors.sum(axis=0, keepdims=True))

    def systemic(self, by_class: bool = True) -> FailureCounts:
        """How many models fail together, against independence within classes; as `systemic.systemic` gives it."""
        counts = self.strata(by_class)
        sizes = counts.failures.sum(axis=1)
        occupied = sizes > 0
        return FailureCounts.of(counts.failures.sum(axis=0), counts.errors[occupied], sizes[occupied])

    def expectation_error(self, by_class: bool = True) -> float:
        """How far the expectation given the class may be off, or that of all together: see `systemic`."""
        counts = self.strata(by_class)
        occupied = counts.failures.sum(axis=1) > 0
        return expectation_error(counts.failures[occupied], counts.errors[occupied])


def _with_baseline(counts: PairCounts, options: int) -> PairCounts:
    """Sums of 1/(options − 1) from whole numbers: a sum of rounded quotients would depend on how they were cut."""
    if counts.n00_open is None or counts.n11_open is None or counts.n10_open is None:
        return counts
    rivals = max(options - 1, 1)
    common = counts.n11_open + counts.n10_open + counts.n10_open.T + counts.n00_open
    return PairCounts(**vars(counts) | {"baseline": counts.n00_open / rivals, "coincidence": common / rivals})


@dataclass(frozen=True, eq=False)
class InstanceChunk:
    """Some instances, as the two passes see them.

    Parameters
    ----------
    wrong : where a model is wrong; False where that is unknown.
    observed : where it is known; None where it is known everywhere.
    stratum : class of each instance, 0 … strata − 1; all 0 where there are no classes.
    strata : how many classes there are in all.
    """

    wrong: Bool[np.ndarray, "m n"]
    observed: Bool[np.ndarray, "m n"] | None
    stratum: Int[np.ndarray, " n"]
    strata: int

    def complete(self) -> InstanceChunk:
        """The instances that every model answered."""
        if self.observed is None:
            return self
        # Counts of failing models mean the same on two instances only if as many models answered both.
        mask = self.observed.all(axis=0)
        return InstanceChunk(self.wrong[:, mask], None, self.stratum[mask], self.strata)

    def blocks(self, by_class: bool = True) -> Iterator[tuple[int, Int[np.ndarray, " k"]]]:
        """Instances of one class (of all, with code 0), a few thousand at a time."""
        stratum = self.stratum if by_class else np.zeros_like(self.stratum)
        order = np.argsort(stratum, kind="stable")
        ends = np.cumsum(np.bincount(stratum, minlength=1))
        for code, end in enumerate(ends):
            # Class by class, as every class has its own rates; sorting by class beats masking once per class.
            for start in range(ends[code - 1] if code else 0, end, BLOCK):
                yield code, order[start : min(start + BLOCK, end)]


def count_chunk(chunk: InstanceChunk, pairs: Mapping[int, PairCounts]) -> TableCounts:
    """The whole numbers of some instances; `pairs` by the number of options, as in `TableCounts`."""
    m = len(chunk.wrong)
    answered = np.full(chunk.wrong.shape[1], m) if chunk.observed is None else column_sums(chunk.observed)
    joint = np.bincount(answered * (m + 1) + column_sums(chunk.wrong), minlength=(m + 1) ** 2)
    complete = chunk.complete()
    cells = complete.stratum.astype(np.int64) * (m + 1) + column_sums(complete.wrong)
    failures = np.bincount(cells, minlength=chunk.strata * (m + 1))
    errors = np.zeros((chunk.strata, m), np.int64)
    for code, members in complete.blocks():
        errors[code] += np.count_nonzero(np.take(complete.wrong, members, axis=1), axis=1)
    if chunk.observed is None:
        # Without gaps the pair counts already hold the joint failures; with gaps complete instances are counted again.
        both_wrong = sum((c.n00 for c in pairs.values()), np.zeros((m, m), np.int64))
    else:
        both_wrong = count(None, None, (~complete.wrong).astype(np.int8), 2).n00
    return TableCounts(pairs, joint.reshape(m + 1, m + 1), failures.reshape(-1, m + 1), errors, both_wrong)


def column_sums(cells: Bool[np.ndarray, "m n"]) -> Int[np.ndarray, " n"]:
    """How many models, on each instance."""
    sums: Int[np.ndarray, " n"] = np.add.reduce(cells.view(np.uint8), axis=0, dtype=np.int32).astype(np.int64)
    return sums


@dataclass(frozen=True, eq=False)
class StratumCounts:
    """Instances by class: how many models fail them, and how often each model does.

    Parameters
    ----------
    failures : by class, instances on which exactly 0, 1, …, m models are wrong.
    errors : by class, errors of each model.
    """

    failures: Int[np.ndarray, "s m1"]
    errors: Int[np.ndarray, "s m"]

    @cached_property
    def sizes(self) -> Int[np.ndarray, " s"]:
        """Instances in each class."""
        sizes: Int[np.ndarray, " s"] = self.failures.sum(axis=1)
        return sizes

    @cached_property
    def rates(self) -> Float[np.ndarray, "s m"]:
        """Error rates; 0 in empty classes."""
        rates: Float[np.ndarray, "s m"] = self.errors / np.maximum(self.sizes, 1)[:, None]
        return rates

    @cached_property
    def unbiased(self) -> Float[np.ndarray, " s"]:
        """n/(n − 1); 0 for classes with a single instance, which say nothing about variances."""
        return np.where(self.sizes > 1, self.sizes / np.maximum(self.sizes - 1, 1), 0.0)

    @cached_property
    def mean(self) -> Float[np.ndarray, " s"]:
        """Mean number of failing models."""
        mean: Float[np.ndarray, " s"] = self.failures @ np.arange(self.failures.shape[1]) / np.maximum(self.sizes, 1)
        return mean

    def power(self, k: int) -> Float[np.ndarray, " s"]:
        """Sum over the instances of a class of the k-th power of the centred failure count."""
        # (E12): sums of powers over instances are sums over the m + 1 possible failure counts.
        centred = np.arange(self.failures.shape[1]) - self.mean[:, None]
        sums: Float[np.ndarray, " s"] = (self.failures * centred**k).sum(axis=1)
        return sums

    @cached_property
    def scatter(self) -> Float[np.ndarray, "s m"]:
        """(n − 1) × variance of each model's errors in each class."""
        scatter: Float[np.ndarray, "s m"] = self.errors * (1 - self.rates)
        return scatter

    def codes(self, chunk: InstanceChunk) -> Int[np.ndarray, " n"]:
        """Row of each instance of a chunk: its class, or 0 where all are in one."""
        return chunk.stratum if len(self.sizes) > 1 else np.zeros_like(chunk.stratum)

    def parts(self, chunk: InstanceChunk) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Of each instance of a complete chunk: centred failure count, and squared deviations summed over models.

        Σ_m (E − e)² = K − 2 Σ_m E e + Σ_m e². The errors of the models that fail are a whole number, so the product of
        floats below gives it exactly, in any order.
        """
        failing, stratum = column_sums(chunk.wrong), self.codes(chunk)
        errors = np.empty(len(failing))
        for code, members in chunk.blocks(by_class=len(self.sizes) > 1):
            # (E13): the only product of the three terms that needs the models of an instance, and it is a whole number.
            errors[members] = self.errors[code].astype(float) @ np.take(chunk.wrong, members, axis=1).astype(float)
        squared_deviations = failing - 2 * errors / self.sizes[stratum] + (self.rates**2).sum(axis=1)[stratum]
        return failing - self.mean[stratum], squared_deviations


@dataclass(frozen=True, eq=False)
class InfluenceSums:
    """What an interval needs of the influence of every instance, to the last bit.

    Parameters
    ----------
    n : instances used.
    powers : unrounded sums of the influence values and of their squares.
    centred : the same of the squares and fourth powers of the centred failure counts; empty where not given.
    clusters : by cluster, the unrounded sum of its influence values; empty where every instance stands alone.
    """

    n: int
    powers: tuple[Exact, Exact]
    centred: tuple[Exact, Exact] = ((), ())
    clusters: Mapping[str, Exact] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        influence: Float[np.ndarray, " n"],
        clusters: Shaped[np.ndarray, " n"] | None = None,
        centred: Float[np.ndarray, " n"] | None = None,
    ) -> InfluenceSums:
        """Of some instances; those with nan are not used."""
        mask = ~np.isnan(influence)
        values = influence[mask]
        by_cluster: dict[str, Exact] = {}
        # By name and not by number: a cluster may lie in several shards, which number their clusters differently.
        if clusters is not None and len(values):
            names, code = np.unique(clusters[mask].astype(str), return_inverse=True)
            order = np.argsort(code, kind="stable")
            parts = np.split(values[order], np.cumsum(np.bincount(code))[:-1])
            by_cluster = {str(name): exact(part.tolist()) for name, part in zip(names, parts, strict=True)}
        of_counts = ((), ()) if centred is None else _powers(np.where(mask, centred, 0.0) ** 2)
        return cls(int(mask.sum()), _powers(values), of_counts, by_cluster)

    def __add__(self, sums: InfluenceSums) -> InfluenceSums:
        """Of both sets of instances."""
        clusters = dict(self.clusters)
        for name, parts in sums.clusters.items():
            clusters[name] = exact((*clusters.get(name, ()), *parts))
        powers, centred = (
            (exact((*a[0], *b[0])), exact((*a[1], *b[1])))
            for a, b in ((self.powers, sums.powers), (self.centred, sums.centred))
        )
        return InfluenceSums(self.n + sums.n, powers, centred, clusters)

    @property
    def n_info(self) -> float:
        """Instances that carry the variance of the failure count, (Σk²)²/Σk⁴."""
        # (E10): the only place at which these sums are rounded.
        squares, fourths = (math.fsum(part) for part in self.centred)
        return squares**2 / fourths if fourths > 0 else 0.0

    def standard_error(self) -> tuple[float, int]:
        """As `stats.standard_error` of all influence values: the error, and the independent draws it rests on."""
        total, squares, draws = math.fsum(self.powers[0]), math.fsum(self.powers[1]), self.n
        if self.clusters:
            values = [math.fsum(parts) for _, parts in sorted(self.clusters.items())]
            squares, draws = math.fsum(v * v for v in values), len(values)
        if draws < 2:
            return math.nan, draws
        # (E14): (I1) multiplied out. The sum of influences is 0 but for rounding, so nothing cancels.
        return math.sqrt(max(draws * squares - total**2, 0.0) / (draws - 1)) / self.n, draws


def _powers(values: Float[np.ndarray, " n"]) -> tuple[Exact, Exact]:
    return exact(values.tolist()), exact((values**2).tolist())
