"""Which columns add nothing? Columns of one value, and columns that say the same as another or as the label."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from .columns import PooledColumn
from .fault import Fault
from .pool import Pool


def constant_columns(pool: Pool) -> Iterator[Fault]:
    """Columns with one value in all rows of all parts, gaps aside; named with the first part."""
    if len(pool) < 2:
        return
    for column in pool.columns:
        codes = column.codes
        if codes.max(initial=-1) == 0 and not column.gaps.any():
            reason = f"is {_value(column)} in all {len(codes):,} rows"
            yield Fault("constant-column", pool.parts[0].name, None, reason, column.name)


def copied_columns(pool: Pool) -> Iterator[Fault]:
    """Columns that are equal to an earlier one, or whose values always go with the same value of it.

    The second is told only of columns whose values repeat: with distinct values everywhere it holds for any two. The
    label is compared with where it is a class.
    """
    equal: dict[bytes, str] = {}
    paired: dict[bytes, str] = {}
    labels = pd.factorize(np.array(list(map(str, pool.labels)), dtype=object))[0].astype(np.int64)
    if not any(part.regression for part in pool.parts) and _repetitive(labels):
        paired[labels.tobytes()] = "the label"
    for column in pool.columns:
        codes = column.codes
        if codes.max(initial=-1) < 1:
            continue
        pairing = pd.factorize(codes)[0].astype(np.int64)
        content = (
            (column.values + 0.0).tobytes() if column.numeric else "\0".join(column.values).encode("utf-8", "replace")
        )
        original = equal.get(content, "") or (paired.get(pairing.tobytes(), "") if _repetitive(pairing) else "")
        if original:
            way = "is equal to" if content in equal else "always goes with"
            yield Fault("copied-column", pool.parts[0].name, None, f"{way} {original}", column.name)
        equal.setdefault(content, f"column {column.name!r}")
        if _repetitive(pairing):
            paired.setdefault(pairing.tobytes(), f"column {column.name!r}")


def _repetitive(codes: np.ndarray) -> bool:
    """Whether values come up five times on average, so that agreement everywhere is no accident."""
    return len(codes) >= 20 and 2 <= int(codes.max()) + 1 <= len(codes) / 5


def _value(column: PooledColumn) -> str:
    return f"{column.values[0]:g}" if column.numeric else repr(column.values[0])
