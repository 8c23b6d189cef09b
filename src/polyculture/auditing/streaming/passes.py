"""What is added up over the chunks of a table that is larger than memory? One job per pass over the shards.

First pass: whole numbers (`_FirstPass`). With missing cells and classes: what pairs share, class by class. Last pass:
exact sums of how much each instance moves the estimates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Bool, Int, Shaped

from polyculture.errors import InputError, near
from polyculture.measures.streaming.effective import CommonCounts, StreamedEstimate, from_complete, from_pairs
from polyculture.measures.streaming.exact_sums import InfluenceSums, InstanceChunk, StratumCounts, TableCounts
from polyculture.predictions import Predictions, are_classes

from ..counting import chunk_of, count_table, take
from ..systemic_failures import hardest_rows
from .executors import Shards, ShardSum
from .sampling import Sample, joined

MOST_CELLS = 1 << 28
"""Pairs × classes above which pairs cannot be stored class by class (some 6 GB); only missing cells need that."""
TOO_MANY = "cells are missing, and the pairs of every class do not fit into memory"


@dataclass(frozen=True, eq=False)
class ShardTotals:
    """All results of the passes.

    Parameters
    ----------
    counts : whole numbers over all instances.
    estimates : D against each null, by the name of its null model.
    sums : exact sums of influence values of every defined estimate, by the name of its null model.
    hardest : the instances that all or nearly all models fail, in the order of the table; None if there are none.
    sample : instances taken at random, all of them if they are few.
    """

    counts: TableCounts
    estimates: Mapping[str, StreamedEstimate]
    sums: Mapping[str, InfluenceSums]
    hardest: Predictions | None
    sample: Predictions


def add_shards(shards: Shards, shard_sum: ShardSum, clusters: str = "") -> ShardTotals:
    """Iterate over the shards two or three times.

    Parameters
    ----------
    shard_sum : adds up a job over all chunks of these shards.
    clusters : instance column that says which instances were sampled together.

    Raises InputError where there are no shards, or their models or classes differ.
    """
    spec = ChunkSpec.of(shards, clusters)
    if spec.by_class is None:
        spec = replace(spec, by_class=are_classes(shard_sum(partial(_label_sizes, spec=spec))))
    first: _FirstPass = shard_sum(partial(_first_pass, spec=spec))
    strata = {"N0": first.counts.strata(False)} | ({"N1": first.counts.strata(True)} if spec.by_class else {})
    estimates = _estimates(first.counts, strata, spec, shard_sum)
    last: _LastPass = shard_sum(partial(_last_pass, spec=spec, estimates=estimates))
    hardest = None if first.hardest is None else replace(first.hardest, fixed_classes=spec.by_class)
    sample = replace(first.sample.predictions, fixed_classes=spec.by_class)
    return ShardTotals(first.counts, estimates, last.sums, hardest, sample)


@dataclass(frozen=True, eq=False)
class ChunkSpec:
    """What every chunk must be like.

    Parameters
    ----------
    example : one instance of the first chunk.
    clusters : instance column with clusters, or empty.
    by_class : whether the labels are classes; None where that is not known yet.
    """

    example: Predictions
    clusters: str
    by_class: bool | None

    @classmethod
    def of(cls, shards: Shards, clusters: str) -> ChunkSpec:
        first = next((chunk for shard in shards for chunk in shard), None)
        if first is None:
            raise InputError("no shards", "one with instances, or more")
        if clusters and clusters not in first.instances.columns:
            raise InputError(f"no instance column {clusters!r}", cure=near(clusters, map(str, first.instances.columns)))
        decided = first.fixed_classes is not None or first.labels is None or first.options is not None
        return cls(take(first, np.array([0])), clusters, first.has_fixed_classes if decided else None)

    def check(self, p: Predictions) -> None:
        """Refuse a chunk with other models or classes."""
        for name, actual, expected in (
            ("models", p.model_ids, self.example.model_ids),
            ("classes", list(p.classes), list(self.example.classes)),
        ):
            if actual != expected:
                differences = (x for x in [*expected, *actual] if (x in actual) != (x in expected))
                raise InputError(
                    f"shards differ in their {name}, first in {next(differences, expected[0])!r}",
                    f"the same {name} in the same order in all",
                )

    def chunk(self, p: Predictions) -> InstanceChunk:
        """What the passes need of some instances."""
        self.check(p)
        return chunk_of(p, bool(self.by_class))


def _label_sizes(p: Predictions, spec: ChunkSpec) -> Int[np.ndarray, " c"]:
    assert p.labels is not None
    return np.bincount(p.labels, minlength=len(spec.example.classes))


@dataclass(frozen=True, eq=False)
class _FirstPass:
    counts: TableCounts
    hardest: Predictions | None
    sample: Sample

    def __add__(self, totals: _FirstPass) -> _FirstPass:
        hardest = [p for p in (self.hardest, totals.hardest) if p is not None]
        return _FirstPass(
            self.counts + totals.counts,
            _hardest(joined(hardest)) if len(hardest) == 2 else next(iter(hardest), None),
            self.sample + totals.sample,
        )


def _first_pass(p: Predictions, spec: ChunkSpec) -> _FirstPass:
    spec.check(p)
    return _FirstPass(count_table(p, bool(spec.by_class)), _hardest(p), Sample.of(p, spec.clusters))


def _hardest(p: Predictions) -> Predictions | None:
    """The hardest instances in the order of the table; None if there are none."""
    rows = hardest_rows(p)
    return take(p, np.sort(rows)) if len(rows) else None


def _estimates(
    table: TableCounts, strata: Mapping[str, StratumCounts], spec: ChunkSpec, shard_sum: ShardSum
) -> dict[str, StreamedEstimate]:
    """D against each null; with missing cells and classes from a pass of its own."""
    counts = table.counts
    errors, n = np.diag(counts.n00), np.diag(counts.n)
    informative: Bool[np.ndarray, " m"] = (errors > 0) & (errors < n)
    if not table.missing:
        return {name: from_complete(s, informative) for name, s in strata.items()}
    estimates = {"N0": from_pairs(CommonCounts.of_all(counts, table.n), informative)}
    if spec.by_class:
        fits = len(informative) ** 2 * len(table.errors) <= MOST_CELLS
        common = shard_sum(partial(_common, spec=spec)) if fits else None
        estimates["N1"] = (
            StreamedEstimate(informative, reason=TOO_MANY) if common is None else from_pairs(common, informative)
        )
    return estimates


def _common(p: Predictions, spec: ChunkSpec) -> CommonCounts:
    return CommonCounts.by_class(spec.chunk(p))


@dataclass(frozen=True, eq=False)
class _LastPass:
    sums: Mapping[str, InfluenceSums]

    def __add__(self, totals: _LastPass) -> _LastPass:
        return _LastPass({name: sums + totals.sums[name] for name, sums in self.sums.items()})


def _last_pass(p: Predictions, spec: ChunkSpec, estimates: Mapping[str, StreamedEstimate]) -> _LastPass:
    chunk = spec.chunk(p)
    names: Shaped[np.ndarray, " n"] | None = p.instances[spec.clusters].to_numpy() if spec.clusters else None
    influences = ((name, e.influence(chunk)) for name, e in estimates.items() if e.influence is not None)
    return _LastPass({name: InfluenceSums.of(influence, names, centred) for name, (influence, centred) in influences})
