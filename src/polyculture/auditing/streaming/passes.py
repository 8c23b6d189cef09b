"""What is added up over the chunks of a table that is larger than memory? One job per pass over the shards.

First pass: whole numbers (`_First`). With missing cells and classes: what pairs share, class by class. Last pass: exact
sums of how much each instance moves the estimates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Bool, Int, Shaped

from polyculture.errors import InputError, near
from polyculture.measures.counts import count
from polyculture.measures.streaming.effective import Common, Estimate, from_complete, from_pairs
from polyculture.measures.streaming.exact_sums import Chunk, Strata, Sums, Tally, column_sums, tally
from polyculture.predictions import Predictions, are_classes

from ..systemic_failures import MOST_LISTED, NEARLY_ALL
from .executors import Over, Shards
from .sampling import Sample, joined, take

MOST_CELLS = 1 << 28
"""Pairs × classes above which pairs cannot be kept class by class (some 6 GB); only missing cells need that."""
TOO_MANY = "cells are missing, and the pairs of every class do not fit into memory"


@dataclass(frozen=True, eq=False)
class ShardTotals:
    """All that the passes found.

    Parameters
    ----------
    tally : whole numbers over all instances.
    by_class : whether the labels are classes.
    estimates : D against each null, by the name of its rung.
    sums : exact sums of influence values of every defined estimate, by the name of its rung.
    hardest : the instances that all or nearly all models fail, in the order of the table; None if there are none.
    sample : instances taken at random, all of them if they are few.
    """

    tally: Tally
    by_class: bool
    estimates: Mapping[str, Estimate]
    sums: Mapping[str, Sums]
    hardest: Predictions | None
    sample: Predictions


def see(shards: Shards, over: Over, clusters: str = "") -> ShardTotals:
    """Go through the shards two or three times.

    Parameters
    ----------
    over : adds up a job over all chunks of these shards.
    clusters : instance column that says which instances were sampled together.

    Raises InputError where there are no shards, or their models or classes differ.
    """
    like = ChunkSpec.of(shards, clusters)
    if like.by_class is None:
        like = replace(like, by_class=are_classes(over(partial(_label_sizes, like=like))))
    first: _First = over(partial(_first_pass, like=like))
    strata = {"N0": first.tally.strata(False)} | ({"N1": first.tally.strata(True)} if like.by_class else {})
    estimates = _estimates(first.tally, strata, like, over)
    last: _Last = over(partial(_last_pass, like=like, estimates=estimates))
    sample = replace(first.sample.predictions, fixed_classes=like.by_class)
    return ShardTotals(first.tally, bool(like.by_class), estimates, last.sums, first.hardest, sample)


@dataclass(frozen=True, eq=False)
class ChunkSpec:
    """What every chunk must be like.

    Parameters
    ----------
    example : one instance of the first chunk.
    clusters : instance column with clusters, or nothing.
    by_class : whether the labels are classes; None where nobody has said so yet.
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
        said = first.fixed_classes is not None or first.labels is None or first.options is not None
        return cls(take(first, np.array([0])), clusters, first.has_fixed_classes if said else None)

    def chunk(self, p: Predictions) -> Chunk:
        """What the passes need of some instances."""
        for what, here, there in (
            ("models", p.model_ids, self.example.model_ids),
            ("classes", list(p.classes), list(self.example.classes)),
        ):
            if here != there:
                odd = next((name for name in [*there, *here] if (name in here) != (name in there)), there[0])
                raise InputError(
                    f"shards differ in their {what}, first in {odd!r}", f"the same {what} in the same order in all"
                )
        if not self.by_class:
            return Chunk(p.wrong, p.observed, np.zeros(p.shape[1], np.int64), 1)
        assert p.labels is not None
        return Chunk(p.wrong, p.observed, p.labels.astype(np.int64), len(p.classes))


def _label_sizes(p: Predictions, like: ChunkSpec) -> Int[np.ndarray, " c"]:
    assert p.labels is not None
    return np.bincount(p.labels, minlength=len(like.example.classes))


@dataclass(frozen=True, eq=False)
class _First:
    tally: Tally
    hardest: Predictions | None
    sample: Sample

    def __add__(self, other: _First) -> _First:
        hardest = [p for p in (self.hardest, other.hardest) if p is not None]
        return _First(
            self.tally + other.tally,
            _hardest(joined(hardest)) if len(hardest) == 2 else next(iter(hardest), None),
            self.sample + other.sample,
        )


def _first_pass(p: Predictions, like: ChunkSpec) -> _First:
    chunk, classes = like.chunk(p), max(len(p.classes), 2)
    if p.options is None:
        pairs = {classes: count(p.answers, p.labels, p.correct, classes)}
    else:
        parts = ((int(k), take(p, np.flatnonzero(p.options == k))) for k in np.unique(p.options))
        pairs = {k: count(q.answers, q.labels, q.correct, classes, q.options) for k, q in parts}
    return _First(tally(chunk, pairs), _hardest(p), Sample.of(p, like.clusters))


def _hardest(p: Predictions) -> Predictions | None:
    """The instances that `failures.hardest_instances` lists, in the order of the table; None if there are none."""
    m, n = p.shape
    models = np.full(n, m) if p.observed is None else column_sums(p.observed)
    wrong = column_sums(p.wrong)
    rows = np.flatnonzero((models >= 2) & (wrong >= np.maximum(NEARLY_ALL * models, 1)))
    rows = rows[np.lexsort((rows, -models[rows], -wrong[rows] / models[rows]))][:MOST_LISTED]
    return take(p, np.sort(rows)) if len(rows) else None


def _estimates(tally: Tally, strata: Mapping[str, Strata], like: ChunkSpec, over: Over) -> dict[str, Estimate]:
    """D against each null; with missing cells and classes from a pass of its own."""
    counts = tally.counts
    errors, n = np.diag(counts.n00), np.diag(counts.n)
    informative: Bool[np.ndarray, " m"] = (errors > 0) & (errors < n)
    if not tally.missing:
        return {name: from_complete(s, informative) for name, s in strata.items()}
    found = {"N0": from_pairs(Common.of_all(counts, tally.n), informative)}
    if like.by_class:
        fits = len(informative) ** 2 * len(tally.errors) <= MOST_CELLS
        common = over(partial(_common, like=like)) if fits else None
        found["N1"] = Estimate(informative, reason=TOO_MANY) if common is None else from_pairs(common, informative)
    return found


def _common(p: Predictions, like: ChunkSpec) -> Common:
    return Common.by_class(like.chunk(p))


@dataclass(frozen=True, eq=False)
class _Last:
    sums: Mapping[str, Sums]

    def __add__(self, other: _Last) -> _Last:
        return _Last({name: sums + other.sums[name] for name, sums in self.sums.items()})


def _last_pass(p: Predictions, like: ChunkSpec, estimates: Mapping[str, Estimate]) -> _Last:
    chunk = like.chunk(p)
    names: Shaped[np.ndarray, " n"] | None = p.instances[like.clusters].to_numpy() if like.clusters else None
    looks = ((name, e.influence(chunk)) for name, e in estimates.items() if e.influence is not None)
    return _Last({name: Sums.of(influence, names, centred) for name, (influence, centred) in looks})
