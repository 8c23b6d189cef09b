"""What does an answer of each model cost? From a file, a mapping, or a column of the model table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.errors import InputError, near

from .model_factors import read_factors

PRICES = ("price", "cost", "usd", "price_per_item")


def prices_of(
    models: pd.DataFrame, path: str | Path | Mapping[str, float] | None, kind: str = "judge"
) -> Float[np.ndarray, " m"] | None:
    """What one answer of each model costs; None where nothing says so.

    Parameters
    ----------
    models : their table; without a path its column price, or cost, counts.
    path : CSV file with the columns model and price, or a price by model.
    kind : what errors call a model.

    Raises InputError for a model without a price, a price of a model that is not there, and what is no number ≥ 0.
    """
    source, place = models, f"the table of {kind}s"
    if isinstance(path, Mapping):
        source, place = pd.DataFrame({"price": pd.Series(dict(path), dtype=object)}), "prices"
    elif path is not None:
        source, place = read_factors(Path(path)), str(path)
    column = next((str(name) for name in source.columns if str(name).lower() in PRICES), None)
    if column is None and path is None:
        return None
    if column is None:
        raise InputError(f"{place} has no column of prices", "a column price", "name the column price")
    absent = [str(name) for name in models.index if str(name) not in source.index]
    unknown = [str(name) for name in source.index if str(name) not in models.index]
    if absent:
        stranger = f", but one for {unknown[0]!r}, which is no {kind} here" if unknown else ""
        raise InputError(f"{place} has no price for the {kind} {absent[0]!r}{stranger}", f"one price per {kind}")
    if unknown:
        raise InputError(
            f"{place} has a price for {unknown[0]!r}, which is no {kind} here", "", near(unknown[0], list(models.index))
        )
    prices = pd.to_numeric(source[column].loc[list(models.index)], errors="coerce").to_numpy(dtype=np.float64)
    bad = [row for row, price in enumerate(prices) if not math.isfinite(price) or price < 0]
    if bad:
        raise InputError(f"the price of {models.index[bad[0]]!r} in {place} is no number", "a number, 0 or more")
    return np.asarray(prices)
