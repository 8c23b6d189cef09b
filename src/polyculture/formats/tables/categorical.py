"""Which cells are equal? Columns of any type become codes into one list of classes, without an object per cell.

Cells are compared as text: whole numbers without a trailing ``.0`` (integer columns with gaps often arrive as floats),
text without surrounding whitespace, true and false in any case. An empty cell is a missing one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from polyculture.errors import InputError
from polyculture.predictions import MISSING, fractions_error, smallest_integer

from ..normalization import normalizer, verdict
from .files import NO_NESTED_MODEL
from .plain_cells import THREADS, recode

_INTEGER_FLOAT = re.compile(r"([+-]?\d+)\.0*")
_INTEGER = re.compile(r"[+-]?\d+")
_TRUTH_WORDS = {"true": "True", "false": "False"}


@dataclass(frozen=True, eq=False)
class CategoricalColumn:
    """One column as codes of its values.

    Parameters
    ----------
    codes : indices into `values`; MISSING where the cell is empty.
    values : the texts that occur; may repeat (``3`` and ``3.0`` are both ``"3"``).
    fraction : one of its fractions, if the column holds only numbers; empty if there is none.
    gap : a word that counts as an empty cell and occurs, such as NA in CSV.
    """

    codes: Int[np.ndarray, " n"]
    values: tuple[str, ...]
    fraction: str = ""
    gap: str = ""


@dataclass(frozen=True, eq=False)
class CategoricalTable:
    """Several columns with shared codes.

    Parameters
    ----------
    table : one row per column, indices into `classes`; MISSING where the cell is empty.
    classes : numbers in numeric order, other texts in alphabetical order.
    """

    table: Int[np.ndarray, "k n"]
    classes: tuple[str, ...]


def encode(name: str, column: pa.ChunkedArray, exact: bool = False, names: bool = False) -> CategoricalColumn:
    """One column as codes; texts as they are if `exact`, else in the common form. Lists and the like are an error.

    With `names` numbers and truth values in a text are names, compared letter by letter.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise InputError(
            f"column {name!r} holds values of the type {kind}",
            "integers, strings or booleans",
            NO_NESTED_MODEL,
        )
    if pa.types.is_null(kind):
        return CategoricalColumn(np.full(len(column), MISSING, np.int32), ())
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        column, kind = column.cast(pa.float64()), pa.float64()
    elif not (pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        column = column if pa.types.is_dictionary(column.type) else column.cast(pa.string())
    encoded = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    encoded = encoded.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):  # one that was a dictionary in the file stays in chunks
        encoded = encoded.unify_dictionaries().combine_chunks()
    values = encoded.dictionary.to_pylist()
    narrow = smallest_integer(len(values))
    indices = encoded.indices
    if pa.types.is_unsigned_integer(indices.type):  # as polars and DuckDB store them; MISSING is negative
        indices = indices.cast(pa.int64())
    filled = indices.fill_null(MISSING) if indices.null_count else indices
    codes = filled.to_numpy(zero_copy_only=False).astype(narrow, copy=False)
    if exact:
        return CategoricalColumn(codes, tuple("" if v is None else str(v) for v in values))
    texts = [v.strip() if names and isinstance(v, str) else _text(v) for v in values]
    if "" in texts:
        gaps = np.array([MISSING if t == "" else i for i, t in enumerate(texts)] + [MISSING], narrow)
        codes = gaps[codes]
    return CategoricalColumn(codes, tuple(texts), "" if names else _fraction(texts))


def normalized(column: CategoricalColumn, rule: str, is_label: bool = False) -> CategoricalColumn:
    """The column with the texts that a rule compares; cells that it cannot parse are UNPARSED, labels stay texts."""
    if rule == "exact":
        return column
    normalize = normalizer(rule)
    texts = [text and (normalize(text) or (text if is_label else UNPARSED)) for text in column.values]
    index = {text: code for code, text in enumerate(dict.fromkeys(texts))}
    table = np.array([MISSING if not text else index[text] for text in texts] + [MISSING], column.codes.dtype)
    return replace(column, codes=table[column.codes], values=tuple(index), fraction="")


