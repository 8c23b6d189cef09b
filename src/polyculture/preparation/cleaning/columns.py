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
        return self.values[np.isfinite(self.values) if self.numeric else ~self.gaps]

    @property
    def codes(self) -> Int64[np.ndarray, " n"]:
        """A number for each distinct value, −1 for gaps; equal for equal values."""
        values = np.where(self.gaps, np.nan, self.values + 0.0) if self.numeric else self.values
        codes = pd.factorize(values)[0].astype(np.int64)
        return np.where(self.gaps, -1, codes)

    @classmethod
    def of(cls, name: str, cells: pd.Series) -> PooledColumn:
        """The column in these cells, which are numbers if every one that is no gap can be read as a number."""
        if isinstance(cells.dtype, pd.CategoricalDtype):
            cells = cells.astype(object)
        gaps = _gaps(cells)
        if pd.api.types.is_numeric_dtype(cells):
            numbers = cells.to_numpy(np.float64, na_value=np.nan)
            return cls(name, numbers, np.isnan(numbers))
        present = cells[~gaps]
        readable = not pd.api.types.is_datetime64_any_dtype(cells) and not pd.api.types.is_timedelta64_dtype(cells)
        parsed = pd.to_numeric(present, errors="coerce").to_numpy(np.float64, na_value=np.nan) if readable else None
        if parsed is not None and not np.isnan(parsed).any() and len(parsed):
            numbers = np.full(len(cells), np.nan)
            numbers[~gaps] = parsed
            return cls(name, numbers, gaps)
        texts = cells.astype(object).where(~gaps, "").map(_text).to_numpy(object)
        return cls(name, texts, gaps)


def _gaps(cells: pd.Series) -> Bool[np.ndarray, " n"]:
    gaps = cells.isna().to_numpy(bool)
    if cells.dtype == object or isinstance(cells.dtype, pd.StringDtype):
        words = cells.map(lambda cell: isinstance(cell, str) and cell.strip() in MISSING_VALUES, na_action="ignore")
        gaps = gaps | words.fillna(False).to_numpy(bool)
    return gaps


def _text(cell: object) -> str:
    return cell if isinstance(cell, str) else repr(cell) if isinstance(cell, float) else str(cell)
