"""Of which model and instance is each row of a long table, and where is a row one of several runs of a model?"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.errors import InputError
from polyculture.predictions import MISSING

from .categorical import is_integer
from .column_roles import REPEAT_NAMES, ColumnRoles, first_name
from .files import ColumnTable, whole_ids
from .plain_cells import THREADS

_BLOCK = 1 << 14
_ROWS = 1 << 18
"""Rows that are written at a time, because numpy takes 16 bytes for the place of each."""
_MIN_RUN = 256
"""With fewer rows in a run, cells are written one by one."""


@dataclass(frozen=True, eq=False)
class LongIndex:
    """Model and instance of each row of a long table, numbered in order of appearance.

    Where models have several runs, `runs` has the model in `base` and the number of the run in `repeat`, as in logs.
    """

    models: list[str]
    instances: list[Any]
    model: Int[np.ndarray, " rows"]
    instance: Int[np.ndarray, " rows"]
    runs: pd.DataFrame

    @cached_property
    def first(self) -> Int[np.ndarray, " n"]:
        """The first row of every instance."""
        rows, n = [np.empty(0, np.intp)], 0
        for start in range(0, len(self.instance), _BLOCK):
            block = self.instance[start : start + _BLOCK]
            if block.max() >= n:  # they are numbered in order of appearance
                highest = np.maximum.accumulate(np.concatenate([[n - 1], block]))
                rows.append(start + np.flatnonzero(highest[1:] > highest[:-1]))
                n = int(highest[-1]) + 1
        return np.concatenate(rows)

    def spread(self, cells: Int[np.ndarray, " rows"]) -> Int[np.ndarray, "m n"]:
        """One row per model, MISSING where the long table has no row."""
        wide = np.full((len(self.models), len(self.instances)), MISSING, cells.dtype)
        self.fill(wide, cells)
        return wide

    def fill(self, wide: np.ndarray, cells: np.ndarray) -> None:
        """Write the cells of all rows into a table with a row per model; of several the last one counts."""
        if self._starts is not None:
            ends = [*self._starts[1:].tolist(), len(cells)]
            firsts = self.model[self._starts].tolist(), self.instance[self._starts].tolist()
            for start, end, model, instance in zip(self._starts.tolist(), ends, *firsts, strict=True):
                wide[model, instance : instance + end - start] = cells[start:end]
            return

        def write(start: int) -> None:
            rows = slice(start, start + _ROWS)
            wide[self.model[rows], self.instance[rows]] = cells[rows]

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(write, range(0, len(cells), _ROWS)))

    @cached_property
    def _starts(self) -> Int[np.ndarray, " k"] | None:
        """Rows that do not follow the row above, as those of the next instance and the same model do; None if many."""
        starts, n_starts = [np.zeros(min(1, len(self.model)), np.intp)], 0
        for start in range(0, len(self.model), _BLOCK):
            rows = slice(start, start + _BLOCK + 1)
            is_start = np.diff(self.instance[rows]) != 1
            is_start |= np.diff(self.model[rows]) != 0
            starts.append(start + 1 + np.flatnonzero(is_start))
            n_starts += len(starts[-1])
            if n_starts * _MIN_RUN > start + _BLOCK or self.instance[rows].min() < 0:
                return None
        return np.concatenate(starts)


def long_index(table: ColumnTable, roles: ColumnRoles) -> LongIndex:
    """The index of a long table; rows of the same model and instance are runs, if a column tells them apart."""
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
    index = LongIndex(models, instances, model, instance, _models_table(models))
    if roles.repeat is None and not _has_repeats(index):
        return index
    return _with_runs(table, roles, index)


def _has_repeats(index: LongIndex) -> bool:
    """Whether a model has several rows for an instance."""
    filled = np.zeros((len(index.models), len(index.instances)), bool)
    index.fill(filled, np.broadcast_to(True, len(index.model)))
    return bool(filled.sum() < len(index.model))


def _with_runs(table: ColumnTable, roles: ColumnRoles, index: LongIndex) -> LongIndex:
    """The index with every run of a model as a model of its own."""
    unused = [name for name in table.names if name not in roles.columns]
    candidates = [roles.repeat] if roles.repeat else [n for n in (first_name(unused, (r,)) for r in REPEAT_NAMES) if n]
    cells, times = np.unique(index.model.astype(np.int64) * len(index.instances) + index.instance, return_counts=True)
    largest_count = int(times.max())
    for name in candidates:
        if not roles.repeat and table.load([name])[name].null_count:
            continue
        expanded = _by_run(table, name, index)
        # A column of the order of trials has a value per row, not per run.
        plausible = len(expanded.models) <= 2 * largest_count * len(index.models) or roles.repeat
        if plausible and not _has_repeats(expanded):
            n_added = len(expanded.models) - len(index.models)
            if n_added or roles.repeat:
                table.remarks.append(f"runs are told apart by the column {name!r} ({len(expanded.models)} runs)")
            return expanded
    m, n = divmod(int(cells[times.argmax()]), len(index.instances))
    raise InputError(
        f"{table.source} has {largest_count} rows for model {index.models[m]!r} and instance {index.instances[n]!r}",
        "one row per model and instance",
        "drop the repeated rows, or name the column that tells runs apart with repeat (--repeat)",
    )


def _by_run(table: ColumnTable, name: str, index: LongIndex) -> LongIndex:
    """The index with a model per model and value of this column, called model@run where a model has several."""
    run, values = table.id_codes(name)
    pairs = index.model.astype(np.int64) * len(values) + run
    keys, model = np.unique(pairs, return_inverse=True)
    bases, runs = np.divmod(keys, len(values))
    n_runs = np.bincount(bases, minlength=len(index.models))
    texts = [str(value) for value in whole_ids(values)]
    are_numbers = all(map(is_integer, texts)) and min(map(int, texts)) > 0
    order = np.argsort(np.argsort([int(t) for t in texts])) if all(map(is_integer, texts)) else np.arange(len(texts))
    numbers = [int(text) if are_numbers else int(place) + 1 for text, place in zip(texts, order, strict=True)]
    names = [
        f"{index.models[base]}@{texts[k]}" if n_runs[base] > 1 else index.models[base]
        for base, k in zip(bases, runs, strict=True)
    ]
    factors = {"base": [index.models[base] for base in bases], "repeat": [numbers[k] for k in runs]}
    if name.lower() != "repeat":
        factors[name] = [values[k] for k in runs]
    return replace(index, models=names, model=model, runs=_models_table(names, factors))


def _models_table(models: Sequence[str], columns: dict[str, list[Any]] | None = None) -> pd.DataFrame:
    return pd.DataFrame(columns or {}, index=pd.Index(list(models), name="model", dtype=object))
