"""What do the cells of a plain block of CSV hold? All of them are split and coded at once.

Plain means: as many cells in every row as in the header, no blank lines, and quotes only around whole cells that hold
neither quotes nor separators. A block of any other kind is left to the parser of pyarrow.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from jaxtyping import Bool, Int, UInt64

from polyculture.predictions import smallest_integer

THREADS = min(4, os.cpu_count() or 1)
"""Number of threads that work at a time."""
WORD = 8
"""Bytes that are compared at a time, as one unsigned integer."""
MAX_WORDS = 4
"""Longer cells are left to pyarrow."""
MAX_TEXTS = 1 << 14
"""Number of texts that the common vocabulary of all columns may have."""
_MIN_BITS, _MAX_BITS = 10, 16
_MULTIPLIERS = np.arange(1, 9).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) | np.uint64(1)
"""Of these, the one that gives the fewest texts a slot that is taken."""
_FREE = np.uint64(2**64 - 1)  # no text: the byte 0xff does not occur in UTF-8
_MASKS = np.array([2 ** (8 * size) - 1 for size in range(WORD + 1)], np.uint64)
_NARROW = 16
_DENSE = 24
_PIECE = 1 << 18
_QUOTE = ord('"')

PlainColumn: TypeAlias = "np.ndarray | pa.DictionaryArray"
"""Codes of common texts, texts of up to eight bytes as numbers (see `texts_of_keys`), or texts of any size."""


@dataclass(frozen=True, eq=False)
class _Slots:
    """A hash table of keys of up to eight bytes. It is replaced, never changed, because other threads read it."""

    keys: UInt64[np.ndarray, " slots"]
    codes: Int[np.ndarray, " slots"]
    multiplier: np.uint64

    def probe(self, keys: UInt64[np.ndarray, "*k"]) -> tuple[Int[np.ndarray, "*k"], Bool[np.ndarray, "*k"]]:
        """The code of every key, and whether it is that of this very key."""
        places = _places(keys, self.multiplier, len(self.keys))
        return self.codes.take(places), self.keys.take(places) == keys


def _places(keys: UInt64[np.ndarray, "*k"], multiplier: np.uint64, slots: int) -> Int[np.ndarray, "*k"]:
    hashes = keys * multiplier
    hashes >>= np.uint64(65 - slots.bit_length())
    places: Int[np.ndarray, "*k"] = hashes.view(np.int64)
    return places


def _filled_slots(
    keys: UInt64[np.ndarray, " k"], codes: Int[np.ndarray, " k"]
) -> tuple[_Slots, Bool[np.ndarray, " k"]]:
    """A hash table, as small as has few collisions, because a small one stays in the cache; and the keys in it."""
    slots = 1 << min(max((2 * len(keys) ** 2).bit_length(), _MIN_BITS), _MAX_BITS)
    places, firsts = _places(keys, _MULTIPLIERS[0], slots), np.empty(0, np.intp)
    multiplier = _MULTIPLIERS[0]
    for candidate in _MULTIPLIERS:
        candidate_places = _places(keys, candidate, slots)
        distinct = np.unique(candidate_places, return_index=True)[1]
        if len(distinct) > len(firsts):
            multiplier, places, firsts = candidate, candidate_places, distinct
        if len(firsts) == len(keys):
            break
    table = _Slots(np.full(slots, _FREE), np.zeros(slots, codes.dtype), multiplier)
    table.keys[places[firsts]], table.codes[places[firsts]] = keys[firsts], codes[firsts]
    stored = np.zeros(len(keys), bool)
    stored[firsts] = True
    return table, stored


@dataclass(eq=False)
class CommonTexts:
    """The texts that occur in columns of few different texts; each has a code, the same in all columns.

    Parameters
    ----------
    texts, index : the texts, and their codes.
    slots : hash tables of the short ones; the second, if any, has those whose slot in the first is taken.
    """

    texts: list[str] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    slots: tuple[_Slots, ...] = ()
    _short: dict[int, int] = field(default_factory=dict)

    def codes(self, texts: Sequence[str]) -> list[int]:
        """The codes of these texts, which are added where they are new."""
        new = [text for text in texts if text not in self.index]
        for text in new:
            code = self.index[text] = len(self.texts)
            self.texts.append(text)
            if len(key := text.encode()) <= WORD:
                self._short[int.from_bytes(key, "little")] = code
        if new:
            self.slots = self._filled()
        return [self.index[text] for text in texts]

    def _filled(self) -> tuple[_Slots, ...]:
        keys = np.array(list(self._short), np.uint64)
        codes = np.array(list(self._short.values()), smallest_integer(len(self.texts)))
        first, stored = _filled_slots(keys, codes)
        return (first,) if stored.all() else (first, _filled_slots(keys[~stored], codes[~stored])[0])


def plain_columns(
    block: bytes, separator: str, width: int, positions: Sequence[int], common: CommonTexts
) -> list[PlainColumn] | None:
    """The columns at these positions of a block of whole lines; None if the block is not plain."""
    cells = _split(block, separator, width, positions)
    if cells is None:
        return None
    keys = cells.keys()
    longest = cells.longest()
    codes, are_common = _common_codes(keys, common.slots)
    by_column = np.ascontiguousarray(codes.T)
    columns: list[PlainColumn] = list(by_column)
    parsed = np.flatnonzero(longest > WORD * MAX_WORDS).tolist()
    for k in np.flatnonzero(~are_common | (longest > WORD)).tolist():
        if longest[k] <= WORD:
            columns[k] = np.ascontiguousarray(keys[:, k])
        elif k not in parsed:
            columns[k] = cells.dictionary(k, keys[:, k], int(longest[k]))
    if parsed:
        arrays = _parsed(block, separator, width, [positions[k] for k in parsed])
        for k, column in zip(parsed, arrays, strict=True):
            columns[k] = column
    return columns


def recode(codes: Int[np.ndarray, " n"], table: Int[np.ndarray, " k"], out: Int[np.ndarray, " n"]) -> None:
    """Write the entry of the table for each code; the last entry is that of MISSING."""
    for start in range(0, len(codes), _PIECE):  # what numpy computes from a piece stays in the cache
        np.take(table, codes[start : start + _PIECE], out=out[start : start + _PIECE], mode="wrap")


def texts_of_keys(keys: pa.UInt64Array) -> pa.StringArray:
    """The texts whose bytes are those of these numbers, the lowest first; nulls stay nulls."""
    texts = _texts(keys.fill_null(0).to_numpy()[:, np.newaxis])
    return pc.if_else(keys.is_valid(), texts, pa.scalar(None, pa.string())) if keys.null_count else texts


def _common_codes(
    keys: UInt64[np.ndarray, "rows k"], slots: Sequence[_Slots]
) -> tuple[Int[np.ndarray, "rows k"], Bool[np.ndarray, " k"]]:
    """The codes of the texts, and the columns in which all of them are common."""
    if not slots:
        return np.zeros(keys.shape, np.int8), np.zeros(keys.shape[1], bool)
    codes, matches = slots[0].probe(keys)
    for table in slots[1:]:
        unknown = np.flatnonzero(~matches)
        if unknown.size <= keys.size // 2:
            codes.ravel()[unknown], matches.ravel()[unknown] = table.probe(keys.ravel()[unknown])
    if keys.shape[1] <= _NARROW:  # short rows reduce slowly
        matches = np.ascontiguousarray(matches.T).T
    return codes, np.asarray(matches.all(axis=0))


@dataclass(frozen=True, eq=False)
class _Cells:
    """Where the marks in front of the cells of a block are, and the sizes of the cells in bytes."""

    buffer: np.ndarray
    marks: Int[np.ndarray, "rows k"]
    sizes: Int[np.ndarray, "rows k"]

    def keys(self) -> UInt64[np.ndarray, "rows k"]:
        """The first eight bytes of every cell as a number, zero where it is shorter."""
        words = self._everywhere()
        # Numpy copies all words to take some of them, which is faster than to index words that are not aligned.
        is_dense = _DENSE * self.marks.size > len(words)
        keys = words.take(self.marks) if is_dense else words[self.marks]
        keys &= _MASKS.take(self.sizes, mode="clip")
        return keys

    def longest(self) -> Int[np.ndarray, " k"]:
        """The size of the longest cell of every column; that of all cells where that is no more than eight."""
        longest = self.sizes.max(initial=0)
        return self.sizes.max(axis=0) if longest > WORD else np.full(self.sizes.shape[1], longest)

    def dictionary(self, k: int, keys: UInt64[np.ndarray, " rows"], longest: int) -> pa.DictionaryArray:
        """The texts of a column."""
        encoded = pa.array(np.ascontiguousarray(keys)).dictionary_encode()
        codes = encoded.indices
        words = encoded.dictionary.to_numpy()[:, np.newaxis]
        for offset in range(WORD, longest, WORD):
            sizes = np.maximum(self.sizes[:, k] - offset, 0)
            words_at = self._everywhere()[np.where(sizes > 0, self.marks[:, k] + offset, 0)]
            endings = pa.array(words_at & _MASKS.take(sizes, mode="clip")).dictionary_encode()
            pairs = codes.to_numpy().astype(np.int64) << 32 | endings.indices.to_numpy()
            joined = pa.array(pairs).dictionary_encode()
            distinct = joined.dictionary.to_numpy()
            added = endings.dictionary.to_numpy()[distinct & (2**32 - 1)]
            codes, words = joined.indices, np.column_stack([words[distinct >> 32], added])
        return pa.DictionaryArray.from_arrays(codes, _texts(words))

    def _everywhere(self) -> UInt64[np.ndarray, " bytes"]:
        """The eight bytes that follow each byte."""
        return np.ndarray((len(self.buffer) - WORD,), "<u8", self.buffer, offset=1, strides=(1,))


def _split(block: bytes, separator: str, width: int, positions: Sequence[int]) -> _Cells | None:
    if not block.endswith(b"\n"):
        block += b"\n"
    buffer = np.frombuffer(b"\n" + block + bytes(WORD), np.uint8)
    text = buffer[: len(block) + 1]
    is_end = text == ord("\n")
    rows = int(np.count_nonzero(is_end)) - 1
    is_end |= text == ord(separator)
    ends = np.flatnonzero(is_end)
    if len(ends) != rows * width + 1 or not (text[ends[width::width]] == ord("\n")).all():
        return None
    marks = ends[:-1]
    sizes = ends[1:] - marks
    sizes -= 1
    if b'"' in block:
        quoted = (buffer[marks + 1] == _QUOTE) & (sizes > 0)
        closed = (buffer[ends[1:] - 1] == _QUOTE) & (sizes > 0)
        if (quoted != closed).any() or (sizes[quoted] < 2).any() or 2 * quoted.sum() != block.count(b'"'):
            return None
        marks = marks + quoted
        sizes -= 2 * quoted
    if width == 1 and not sizes.all():  # a blank line
        return None
    columns = slice(None) if list(positions) == list(range(width)) else np.array(positions, np.intp)
    return _Cells(buffer, marks.reshape(rows, width)[:, columns], sizes.reshape(rows, width)[:, columns])


def _texts(words: UInt64[np.ndarray, "k words"]) -> pa.StringArray:
    """The texts that consist of these words, without the zeros that fill them."""
    table = np.ascontiguousarray(words).astype("<u8").view(np.uint8).reshape(len(words), WORD * words.shape[1])
    filled = table != 0
    offsets = np.zeros(len(table) + 1, np.int32)
    np.cumsum(np.count_nonzero(filled, axis=1), out=offsets[1:])
    return pa.StringArray.from_buffers(len(table), pa.py_buffer(offsets), pa.py_buffer(table[filled]))


def _parsed(block: bytes, separator: str, width: int, positions: Sequence[int]) -> list[pa.DictionaryArray]:
    """Columns of a plain block as pyarrow parses them."""
    keys, kind = [str(position) for position in range(width)], pa.dictionary(pa.int32(), pa.string())
    table = pa_csv.read_csv(
        pa.BufferReader(block),
        pa_csv.ReadOptions(column_names=keys, block_size=len(block) + 1, use_threads=False),
        pa_csv.ParseOptions(delimiter=separator),
        pa_csv.ConvertOptions(
            include_columns=[str(position) for position in positions], column_types=dict.fromkeys(keys, kind)
        ),
    )
    return [column.combine_chunks() if column.num_chunks != 1 else column.chunk(0) for column in table.columns]
