"""What do the columns of a table hold? Numbers with gaps, or texts with gaps, over all parts together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int64, Shaped

from ..problems.readers.tables import MISSING_VALUES


@dataclass(frozen=True, eq=False)
class PooledColumn:
    """One column of the rows of all parts.

    Parameters
    ----------
    name : of the column; after the name of the input where there are several.
    values : n numbers, nan for gaps; or n texts, ``""`` for gaps.
    gaps : whether the value is missing: empty, blank, or one of the words that stand for a gap in files.
    """

    name: str
    values: Shaped[np.ndarray, " n"]
    gaps: Bool[np.ndarray, " n"]

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers."""
        return self.values.dtype.kind == "f"

    @property
    def present(self) -> Shaped[np.ndarray, " k"]:
        """The finite numbers, or the texts that are no gaps."""
        return np.asarray(self.values[np.isfinite(self.values) if self.numeric else ~self.gaps])

    @property
    def codes(self) -> Int64[np.ndarray, " n"]:
        """A number for each distinct value, −1 for gaps; equal for equal values."""
        values = np.where(self.gaps, np.nan, self.values + 0.0) if self.numeric else self.values
        codes = pd.factorize(values)[0].astype(np.int64)
        return np.where(self.gaps, -1, codes)

    @classmethod
    def of(cls, name: str, cells: pd.Series) -> PooledColumn:
        """The column in these cells, which are numbers if every one that is no gap can be read as a number."""
        if pd.api.types.is_numeric_dtype(cells):
            numbers = cells.to_numpy(np.float64, na_value=np.nan)
            return cls(name, numbers, np.isnan(numbers))
        codes, levels = _levels(cells)
        blank = np.array([isinstance(level, str) and level.strip() in MISSING_VALUES for level in levels], bool)
        gaps = (codes < 0) | np.append(blank, True)[codes]
        dates = pd.api.types.is_datetime64_any_dtype(cells) or pd.api.types.is_timedelta64_dtype(cells)
        numbers = pd.to_numeric(pd.Series(levels, dtype=object), errors="coerce").to_numpy(np.float64, na_value=np.nan)
        if not dates and not gaps.all() and not np.isnan(numbers[~blank]).any():
            return cls(name, np.where(gaps, np.nan, np.append(numbers, np.nan)[codes]), gaps)
        texts = np.array([*map(_text, levels), ""], dtype=object)[codes]
        return cls(name, np.where(gaps, "", texts), gaps)


def _levels(cells: pd.Series) -> tuple[Int64[np.ndarray, " n"], list[object]]:
    """A number for each distinct cell, −1 where there is none, and the distinct cells."""
    values = cells.astype(object)
    try:
        codes, levels = pd.factorize(values)
    except TypeError:  # lists and the like
        codes, levels = pd.factorize(values.map(repr, na_action="ignore"))
    return codes.astype(np.int64), list(levels)


def _text(cell: object) -> str:
    return cell if isinstance(cell, str) else str(cell)
