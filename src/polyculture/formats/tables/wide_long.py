"""What did each model answer, in a wide or a long table? One row per instance, or one row per model and instance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from polyculture.errors import InputError
from polyculture.predictions import MISSING, Predictions

from ..json_lines import MAX_EXAMPLES
from .categorical import (
    VERDICT,
    CategoricalColumn,
    check_answers,
    encode,
    is_fraction,
    is_no_verdict,
    normalized,
    outcomes,
)
from .column_roles import NAME_MODELS, ColumnOptions, ColumnRoles, check_model_names, find_roles, matching, no_label
from .files import ColumnTable
from .long_index import LongIndex, long_index
from .plain_cells import recode
from .regression import are_versions, holds_numbers, regression_from
from .truth_columns import TableContents, assemble, check_decimal_commas, check_guessed_models, parsed

ANSWERS = "answers: integers, strings or booleans, or the rule numeric (--normalize numeric)"


def predictions_from(table: ColumnTable, options: ColumnOptions) -> Predictions:
    """Predictions from the columns of one table, wide or long."""
    roles = find_roles(table, options)
    if not _as_text(options) and are_versions(table, roles):
        table.remarks.append("labels such as 1.1 and 1.10 are names, not numbers (categorical)")
        options = replace(options, rules=replace(options.rules, categorical=True))
    if roles.label and not options.correct and not _as_text(options) and holds_numbers(table, roles):
        check_model_names(roles, options)
        table.remarks.extend([roles.sentence] if roles.sentence else [])
        return regression_from(table, roles.label, roles.models, instance=roles.instance, groups=roles.groups)
    parts = contents_of(table, options)
    if parts.unparsed is not None:
        table.remarks.append(f"answers that cannot be parsed, no agreement: {int(parts.unparsed.sum()):,}")
    return assemble(parts)


def _as_text(options: ColumnOptions) -> bool:
    """Whether numbers are answers, which are compared as texts."""
    return options.rules.categorical or options.rules.normalize != "exact"


def contents_of(table: ColumnTable, options: ColumnOptions) -> TableContents:
    """The content of one table, before its truth is determined."""
    roles = find_roles(table, options)
    table.load(roles.columns)  # at once, because a CSV file is streamed
    if roles.sentence:
        table.remarks.append(roles.sentence)
    return _long(table, roles, options) if roles.long else _wide(table, roles, options)


def _wide(table: ColumnTable, roles: ColumnRoles, options: ColumnOptions) -> TableContents:
    if not roles.models:
        raise InputError(
            f"{table.source} has no model column (its columns: {', '.join(table.names)})", "one column per model"
        )
    check_model_names(roles, options)
    columns = table.load(roles.models)
    _note_gaps(table, roles.models)
    names = options.rules.categorical and not options.correct
    coded = [encode(name, columns[name], names=names) for name in roles.models]
    if options.correct or not _as_text(options):
        unfit = is_no_verdict if options.correct else is_fraction
        coded = [without_unfit_cells(table, *pair, unfit) for pair in zip(roles.models, coded, strict=True)]
    parts = TableContents(
        pd.DataFrame(index=pd.Index(roles.models, name="model", dtype=object)),
        table.instance_table(roles.instance, roles.groups),
        label=_label(table, roles, options),
        more=_options(table, roles),
    )
    if options.correct:
        cure = "" if options.models else NAME_MODELS
        verdicts = [outcomes(name, column, cure) for name, column in zip(roles.models, coded, strict=True)]
        return replace(parts, correct=np.stack(verdicts))
    if roles.label is None:
        binary = {value for column in coded for value in column.values} <= {"", "0", "1", "True", "False"}
        raise no_label(table, cells_are_binary=binary)
    parts = parsed(replace(parts, answers=[normalized(column, options.rules.normalize) for column in coded]))
    if not _as_text(options):
        check_decimal_commas(table.source, parts)
    if not options.models:
        check_guessed_models(parts)
    return parts


def _label(table: ColumnTable, roles: ColumnRoles, options: ColumnOptions) -> CategoricalColumn | None:
    """The true answers, in the form in which they are compared."""
    column = _coded(table, roles.label, options.rules.categorical)
    return column and normalized(column, options.rules.normalize, is_label=True)


def _long(table: ColumnTable, roles: ColumnRoles, options: ColumnOptions) -> TableContents:
    if roles.outcome is None and roles.label is None:
        raise no_label(table, cells_are_binary=False)
    grid = long_index(table, roles)
    bases = grid.runs["base"].tolist() if "base" in grid.runs else grid.models
    selected = matching(dict.fromkeys([*grid.models, *bases]), options.models, table.source)
    rows = [i for i, pair in enumerate(zip(grid.models, bases, strict=True)) if {*pair} & set(selected)]
    for name in (*roles.groups, roles.label, roles.options):
        _check_constant(table, name, grid)
    outcome = _coded(table, roles.outcome)
    outcome = outcome and without_unfit_cells(table, str(roles.outcome), outcome, is_no_verdict)
    _note_gaps(table, [name for name in (roles.answer, roles.outcome) if name])
    label = _label(table, roles, options)
    parts = TableContents(
        grid.runs.iloc[rows],
        _instances(table, roles, grid),
        _long_answers(table, roles, options, grid, rows),
        label and replace(label, codes=label.codes[grid.first]),
        None if outcome is None else grid.spread(outcomes(str(roles.outcome), outcome))[rows],
        more=_options(table, roles, grid),
    )
    if outcome is None and not _as_text(options):
        check_decimal_commas(table.source, parts)
    return parsed(parts)


def _long_answers(
    table: ColumnTable, roles: ColumnRoles, options: ColumnOptions, grid: LongIndex, rows: Sequence[int]
) -> list[CategoricalColumn]:
    """The answers of the models in these rows of the grid; numbers are answers where the table says what is right."""
    if roles.answer is None:
        return []
    answer = encode(roles.answer, table.load([roles.answer])[roles.answer], names=options.rules.categorical)
    if roles.outcome is not None:
        answer = replace(answer, fraction="")
    elif not _as_text(options):
        answer = without_unfit_cells(table, roles.answer, answer, is_fraction)
    answer = normalized(answer, options.rules.normalize)
    check_answers(f"column {roles.answer!r}", answer)
    return [replace(answer, codes=codes) for codes in grid.spread(answer.codes)[rows]]


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
    table.refuse_cells(name, rows, cells, VERDICT if unfit is is_no_verdict else ANSWERS)
    values = tuple("" if code in set(bad) else value for code, value in enumerate(column.values))
    return replace(
        column, codes=np.where(is_bad, MISSING, column.codes).astype(column.codes.dtype), values=values, fraction=""
    )


def _check_constant(table: ColumnTable, name: str | None, grid: LongIndex) -> None:
    if name is None:
        return
    codes, values = table.codes(name)
    first_codes = np.empty_like(codes)
    recode(grid.instance, codes[grid.first], first_codes)
    differs = codes != first_codes
    if differs.any():
        row = int(differs.argmax())
        first_code, second_code = codes[grid.first][grid.instance[row]], codes[row]
        pair = [repr(values[code]) if code >= 0 else "nothing" for code in (first_code, second_code)]
        raise InputError(
            f"column {name!r} holds both {pair[0]} and {pair[1]} for instance {grid.instances[grid.instance[row]]!r}",
            "the same in all rows of an instance",
        )


def _instances(table: ColumnTable, roles: ColumnRoles, grid: LongIndex) -> pd.DataFrame:
    """The instance table: ids and group columns."""
    columns = {name: table.values(name).to_numpy()[grid.first] for name in roles.groups}
    return pd.DataFrame(columns, index=pd.Index(grid.instances, name="instance"))


def _coded(table: ColumnTable, name: str | None, names: bool = False) -> CategoricalColumn | None:
    if name is None:
        return None
    column = encode(name, table.load([name])[name], names=names)
    return replace(column, gap=next(iter(table.gaps(name)), ""))


def _note_gaps(table: ColumnTable, names: Sequence[str]) -> None:
    """A remark on words that count as no answer."""
    times: Counter[str] = Counter()
    for name in names:
        times.update(table.gaps(name))
    for word, cells in times.items():
        table.remarks.append(f"{word!r} counts as no answer in {cells:,} cells (with keep_na, --keep-na, it is one)")


def _options(table: ColumnTable, roles: ColumnRoles, grid: LongIndex | None = None) -> dict[str, Any]:
    """The number of answers to choose from, where the table has such a column."""
    if roles.options is None:
        return {}
    counts = table.values(roles.options).to_numpy()[slice(None) if grid is None else grid.first]
    if counts.dtype.kind not in "iu":
        raise InputError(
            f"column {roles.options!r} holds {counts[0]!r}", "how many answers there are to choose from, in every row"
        )
    return {"options": counts}
