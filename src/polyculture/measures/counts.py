"""How often were two models both right, both wrong, wrong in the same way? All pairs from one exact, streamed pass.

Answers are cut into bit planes, 64 instances to a machine word: two models differ where any plane does (XOR, OR), and
are both wrong where both wrong planes are set (AND). Counting ones is one instruction per word, so a pair costs a few
instructions per 64 instances. Counts add up over chunks of instances and over machines.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Num, UInt

from polyculture.errors import InputError

WORDS = 1016
"""Words per chunk of instances: a chunk's counts (at most 64 × 1016) still fit the fast 16-bit sums."""
ROWS, COLUMNS = 4, 16
"""Models per block of pairs: few rows waste little on the diagonal, and the working space stays in a core's cache."""
SMALL = 1 << 16
"""Pairs × words below which starting threads costs more than it gains."""

LAYERS, BITS = 32, 24
"""Different weights that are counted one by one, and the binary digits of weights when there are more."""

Square = Int[np.ndarray, "m m"]


@dataclass(frozen=True, eq=False)
class PairCounts:
    """How often each pair of models was right and wrong together; adds up over chunks of instances and over machines.

    Parameters
    ----------
    n : instances that both answered (both outcomes known).
    n11, n00 : of these, both right and both wrong.
    n10 : of these, the row's model right and the column's wrong; `n01` is its transpose.
    same_answer : of these, both gave the same answer; None where there are only outcomes.
    same_wrong : both wrong with the same answer, on instances with two options or more; None likewise.
    n00_open : both wrong on instances with two options or more: what `same_wrong` is a share of; None likewise.
    baseline : expected `same_wrong` if wrong answers were picked evenly: sum of 1/(options − 1) over `n00_open`.
    n11_open, n10_open : as n11 and n10, on instances with two options or more; None where there are only outcomes.
    coincidence : sum of 1/(options − 1) over all common instances with two options or more; None likewise.

    With instance weights all of these are sums of weights, and floats.
    """

    n: Num[np.ndarray, "m m"]
    n11: Num[np.ndarray, "m m"]
    n10: Num[np.ndarray, "m m"]
    n00: Num[np.ndarray, "m m"]
    same_answer: Num[np.ndarray, "m m"] | None = None
    same_wrong: Num[np.ndarray, "m m"] | None = None
    n00_open: Num[np.ndarray, "m m"] | None = None
    baseline: Float[np.ndarray, "m m"] | None = None
    n11_open: Num[np.ndarray, "m m"] | None = None
    n10_open: Num[np.ndarray, "m m"] | None = None
    coincidence: Float[np.ndarray, "m m"] | None = None

    def __repr__(self) -> str:
        return f"PairCounts: {len(self.n):,} models, up to {self.n.max(initial=0):,.0f} instances per pair"

    @property
    def n01(self) -> Num[np.ndarray, "m m"]:
        """The row's model wrong and the column's right."""
        return self.n10.T

    def __add__(self, counts: PairCounts) -> PairCounts:
        """Counts on both sets of instances; what one of the two lacks is lacking in the sum."""
        parts: Iterator[tuple[Any, Any]] = ((getattr(self, f.name), getattr(counts, f.name)) for f in fields(self))
        sums: list[Any] = [None if a is None or b is None else a + b for a, b in parts]
        return PairCounts(*sums)

    def scaled(self, weight: float) -> PairCounts:
        """Counts of instances that count `weight` times each."""
        parts: list[Any] = [None if table is None else weight * table for table in vars(self).values()]
        return PairCounts(*parts)


def total(chunks: Iterable[PairCounts]) -> PairCounts:
    """Counts over all chunks, which must hold the same models in the same order; one chunk or more."""
    return reduce(add, chunks)


