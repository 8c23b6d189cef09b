"""How do raw columns become numbers? Numbers as they are, categories one-hot, gaps filled and flagged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float32

from polyculture.errors import InputError, near

MAX_LEVELS = 30
"""Categories of one column that get a column of their own, the most frequent ones; the others get none."""


@dataclass(frozen=True)
class ColumnEncoder:
    """How the columns of a table become numbers, learned from the training rows.

    Parameters
    ----------
    numeric : columns of numbers: name, median (which fills gaps), and whether training rows have gaps; where they do,
        a further column flags them.
    categories : other columns: name and levels, each of them a column of zeros and ones; a gap is a level where
        training rows have some. Levels unknown in training are all zeros.
    """

    numeric: tuple[tuple[str, float, bool], ...]
    categories: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, train: pd.DataFrame) -> ColumnEncoder:
        """The rules of these rows, without uninformative columns: those of one value, and texts that never repeat.

        Raises InputError if no column is left, and for an infinite number.
        """
        numeric, categories = [], []
        for name in train.columns:
            distinct = train[name].nunique(dropna=False)
            numbers = _numbers(train[name])
            if distinct < 2 or (numbers is None and distinct == len(train)):
                continue
            if numbers is None:
                levels = _texts(train[name]).value_counts().sort_index().sort_values(ascending=False, kind="stable")
                categories.append((str(name), tuple(map(str, levels.index[:MAX_LEVELS]))))
            else:
                numeric.append((str(name), float(numbers.median()), bool(numbers.isna().any())))
        if not numeric and not categories:
            raise InputError("no column to learn from", "one or more that vary")
        return cls(tuple(numeric), tuple(categories))

    def __call__(self, frame: pd.DataFrame) -> Float32[np.ndarray, "n d"]:
        """The rows as numbers; in a column of numbers anything else counts as a gap."""
        absent = [name for name, *_ in (*self.numeric, *self.categories) if name not in frame.columns]
        if absent:
            raise InputError(
                f"no column {absent[0]!r}",
                "every column that is learned from",
                near(str(absent[0]), map(str, frame.columns)),
            )
        columns: list[np.ndarray] = []
        for name, median, gaps in self.numeric:
            _check_finite(frame[name])
            numbers = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
            unknown = ~np.isfinite(numbers)
            columns += [np.where(unknown, median, numbers), *([unknown] if gaps else [])]
        for name, levels in self.categories:
            values = _texts(frame[name]).to_numpy()
            columns += [values == level for level in levels]
        return np.stack(columns, axis=1).astype(np.float32)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the result's columns."""
        numbers = [label for name, _, gaps in self.numeric for label in ([name, f"{name} unknown"] if gaps else [name])]
        return (*numbers, *(f"{name}={level}" for name, levels in self.categories for level in levels))


def _numbers(column: pd.Series) -> pd.Series | None:
    """The column as numbers with gaps, or None if a value is no number."""
    numbers = pd.to_numeric(column, errors="coerce")
    if (numbers.isna() & column.notna()).any() or numbers.isna().all():
        return None
    _check_finite(column)
    return numbers.astype(np.float64)


def _check_finite(column: pd.Series) -> None:
    """Raise InputError for an infinite number: it is no gap."""
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    infinite = ~(np.abs(numbers) <= np.finfo(np.float32).max) & numbers.notna()
    if infinite.any():
        raise InputError(
            f"column {str(column.name)!r} holds {column[infinite].iloc[0]} for instance {column.index[infinite][0]!r}",
            "finite numbers within single precision, or empty cells",
            "leave the cell empty if the number is not known, or the column out (--ignore)",
        )


def _texts(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna(), "(missing)").astype(str).str.strip()
