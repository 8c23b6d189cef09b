"""How are terminal escapes in names and answers shown? As text, in everything that is shown; data keep them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from polyculture.errors import visible

Result = TypeVar("Result")


def shown(result: Result) -> Result:
    """The same result, its texts with control characters as escapes (\\x1b), to any depth."""
    escaped: Any = _escaped(result)
    return escaped  # type: ignore[no-any-return]


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, pd.DataFrame):
        return _escaped_table(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "OU":
        return np.frompyfunc(_escaped, 1, 1)(value)
    if isinstance(value, Mapping):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    if type(value) in (tuple, list, set, frozenset):
        return type(value)(map(_escaped, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        duplicate = copy.copy(value)
        for field in dataclasses.fields(value):
            object.__setattr__(duplicate, field.name, _escaped(getattr(value, field.name)))
        return duplicate
    return value


def _is_escaped(value: Any) -> bool:
    """Whether showing the value needs an escape."""
    return isinstance(value, str) and visible(value) != value


def _escaped_table(table: pd.DataFrame) -> pd.DataFrame:
    columns = [_escaped(name) for name in table.columns]
    texts = [k for k, kind in enumerate(table.dtypes) if not pd.api.types.is_numeric_dtype(kind)]
    duplicate = table.copy()
    for k in texts:
        column = table.iloc[:, k]
        if isinstance(column.dtype, pd.CategoricalDtype) and not column.cat.categories.map(_is_escaped).any():
            continue  # keeps the order of the categories
        duplicate.isetitem(k, column.astype(object).map(_escaped, na_action="ignore").to_numpy())
    index = table.index if pd.api.types.is_numeric_dtype(table.index) else table.index.map(_escaped)
    return duplicate.set_axis(columns, axis="columns").set_axis(index, axis="index")