def count(
    answers: Int[np.ndarray, "m n"] | None,
    labels: Int[np.ndarray, " n"] | None,
    correct: Int[np.ndarray, "m n"] | None,
    classes: int,
    options: Int[np.ndarray, " n"] | None = None,
    weights: Float[np.ndarray, " n"] | None = None,
) -> PairCounts:
    """How often each pair of models agrees and fails together, exactly.

    Outcomes come from `correct` where it is given, else from comparing `answers` with `labels`. Memory: a few m × m
    matrices and the bits of one chunk of instances, whatever n is.

    Parameters
    ----------
    answers : answer codes 0 … classes − 1, −1 where there is none. A missing answer with a known outcome is unlike all
        others.
    labels : code of the true answer; −1 where unknown, which leaves the instance out.
    correct : 1 right, 0 wrong, −1 unknown.
    classes : number of answer codes; also the options of every instance where `options` is None.
    options : how many answers one could choose from, per instance. Instances with one option are left out of
        `same_wrong`, `baseline`, `coincidence` and the `_open` counts: there is no way to be wrong differently.
    weights : how much each instance counts, in [0, 1], such as the probability that its label is valid. Exact for up to
        32 different weights, else rounded to 2⁻²⁴; costs one pass per different weight (24 at most).

    Raises
    ------
    InputError : neither `correct` nor both `answers` and `labels` are given.
    """
    if correct is None and (answers is None or labels is None):
        raise InputError("no outcomes to count", "right/wrong outcomes, or answers together with labels")
    table = _AnswerTable(answers, labels if correct is None else None, correct, classes)
    if weights is not None:
        layers = ((w, table.at(rows), options[rows] if options is not None else None) for w, rows in _layers(weights))
        return total(count(t.answers, t.labels, t.correct, classes, k).scaled(w) for w, t, k in layers)
    if options is None or options.size == 0:
        return _count(table, classes)
    return total(_count(table, int(k), np.flatnonzero(options == k)) for k in np.unique(options))


def _layers(weights: Float[np.ndarray, " n"]) -> list[tuple[float, Int[np.ndarray, " k"]]]:
    """Weights taken apart: sets of instances that count the same, whose counts add up to the weighted ones."""
    values = np.unique(weights)
    # Weights are layered because counts of ones are exact and fast, while products with floats are neither.
    if len(values) <= LAYERS:
        return [(float(w), np.flatnonzero(weights == w)) for w in values]
    # Binary digits of the weights: at most 25 layers, however many weights there are.
    fixed = np.rint(weights * 2.0**BITS).astype(np.int64)
    return [(2.0 ** (k - BITS), np.flatnonzero(fixed >> k & 1)) for k in range(BITS + 1)]


@dataclass(frozen=True, eq=False)
class _AnswerTable:
    """Codes as they came; `labels` only where outcomes follow from them."""

    answers: Int[np.ndarray, "m n"] | None
    labels: Int[np.ndarray, " n"] | None
    correct: Int[np.ndarray, "m n"] | None
    classes: int

    @property
    def shape(self) -> tuple[int, int]:
        table = self.correct if self.correct is not None else self.answers
        assert table is not None
        return table.shape[0], table.shape[1]

    def at(self, instances: Int[np.ndarray, " k"] | slice) -> _AnswerTable:
        def take(table: Int[np.ndarray, "*m n"] | None) -> Int[np.ndarray, "*m k"] | None:
            if table is None or isinstance(instances, slice):
                return None if table is None else table[..., instances]
            return np.take(table, instances, axis=-1)

        return _AnswerTable(take(self.answers), take(self.labels), take(self.correct), self.classes)

    def wrong(self, rows: slice) -> Bool[np.ndarray, "r n"]:
        """Where these models are wrong; anything where that is unknown."""
        if self.correct is not None:
            mask: Bool[np.ndarray, "r n"] = self.correct[rows] == 0
        else:
            assert self.answers is not None
            mask = self.answers[rows] != self.labels
        return mask

    def observed(self, rows: slice) -> Bool[np.ndarray, "r n"]:
        """Where it is known whether these models are wrong."""
        if self.correct is not None:
            mask: Bool[np.ndarray, "r n"] = self.correct[rows] >= 0
        else:
            assert self.answers is not None
            assert self.labels is not None
            mask = (self.answers[rows] >= 0) & (self.labels >= 0)
        return mask

    def gaps(self) -> tuple[bool, bool]:
        """Whether some outcome is unknown; whether some answer is missing although its outcome is known."""
        missing = [bool(t is not None and t.size and t.min() < 0) for t in (self.answers, self.labels, self.correct)]
        return (missing[2], missing[0]) if self.correct is not None else (missing[0] or missing[1], False)


