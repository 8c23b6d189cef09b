"""What did regressors predict, in a table with a row per instance, its true number and a column per model?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Float

from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.predictions.columns import model_table

from .categorical import encode, is_fraction, is_integer
from .column_roles import ColumnRoles
from .files import ColumnTable

MAX_CLASSES = 20
"""Whole-number labels of more different values may be numbers to predict; of fewer they are classes."""


def holds_numbers(table: ColumnTable, roles: ColumnRoles) -> bool:
    """Whether a wide table holds predictions of numbers, not of classes.

    Labels and a model hold fractions; or labels are many whole numbers and every model holds fractions, some of them
    outside [0, 1], where no probabilities are.
    """
    if roles.long or roles.label is None:
        return False
    column = table.load((roles.label,) if table.typed else roles.columns)[roles.label]  # text is streamed in one go
    label = encode(roles.label, column)
    models = (encode(name, table.load([name])[name]) for name in roles.models)
    if label.fraction:
        return any(model.fraction for model in models)
    values = set(label.values) - {""}
    if len(values) <= MAX_CLASSES or not all(map(is_integer, values)):
        return False
    extreme = False
    for model in models:
        if not model.fraction:
            return False
        extreme |= any(is_fraction(value) and not 0 <= float(value) <= 1 for value in model.values)
    return extreme


def are_versions(table: ColumnTable, roles: ColumnRoles) -> bool:
    """Whether labels are texts that look like numbers but are names: 1.1 beside 1.10, and every answer is one."""
    if roles.label is None:
        return False
    column = table.load((roles.label,) if table.typed else roles.columns)[roles.label]
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        return False
    label = encode(roles.label, column, names=True)
    texts = set(label.values) - {""}
    if not any(map(is_fraction, texts)) or not all(map(_is_number, texts)) or len({*map(float, texts)}) == len(texts):
        return False
    answers = roles.models or ([roles.answer] if roles.answer else [])
    return all(set(encode(name, table.load([name])[name], names=True).values) <= texts | {""} for name in answers)


def regression_from(
    table: ColumnTable,
    label: str,
    models: Sequence[str],
    *,
    instance: str | None = None,
    groups: Sequence[str] = (),
    factors: pd.DataFrame | None = None,
) -> Predictions:
    """Predictions of numbers; empty cells are nan.

    Parameters
    ----------
    label, models, instance, groups : the columns.
    factors : what the models are made of.
    """
    absent = next((name for name in (*([instance] if instance else []), label, *models) if name not in table.names), "")
    if absent:
        raise InputError(f"{table.source} has no column {absent!r}", "a column of true numbers and one of every model")
    if not models:
        raise InputError(f"{table.source} has no column of a model", "a column of numbers for every model")
    targets = _numbers(table, label)
    instances = table.instance_table(instance, groups)
    if instances.index.has_duplicates:
        repeated = instances.index[instances.index.duplicated()].tolist()[0]
        raise InputError(f"{table.source} has the instance {repeated!r} more than once", "one row per instance")
    return Predictions(
        model_table(factors, list(models)),
        instances,
        values=np.stack([_numbers(table, name) for name in models]),
        targets=targets,
    )


def _numbers(table: ColumnTable, name: str) -> Float[np.ndarray, " n"]:
    column = table.values(name)
    if not pd.api.types.is_numeric_dtype(column):
        invalid = next((v for v in column if v is not None and not _is_number(v)), None)
        raise InputError(
            f"column {name!r} of {table.source} holds {invalid!r}",
            "numbers",
            "choose the columns of models with models (--models), or name groups (--group)",
        )
    numbers: Float[np.ndarray, " n"] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
