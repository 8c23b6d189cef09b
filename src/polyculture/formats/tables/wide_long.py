"""What did each model answer, in a wide or a long table? One row per instance, or one row per model and instance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.errors import InputError
from polyculture.predictions import MISSING, Predictions

from ..json_lines import MAX_EXAMPLES
from .categorical import VERDICT, CategoricalColumn, check_answers, encode, is_fraction, is_no_verdict, outcomes
from .column_roles import ColumnOptions, ColumnRoles, find_roles, matching, no_label
from .files import ColumnTable, whole_ids
from .regression import holds_numbers, regression_from
from .truth_columns import TableContents, assemble, check_guessed_models


def predictions_from(table: ColumnTable, options: ColumnOptions) -> Predictions:
    """Predictions from the columns of one table, wide or long."""
    roles = find_roles(table, options)
    if roles.label and not options.correct and holds_numbers(table, roles):
        return regression_from(table, roles.label, roles.models, instance=roles.instance, groups=roles.groups)
    return assemble(contents_of(table, options))


def contents_of(table: ColumnTable, options: ColumnOptions) -> TableContents:
    """The content of one table, before its truth is determined."""
    roles = find_roles(table, options)
    table.load(roles.columns)  # at once, because a CSV file is streamed
    return _long(table, roles, options) if roles.long else _wide(table, roles, options)


def _wide(table: ColumnTable, roles: ColumnRoles, options: ColumnOptions) -> TableContents:
    if not roles.models:
        raise InputError(
            f"{table.source} has no model column (its columns: {', '.join(table.names)})", "one column per model"
        )
    columns = table.load(roles.models)
    _note_gaps(table, roles.models)
    unfit = is_no_verdict if options.correct else is_fraction
    coded = [without_unfit_cells(table, name, encode(name, columns[name]), unfit) for name in roles.models]
    parts = TableContents(
        pd.DataFrame(index=pd.Index(roles.models, name="model", dtype=object)),
        table.instance_table(roles.instance, roles.groups),
        label=_coded(table, roles.label),
        more=_options(table, roles),
    )
    if options.correct:
        verdicts = [outcomes(name, column) for name, column in zip(roles.models, coded, strict=True)]
        return replace(parts, correct=np.stack(verdicts))
    if roles.label is None:
        binary = {value for column in coded for value in column.values} <= {"", "0", "1", "True", "False"}
        raise no_label(table, cells_are_binary=binary)
    parts = replace(parts, answers=coded)
    if not options.models:
        check_guessed_models(parts)
    return parts


@dataclass(frozen=True, eq=False)
class _LongIndex:
    """Model and instance of each row of a long table, numbered in order of appearance."""

    models: list[str]
    instances: list[Any]
    model: Int[np.ndarray, " rows"]
    instance: Int[np.ndarray, " rows"]

    @cached_property
    def first(self) -> Int[np.ndarray, " n"]:
        """The first row of every instance."""
        rows = len(self.instance)
        first_rows = np.empty(len(self.instances), np.int64)
        first_rows[self.instance[::-1]] = np.arange(rows, dtype=np.int64)[::-1]  # of repeated indices the last counts
        return first_rows

    def spread(self, cells: Int[np.ndarray, " rows"]) -> Int[np.ndarray, "m n"]:
        """One row per model, MISSING where the long table has no row."""
        wide = np.full((len(self.models), len(self.instances)), MISSING, cells.dtype)
        wide[self.model, self.instance] = cells
        return wide


def _long(table: ColumnTable, roles: ColumnRoles, options: ColumnOptions) -> TableContents:
    if roles.outcome is None and roles.label is None:
        raise no_label(table, cells_are_binary=False)
    grid = _grid(table, roles)
    selected = matching(grid.models, options.models, table.source)
    rows = [i for i, model in enumerate(grid.models) if model in selected]
    for name in (*roles.groups, roles.label, roles.options):
        _check_constant(table, name, grid)
    label, answer, outcome = (_coded(table, name) for name in (roles.label, roles.answer, roles.outcome))
    answer = answer and without_unfit_cells(table, str(roles.answer), answer, is_fraction)
    outcome = outcome and without_unfit_cells(table, str(roles.outcome), outcome, is_no_verdict)
    _note_gaps(table, [name for name in (roles.answer, roles.outcome) if name])
    answers: list[CategoricalColumn] = []
    if answer is not None:
        check_answers(f"column {roles.answer!r}", answer)
        answers = [replace(answer, codes=codes) for codes in grid.spread(answer.codes)[rows]]
    return TableContents(
        pd.DataFrame(index=pd.Index(selected, name="model", dtype=object)),
        _instances(table, roles, grid),
        answers,
        label and replace(label, codes=label.codes[grid.first]),
        None if outcome is None else grid.spread(outcomes(str(roles.outcome), outcome))[rows],
        more=_options(table, roles, grid),
    )


def _grid(table: ColumnTable, roles: ColumnRoles) -> _LongIndex:
    assert roles.model is not None
    model, model_names = table.id_codes(roles.model)
    models = [str(name) for name in model_names]
    if roles.instance is not None:
        instance, instances = table.id_codes(roles.instance)
        instances = whole_ids(instances)
    elif len(models) == 1:
        instance, instances = np.arange(len(model)), list(range(len(model)))
    else:
        raise InputError(
            f"{table.source} has one row per answer but no column with the instance",
            "one called instance, item or example",
            "name it with instance (--instance)",
        )
    filled = np.zeros((len(models), len(instances)), bool)
    filled[model, instance] = True
    if filled.sum() < len(model):
        times = np.bincount(model.astype(np.int64) * len(instances) + instance)
        m, n = divmod(int(times.argmax()), len(instances))
        raise InputError(
            f"{table.source} has {times.max()} rows for model {models[m]!r} and instance {instances[n]!r}",
            "one row per model and instance",
            "drop the repeated rows",
        )
    return _LongIndex(models, instances, model, instance)


def without_unfit_cells(
    table: ColumnTable, name: str, column: CategoricalColumn, unfit: Callable[[str], bool]
) -> CategoricalColumn:
    """The column without unfit cells, which are refused or counted; unchanged if half of them or more are unfit."""
    bad = [code for code, value in enumerate(column.values) if unfit(value)]
    if not bad:
        return column
    is_bad = np.isin(column.codes, bad)
    n_filled = int((column.codes != MISSING).sum())
    rows = np.flatnonzero(is_bad)
    if 2 * len(rows) >= n_filled:
        return column
    cells = [column.values[code] for code in column.codes[rows[:MAX_EXAMPLES]]]
    table.refuse_cells(
        name, rows, cells, VERDICT if unfit is is_no_verdict else "answers: integers, strings or booleans"
    )
    values = tuple("" if code in set(bad) else value for code, value in enumerate(column.values))
    return replace(
        column, codes=np.where(is_bad, MISSING, column.codes).astype(column.codes.dtype), values=values, fraction=""
    )


def _check_constant(table: ColumnTable, name: str | None, grid: _LongIndex) -> None:
    if name is None:
        return
    codes, values = table.codes(name)
    differs = codes != codes[grid.first][grid.instance]
    if differs.any():
        row = int(differs.argmax())
        first_code, second_code = codes[grid.first][grid.instance[row]], codes[row]
        pair = [repr(values[code]) if code >= 0 else "nothing" for code in (first_code, second_code)]
        raise InputError(
            f"column {name!r} holds both {pair[0]} and {pair[1]} for instance {grid.instances[grid.instance[row]]!r}",
            "the same in all rows of an instance",
        )


def _instances(table: ColumnTable, roles: ColumnRoles, grid: _LongIndex) -> pd.DataFrame:
    """The instance table: ids and group columns."""
    columns = {name: table.values(name).to_numpy()[grid.first] for name in roles.groups}
    return pd.DataFrame(columns, index=pd.Index(grid.instances, name="instance"))


def _coded(table: ColumnTable, name: str | None) -> CategoricalColumn | None:
    if name is None:
        return None
    column = encode(name, table.load([name])[name])
    return replace(column, gap=next(iter(table.gaps(name)), ""))


def _note_gaps(table: ColumnTable, names: Sequence[str]) -> None:
    """A remark on words that count as no answer."""
    times: Counter[str] = Counter()
    for name in names:
        times.update(table.gaps(name))
    for word, cells in times.items():
        table.remarks.append(f"{word!r} counts as no answer in {cells:,} cells (Parquet or JSON Lines keep it as text)")


def _options(table: ColumnTable, roles: ColumnRoles, grid: _LongIndex | None = None) -> dict[str, Any]:
    """The number of answers to choose from, where the table has such a column."""
    if roles.options is None:
        return {}
    counts = table.values(roles.options).to_numpy()[slice(None) if grid is None else grid.first]
    if counts.dtype.kind not in "iu":
        raise InputError(
            f"column {roles.options!r} holds {counts[0]!r}", "how many answers there are to choose from, in every row"
        )
    return {"options": counts}
