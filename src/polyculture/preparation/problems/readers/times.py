"""In what order are times? Numbers by size, dates by the calendar; anything else is refused."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from polyculture.errors import InputError

_DAY_AND_MONTH = r"^(\d{1,2})([/.\-])(\d{1,2})[/.\-]\d{2,4}\b"
MAX_REPEATED = 0.5
"""If a larger share of the rows repeats a time, several series are in one file."""


def time_values(column: pd.Series, source: str) -> list[Any]:
    """Values that sort in the order of time: numbers, or dates as text (2024-01-31, 2024-01-31T12:00:00.000000).

    Raises InputError for rows without a time, for what is neither number nor date, and for dates such as 01/02/2024
    where nothing in the column says which of both is the month.
    """
    name, gaps = str(column.name), int(column.isna().sum())
    if gaps:
        raise InputError(
            f"column {name!r} of {source} has no time in {gaps:,} row{'s' if gaps > 1 else ''}", "a time in every row"
        )
    if not pd.api.types.is_datetime64_any_dtype(column):
        numbers = pd.to_numeric(column, errors="coerce")
        if np.isfinite(numbers.astype(np.float64)).all():
            return list(numbers.tolist())
    dates = dates_of(column)
    if dates is None:
        by_month, by_day = _parsed(column, False), _parsed(column, True)
        ambiguous = by_month is not None and by_day is not None
        wrong = f"column {name!r} of {source} holds {_example(column)!r}"
        raise InputError(
            f"{wrong}, of which either number may be the month" if ambiguous else f"{wrong}, neither number nor date",
            "dates such as 2024-01-31" if ambiguous else "numbers, or dates such as 2024-01-31",
        )
    midnight = (dates == dates.dt.normalize()).all()
    return list(dates.dt.strftime("%Y-%m-%d" if midnight else "%Y-%m-%dT%H:%M:%S.%f").tolist())


def dates_of(column: pd.Series) -> pd.Series | None:
    """The column as dates; None if a value is none, or if day and month cannot be told apart."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.to_datetime(column, utc=True)
    by_month, by_day = _parsed(column, False), _parsed(column, True)
    if by_month is None or by_day is None:
        return by_day if by_month is None else by_month
    return by_month if by_month.equals(by_day) else None


def require_time_order(table: pd.DataFrame, source: str) -> None:
    """Raise InputError if there is a column of dates, none of them twice, and the rows are not in its order."""
    for name, column in table.items():
        if column.isna().any() or not column.is_unique or pd.api.types.is_numeric_dtype(column):
            continue
        if pd.to_numeric(column, errors="coerce").notna().any() and not pd.api.types.is_datetime64_any_dtype(column):
            continue
        dates = dates_of(column)
        if dates is not None and not dates.is_monotonic_increasing:
            k = int(np.flatnonzero(dates.diff().dt.total_seconds() < 0)[0])
            raise InputError(
                f"{source} is not in the order of {str(name)!r}: {column.iloc[k]} comes after {column.iloc[k - 1]}",
                "rows in the order of time",
                f"name the column by time (--time {name}), and the rows are sorted",
            )


def _parsed(column: pd.Series, day_first: bool) -> pd.Series | None:
    texts = column.astype(str).str.strip()
    if not texts.str.contains(r"\d", regex=True).all():
        return None
    parts = texts.str.extract(_DAY_AND_MONTH)
    months = pd.to_numeric(parts[2 if day_first else 0])
    if (months > 12).any() or (not day_first and (parts[1] == ".").any()):  # 31.1.2024 is never month first
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pandas warns where it finds no common format
        for options in ({"format": "ISO8601"}, {"dayfirst": day_first}):
            try:
                return pd.to_datetime(texts, utc=True, **options)
            except (ValueError, OverflowError, TypeError):
                continue
    return None


def _example(column: pd.Series) -> str:
    dates = column.map(lambda value: _parsed(pd.Series([value]), False) is None)
    return str(column[dates].iloc[0] if dates.any() else column.iloc[0])
