"""Do judges prefer their own outputs, or those of their family, more than judges without a stake do?

A dyadic factor, judge × candidate. A judge's verdicts on its own outputs are compared with those that judges without a
stake give on the same pairs. A sharp judge that is a strong candidate likes its outputs because they are good: the
others' margin is therefore scaled by how sharp the judge is on pairs in which it has no stake.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from .comparisons import PairedComparisons

NO_STAKE = "no judge judged an output of its own side"
NO_REFERENCE = "nobody without a stake judged the pairs in which a judge has one"
MOST_CELLS = 40_000_000
BLOCKS = 50
DRAWS = 1999


@dataclass(frozen=True, eq=False)
class OwnPreference:
    """How much more judges give to their own side than judges without a stake do.

    Parameters
    ----------
    value : mean over judges of how much more of the win an output of the judge's own side gets from it, −1 … 1; 0 for
        no preference, nan where undefined, with the reason.
    by_judge : the same of every judge; nan where it has none.
    verdicts : of every judge with a stake in one of the two outputs, of which others without a stake judged the pair.
    leave_outs : the value, and in further columns every judge's, without each block of items in turn.
    p : one-sided p-value against a larger preference, by dealing the judges' identities anew; nan where undefined.
    arrangements : ways to deal them; p is never below one over their number.
    reason : why the value is undefined; empty otherwise.
    """

    value: float
    by_judge: Float[np.ndarray, " m"]
    verdicts: Int[np.ndarray, " m"]
    leave_outs: Float[np.ndarray, "b m1"]
    p: float = math.nan
    arrangements: float = math.nan
    reason: str = ""


@dataclass(frozen=True, eq=False)
class _Stakes:
    """Who has a stake in which pair: 1 in its first candidate, −1 in its second, and who is left out of it."""

    side: Int[np.ndarray, "m p"]
    excluded: Bool[np.ndarray, "m p"]

    @classmethod
    def of(cls, kin: Bool[np.ndarray, "m c"], aside: Bool[np.ndarray, "m c"], pairs: Int[np.ndarray, "p 2"]) -> _Stakes:
        first, second = kin[:, pairs[:, 0]], kin[:, pairs[:, 1]]
        excluded = aside[:, pairs[:, 0]] | aside[:, pairs[:, 1]] | (first & second)
        return cls(first.astype(np.int64) - second.astype(np.int64), excluded)

    def preferences(
        self, sums: Float[np.ndarray, "m p"], counts: Float[np.ndarray, "m p"]
    ) -> tuple[Float[np.ndarray, " m"], Int[np.ndarray, " m"]]:
        """(JU11): preference of every judge for its own side, and the verdicts that it rests on."""
        neutral = (self.side == 0) & ~self.excluded
        total, size = ((part * neutral).sum(axis=0) for part in (sums, counts))
        size, total = size - counts * neutral, total - sums * neutral
        with np.errstate(all="ignore"):
            margin, reference = sums / counts - 0.5, total / size - 0.5
        known = (counts > 0) & (size > 0)
        margin, reference = np.where(known, margin, 0.0), np.where(known, reference, 0.0)
        weight = counts * (known & neutral)
        squares = (weight * reference**2).sum(axis=1)
        crossed = (weight * reference * margin).sum(axis=1)
        slope = np.where(squares > 1e-9, crossed / np.maximum(squares, 1e-9), 1.0)
        stake = counts * (known & (self.side != 0) & ~self.excluded)
        verdicts = stake.sum(axis=1)
        surplus = (stake * self.side * (margin - slope[:, None] * reference)).sum(axis=1)
        with np.errstate(all="ignore"):
            return np.where(verdicts > 0, surplus / verdicts, np.nan), verdicts.astype(np.int64)


def own_preference(
    comparisons: PairedComparisons,
    kin: Bool[np.ndarray, "m c"],
    generator: np.random.Generator,
    aside: Bool[np.ndarray, "m c"] | None = None,
    block: Int[np.ndarray, " n"] | None = None,
) -> OwnPreference:
    """The preference of judges for candidates of their own side, with a permutation test.

    Parameters
    ----------
    kin : whether a judge is on the side of a candidate: the same model, or the same family.
    generator : of the 1,999 dealings; all of them are looked at where there are no more.
    aside : candidates that a judge's verdicts are left out of, such as itself when its family is asked for.
    block : of each item, for the jackknife; 50 in turn where None.

    The judges' identities (whom they are kin to) are dealt anew among judges. Exact where, apart from sharpness, it
    does not matter who judges.
    """
    m = len(comparisons.judges)
    part = comparisons.take(np.flatnonzero(comparisons.valid))
    aside = np.zeros_like(kin) if aside is None else aside
    block = np.arange(len(comparisons.items)) % BLOCKS if block is None else block
    pairs, code = np.unique(np.sort(part.outputs, axis=1), axis=0, return_inverse=True)
    undefined = np.full(m, np.nan)
    nothing = np.zeros(m, np.int64), np.full((0, m + 1), np.nan)
    stakes = _Stakes.of(kin, aside, pairs)
    if not (stakes.side[part.judge, code.reshape(-1)] != 0).any():
        return OwnPreference(math.nan, undefined, *nothing, reason=NO_STAKE)
    blocks = np.unique(block[part.item])
    if len(blocks) * m * len(pairs) > MOST_CELLS:
        return OwnPreference(math.nan, undefined, *nothing, reason=f"{m:,} judges of {len(pairs):,} pairs are too many")
    sums, counts = _cells(
        part, code.reshape(-1), np.searchsorted(blocks, block[part.item]), (len(blocks), m, len(pairs))
    )
    totals = sums.sum(axis=0), counts.sum(axis=0)
    by_judge, verdicts = stakes.preferences(*totals)
    if not verdicts.any():
        return OwnPreference(math.nan, undefined, *nothing, reason=NO_REFERENCE)
    value = float(np.nanmean(by_judge))
    leave_outs = np.stack(
        [_with_mean(stakes.preferences(totals[0] - s, totals[1] - c)[0]) for s, c in zip(sums, counts, strict=True)]
    )
    p, arrangements = _permuted(value, (kin, aside), pairs, totals, generator)
    return OwnPreference(value, by_judge, verdicts, leave_outs, p, arrangements)


def _with_mean(by_judge: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m1"]:
    mean = math.nan if np.isnan(by_judge).all() else float(np.nanmean(by_judge))
    return np.append(mean, by_judge)


def _cells(
    part: PairedComparisons, pair: Int[np.ndarray, " r"], block: Int[np.ndarray, " r"], shape: tuple[int, int, int]
) -> tuple[Float[np.ndarray, "b m p"], Float[np.ndarray, "b m p"]]:
    """Credit of the candidate with the lower code, and verdicts, by block of items, judge and pair."""
    credit = np.where(part.outputs[:, 0] > part.outputs[:, 1], 1 - part.credit, part.credit)
    place = np.ravel_multi_index((block, part.judge, pair), shape)
    size = math.prod(shape)
    sums, counts = np.bincount(place, credit, size), np.bincount(place, minlength=size)
    return sums.reshape(shape), counts.reshape(shape).astype(float)


def _permuted(
    observed: float,
    kinships: tuple[Bool[np.ndarray, "m c"], Bool[np.ndarray, "m c"]],
    pairs: Int[np.ndarray, "p 2"],
    totals: tuple[Float[np.ndarray, "m p"], Float[np.ndarray, "m p"]],
    generator: np.random.Generator,
) -> tuple[float, float]:
    """p-value over dealings of the judges' identities, and how many different ones there are."""
    kin, aside = kinships
    m = len(kin)
    repeats = np.unique(np.hstack([kin, aside]), axis=0, return_counts=True)[1]
    logarithm = math.lgamma(m + 1) - float(sum(math.lgamma(size + 1) for size in repeats))
    arrangements = float(round(math.exp(logarithm))) if logarithm < 30 else math.inf
    enumerated = math.lgamma(m + 1) <= math.log(DRAWS + 1)
    larger = total = 0 if enumerated else 1
    for deal in _deals(m, enumerated, generator):
        by_judge, _ = _Stakes.of(kin[deal], aside[deal], pairs).preferences(*totals)
        value = -math.inf if np.isnan(by_judge).all() else float(np.nanmean(by_judge))
        larger += value >= observed - 1e-9
        total += 1
    return larger / total, arrangements


def _deals(m: int, enumerated: bool, generator: np.random.Generator) -> Iterator[Int[np.ndarray, " m"]]:
    """All orders of the judges, or as many random ones as are drawn."""
    if enumerated:
        yield from map(np.array, itertools.permutations(range(m)))
        return
    for _ in range(DRAWS):
        yield generator.permutation(m)
