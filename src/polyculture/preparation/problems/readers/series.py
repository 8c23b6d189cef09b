"""How is a time series read? A table in the order of time: windows of past steps, and the number that comes next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polyculture.errors import InputError, near

from ..data_options import DataOptions, stem_of
from ..raw_data import RawData, instance_table
from .tables import default_label, read_frames
from .times import MAX_REPEATED, require_time_order, time_values

BLOCK = "block"


def read_series(paths: Sequence[Path], options: DataOptions) -> RawData:
    """One instance per time step: the last `window` rows of all columns of numbers, and the label `horizon` rows later.

    Gaps are filled with the last value before them. Rows are sorted by the column of times that the user names, which
    is no input; without it they must be in the order of time, also of a column of dates. Neighbouring instances share
    most rows, so their errors are correlated; the column ``block`` groups as many as one of them spans rows.

    Raises InputError for an unknown column, for labels that are not numbers, for fewer rows than a window, for rows
    that are not in order, and for several series in one file.
    """
    if len(paths) > 1:
        raise InputError(f"{len(paths)} time series", "one file", "name others by test_on (--test-on)")
    table, times = _in_order(read_frames(paths, options.ignore)[0], options, paths[0])
    table = table.select_dtypes(exclude=["datetime", "datetimetz", "timedelta"])
    numbers = table.apply(pd.to_numeric, errors="coerce").drop(columns=list(options.ignore), errors="ignore")
    for name in numbers.columns[np.isinf(numbers.astype(np.float64)).any()]:
        raise InputError(f"column {name!r} of {paths[0]} holds an infinite number", "finite numbers, or empty cells")
    numbers = numbers.loc[:, numbers.notna().mean() > 0.5].ffill().bfill()
    label = options.label or default_label(numbers)
    if label not in numbers.columns:
        raise InputError(f"{paths[0]} has no column of numbers {label!r}", "", near(label, numbers.columns))
    values = numbers.to_numpy(np.float32)
    count = len(values) - options.window - options.horizon + 1
    if count < 1:
        raise InputError(
            f"{paths[0]} has {len(values)} rows", f"more than a window of {options.window} and {options.horizon} ahead"
        )
    windows = np.lib.stride_tricks.sliding_window_view(values, options.window, axis=0)[:count]
    target = numbers[label].to_numpy(np.float64)[options.window + options.horizon - 1 :]
    instants = {name: moments[options.window + options.horizon - 1 :] for name, moments in times.items()}
    return RawData(
        stem_of(paths[0]),
        "series",
        np.ascontiguousarray(np.moveaxis(windows, 2, 1)),
        target,
        instance_table(count, **{BLOCK: (np.arange(count) // (options.window + options.horizon)).tolist()}, **instants),
        note=f"{label!r} {options.horizon} steps after {options.window} steps of {numbers.shape[1]} columns",
    )


def _in_order(table: pd.DataFrame, options: DataOptions, path: Path) -> tuple[pd.DataFrame, dict[str, list[Any]]]:
    """The rows in the order of time without the column of times, and the times by the name of that column."""
    if not options.time:
        require_time_order(table.drop(columns=list(options.ignore), errors="ignore"), str(path))
        return table, {}
    if options.time not in table.columns:
        raise InputError(f"{path} has no column {options.time!r}", "", near(options.time, map(str, table.columns)))
    times = pd.Series(time_values(table[options.time], str(path)), index=table.index)
    if times.duplicated().mean() > MAX_REPEATED:
        raise InputError(
            f"{times.nunique():,} times in {len(times):,} rows of {path}", "a single series", "one file for each series"
        )
    times = times.sort_values(kind="stable")
    return table.loc[times.index].drop(columns=options.time), {options.time: times.tolist()}
