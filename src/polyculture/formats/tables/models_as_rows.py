"""Is a table the other way round, with a row per model and a column per instance? Then it is turned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from polyculture.errors import InputError

from .column_roles import ANSWER_NAMES, LABEL_NAMES, MODEL_NAMES, OUTCOME_NAMES, ColumnOptions, first_name
from .files import ColumnTable


def with_models_as_columns(table: ColumnTable, options: ColumnOptions) -> ColumnTable:
    """The table with a row per instance and a column per model; as it is if it has these already.

    A row per model has the model in a column of the usual name (or the one named), no column of answers, outcomes or
    labels, and either a row of true answers, called like a column of them, or cells that are outcomes.
    """
    model = options.model or first_name(table.names, MODEL_NAMES)
    row_roles = [name for role, name in options.named.items() if role in ("answer", "correct", "instance", "repeat")]
    if model not in table.names or row_roles or first_name(table.names, (*LABEL_NAMES, *ANSWER_NAMES, *OUTCOME_NAMES)):
        return table
    cells = [name for name in table.names if name != model and name not in table.nested]
    columns = table.load([model, *cells])
    models = [str(name).strip() for name in columns[model].to_pylist()]
    label = options.label if isinstance(options.label, str) else first_name(models, LABEL_NAMES)
    if (label not in models and options.correct is not True) or (isinstance(options.label, str) and label in cells):
        return table
    repeated = next((name for name in models if models.count(name) > 1), None)
    if repeated is not None:
        raise InputError(f"{table.source} has more than one row for the model {repeated!r}", "one row per model")
    table.remarks.append(f"a row per model, by the column {model!r}, and a column per instance")
    return _turned(table, models, cells, columns)


def _turned(
    table: ColumnTable, models: Sequence[str], cells: Sequence[str], columns: dict[str, pa.ChunkedArray]
) -> ColumnTable:
    texts = [columns[name].cast(pa.string()).to_pylist() for name in cells]
    by_model: dict[str, list[str | None]] = {
        name: list(column) for name, column in zip(models, zip(*texts, strict=True), strict=True)
    }

    def load(names: Sequence[str]) -> dict[str, pa.ChunkedArray]:
        arrays = {"instance": list(cells), **by_model}
        return {name: pa.chunked_array([pa.array(arrays[name], pa.string())]) for name in names}

    names = ("instance", *(name for name in by_model if name != "instance"))
    return replace(table, names=names, load=load, typed=False, places=None, nested=frozenset(), gaps=lambda _: {})
