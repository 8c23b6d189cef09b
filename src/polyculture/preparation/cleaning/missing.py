"""Which values are missing or infinite? Empty and blank cells, texts without a word, pictures and sounds of nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Bool

from ..problems.readers.tables import MISSING_VALUES
from .columns import PooledColumn
from .fault import Fault
from .pool import Pool

_NOTHING = {
    "text": "a text without a word",
    "tags": "a sequence without a token",
    "image": "a picture of one colour",
    "volume": "a volume of one value",
    "audio": "a recording without a sound",
    "series": "a window of one value",
}


def missing_values(pool: Pool) -> Iterator[Fault]:
    """Gaps of tables cell by cell, a column without a value as one fault; other inputs without content, row by row."""
    for column in pool.columns:
        yield from _gaps(pool, column)
    for part, start, name, inputs in pool.other_inputs():
        modality = part.modalities[name]
        gaps = _rows_with(inputs, np.isnan)
        for row in np.flatnonzero(gaps | _without_content(inputs, modality)).tolist():
            reason = f"a {modality} with a number that is missing" if gaps[row] else _NOTHING[modality]
            yield pool.fault("missing", start + row, reason, pool.input_label(name))


def infinite_numbers(pool: Pool) -> Iterator[Fault]:
    """Infinite numbers of tables cell by cell, of other inputs row by row."""
    for column in pool.columns:
        if column.numeric:
            for row in np.flatnonzero(np.isinf(column.values)).tolist():
                yield pool.fault("non-finite", row, f"is {column.values[row]:g}", column.name)
    for part, start, name, inputs in pool.other_inputs():
        for row in np.flatnonzero(_rows_with(inputs, np.isinf)).tolist():
            reason = f"a {part.modalities[name]} with an infinite number"
            yield pool.fault("non-finite", start + row, reason, pool.input_label(name))


def _gaps(pool: Pool, column: PooledColumn) -> Iterator[Fault]:
    for part, start in zip(pool.parts, pool.starts.tolist(), strict=False):
        gaps = column.gaps[start : start + len(part)]
        if len(gaps) > 1 and gaps.all():
            yield Fault("missing", part.name, None, f"no value in {len(gaps):,} rows", column.name)
        else:
            for row in np.flatnonzero(gaps).tolist():
                yield pool.fault("missing", start + row, "no value", column.name)


def _rows_with(inputs: np.ndarray, condition: Callable[[np.ndarray], np.ndarray]) -> Bool[np.ndarray, " n"]:
    """Rows with a number for which the condition holds; none where inputs are no numbers with fractions."""
    if inputs.dtype.kind == "f":
        return np.array([bool(condition(row).any()) for row in inputs], bool)
    if inputs.dtype == object:
        return np.array([_is_wave(row) and bool(condition(row).any()) for row in inputs], bool)
    return np.zeros(len(inputs), bool)


def _is_wave(row: object) -> bool:
    return isinstance(row, np.ndarray) and row.dtype.kind == "f"


def _without_content(inputs: np.ndarray, modality: str) -> Bool[np.ndarray, " n"]:
    if modality in ("text", "tags"):
        return np.array([_wordless(value) for value in inputs], bool)
    return np.array([np.size(row) == 0 or bool(np.min(row) == np.max(row)) for row in inputs], bool)


def _wordless(value: object) -> bool:
    if isinstance(value, (tuple, list, np.ndarray)):
        return not any(str(token).strip() for token in value)
    return not isinstance(value, str) or value.strip() in MISSING_VALUES
