"""How is a time series read? A table in the order of time: windows of past steps, and the number that comes next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from polyculture.errors import InputError, near

from ..data_options import DataOptions, stem_of
from ..raw_data import RawData, numbered
from .tables import USUAL_LABELS, read_frames

BLOCK = "block"


def read_series(paths: Sequence[Path], source: DataOptions) -> RawData:
    """One instance per moment: the last `window` rows of all columns of numbers, and the label `horizon` rows later.

    Gaps are filled with the last value before them. Rows must be in the order of time. Neighbouring instances look at
    much the same rows and err alike; the column ``block`` puts as many together as one of them spans rows.

    Raises InputError for an unknown label column, for one that is not numbers, and for fewer rows than a window.
    """
    if len(paths) > 1:
        raise InputError(f"{len(paths)} time series", "one file", "name others by test_on (--test-on)")
    table, _, _ = read_frames(paths, source)
    numbers = table.apply(pd.to_numeric, errors="coerce").drop(columns=list(source.ignore), errors="ignore")
    numbers = numbers.loc[:, numbers.notna().mean() > 0.5].ffill().bfill()
    usual = {name.lower(): name for name in numbers.columns}
    last = str(numbers.columns[-1]) if len(numbers.columns) else ""
    label = source.label or next((usual[name] for name in USUAL_LABELS if name in usual), last)
    if label not in numbers.columns:
        raise InputError(f"{paths[0]} has no column of numbers {label!r}", "", near(label, numbers.columns))
    values = numbers.to_numpy(np.float32)
    count = len(values) - source.window - source.horizon + 1
    if count < 1:
        raise InputError(
            f"{paths[0]} has {len(values)} rows", f"more than a window of {source.window} and {source.horizon} ahead"
        )
    windows = np.lib.stride_tricks.sliding_window_view(values, source.window, axis=0)[:count]
    target = numbers[label].to_numpy(np.float64)[source.window + source.horizon - 1 :]
    return RawData(
        stem_of(paths[0]),
        "series",
        np.ascontiguousarray(np.moveaxis(windows, 2, 1)),
        target,
        numbered(count, **{BLOCK: (np.arange(count) // (source.window + source.horizon)).tolist()}),
        told=f"{label!r} {source.horizon} steps after {source.window} steps of {numbers.shape[1]} columns",
    )
