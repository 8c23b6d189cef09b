"""What is each model made of? A file with one row per model tells it, or the logs do, or the names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from polyculture.errors import InputError

from .items.columns import Column
from .tables.column_roles import MODEL_NAMES
from .tables.files import open_table

FACTORS = ("base", "repeat", "provider", "family", "size", "quantization", "date")
"""The factors that come first in a table of models; size in billions of parameters."""
_NUMBER = re.compile(r"\d{1,6}(\.\d+)?")


def read_factors(path: Path) -> pd.DataFrame:
    """One row per model, indexed by id: the column called model, or else the first one."""
    table = open_table(path, least=1)
    key = next((name for name in MODEL_NAMES if name in table.names), table.names[0])
    factors = pd.DataFrame({name: table.values(name).to_numpy() for name in table.names if name != key})
    factors.index = pd.Index(table.ids(key).astype(str), name="model", dtype=object)
    twice = factors.index[factors.index.duplicated()]
    if len(twice):
        raise InputError(f"{path} has more than one row for the model {twice[0]!r}", "one row per model")
    return factors


def factors_of(models: Sequence[str], path: Path) -> pd.DataFrame:
    """The rows of a factor file that belong to these models, in their order; each must have one."""
    factors = read_factors(path)
    absent = [model for model in models if model not in factors.index]
    if absent:
        raise InputError(
            f"{path} has no row for {len(absent)} of {len(models)} models, such as {absent[0]!r}",
            "one row per model, its id in the column model",
        )
    return factors.loc[list(models)]


def factors_from_logs(
    columns: Sequence[Column], told: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]
) -> tuple[pd.DataFrame, list[str]]:
    """What logs and names tell of the models: one row per run, in order, and a sentence per factor read from names.

    A log counts more than a name. Factors that nobody tells are left out; runs of one model that was run several times
    have its name in `base` and their number in `repeat`.
    """
    rows = []
    from_names: dict[str, int] = {}
    for column in columns:
        row = dict(told.get(column.model, {}))
        for factor, level in factors_of_name(column.model, names).items():
            if factor not in row:
                row[factor] = level
                from_names[factor] = from_names.get(factor, 0) + 1
        if column.repeat:
            row |= {"base": column.model, "repeat": column.repeat}
        rows.append(row)
    known = [*FACTORS, *(name for row in rows for name in row)]
    order = [name for name in dict.fromkeys(known) if any(name in row for row in rows)]
    table = pd.DataFrame([[row.get(name) for name in order] for row in rows], columns=order)
    for name in table.columns:
        texts = table[name].dropna()
        if len(texts) and all(isinstance(v, str) and _NUMBER.fullmatch(v) for v in texts):
            table[name] = pd.to_numeric(table[name])
    notes = [
        f"{factor} of {count} models is read from the name by {names[factor]}" for factor, count in from_names.items()
    ]
    return table, notes


def factors_of_name(name: str, rules: Mapping[str, str]) -> dict[str, Any]:
    """What a name tells by these rules: level by factor; whole and decimal numbers as numbers."""
    levels: dict[str, Any] = {}
    for factor, pattern in rules.items():
        found = re.search(pattern, name)
        if found and found[1]:
            levels[factor] = float(found[1]) if _NUMBER.fullmatch(found[1]) else found[1]
    return levels
