"""Which instances are of one kind? Codes of groups from columns of any type, and their crossing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

TENTHS = 10
MOST_LEVELS = 20
SMALLEST_CELL = 5


def group_codes(column: pd.Series[Any]) -> Int[np.ndarray, " n"]:
    """Code of each instance's group: the values themselves, or tenths of a column with more than 20 numbers.

    Instances whose value is missing are a group of their own.
    """
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > MOST_LEVELS:
        ranks = column.rank(method="average", pct=True)
        column = pd.Series(np.ceil(ranks.to_numpy() * TENTHS))
    codes, _ = pd.factorize(column, sort=True, use_na_sentinel=True)
    groups: Int[np.ndarray, " n"] = np.where(codes < 0, codes.max(initial=-1) + 1, codes).astype(np.int64)
    return groups


def crossed(columns: list[Int[np.ndarray, " n"]], classes: Int[np.ndarray, " n"] | None) -> Int[np.ndarray, " n"]:
    """One code per combination of the columns; and of the class, if that leaves five instances a cell on average."""
    combined = columns[0]
    for column in columns[1:]:
        combined = _pair(combined, column)
    if classes is None:
        return combined
    finer = _pair(combined, classes.astype(np.int64))
    return finer if len(finer) >= SMALLEST_CELL * (finer.max() + 1) else combined


def _pair(first: Int[np.ndarray, " n"], second: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    codes: Int[np.ndarray, " n"] = np.unique(first * (second.max() + 1) + second, return_inverse=True)[1]
    return codes
