"""What could models share? Columns of the model table as factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.errors import InputError, near
from polyculture.measures.attribution.covariance_split import by_distance, by_level, by_overlap
from polyculture.recipe import Ingredient, merged

TAKEN = ("seconds", "parameters", "epochs", "steps", "flops")
"""Columns with the cost of a fit: consequences of the ingredients, used only when they are named."""
NAMES = ("id",)
"""Columns that name a model and are no factor, used only when they are named."""
FEW_NUMBERS = 8
"""Whole numbers with at most this many values are levels (a seed, a number of layers); more are taken as a scale."""


def ingredients(models: pd.DataFrame, columns: Sequence[str] | None = None) -> list[Ingredient]:
    """Factors from columns of a model table; by default from every column of names, truth values or few whole numbers.

    Text and true/false are levels. Text with ";" and lists are sets, alike by their overlap (Jaccard). Numbers with
    more than 8 values are alike by their distance (Gower). They, what a fit took (`TAKEN`) and ids are used only when
    they are named. What is unknown is not shared. Columns that split the models in the same way become one
    ingredient.

    Raises InputError for a column that is not there or holds nothing.
    """
    available = [str(c) for c in models.columns]
    for column in columns or ():
        if column not in available:
            raise InputError(f"no model column {column!r}", "", near(column, available))
    selected = (
        [c for c in available if c not in TAKEN and c.casefold() not in NAMES] if columns is None else list(columns)
    )
    factors = []
    for name in selected:
        values = models.iloc[:, available.index(name)]
        if values.isna().all():
            if columns is not None:
                raise InputError(f"model column {name!r} is empty", "levels, sets or numbers")
        elif columns is not None or not _is_scale(values):
            factors.append(_ingredient(name, values))
    return merged(factors)


def _is_scale(values: pd.Series[Any]) -> bool:
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if not numeric:
        return False
    numbers = values.dropna()
    return bool(numbers.nunique() > FEW_NUMBERS or (numbers % 1 != 0).any())


def _ingredient(name: str, values: pd.Series[Any]) -> Ingredient:
    sets = [_members(v) for v in values]
    if any(len(s) > 1 for s in sets):
        sources = sorted({member for s in sets for member in s})
        factor = by_overlap(np.array([[source in s for source in sources] for s in sets]))
        return Ingredient(name, factor, tuple(" + ".join(sorted(s)) or "unknown" for s in sets), factor.levels)
    words = tuple("unknown" if pd.isna(v) else _word(v) for v in values)
    if _is_scale(values):
        numbers = values.to_numpy(dtype=float)
        factor = by_distance(numbers[:, None])
        thirds = np.nanquantile(numbers, [1 / 3, 2 / 3])
        return Ingredient(name, factor, words, np.searchsorted(thirds, numbers).astype(np.int64))
    codes = np.unique(words, return_inverse=True)[1].astype(np.int64)
    factor = by_level(np.where(values.isna().to_numpy(), -1, codes))
    return Ingredient(name, factor, words, factor.levels)


def _members(value: Any) -> frozenset[str]:
    if isinstance(value, (list, tuple, set, frozenset)):
        return frozenset(map(str, value))
    if isinstance(value, str) and ";" in value:
        return frozenset(part.strip() for part in value.split(";") if part.strip())
    return frozenset() if pd.isna(value) else frozenset([str(value)])


def _word(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def codes_of(instances: pd.DataFrame, column: str) -> Int[np.ndarray, " n"]:
    """A column of the instance table (strata, patients, documents) as codes; InputError if there is none."""
    available = [str(c) for c in instances.columns]
    if column not in available:
        raise InputError(f"no instance column {column!r}", "", near(column, available))
    values = instances.iloc[:, available.index(column)].to_numpy().astype(str)
    codes: Int[np.ndarray, " n"] = np.unique(values, return_inverse=True)[1].astype(np.int64)
    return codes
