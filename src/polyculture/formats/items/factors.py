"""What is each model made of, according to the logs or else to its name?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from .columns import ModelRun

FACTORS = ("base", "repeat", "provider", "family", "size", "quantization", "date")
"""The factors that come first in a table of models; size in billions of parameters."""
_NUMBER = re.compile(r"\d{1,6}(\.\d+)?")


def factors_from_logs(
    columns: Sequence[ModelRun], levels_by_model: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]
) -> tuple[pd.DataFrame, list[str]]:
    """Factors from logs and names: one row per run, in order, and a sentence per factor read from names.

    A log takes precedence over a name. Runs of a model that was run several times have its name in `base` and their
    number in `repeat`.
    """
    rows = []
    from_names: dict[str, int] = {}
    for column in columns:
        row = dict(levels_by_model.get(column.model, {}))
        for factor, level in factors_of_name(column.model, names).items():
            if factor not in row:
                row[factor] = level
                from_names[factor] = from_names.get(factor, 0) + 1
        if column.repeat:
            row |= {"base": column.model, "repeat": column.repeat}
        rows.append(row)
    factors = [*FACTORS, *(name for row in rows for name in row)]
    order = [name for name in dict.fromkeys(factors) if any(name in row for row in rows)]
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
    """Levels by factor that these rules find in a name; numeric levels as numbers."""
    levels: dict[str, Any] = {}
    for factor, pattern in rules.items():
        match = re.search(pattern, name)
        if match and match[1]:
            levels[factor] = float(match[1]) if _NUMBER.fullmatch(match[1]) else match[1]
    return levels