@dataclass(frozen=True, eq=False)
class _BitPlanes:
    """One chunk, 64 instances to a word. Bits behind the last instance are 0 in every plane."""

    wrong: UInt[np.ndarray, "m w"]
    observed: UInt[np.ndarray, "m w"] | None
    unanswered: UInt[np.ndarray, "m w"] | None
    codes: UInt[np.ndarray, "p m w"] | None


def _count(table: _AnswerTable, options: int, instances: Int[np.ndarray, " k"] | None = None) -> PairCounts:
    """Counts on these instances (or all), which have the same number of options."""
    m, n = table.shape if instances is None else (table.shape[0], len(instances))
    gaps = table.gaps()
    names = ["n00"]
    if table.answers is not None:
        names += ["different"] + (["differently_wrong"] if table.correct is not None else [])
    if gaps[0]:
        names += ["n", "row_wrong", "column_wrong"]
    sums = {name: np.zeros((m, m), np.int64) for name in names}
    with _workers(m * m * n // 64) as run:
        for start in range(0, n, 64 * WORDS):
            window = slice(start, start + 64 * WORDS)
            # Packed once per chunk and read by every pair: packing is O(m n), counting O(m² n / 64).
            bits = _pack(table.at(window if instances is None else instances[window]), gaps, run)
            run(lambda a, bits=bits: _count_rows(bits, sums, a), _tiles(0, m, ROWS))
    return _assemble(sums, n, options)


def _assemble(sums: dict[str, Square], n: int, options: int) -> PairCounts:
    """Mirror the upper blocks and derive the rest."""

    def mirror(upper: str, lower: str) -> Square:
        mirrored: Square = np.triu(sums[upper]) + np.triu(sums[lower], 1).T
        return mirrored

    n00 = mirror("n00", "n00")
    common = mirror("n", "n") if "n" in sums else np.full_like(n00, n)
    wrong = mirror("row_wrong", "column_wrong") if "n" in sums else np.tile(np.diag(n00)[:, None], len(n00))
    # Of the four counts of (P1) only n00 is counted for each pair; error counts and n give the other three.
    n10 = wrong.T - n00
    n11 = common - n00 - n10 - n10.T
    if "different" not in sums:
        return PairCounts(common, n11, n10, n00)
    same_answer = common - mirror("different", "different")
    if "differently_wrong" in sums:
        same_wrong = n00 - mirror("differently_wrong", "differently_wrong")
    else:  # given labels, two right answers are the same, and a right and a wrong one are not
        same_wrong = same_answer - n11
    # (P6): with one option two wrong answers cannot differ, and 1/(options − 1) does not exist.
    if options < 2:
        zeros = np.zeros_like(n00)
        rates = zeros.astype(float)
        return PairCounts(common, n11, n10, n00, same_answer, zeros, zeros, rates, zeros, zeros, rates)
    rivals = options - 1
    return PairCounts(common, n11, n10, n00, same_answer, same_wrong, n00, n00 / rivals, n11, n10, common / rivals)


def _count_rows(bits: _BitPlanes, sums: dict[str, Square], a: slice) -> None:
    """Add one chunk's counts of the models in `a` with themselves and all later ones."""
    m, words = bits.wrong.shape
    x, y = np.empty((2, ROWS * COLUMNS * words), np.uint64)
    bit_counts = np.empty(ROWS * COLUMNS * words, np.uint8)
    # Only from a.start on: the tiles below the diagonal are mirrored at the end.
    for b in _tiles(a.start, m, COLUMNS):
        shape = (a.stop - a.start, b.stop - b.start, words)
        size = shape[0] * shape[1] * words
        _count_tile(
            bits, sums, (a, b), (x[:size].reshape(shape), y[:size].reshape(shape)), bit_counts[:size].reshape(shape)
        )


def _count_tile(
    bits: _BitPlanes,
    sums: dict[str, Square],
    tile: tuple[slice, slice],
    scratch: tuple[UInt[np.ndarray, "a b w"], UInt[np.ndarray, "a b w"]],
    bit_counts: UInt[np.ndarray, "a b w"],
) -> None:
    (a, b), (x, y) = tile, scratch

    def pairs(
        operation: np.ufunc,
        first: UInt[np.ndarray, "m w"],
        second: UInt[np.ndarray, "m w"],
        out: UInt[np.ndarray, "a b w"],
    ) -> None:
        operation(first[a, None], second[None, b], out=out)

    def add_up(name: str, words: UInt[np.ndarray, "a b w"]) -> None:
        np.bitwise_count(words, out=bit_counts)
        sums[name][tile] += bit_counts.sum(axis=-1, dtype=np.uint16)

    # Answers differ if any binary digit of their codes does: one XOR per digit instead of one AND per class.
    if bits.codes is not None:
        pairs(np.bitwise_xor, bits.codes[0], bits.codes[0], x)
        for plane in bits.codes[1:]:
            pairs(np.bitwise_xor, plane, plane, y)
            x |= y
        if bits.unanswered is not None:
            # A missing answer has the code −1 in every digit; without this, two missing ones would be the same answer.
            x |= bits.unanswered[a, None]
            x |= bits.unanswered[None, b]
    # `x` (different answers) must outlive this: it is needed again below, and y is the only other scratch space.
    pairs(np.bitwise_and, bits.wrong, bits.wrong, y)
    add_up("n00", y)
    if "differently_wrong" in sums:
        y &= x
        add_up("differently_wrong", y)
    if bits.observed is not None:
        pairs(np.bitwise_and, bits.observed, bits.observed, y)
        add_up("n", y)
        # y holds what both answered: where one of them did not, answers are not different but unknown.
        x &= y
        pairs(np.bitwise_and, bits.wrong, bits.observed, y)
        add_up("row_wrong", y)
        pairs(np.bitwise_and, bits.observed, bits.wrong, y)
        add_up("column_wrong", y)
    if "different" in sums:
        add_up("different", x)


def _pack(chunk: _AnswerTable, gaps: tuple[bool, bool], run: Callable[..., None]) -> _BitPlanes:
    """Bit planes of one chunk."""
    m, n = chunk.shape
    # Padding is 0 in all planes. It never counts as wrong, observed or different, so no mask is needed at the end.
    words = -(-n // 512) * 8  # whole cache lines

    def empty(*lead: int) -> UInt[np.ndarray, "*p m w"]:
        return np.zeros((*lead, m, words), np.uint64)

    planes = max(1, (chunk.classes - 1).bit_length())
    bits = _BitPlanes(
        wrong=empty(),
        observed=empty() if gaps[0] else None,
        unanswered=empty() if gaps[1] else None,
        codes=None if chunk.answers is None else empty(planes),
    )
    run(lambda rows: _pack_rows(chunk, bits, rows), _tiles(0, m, ROWS))
    return bits


def _pack_rows(chunk: _AnswerTable, bits: _BitPlanes, rows: slice) -> None:
    """Fill in the bits of these models."""
    wrong = chunk.wrong(rows)
    if bits.observed is not None:
        observed = chunk.observed(rows)
        wrong &= observed
        _put(bits.observed[rows], observed)
    _put(bits.wrong[rows], wrong)
    if chunk.answers is None or bits.codes is None:
        return
    answers = chunk.answers[rows]
    if bits.unanswered is not None:
        _put(bits.unanswered[rows], answers < 0)
    for k, plane in enumerate(bits.codes):
        # Eight digits at a time: shifting a byte is several times cheaper than shifting 64-bit codes for every digit.
        if k % 8 == 0:
            byte = (answers >> k).astype(np.uint8)
        _put(plane[rows], byte & np.uint8(1 << k % 8))


def _put(words: UInt[np.ndarray, "m w"], cells: Bool[np.ndarray, "m n"] | UInt[np.ndarray, "m n"]) -> None:
    packed = np.packbits(cells, axis=1, bitorder="little")
    words.view(np.uint8)[:, : packed.shape[1]] = packed


def _tiles(start: int, stop: int, step: int) -> list[slice]:
    return [slice(i, min(i + step, stop)) for i in range(start, stop, step)]


@contextmanager
def _workers(work: int) -> Iterator[Callable[..., None]]:
    """A function that runs a job on every item: on all the cores this process may use where that pays."""

    def serially(job: Callable[[Any], None], items: Iterable[Any]) -> None:
        for item in items:
            job(item)

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Threads and not processes: counting bits releases the lock, and tiles write to places of their own.
    if work < SMALL or cores == 1:
        yield serially
        return
    with ThreadPoolExecutor(cores) as pool:

        def threaded(job: Callable[[Any], None], items: Iterable[Any]) -> None:
            for _ in pool.map(job, items):
                pass

        yield threaded
