"""How does a column of a text file grow block by block? Each distinct text is stored once, as codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int

from polyculture.predictions import MISSING, smallest_integer

from .plain_cells import MAX_TEXTS, CommonTexts

EMPTY_CELLS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "<NA>")
"""Cells of a CSV file that count as missing."""
MANY = 1 << 16
"""With more different texts than this, and in more than half of the rows, a column is stored as texts."""
_MANY_AT_ONCE = 4096
_NEW = -2


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
        self._many: _ManyTexts | None = None

    def add_common(self, codes: Int[np.ndarray, " k"]) -> None:
        """Append cells that are given as codes of the common texts, MISSING where they are empty."""
        if self._many is not None:
            distinct, places = np.unique(codes[codes >= 0], return_inverse=True)
            indices = np.full(len(codes), MISSING, np.int32)
            indices[codes >= 0] = places
            texts = pa.array([self._common.texts[code] for code in distinct.tolist()], pa.string())
            self.add(pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), texts))
            return
        self.rows += len(codes)
        if len(self._table) <= len(self._common.texts):
            table = np.full(len(self._common.texts) + 1, _NEW, self._table.dtype)
            table[: len(self._table) - 1] = self._table[:-1]
            table[-1] = MISSING
            self._table = table
        cells = self._table.take(codes, mode="wrap")
        if cells.min(initial=MISSING) == _NEW:
            self._register(codes[cells == _NEW])
            cells = self._table.take(codes, mode="wrap")
        for code, word in self._gap_words.items():
            self.gaps[word] += int(np.count_nonzero(codes == code))
        self._codes.append(cells)

    def add(self, cells: pa.DictionaryArray) -> None:
        """Append cells."""
        n_common = len(self._common.texts)
        if self._many is None and len(cells.dictionary) <= min(_MANY_AT_ONCE, MAX_TEXTS - n_common):
            common = self._common.codes(cells.dictionary.to_pylist())
            codes = np.array([*common, MISSING], np.int16)
            self.add_common(codes.take(_codes_of(cells), mode="wrap"))
            return
        if self._many is None:
            self._many = _ManyTexts(self.rows, self._dictionary(), self.gaps, self.empty_cells)
        self.rows += len(cells)
        self._many.add(cells)

    def finished(self) -> pa.ChunkedArray:
        """The column so far."""
        return pa.chunked_array([self._dictionary()]) if self._many is None else self._many.finished()

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
        codes = _joined(self._codes, self.rows, len(self._texts))
        self._codes = []
        return _dictionary_array(codes, pa.array(self._texts, pa.string()))


class _ManyTexts:
    """The cells of a column of many texts: as codes, or as texts once more than half of the rows differ."""

    def __init__(self, rows: int, cells: pa.DictionaryArray, gaps: Counter[str], empty_cells: Sequence[str]) -> None:
        self.rows, self.gaps, self._empty = rows, gaps, pa.array(empty_cells, pa.string())
        self._texts: pa.StringArray = cells.dictionary
        self._codes = [_codes_of(cells)]
        self._waiting: list[tuple[Int[np.ndarray, " k"], pa.StringArray]] = []
        self._n_waiting = 0
        self._plain: list[pa.StringArray] | None = None

    def add(self, cells: pa.DictionaryArray) -> None:
        """Append cells."""
        self.rows += len(cells)
        codes, texts = self._without_gaps(_codes_of(cells), cells.dictionary)
        if self._plain is not None:
            self._plain.append(texts.take(pa.array(codes, mask=codes < 0)))
            return
        self._waiting.append((codes, texts))
        self._n_waiting += len(texts)
        if self._n_waiting > max(MANY, len(self._texts)):  # each text is hashed a few times in all
            self._unify()

    def finished(self) -> pa.ChunkedArray:
        """The column so far."""
        if self._plain is None:
            self._unify()
        if self._plain is not None:
            return pa.chunked_array(self._plain, pa.string())
        codes = _joined(self._codes, self.rows, len(self._texts))
        self._codes = []
        return pa.chunked_array([_dictionary_array(codes, self._texts)])

    def _without_gaps(
        self, codes: Int[np.ndarray, " k"], texts: pa.StringArray
    ) -> tuple[Int[np.ndarray, " k"], pa.StringArray]:
        """The cells with MISSING for those that count as missing, which are counted."""
        is_gap = pc.is_in(texts, value_set=self._empty).to_numpy(zero_copy_only=False)
        if not is_gap.any():
            return codes, texts
        for code in np.flatnonzero(is_gap).tolist():
            if word := texts[code].as_py():
                self.gaps[word] += int(np.count_nonzero(codes == code))
        places = np.append(np.where(is_gap, MISSING, np.cumsum(~is_gap) - 1), MISSING).astype(np.int32)
        return places.take(codes, mode="wrap"), texts.filter(pa.array(~is_gap))

    def _unify(self) -> None:
        """Give the texts that wait their codes; those that have one keep it, because they come first."""
        encoded = pa.concat_arrays([self._texts, *(texts for _, texts in self._waiting)]).dictionary_encode()
        places, offset = np.append(encoded.indices.to_numpy(), np.int32(MISSING)), len(self._texts)
        for codes, texts in self._waiting:
            self._codes.append(places.take(np.where(codes < 0, MISSING, codes + offset), mode="wrap"))
            offset += len(texts)
        self._texts, self._waiting, self._n_waiting = encoded.dictionary, [], 0
        if len(self._texts) > max(MANY, self.rows // 2):
            self._plain = [self._texts.take(pa.array(codes, mask=codes < 0)) for codes in self._codes]
            self._codes, self._texts = [], self._texts[:0]


def _codes_of(cells: pa.DictionaryArray) -> Int[np.ndarray, " k"]:
    codes: Int[np.ndarray, " k"] = cells.indices.fill_null(MISSING).to_numpy(zero_copy_only=False)
    return codes


def _joined(parts: list[Int[np.ndarray, " _"]], rows: int, n_texts: int) -> Int[np.ndarray, " rows"]:
    codes = np.empty(rows, smallest_integer(n_texts))
    np.concatenate(parts, out=codes, casting="same_kind") if parts else None
    return codes


def _dictionary_array(codes: Int[np.ndarray, " rows"], texts: pa.StringArray) -> pa.DictionaryArray:
    mask = codes < 0
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=mask if mask.any() else None), texts)
