"""What do the cells of a plain block of CSV hold? All of them are split and coded at once.

Plain means: as many cells in every row as in the header, no blank lines, and quotes only around whole cells that hold
neither quotes nor separators. A block of any other kind is left to the parser of pyarrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from jaxtyping import Bool, Int, UInt64

WORD = 8
"""Bytes that are compared at a time, as one unsigned integer."""
MAX_WORDS = 4
"""Longer cells are left to pyarrow."""
MAX_TEXTS = 1 << 14
"""Number of texts that the common vocabulary of all columns may have."""
_SLOT_BITS = 16
_MULTIPLIERS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64)
_FREE = np.uint64(2**64 - 1)  # no text: the byte 0xff does not occur in UTF-8
_MASKS = np.array([2 ** (8 * size) - 1 for size in range(WORD + 1)], np.uint64)
_QUOTE = ord('"')


@dataclass(frozen=True, eq=False)
class _Slots:
    """A hash table of keys of up to eight bytes. It is replaced, never changed, because other threads read it."""

    keys: UInt64[np.ndarray, " slots"]
    codes: Int[np.ndarray, " slots"]

    def probe(
        self, keys: UInt64[np.ndarray, "*k"], multiplier: np.uint64
    ) -> tuple[Int[np.ndarray, "*k"], Bool[np.ndarray, "*k"]]:
        """The code of every key, and whether it is that of this very key."""
        places = _places(keys, multiplier)
        return self.codes.take(places), self.keys.take(places) == keys


def _places(keys: UInt64[np.ndarray, "*k"], multiplier: np.uint64) -> Int[np.ndarray, "*k"]:
    hashes = keys * multiplier
    hashes >>= np.uint64(64 - _SLOT_BITS)
    places: Int[np.ndarray, "*k"] = hashes.view(np.int64)
    return places


def _empty_slots() -> _Slots:
    return _Slots(np.full(1 << _SLOT_BITS, _FREE), np.zeros(1 << _SLOT_BITS, np.int16))


@dataclass(eq=False)
class CommonTexts:
    """The texts that occur in columns of few different texts; each has a code, the same in all columns.

    Parameters
    ----------
    texts, index : the texts, and their codes.
    slots : two hash tables of the short ones; the second has those whose slot in the first is taken.
    """

    texts: list[str] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    slots: tuple[_Slots, _Slots] = field(default_factory=lambda: (_empty_slots(), _empty_slots()))

    def codes(self, texts: Sequence[str]) -> list[int]:
        """The codes of these texts, which are added where they are new."""
        new = [text for text in texts if text not in self.index]
        for text in new:
            self.index[text] = len(self.texts)
            self.texts.append(text)
        short = [(key, self.index[text]) for text in new if len(key := text.encode()) <= WORD]
        if short:
            self._insert([int.from_bytes(key, "little") for key, _ in short], [code for _, code in short])
        return [self.index[text] for text in texts]

    def _insert(self, keys: Sequence[int], codes: Sequence[int]) -> None:
        slots = tuple(_Slots(table.keys.copy(), table.codes.copy()) for table in self.slots)
        places = [_places(np.array(keys, np.uint64), multiplier).tolist() for multiplier in _MULTIPLIERS]
        for key, code, *pair in zip(keys, codes, *places, strict=True):
            for table, place in zip(slots, pair, strict=True):
                if table.keys[place] == _FREE:
                    table.keys[place], table.codes[place] = key, code
                    break
        self.slots = (slots[0], slots[1])


def plain_columns(
    block: bytes, separator: str, width: int, positions: Sequence[int], common: CommonTexts
) -> list[Int[np.ndarray, " rows"] | pa.DictionaryArray] | None:
    """The columns at these positions of a block of whole lines; None if the block is not plain.

    A column in which all texts are common ones is given as their codes, any other as an Arrow dictionary.
    """
    cells = _split(block, separator, width, positions)
    if cells is None:
        return None
    keys = cells.keys()
    first, second = common.slots
    codes, matches = first.probe(keys, _MULTIPLIERS[0])
    unknown = np.flatnonzero(~matches)
    if 0 < unknown.size <= keys.size // 2:
        second_keys = keys.ravel()[unknown]
        codes.ravel()[unknown], matches.ravel()[unknown] = second.probe(second_keys, _MULTIPLIERS[1])
    longest = cells.sizes.max(axis=0)
    are_common = matches.all(axis=0) & (longest <= WORD)
    by_column = np.ascontiguousarray(codes.T)
    columns: list[Int[np.ndarray, " rows"] | pa.DictionaryArray] = list(by_column)
    long_columns = np.flatnonzero(longest > WORD * MAX_WORDS).tolist()
    for k in np.flatnonzero(~are_common).tolist():
        if k not in long_columns:
            columns[k] = cells.dictionary(k, keys[:, k], int(longest[k]))
    if long_columns:
        parsed = _parsed(block, separator, width, [positions[k] for k in long_columns])
        for k, column in zip(long_columns, parsed, strict=True):
            columns[k] = column
    return columns


@dataclass(frozen=True, eq=False)
class _Cells:
    """Where the cells of a block begin, and their sizes in bytes."""

    buffer: np.ndarray
    starts: Int[np.ndarray, "rows k"]
    sizes: Int[np.ndarray, "rows k"]

    def keys(self) -> UInt64[np.ndarray, "rows k"]:
        """The first eight bytes of every cell as a number, zero where it is shorter."""
        return self._words(self.starts, self.sizes)

    def dictionary(self, k: int, keys: UInt64[np.ndarray, " rows"], longest: int) -> pa.DictionaryArray:
        """The texts of a column."""
        encoded = pa.array(np.ascontiguousarray(keys)).dictionary_encode()
        codes = encoded.indices
        words = encoded.dictionary.to_numpy()[:, np.newaxis]
        for offset in range(WORD, longest, WORD):
            sizes = np.maximum(self.sizes[:, k] - offset, 0)
            starts = np.where(sizes > 0, self.starts[:, k] + offset, 0)
            endings = pa.array(self._words(starts, sizes)).dictionary_encode()
            pairs = codes.to_numpy().astype(np.int64) << 32 | endings.indices.to_numpy()
            joined = pa.array(pairs).dictionary_encode()
            distinct = joined.dictionary.to_numpy()
            added = endings.dictionary.to_numpy()[distinct & (2**32 - 1)]
            codes, words = joined.indices, np.column_stack([words[distinct >> 32], added])
        return pa.DictionaryArray.from_arrays(codes, _texts(words))

    def _words(self, starts: Int[np.ndarray, "*k"], sizes: Int[np.ndarray, "*k"]) -> UInt64[np.ndarray, "*k"]:
        everywhere: np.ndarray = np.ndarray((len(self.buffer) - WORD + 1,), "<u8", self.buffer, strides=(1,))
        words: UInt64[np.ndarray, "*k"] = everywhere[starts]
        words &= _MASKS.take(sizes, mode="clip")
        return words


def _split(block: bytes, separator: str, width: int, positions: Sequence[int]) -> _Cells | None:
    if not block.endswith(b"\n"):
        block += b"\n"
    buffer = np.frombuffer(block + bytes(WORD), np.uint8)
    text = buffer[: len(block)]
    is_end = text == ord("\n")
    rows = int(np.count_nonzero(is_end))
    is_end |= text == ord(separator)
    ends = np.flatnonzero(is_end)
    if len(ends) != rows * width or not (text[ends[width - 1 :: width]] == ord("\n")).all():
        return None
    starts = np.empty_like(ends)
    starts[0] = 0
    np.add(ends[:-1], 1, out=starts[1:])
    sizes = ends - starts
    if b'"' in block:
        quoted = (buffer[starts] == _QUOTE) & (sizes > 0)
        closed = (buffer[ends - 1] == _QUOTE) & (sizes > 0)
        if (quoted != closed).any() or (sizes[quoted] < 2).any() or 2 * quoted.sum() != block.count(b'"'):
            return None
        starts += quoted
        sizes -= 2 * quoted
    if width == 1 and not sizes.all():  # a blank line
        return None
    columns = slice(None) if list(positions) == list(range(width)) else np.array(positions, np.intp)
    return _Cells(buffer, starts.reshape(rows, width)[:, columns], sizes.reshape(rows, width)[:, columns])


def _texts(words: UInt64[np.ndarray, "k words"]) -> pa.StringArray:
    """The texts that consist of these words, without the zeros that fill them."""
    table = np.ascontiguousarray(words).astype("<u8").view(np.uint8).reshape(len(words), -1)
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
