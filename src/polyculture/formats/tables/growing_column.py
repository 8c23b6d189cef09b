"""How does a column of a text file grow block by block? Each distinct text is stored once, as codes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int, UInt64

from polyculture.predictions import MISSING, smallest_integer

from .plain_cells import MAX_TEXTS, WORD, CommonTexts, PlainColumn, texts_of_keys

EMPTY_CELLS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "<NA>")
"""Cells of a CSV file that count as missing."""
MANY = 1 << 16
"""With more different texts than this, and in more than half of the rows, a column is stored as texts."""
_MANY_AT_ONCE = 4096
_FEW = 256
_PARTS_AT_ONCE = 32
_FIRST_CODES = 1 << 10
_KEYS_AT_ONCE = 1 << 18
_NEW = -2
_MAX_RUNS = 64
"""With more runs of known texts in a block, its cells are in no order."""
_MAX_BROKEN = 4
_MAX_STARTS = 8
_RECENT = 1 << 16
_SCANS = 4


class GrowingColumn:
    """One column that grows: codes of its texts, or the texts themselves where nearly all differ.

    Parameters
    ----------
    common : the texts of all columns that have few different ones.
    empty_cells : the cells that count as missing.
    """

    def __init__(self, common: CommonTexts, empty_cells: Sequence[str] = EMPTY_CELLS) -> None:
        self.rows = 0
        self.empty_cells = empty_cells
        self.gaps: Counter[str] = Counter()
        self._common = common
        self._texts: list[str] = []
        self._table: Int[np.ndarray, " common"] = np.array([MISSING], np.int8)
        self._gap_words: dict[int, str] = {}
        self._codes: list[Int[np.ndarray, " k"]] = []
        self._common_codes: list[Int[np.ndarray, " k"]] = []
        self._waiting: list[UInt64[np.ndarray, " k"]] = []
        self._many: _ManyTexts | None = None

    def add(self, cells: PlainColumn) -> None:
        """Append cells."""
        if isinstance(cells, np.ndarray):
            self._add_keys(cells) if cells.dtype.itemsize == WORD else self._add_common(cells)
            return
        self._encode_waiting()
        n_texts, n_common = len(cells.dictionary), len(self._common.texts)
        is_small = n_texts <= max(_FEW, len(cells) // 4)  # ids of instances would fill the vocabulary of all columns
        if self._many is None and is_small and n_texts <= min(_MANY_AT_ONCE, MAX_TEXTS - n_common):
            common = self._common.codes(_as_texts(cells.dictionary).to_pylist())
            codes = np.array([*common, MISSING], np.int16)
            self._add_common(codes.take(_codes_of(cells), mode="wrap"))
            return
        if self._many is None:
            self._many = _ManyTexts(self.rows, self._dictionary(), self.gaps, self.empty_cells)
        self.rows += len(cells)
        self._many.add(cells)

    def finished(self) -> pa.ChunkedArray:
        """The column so far."""
        self._encode_waiting()
        return pa.chunked_array([self._dictionary()]) if self._many is None else self._many.finished()

    def _add_common(self, codes: Int[np.ndarray, " k"]) -> None:
        """Append cells that are given as codes of the common texts, MISSING where they are empty."""
        if self._many is not None:
            distinct, places = np.unique(codes[codes >= 0], return_inverse=True)
            indices = np.full(len(codes), MISSING, np.int32)
            indices[codes >= 0] = places
            texts = pa.array([self._common.texts[code] for code in distinct.tolist()], pa.string())
            self.add(pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), texts))
            return
        self.rows += len(codes)
        self._common_codes.append(codes)
        if len(self._common_codes) >= _PARTS_AT_ONCE:
            self._translate()

    def _add_keys(self, keys: UInt64[np.ndarray, " k"]) -> None:
        """Append cells that are given as numbers; those of many texts in no order wait for more of them."""
        if self._many is None:
            self.add(pa.array(keys).dictionary_encode())
            return
        self.rows += len(keys)
        if not self._waiting and self._many.add_in_order(keys):
            return
        self._waiting.append(keys)
        if sum(map(len, self._waiting)) >= _KEYS_AT_ONCE:
            self._encode_waiting()

    def _encode_waiting(self) -> None:
        """Append the cells that wait as numbers."""
        if self._waiting:
            keys, self._waiting = np.concatenate(self._waiting), []
            self.rows -= len(keys)
            self.add(pa.array(keys).dictionary_encode())

    def _translate(self) -> None:
        """Give the cells that are codes of common texts the codes of this column."""
        if not self._common_codes:
            return
        parts, self._common_codes = self._common_codes, []
        if len(self._table) <= len(self._common.texts):
            table = np.full(len(self._common.texts) + 1, _NEW, self._table.dtype)
            table[: len(self._table) - 1] = self._table[:-1]
            table[-1] = MISSING
            self._table = table
        codes = np.concatenate(parts)
        cells = _recoded(codes, self._table)
        size = _FIRST_CODES
        while cells.min(initial=MISSING) == _NEW:  # the first cells have most of the texts
            first = int((cells == _NEW).argmax())
            self._register(codes[first : first + size][cells[first : first + size] == _NEW])
            cells = _recoded(codes, self._table)
            size *= _FEW
        for code, word in self._gap_words.items():
            self.gaps[word] += int(np.count_nonzero(codes == code))
        self._codes.append(cells)

    def _register(self, codes: Int[np.ndarray, " k"]) -> None:
        """Give the common texts that are new in this column their codes, in the order of appearance."""
        distinct, firsts = np.unique(codes, return_index=True)
        n_texts = len(self._texts) + len(distinct)
        if self._table.dtype.itemsize < np.dtype(smallest_integer(n_texts)).itemsize:
            self._table = self._table.astype(smallest_integer(n_texts))
        for code in distinct[np.argsort(firsts)].tolist():
            text = self._common.texts[code]
            if text in self.empty_cells:
                self._table[code] = MISSING
                self._gap_words |= {code: text} if text else {}
            else:
                self._table[code] = len(self._texts)
                self._texts.append(text)

    def _dictionary(self) -> pa.DictionaryArray:
        self._translate()
        codes = _joined(self._codes, self.rows, len(self._texts))
        self._codes = []
        return _dictionary_array(codes, pa.array(self._texts, pa.string()))


class _ManyTexts:
    """The cells of a column of many texts: as codes, or as texts once more than half of the rows differ.

    Texts of up to eight bytes stay the numbers that they are given as, until there are longer ones or the end. A new
    text may have several codes; `_unify` leaves it the first.
    """

    def __init__(self, rows: int, cells: pa.DictionaryArray, gaps: Counter[str], empty_cells: Sequence[str]) -> None:
        self.rows, self.gaps = rows, gaps
        keys = [int.from_bytes(key, "little") for text in empty_cells if len(key := text.encode()) <= WORD]
        self._empty = {pa.string(): pa.array(empty_cells, pa.string()), pa.uint64(): pa.array(keys, pa.uint64())}
        self._last_gap = np.uint64(max(keys, default=0))
        self._texts: list[pa.Array] = [cells.dictionary] if len(cells.dictionary) else []
        self._n_texts = self._n_unified = len(cells.dictionary)
        self._codes = [_codes_of(cells)]
        self._waiting: deque[Int[np.ndarray, " k"]] = deque()
        self._plain: list[pa.Array] | None = None
        self._order = None if self._texts else _KnownOrder()

    def add(self, cells: pa.DictionaryArray) -> None:
        """Append cells."""
        self.rows += len(cells)
        codes, texts = self._without_gaps(_codes_of(cells), cells.dictionary)
        if self._plain is not None:
            self._plain.append(texts.take(pa.array(codes, mask=codes < 0)))
            return
        self._waiting.append(np.where(codes < 0, MISSING, codes + self._n_texts))
        self._n_texts += len(texts)
        if self._order is not None and texts.type == pa.uint64():
            self._order.append(texts.to_numpy())
        else:
            self._texts, self._order = [*self._all_texts(), texts], None
        self._unify_many()

    def add_in_order(self, keys: UInt64[np.ndarray, " k"]) -> bool:
        """Append cells without hashing: as they are, or by the order in which they came before; False if it cannot."""
        if self._plain is not None and not self._has_gaps(keys):
            self._plain.append(pa.array(keys))
        elif self._order is not None and not self._order.is_broken:
            codes = self._order.codes(keys)
            if self._has_gaps(self._order.known[self._n_texts :]):
                self._order.known = self._order.known[: self._n_texts]
                return False
            self._waiting.append(codes)
            self._n_texts = len(self._order.known)
            self._unify_many()
        else:
            return False
        self.rows += len(keys)
        return True

    def _has_gaps(self, keys: UInt64[np.ndarray, " k"]) -> bool:
        """Whether some of these texts count as missing."""
        if keys.min(initial=self._last_gap + np.uint64(1)) > self._last_gap:  # they are longer
            return False
        return bool(pc.any(pc.is_in(pa.array(keys), value_set=self._empty[pa.uint64()])).as_py())

    def finished(self) -> pa.ChunkedArray:
        """The column so far."""
        if self._plain is None:
            self._unify()
        if self._plain is not None:
            return pa.chunked_array([_as_texts(part) for part in self._plain], pa.string())
        texts = _as_texts(pa.concat_arrays(self._all_texts()))
        codes = _joined(self._codes, self.rows, len(texts))
        self._codes = []
        return pa.chunked_array([_dictionary_array(codes, texts)])

    def _all_texts(self) -> list[pa.Array]:
        return self._texts if self._order is None else [pa.array(self._order.known)]

    def _without_gaps(self, codes: Int[np.ndarray, " k"], texts: pa.Array) -> tuple[Int[np.ndarray, " k"], pa.Array]:
        """The cells with MISSING for those that count as missing, which are counted."""
        is_gap = pc.is_in(texts, value_set=self._empty[texts.type]).to_numpy(zero_copy_only=False)
        if not is_gap.any():
            return codes, texts
        for code in np.flatnonzero(is_gap).tolist():
            if word := _as_texts(texts.slice(code, 1))[0].as_py():
                self.gaps[word] += int(np.count_nonzero(codes == code))
        places = np.append(np.where(is_gap, MISSING, np.cumsum(~is_gap) - 1), MISSING).astype(np.int32)
        return places.take(codes, mode="wrap"), texts.filter(pa.array(~is_gap))

    def _unify_many(self) -> None:
        if self._n_texts - self._n_unified > max(MANY, self._n_unified):  # each text is hashed a few times in all
            self._unify()

    def _unify(self) -> None:
        """Give every text its first code; the texts before keep theirs."""
        parts = self._all_texts()
        if len({part.type for part in parts}) > 1:
            parts = [_as_texts(part) for part in parts]
        texts, places = pa.concat_arrays(parts), np.empty(0, np.int32)
        if self._order is None or not _are_increasing(self._order.known):
            encoded = texts.dictionary_encode()
            texts, places = encoded.dictionary, np.append(encoded.indices.to_numpy(), np.int32(MISSING))
        while self._waiting:
            codes = self._waiting.popleft()
            self._codes.append(codes if len(texts) == self._n_texts else places.take(codes, mode="wrap"))
        if len(texts) > max(MANY, self.rows // 2):
            self._plain = [texts.take(pa.array(codes, mask=codes < 0)) for codes in self._codes]
            self._codes, self._order, texts = [], None, texts[:0]
        elif self._order is not None and len(texts) < self._n_texts:
            self._order.replace(texts.to_numpy())
        self._n_texts = self._n_unified = len(texts)
        self._texts = [texts] if self._order is None else []


class _KnownOrder:
    """Texts in the order of their codes, as numbers. Cells that come in this order again need not be hashed."""

    def __init__(self) -> None:
        self.known: UInt64[np.ndarray, " n"] = np.empty(0, np.uint64)
        self._space = self.known
        self._expected, self._scans, self._n_broken = 0, 0, 0
        self._first_new: np.uint64 | None = None
        self._starts: deque[int] = deque(maxlen=_MAX_STARTS)

    @property
    def is_broken(self) -> bool:
        """Whether cells come in no order, so that hashing is faster."""
        return self._n_broken >= _MAX_BROKEN

    def append(self, keys: UInt64[np.ndarray, " k"]) -> None:
        """Add texts."""
        n = len(self.known)
        if n + len(keys) > len(self._space):
            self._space = np.concatenate([self.known, np.empty(max(n // 2, len(keys)), np.uint64)])
        self._space[n : n + len(keys)] = keys
        self.known = self._space[: n + len(keys)]

    def replace(self, keys: UInt64[np.ndarray, " n"]) -> None:
        """Replace all texts."""
        self.known = self._space = keys
        self._expected = 0
        self._starts.clear()

    def codes(self, keys: UInt64[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
        """The codes of these cells; the next ones for those that are not where they are expected."""
        codes = np.empty(len(keys), np.int32)
        self._scans += _SCANS * len(keys)
        row, n_runs = 0, 0
        while row < len(keys):
            n_runs += 1
            first, cells = self._expected, keys[row:]
            length = _equal(self.known[first : first + len(cells)], cells)
            if not length:
                first = self._place(cells[0]) if n_runs < _MAX_RUNS else len(self.known)
                length = _equal(self.known[first : first + len(cells)], cells)
            if length:
                self._first_new = None
            else:
                self._first_new = cells[0] if self._first_new is None else self._first_new
                is_repeat = (cells[1:] == cells[0]) | (cells[1:] == self._first_new)  # then the next model begins
                length = 1 + int(is_repeat.argmax()) if n_runs < _MAX_RUNS and is_repeat.any() else len(cells)
                self.append(cells[:length])
            codes[row : row + length] = np.arange(first, first + length, dtype=np.int32)
            row += length
            self._expected = first + length
        self._n_broken += n_runs >= _MAX_RUNS
        return codes

    def _place(self, key: np.uint64) -> int:
        """A place of a text, the next free one if it is not found: where runs began, among the last ones, anywhere."""
        n = len(self.known)
        place = next((start for start in self._starts if start < n and self.known[start] == key), n)
        if place == n:
            begin = max(0, n - _RECENT)
            if begin and self._scans >= n:  # a few looks at each text, as many as there are rows
                self._scans -= n
                begin = 0
            places = np.flatnonzero(self.known[begin:] == key)
            place = begin + int(places[0]) if places.size else n
            self._starts.appendleft(place)
        return place


def _recoded(codes: Int[np.ndarray, " k"], table: Int[np.ndarray, " c"]) -> Int[np.ndarray, " k"]:
    """The entry of the table for each code; the last entry is that of MISSING."""
    if codes.dtype.itemsize > 1 or table.dtype.itemsize > 1:
        return table.take(codes, mode="wrap")
    entries = np.full(1 << 8, MISSING, np.int8)  # a table for bytes takes half the time
    entries[: len(table) - 1] = table[:-1]
    return np.frombuffer(codes.tobytes().translate(entries.tobytes()), np.int8)


def _equal(first: UInt64[np.ndarray, " a"], second: UInt64[np.ndarray, " b"]) -> int:
    """How many are equal before the first that differs."""
    size = min(len(first), len(second))
    is_equal = first[:size] == second[:size]
    return size if is_equal.all() else int(is_equal.argmin())


def _are_increasing(keys: UInt64[np.ndarray, " n"]) -> bool:
    """Whether texts are longer, or later in the alphabet, than those before; then they are distinct."""
    sizes = (np.frexp(keys.astype(np.float64))[1] + 7) >> 3  # where this is not exact it is the same for the same text
    order = keys.byteswap() >> (64 - 8 * sizes).astype(np.uint64)
    return bool((order[1:] > order[:-1]).all())


def _as_texts(cells: pa.Array) -> pa.StringArray:
    """The texts, which may be given as numbers."""
    return cells if pa.types.is_string(cells.type) else texts_of_keys(cells)


def _codes_of(cells: pa.DictionaryArray) -> Int[np.ndarray, " k"]:
    indices = cells.indices.fill_null(MISSING) if cells.null_count else cells.indices
    codes: Int[np.ndarray, " k"] = indices.to_numpy(zero_copy_only=False)
    return codes


def _joined(parts: list[Int[np.ndarray, " _"]], rows: int, n_texts: int) -> Int[np.ndarray, " rows"]:
    if len(parts) == 1 and parts[0].dtype == smallest_integer(n_texts):
        return parts[0]
    codes = np.empty(rows, smallest_integer(n_texts))
    np.concatenate(parts, out=codes, casting="same_kind") if parts else None
    return codes


def _dictionary_array(codes: Int[np.ndarray, " rows"], texts: pa.Array) -> pa.DictionaryArray:
    mask = codes < 0 if codes.min(initial=0) < 0 else None
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=mask), texts, safe=False)  # they are in range
