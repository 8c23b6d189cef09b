"""What is each model made of, according to a file with one row per model?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from polyculture.errors import InputError

from .column_roles import MODEL_NAMES
from .files import open_table


def read_factors(path: Path) -> pd.DataFrame:
    """One row per model, indexed by id: the column called model, or else the first one."""
    table = open_table(path, min_columns=1)
    key = next((name for name in MODEL_NAMES if name in table.names), table.names[0])
    factors = pd.DataFrame({name: table.values(name).to_numpy() for name in table.names if name != key})
    factors.index = pd.Index(table.ids(key).astype(str), name="model", dtype=object)
    repeated = factors.index[factors.index.duplicated()]
    if len(repeated):
        raise InputError(f"{path} has more than one row for the model {repeated[0]!r}", "one row per model")
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
