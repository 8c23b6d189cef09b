"""Which outcomes of a table are graded: between 0 and 1? They become numbers, or right and wrong by a threshold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from polyculture.errors import InputError
from polyculture.predictions import Predictions

from .items.grades import THRESHOLD_CURE, graded_scores
from .items.scores import is_right, is_share, is_whole
from .tables.categorical import encode, is_fraction
from .tables.column_roles import ColumnOptions, ColumnRoles, find_roles
from .tables.files import ColumnTable

_FEWEST = 0.05
"""Share of cells from which scores between 0 and 1 are graded; fewer are cells to mend."""


def with_verdicts(table: ColumnTable, options: ColumnOptions, threshold: float | None) -> ColumnTable:
    """One of several tables with right and wrong instead of its scores by a threshold; without one they are refused.

    The models and the label may be those of the other tables.
    """
    options = replace(options, models=(), label=options.label if options.label in table.names else None)
    names = score_columns(find_roles(replace(table, remarks=[]), options), options)
    if threshold is None:
        _refuse_graded(table, names)
        return table
    return with_threshold(table, names, threshold)


def with_threshold(table: ColumnTable, names: Sequence[str], threshold: float) -> ColumnTable:
    """The table with right and wrong instead of the scores in these columns."""

    def load(selected: Iterable[str]) -> dict[str, pa.ChunkedArray]:
        loaded = table.load(list(selected))
        return {
            name: _verdicts(name, column, threshold) if name in names else column for name, column in loaded.items()
        }

    return replace(table, load=load)


def score_columns(roles: ColumnRoles, options: ColumnOptions) -> tuple[str, ...]:
    """The columns that say how good answers are."""
    if roles.long:
        return (roles.outcome,) if roles.outcome else ()
    return roles.models if options.correct else ()


def graded_cells(table: ColumnTable, names: Sequence[str]) -> tuple[int, int]:
    """The number of cells between 0 and 1 and of all, where they are grades; else no cells.

    A column of fractions among more columns of right and wrong is a measurement that was taken for a model.
    """
    fractions = total = 0
    with_fractions = sum(_has_fractions(column) for column in table.load(list(names)).values())
    if not with_fractions or 2 * with_fractions < len(names):
        return 0, 0
    for name in names:
        column = encode(name, table.load([name])[name])
        numbers = [_number(value) for value in column.values]
        times = np.bincount(column.codes[column.codes >= 0], minlength=len(numbers))
        if any(
            count and (number is None or not is_share(number)) for number, count in zip(numbers, times, strict=True)
        ):
            return 0, 0
        total += int(times.sum())
        fractions += sum(int(n) for x, n in zip(numbers, times, strict=True) if x is not None and not is_whole(x))
    return (fractions, total) if fractions >= max(1, _FEWEST * total) else (0, 0)


def graded_predictions(table: ColumnTable, options: ColumnOptions) -> Predictions | None:
    """Graded scores of a wide or long table as numbers with the target 1; None where there are none."""
    roles = find_roles(table, options)
    names = score_columns(roles, options)
    if not names:
        return None
    table.load(roles.columns)  # at once, because a CSV file is streamed
    if not graded_cells(table, names)[0]:
        return None
    if roles.long:
        scores, groups = _spread(table, roles)
    else:
        columns = {name: table.values(name).to_numpy(dtype=np.float64, na_value=np.nan) for name in names}
        groups = table.instance_table(roles.instance, roles.groups)
        scores = pd.DataFrame(columns, index=groups.index)
    return graded_scores([str(name) for name in scores.columns], groups, scores.to_numpy().T.copy())


def _refuse_graded(table: ColumnTable, names: Sequence[str]) -> None:
    """Raise InputError for graded scores among several tables."""
    fractions, total = graded_cells(table, names)
    if fractions:
        from polyculture.stats import percent  # with scipy, which takes long to import

        raise InputError(
            f"{fractions:,} of {total:,} scores ({percent(fractions / total)}) in the column {names[0]!r} of "
            f"{table.source} are neither 0 nor 1",
            "right or wrong in each of several tables",
            f"{THRESHOLD_CURE}, or write one table",
        )


def _spread(table: ColumnTable, roles: ColumnRoles) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The scores of a long table with a row per instance and a column per model; and the groups of the instances."""
    assert roles.model is not None
    assert roles.outcome is not None
    model, instance = table.values(roles.model).astype(str), roles.instance
    keys = table.instance_ids(instance) if instance else model.groupby(model).cumcount()
    score = table.values(roles.outcome).astype(np.float64)
    rows = pd.DataFrame({"model": model, "instance": keys, "score": score})
    repeated = rows[rows.duplicated(["model", "instance"])]
    if len(repeated):
        first = repeated.iloc[0]
        raise InputError(
            f"{table.source} has more than one row for model {first['model']!r} and instance {first['instance']!r}",
            "one row per model and instance",
            "drop the repeated rows",
        )
    scores = rows.pivot(index="instance", columns="model", values="score")
    scores = scores.loc[list(dict.fromkeys(keys)), list(dict.fromkeys(model))]
    groups = pd.DataFrame({name: table.values(name) for name in roles.groups}).assign(instance=keys)
    return scores, groups.drop_duplicates("instance").set_index("instance").loc[scores.index]


def _verdicts(name: str, column: pa.ChunkedArray, threshold: float) -> pa.ChunkedArray:
    coded = encode(name, column)
    numbers = [_number(value) for value in coded.values]
    words = [v if x is None else str(int(is_right(x, threshold))) for x, v in zip(numbers, coded.values, strict=True)]
    cells = [words[code] if code >= 0 else None for code in coded.codes.tolist()]
    return pa.chunked_array([pa.array(cells, pa.string())])


def _has_fractions(column: pa.ChunkedArray) -> bool:
    """Whether a column may hold fractions, without a look at every cell where its type or its texts tell."""
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        return False
    if not pa.types.is_dictionary(column.type):
        return True
    return any(is_fraction(str(text)) for chunk in column.chunks for text in chunk.dictionary.to_pylist() if text)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
