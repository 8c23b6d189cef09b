"""How is a time series read? A table in the order of time: windows of past steps, and the number that comes next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from polyculture.errors import InputError, near

from ..data_options import DataOptions, stem_of
from ..raw_data import RawData, instance_table
from .tables import default_label, read_frames

BLOCK = "block"


def read_series(paths: Sequence[Path], options: DataOptions) -> RawData:
    """One instance per time step: the last `window` rows of all columns of numbers, and the label `horizon` rows later.

    Gaps are filled with the last value before them. Rows must be in the order of time. Neighbouring instances share
    most rows, so their errors are correlated; the column ``block`` groups as many as one of them spans rows.

    Raises InputError for an unknown label column, for one that is not numbers, and for fewer rows than a window.
    """
    if len(paths) > 1:
        raise InputError(f"{len(paths)} time series", "one file", "name others by test_on (--test-on)")
    table, _, _ = read_frames(paths, options.ignore)
    numbers = table.apply(pd.to_numeric, errors="coerce").drop(columns=list(options.ignore), errors="ignore")
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
    return RawData(
        stem_of(paths[0]),
        "series",
        np.ascontiguousarray(np.moveaxis(windows, 2, 1)),
        target,
        instance_table(count, **{BLOCK: (np.arange(count) // (options.window + options.horizon)).tolist()}),
        note=f"{label!r} {options.horizon} steps after {options.window} steps of {numbers.shape[1]} columns",
    )
