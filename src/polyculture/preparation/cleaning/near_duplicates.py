"""Which rows are almost an earlier row? Texts but for case and digits, tables but for rounding, pictures and sounds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Iterator

import numpy as np
from jaxtyping import Float, Int64

from polyculture.dataset import SAMPLE_RATE

from .duplicates import earlier_copies, leaked_copies
from .fault import Fault
from .neighbours import correlated_rows
from .pool import Pool

IMAGE_CORRELATION, SOUND_CORRELATION = 0.998, 0.99
"""Pictures and sounds that correlate so much are nearly equal."""
LONGEST_SOUND = 10 * SAMPLE_RATE
"""Samples of a recording that are compared, from its first sound."""
WORDS_BESIDE_NUMBERS = 3
"""Texts with fewer words without digits are not equal if only their numbers differ."""
_SPACES, _NUMBERS, _MARKS = re.compile(r"\s+"), re.compile(r"\d+"), re.compile(r"[^\w\s]+|_+")

Matches = Iterable[tuple[int, Iterable[int], str]]
"""Number of a row, earlier rows that are almost equal, and in which way."""


def near_repeats(pool: Pool) -> Iterator[Fault]:
    """Near duplicates within each part, and near leaks between parts; rows that are exact repeats are left out.

    Several inputs in one dataset and windows of time series are not compared.
    """
    modalities = {modality for part in pool.parts for modality in part.modalities.values()}
    names = {name for part in pool.parts for name in part.inputs}
    if len(modalities) != 1 or len(names) != 1 or len(pool) < 2:
        return
    finder = _FINDERS.get(next(iter(modalities)))
    if finder is None:
        return
    copies, leaks = earlier_copies(pool), leaked_copies(pool)
    excluded = {("near-duplicate", row) for row in copies} | {("near-leak", row) for row in leaks}
    for row, earlier_rows, way in finder(pool, copies):
        for other in _first_within_and_between(pool, row, earlier_rows):
            part, position = pool.place(other)
            same_part = part == pool.place(row)[0]
            kind = "near-duplicate" if same_part else "near-leak"
            if (kind, row) not in excluded:
                excluded.add((kind, row))
                place = f"row {position:,}" if same_part else f"row {position:,} of {part}"
                yield pool.fault(kind, row, f"{way} {place}{pool.label_difference(row, other)}", other=other)


def _first_within_and_between(pool: Pool, row: int, earlier_rows: Iterable[int]) -> list[int]:
    """The first of these rows in the part of the row, and the first in an earlier part."""
    rows: dict[bool, int] = {}
    for other in earlier_rows:
        rows.setdefault(bool(pool.part_numbers[other] == pool.part_numbers[row]), other)
        if len(rows) == 2:
            break
    return list(rows.values())


def without_case(text: str) -> str:
    """The text in compatible Unicode, lower case and single spaces."""
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def without_numbers(text: str) -> str:
    """The same without punctuation, and with 0 for every number; with few words, the numbers stay."""
    words = _SPACES.sub(" ", _MARKS.sub(" ", without_case(text))).strip()
    count = sum(not any(letter.isdigit() for letter in word) for word in words.split())
    return _NUMBERS.sub("0", words) if count >= WORDS_BESIDE_NUMBERS else words


def _texts(pool: Pool, copies: dict[int, int]) -> Matches:  # noqa: ARG001
    texts = [_plain(value) for part in pool.parts for value in np.asarray(next(iter(part.inputs.values())))]
    for row, earlier in _equal_rows(pool, [without_case(text) for text in texts]):
        yield row, earlier, "differs only in case and spaces from"
    for row, earlier in _equal_rows(pool, [without_numbers(text) for text in texts]):
        yield row, earlier, "differs only in numbers and punctuation from"


def _plain(value: object) -> str:
    return (
        value
        if isinstance(value, str)
        else " ".join(map(str, value))
        if isinstance(value, (tuple, list, np.ndarray))
        else ""
    )


def _tables(pool: Pool, copies: dict[int, int]) -> Matches:  # noqa: ARG001
    for row, earlier in _equal_rows(pool, pool.rounded_digests()):
        yield row, earlier, "is equal after rounding to"


def _equal_rows(pool: Pool, keys: Iterable[Hashable]) -> Iterator[tuple[int, list[int]]]:
    """By number of a row the first row of its own part and of the parts before that have its key, if it has one."""
    first: dict[Hashable, dict[int, int]] = {}
    for row, (part, key) in enumerate(zip(pool.part_numbers.tolist(), keys, strict=True)):
        if not key:
            continue
        rows = first.setdefault(key, {})
        if rows:
            yield row, list(rows.values())
        rows.setdefault(part, row)


def _images(pool: Pool, copies: dict[int, int]) -> Matches:
    arrays = [np.asarray(next(iter(part.inputs.values()))) for part in pool.parts if len(part)]
    if len({array.shape[1:] for array in arrays}) > 1 or any(array.dtype.kind not in "fiub" for array in arrays):
        return iter(())
    images = np.concatenate([array.reshape(len(array), -1) for array in arrays])
    return _correlated(pool, copies, lambda rows: images[rows].astype(np.float32), IMAGE_CORRELATION)


def _sounds(pool: Pool, copies: dict[int, int]) -> Matches:
    waves = [_audible(np.asarray(wave)) for part in pool.parts for wave in next(iter(part.inputs.values()))]
    longest = max(map(len, waves))

    def read(rows: Int64[np.ndarray, " k"]) -> Float[np.ndarray, "k d"]:
        table = np.zeros((len(rows), max(longest, 2)), np.float32)
        for k, row in enumerate(rows):
            table[k, : len(waves[row])] = waves[row]
        return table

    return _correlated(pool, copies, read, SOUND_CORRELATION)


def _audible(wave: np.ndarray) -> np.ndarray:
    """The wave from its first to its last sample above a hundredth of its peak, at most `LONGEST_SOUND` samples."""
    loud = np.flatnonzero(np.abs(wave) > 0.01 * np.abs(wave).max(initial=0))
    return wave[loud[0] : loud[-1] + 1][:LONGEST_SOUND] if len(loud) else wave[:0]


def _correlated(
    pool: Pool, copies: dict[int, int], read: Callable[[Int64[np.ndarray, " k"]], np.ndarray], least: float
) -> Matches:
    """Pairs among the rows that repeat no earlier row of their part."""
    rows = np.array([row for row in range(len(pool)) if row not in copies], np.int64)
    for row, earlier in correlated_rows(len(rows), lambda numbers: read(rows[numbers]), least):
        yield int(rows[row]), (int(rows[other]) for other in earlier), f"correlates by {least:g} or more with"


_FINDERS: dict[str, Callable[[Pool, dict[int, int]], Matches]] = {
    "text": _texts,
    "tags": _texts,
    "table": _tables,
    "image": _images,
    "volume": _images,
    "audio": _sounds,
}
