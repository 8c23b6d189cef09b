"""How do large tables of numbers and words take little room in JSON? Compressed bytes as text, words once each.

Numbers are base64 of zlib of all first bytes, all second bytes, … of the cells, little-endian: bytes of the same place
are alike, and compress well next to each other.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped
from scipy.special import ndtr

from polyculture.errors import InputError
from polyculture.stats import benjamini_hochberg

LARGEST_PLAIN = 64
"""Square tables with more rows are packed; smaller ones are lists of numbers that anything can read."""
LARGEST_EXACT = 200
"""Square tables with more rows are in single precision, as are columns with more cells than one of those has pairs."""
LONGEST_PLAIN, LONGEST_EXACT = 2_000, 20_000
"""Columns with more rows are packed; with more rows than the second in single precision."""
KEPT_BITS = 36
"""Bits of the mantissa of numbers from which others are computed again."""
TOLERANCE = 1e-6
"""Relative difference at which a number that is computed again is no longer the stored one."""
COLUMN_FORMULAS: Mapping[str, Callable[[Float[np.ndarray, " n"], float], Float[np.ndarray, " n"]]] = {
    "quotient": lambda values, factor: values / factor,
    "normal upper tail": lambda values, _: ndtr(-values),
    "Benjamini-Hochberg": lambda values, _: benjamini_hochberg(values),
}
"""Columns that are a function of another column, by name of the function."""
COMPUTED = {
    "z_scaled": ("quotient", "z"),
    "p": ("normal upper tail", "z_scaled"),
    "q": ("Benjamini-Hochberg", "p"),
}
"""Columns of long tables that are written as a formula where it gives their numbers; else they are packed."""


def packed(cells: Shaped[np.ndarray, " k"], kind: str) -> str:
    """Cells of that type as text."""
    by_byte = cells.astype(kind).view(np.uint8).reshape(len(cells), -1).T
    return base64.b64encode(zlib.compress(by_byte.tobytes())).decode()


def unpacked(text: str, kind: str) -> Shaped[np.ndarray, " k"]:
    """The cells that `packed` wrote."""
    by_byte = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    return by_byte.reshape(np.dtype(kind).itemsize, -1).T.copy().view(kind).ravel()


def is_large(table: Any) -> bool:
    """Whether this is a square table of numbers or words that is better packed."""
    if isinstance(table, np.ndarray):
        return table.ndim == 2 and table.shape[0] == table.shape[1] > LARGEST_PLAIN and table.dtype.kind in "iuf"
    return len(table) > LARGEST_PLAIN and all(isinstance(row, tuple) and len(row) == len(table) for row in table)


def packed_table(table: Shaped[np.ndarray, "m m"]) -> dict[str, Any]:
    """A square table; of a symmetric one its upper half."""
    half = np.array_equal(table, table.T, equal_nan=table.dtype.kind == "f")
    cells = table[np.triu_indices(len(table))] if half else table.ravel()
    kind = "<i8" if table.dtype.kind != "f" else "<f8" if len(table) <= LARGEST_EXACT else "<f4"
    return {"packed": packed(cells, kind), "type": kind, "rows": len(table), "half": half}


def unpacked_table(stored: Mapping[str, Any]) -> Shaped[np.ndarray, "m m"]:
    """The table that `packed_table` wrote."""
    cells = unpacked(stored["packed"], stored["type"])
    rows = stored["rows"]
    table = np.zeros((rows, rows), cells.dtype)
    if not stored["half"]:
        table[:] = cells.reshape(table.shape)
        return table
    table[np.triu_indices(rows)] = cells
    table.T[np.triu_indices(rows)] = cells
    return table


def packed_words(table: Sequence[Sequence[str]]) -> dict[str, Any]:
    """A square table of words: each word once, and a table of their positions."""
    words = sorted({word for row in table for word in row})
    index = {word: code for code, word in enumerate(words)}
    return {"words": words, "codes": packed_table(np.array([[index[word] for word in row] for row in table]))}


def unpacked_words(stored: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """The table that `packed_words` wrote."""
    words = stored["words"]
    return tuple(tuple(words[code] for code in row) for row in unpacked_table(stored["codes"]).tolist())


def packed_columns(frame: pd.DataFrame, encode: Callable[[Any], Any]) -> dict[str, Any]:
    """A long table: columns of numbers packed, those of few words as positions in a list of the words."""
    columns: dict[str, Any] = {}
    numbers: dict[str, Float[np.ndarray, " n"]] = {}
    sources = {source for name, (_, source) in COMPUTED.items() if name in frame and len(frame) > LONGEST_EXACT}
    for name, column in frame.items():
        cells = column.to_numpy()
        if cells.dtype.kind == "f":
            columns[str(name)] = _packed_numbers(str(name), cells, numbers, str(name) in sources)
        elif cells.dtype.kind in "iu":
            columns[str(name)] = {"packed": packed(cells, "<i8"), "type": "<i8", "rows": len(cells)}
        elif pd.api.types.infer_dtype(column, skipna=False) == "string":
            codes, words = pd.factorize(column)
            columns[str(name)] = _coded([str(word) for word in words], codes, column.tolist())
        else:
            columns[str(name)] = _packed_values([encode(value) for value in column.tolist()])
    return columns


def _packed_numbers(
    name: str, cells: Float[np.ndarray, " n"], numbers: dict[str, Float[np.ndarray, " n"]], source: bool
) -> dict[str, Any]:
    """A column of numbers; `numbers` collects the columns as they will be read, for those computed from them."""
    formula, of = COMPUTED.get(name, ("", ""))
    if of in numbers and len(cells) > LONGEST_EXACT:
        stored = _formula(formula, of, numbers[of], cells)
        if stored:
            numbers[name] = _computed(stored, numbers)
            return stored
    kind = "<f4" if len(cells) > LONGEST_EXACT and not source else "<f8"
    if kind == "<f8" and len(cells) > LONGEST_EXACT:
        cells = _rounded(cells.astype(np.float64))
    numbers[name] = cells.astype(kind).astype(np.float64)
    return {"packed": packed(cells, kind), "type": kind, "rows": len(cells)}


def _rounded(cells: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Numbers with fewer bits in the mantissa, which compress; nan and infinity stay."""
    unit = 1 << (52 - KEPT_BITS)
    bits = cells.copy().view(np.int64)
    rounded = ((bits + unit // 2) & ~np.int64(unit - 1)).view(np.float64)
    return np.where(np.isfinite(rounded), rounded, cells)


def _formula(
    name: str, of: str, values: Float[np.ndarray, " n"], cells: Float[np.ndarray, " n"]
) -> dict[str, Any] | None:
    """How a column follows from another; None where it does not."""
    factor = 1.0
    if name == "quotient":
        ratios = np.divide(values, cells, out=np.full(len(cells), np.nan), where=cells != 0)
        finite = ratios[np.isfinite(ratios)]
        factor = float(f"{finite[0]:.12g}") if len(finite) and finite[0] else 1.0
    result = COLUMN_FORMULAS[name](values, factor)
    if not same_numbers(result, cells):
        return None
    return {"formula": name, "of": of, "factor": factor, "rows": len(cells), **digest(result)}


def _computed(stored: Mapping[str, Any], columns: Mapping[str, Any]) -> Float[np.ndarray, " n"]:
    """The column that a formula stands for; InputError where it is not the one that was written."""
    if stored["formula"] not in COLUMN_FORMULAS:
        raise InputError(f"a column by the formula {stored['formula']!r}", "one that this version knows", "update")
    result = COLUMN_FORMULAS[stored["formula"]](columns[stored["of"]], stored["factor"])
    check_digest(result, stored, stored["formula"])
    return result


def _packed_values(cells: list[Any]) -> Any:
    """Truth values, words and what is missing: each once, where they repeat."""
    if any(isinstance(cell, (list, dict)) for cell in cells):
        return cells
    index = {key: code for code, key in enumerate(dict.fromkeys((type(cell), cell) for cell in cells))}
    return _coded([cell for _, cell in index], np.array([index[type(cell), cell] for cell in cells]), cells)


def _coded(words: list[Any], codes: Int[np.ndarray, " n"], cells: list[Any]) -> Any:
    """Values as positions in a list of them; the values themselves where few of them repeat."""
    if 2 * len(words) > len(cells):
        return cells
    return {"words": words, "codes": packed(codes, "<i4"), "type": "<i4", "rows": len(codes)}


def unpacked_columns(stored: Mapping[str, Any], column: Callable[[list[Any]], list[Any]]) -> dict[str, Any]:
    """The columns of a table; `column` makes one of a list of JSON values."""
    columns: dict[str, Any] = {}
    for name, cells in stored.items():
        if isinstance(cells, list):
            columns[name] = column(cells)
        elif "formula" in cells:
            columns[name] = _computed(cells, columns)
        elif "words" in cells:
            codes = unpacked(cells["codes"], cells["type"]).tolist()
            expanded = [cells["words"][code] for code in codes]
            # A word can be "inf", as a class may be called; numbers are not stored as words.
            columns[name] = expanded if any(isinstance(word, str) for word in cells["words"]) else column(expanded)
        else:
            numbers = unpacked(cells["packed"], cells["type"])
            columns[name] = numbers.astype(np.float64 if numbers.dtype.kind == "f" else np.int64)
    return columns


def same_numbers(
    first: Shaped[np.ndarray, "*shape"], second: Shaped[np.ndarray, "*shape"], rounding: float = 0.0
) -> bool:
    """Whether two tables have the same numbers to 1e-6 of each, and nothing at the same places.

    Parameters
    ----------
    rounding : largest difference that counts as none, for numbers that are differences of larger ones.
    """
    return bool(np.allclose(first, second, rtol=TOLERANCE, atol=rounding, equal_nan=True))


def digest(values: Shaped[np.ndarray, "*shape"]) -> dict[str, Any]:
    """How many numbers there are, and the sum of their sizes: by this a table that is computed again is known."""
    finite = np.isfinite(values)
    return {"defined": int(finite.sum()), "sum": float(np.abs(values[finite]).sum())}


def check_digest(values: Shaped[np.ndarray, "*shape"], stored: Mapping[str, Any], name: str) -> None:
    """Raise InputError where a table that is computed again is not the one that was written."""
    current = digest(values)
    if current["defined"] != stored["defined"] or not math.isclose(current["sum"], stored["sum"], rel_tol=TOLERANCE):
        raise InputError(
            f"{name} does not follow from the stored counts as it did when they were written",
            "a result of a version that computes it alike",
            "audit the predictions again",
        )
