"""Which values stand for "not known" in disguise? Spikes apart from a column, words such as unknown, odd codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from polyculture.stats.interval import percent

from .columns import PooledColumn
from .fault import Fault
from .pool import Pool

LEAST_REPEATS = 5
"""Rows with one value that make it a spike."""
LEAST_DISTINCT = 10
"""Distinct other values of a column that make it a measurement."""
LEAST_GAP = 0.1
"""Distance of a spike from the nearest other number, in parts of the range of the distinct other numbers."""
MOST_CODES, RARE_SHARE, LEAST_ROWS = 8, 0.01, 1000
"""Distinct whole numbers that make a column one of codes; the share below which a code is rare, and rows needed."""
PLACEHOLDERS = frozenset(
    ("unknown", "unspecified", "missing", "not available", "not known", "not recorded", "undefined", "-", "--", "---")
) | frozenset((".", "..", "...", "n.a.", "#n/a", "tbd", "xxx", "???", "??", "<na>", "(missing)", "nil", "no data"))
"""Words, in lower case, that say that a value is not known."""


def disguised_gaps(pool: Pool) -> Iterator[Fault]:
    """Rows with a placeholder word, or with a number that is repeated and stands apart from its column.

    A spike is the smallest or largest number of a column of measurements, in `LEAST_REPEATS` rows or more and in more
    of them than any of the ten numbers next to it. It is farther from the nearest other number than the others'
    quartiles are from each other, and than a tenth of the way from their 1st to their 99th percentile, ties aside.

    Sources: Pearson 2006; Qahtan et al. 2018.
    """
    for column in pool.columns:
        if not column.numeric:
            for row in np.flatnonzero([text.strip().lower() in PLACEHOLDERS for text in column.values]).tolist():
                yield pool.fault("disguised-missing", row, f"is {column.values[row]!r}", column.name)
            continue
        for spike, others in _spikes(column):
            rows = np.flatnonzero(column.values == spike)
            reason = (
                f"is {spike:g}, as are {percent(len(rows) / len(column.present))} of the column; "
                f"the others are {others.min():g} to {others.max():g}{_sources(pool, column, column.values == spike)}"
            )
            for row in rows.tolist():
                yield pool.fault("disguised-missing", row, reason, column.name)


def undocumented_codes(pool: Pool) -> Iterator[Fault]:
    """Rows with a code that its documentation does not list; in columns without one, rows with a rare code.

    A column of 3 to `MOST_CODES` distinct whole numbers in `LEAST_ROWS` rows or more holds codes; those of less than
    `RARE_SHARE` of the rows are rare. Without documentation that is a question: a rare code may be right.
    """
    for column in pool.columns:
        documented = pool.documented_codes.get(column.name)
        if documented is not None:
            names = {_code(code) for code in documented}
            for row in np.flatnonzero(~column.gaps).tolist():
                if (name := _code(column.values[row])) not in names:
                    yield pool.fault("undocumented-code", row, f"is {name}, which is not documented", column.name)
            continue
        shares = _code_shares(column)
        for code, share in shares.items():
            if share < RARE_SHARE:
                reason = f"is {code:g}, as are {percent(share)} of the rows"
                for row in np.flatnonzero(column.values == code).tolist():
                    yield pool.fault("undocumented-code", row, reason, column.name)


def _code(value: object) -> str:
    text = str(value).strip()
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _code_shares(column: PooledColumn) -> dict[float, float]:
    """Share of each code of a column of codes; nothing for other columns."""
    numbers = column.present
    if not column.numeric or len(numbers) < LEAST_ROWS or (numbers % 1).any():
        return {}
    codes, counts = np.unique(numbers, return_counts=True)
    if not 3 <= len(codes) <= MOST_CODES:
        return {}
    return {float(code): float(count) / len(numbers) for code, count in zip(codes, counts, strict=True)}


def _spikes(column: PooledColumn) -> Iterator[tuple[float, Float[np.ndarray, " k"]]]:
    """The spikes at the ends of the column, and the numbers that are none of them."""
    values, counts = np.unique(column.present, return_counts=True)
    if len(values) <= LEAST_DISTINCT:
        return
    ends = [(0, 1, slice(1, 11)), (-1, -2, slice(-11, -1))]
    for end, neighbour, nearby in ends:
        others = column.present[column.present != values[end]]
        low, high = np.quantile(others, [0.25, 0.75])
        bottom, top = np.quantile(np.delete(values, end), [0.01, 0.99])
        gap = abs(values[end] - values[neighbour])
        repeated = counts[end] >= LEAST_REPEATS and counts[end] > counts[nearby].max()
        if repeated and gap > max(high - low, LEAST_GAP * (top - bottom)):
            yield float(values[end]), others


def _sources(pool: Pool, column: PooledColumn, spike: Bool[np.ndarray, " n"]) -> str:
    """The share of the spike in each part or file, where there are some and they differ."""
    sources = [part.name for part in pool.parts for _ in range(len(part))]
    if len(pool.parts) == 1 and "file" in pool.parts[0].instances:
        sources = pool.parts[0].instances["file"].astype(str).tolist()
    totals = Counter(source for source, gap in zip(sources, column.gaps, strict=True) if not gap)
    hits = Counter(source for source, hit in zip(sources, spike, strict=True) if hit)
    if not 2 <= len(totals) <= 12:
        return ""
    return "; " + ", ".join(f"{percent(hits[name] / totals[name])} in {name}" for name in totals)