UNPARSED = "\0unparsed"
"""Stands for an answer that a rule cannot parse, until it becomes no answer."""


def merge(columns: Sequence[CategoricalColumn], first_classes: Sequence[str] = ()) -> CategoricalTable:
    """The columns with one list of classes: `first_classes` first, in its order, then the other values, sorted."""
    values = {value for column in columns for value in column.values} - {""}
    booleans = values & {"True", "False"}
    mixed = bool(booleans and values - booleans) and values <= _BINARY and not first_classes
    as_numbers = {"True": "1", "False": "0"} if mixed else {}
    added = {as_numbers.get(value, value) for value in values} - set(first_classes)
    classes = (*first_classes, *in_order(added))
    index = {"": MISSING} | {value: code for code, value in enumerate(classes)}
    if not columns:
        return CategoricalTable(np.empty((0, 0), np.int8), classes)
    table = np.empty((len(columns), len(columns[0].codes)), smallest_integer(len(classes)))

    def fill(row: Int[np.ndarray, " n"], column: CategoricalColumn) -> None:
        codes = [index[as_numbers.get(value, value)] for value in column.values]
        recode(column.codes, np.array([*codes, MISSING], table.dtype), row)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fill, table, columns))
    return CategoricalTable(table, classes)


def in_order(texts: Collection[str]) -> list[str]:
    """The texts in numeric order if all are integers, else in alphabetical order."""
    numbers = all(map(is_integer, texts))
    return sorted(texts, key=lambda text: (int(text), text)) if numbers else sorted(texts)


_BINARY = {"0", "1", "True", "False"}


VERDICT = "right or wrong as true/false or 1/0"


def outcomes(name: str, column: CategoricalColumn, cure: str = "") -> Int[np.ndarray, " n"]:
    """Right (1), wrong (0) or MISSING from a column of true/false or 1/0."""
    invalid = [v for v in column.values if is_no_verdict(v)]
    if invalid:
        raise InputError(f"column {name!r} holds {invalid[0]!r}", VERDICT, cure)
    codes = [MISSING if not v else int(v == "1" or bool(verdict(v))) for v in column.values]
    verdicts: np.ndarray = np.array([*codes, MISSING], np.int8)[column.codes]
    return verdicts


def is_no_verdict(cell: str) -> bool:
    """Whether a cell is neither right nor wrong, and not empty."""
    return bool(cell) and cell not in _BINARY and verdict(cell) is None


def is_integer(cell: str) -> bool:
    """Whether a cell is a whole number."""
    return _INTEGER.fullmatch(cell) is not None


def is_fraction(cell: str) -> bool:
    """Whether a cell is a number with a fraction."""
    try:
        return bool(cell) and not math.isnan(number := float(cell)) and not number.is_integer()
    except ValueError:
        return False


def check_answers(source: str, column: CategoricalColumn) -> None:
    """Raise InputError for a column of fractions: scores or probabilities, not answers."""
    if column.fraction:
        error = fractions_error(source, column.fraction)
        raise InputError(error.wrong, error.expected, f"{error.cure}; {NUMBERS_CURE}")


NUMBERS_CURE = (
    "numbers that are answers need the rule numeric (--normalize numeric), versions categorical (--categorical)"
)


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else str(int(value)) if value.is_integer() else str(value)
    if not isinstance(value, str):
        return "" if value is None else str(value)
    text = value.strip()
    match = _INTEGER_FLOAT.fullmatch(text)
    return match[1] if match else _TRUTH_WORDS.get(text.casefold(), text)


def _fraction(texts: Sequence[str]) -> str:
    first = ""
    for text in texts:
        if not text:
            continue
        try:
            number = float(text)
        except ValueError:
            return ""
        if not first and not math.isnan(number) and not number.is_integer():
            first = text
    return first
