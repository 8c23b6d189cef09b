"""How is a table read that is larger than memory? As parts of Parquet files, some row groups at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from polyculture.errors import InputError
from polyculture.predictions import MISSING, Predictions, are_classes, smallest_integer

from .categorical import CategoricalColumn, encode, merge
from .column_roles import ColumnOptions, ColumnRoles, find_roles, name_tuple
from .dataframes import table_of
from .files import open_table
from .model_factors import factors_of
from .parquet_layout import BLOCK_ROWS, TablePart, hold_different_models, parquet_files, table_parts
from .truth_columns import assemble
from .wide_long import contents_of

_FIRST_ROWS = 4096
_AS_NUMBERS = {"True": "1", "False": "0"}


@dataclass(frozen=True, eq=False)
class Shard:
    """Some instances of a table that stays on disk; iterating gives them as Predictions, chunk by chunk.

    Parameters
    ----------
    part : the part of the table.
    options : which column is what.
    table_facts : what holds for all of the table: classes, fixed_classes and models, as in Predictions.
    """

    part: TablePart
    options: ColumnOptions
    table_facts: Mapping[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Predictions]:
        position = self.part.first
        for table in self.part.chunks():
            predictions = assemble(contents_of(table_of(table, str(self.part.files[0])), self.options))
            if isinstance(predictions.instances.index, pd.RangeIndex):
                positions = pd.RangeIndex(position, position + len(table), name="instance")
                predictions = replace(predictions, instances=predictions.instances.set_axis(positions))
            position += len(table)
            yield replace(predictions, **self._coded(predictions), **self.table_facts)

    def _coded(self, predictions: Predictions) -> dict[str, Any]:
        """Answers and labels as codes of the table's classes."""
        classes = self.table_facts.get("classes", predictions.classes)
        if classes == predictions.classes:
            return {}
        index = {text: code for code, text in enumerate(classes)}
        codes = [index[text] if text in index else index[_AS_NUMBERS[text]] for text in predictions.classes]
        table = np.array([*codes, MISSING], smallest_integer(len(classes)))
        arrays = {"answers": predictions.answers, "labels": predictions.labels}
        return {
            name: np.take(table, codes_array, mode="wrap")
            for name, codes_array in arrays.items()
            if codes_array is not None
        }


def read_shards(
    path: str | Path,
    *,
    label: str | None = None,
    instance: str | None = None,
    models: str | Sequence[str] | None = None,
    groups: str | Sequence[str] = (),
    factors: str | Path | None = None,
    correct: bool = False,
) -> tuple[Shard, ...]:
    """As `read`, for a table that is larger than memory: its parts, which are read when iterated.

    Takes a Parquet file, or a folder of Parquet files, with a row per instance. Files with the same columns hold
    different instances and are read in the order of their names; files in which every model has its column only once
    hold different models of the same instances. That instance ids are unique is not checked.

    Parameters
    ----------
    path : the file or folder.
    label, instance, models, groups, factors, correct : as in `read`.

    Raises FileError if a file cannot be read, InputError if it has a row per answer or the files do not fit together.

    Examples
    --------
    >>> columns = {"label": ["cat", "dog"], "ann": ["cat", "dog"], "bob": ["dog", "dog"]}
    >>> pd.DataFrame(columns).to_parquet("answers.parquet")
    >>> [part.shape for shard in pc.read_shards("answers.parquet") for part in shard]
    [(2, 2)]
    """
    options = ColumnOptions(label, instance, name_tuple(models), name_tuple(groups), correct)
    files = parquet_files(Path(path))
    tables = [open_table(file) for file in files]
    names = dict.fromkeys(name for table in tables for name in table.names)
    roles = find_roles(replace(tables[0], source=str(path), names=tuple(names)), options)
    if roles.long:
        raise InputError(f"{path} has a row per answer", "a row per instance and a column per model", "make it wide")
    join_models = hold_different_models(tables, roles.models)
    parts = list(table_parts(files, len(roles.models), join_models))
    for part in parts[:1]:  # whether the columns are models is judged once, not anew in every chunk
        contents_of(table_of(next(replace(part, rows=_FIRST_ROWS).chunks()), str(path)), options)
    shards = [Shard(part, replace(options, models=roles.models)) for part in parts]
    table_facts = _table_facts(shards, roles, correct)
    if factors is not None:
        table_facts["models"] = factors_of(list(roles.models), Path(factors))
    return tuple(replace(shard, table_facts=table_facts) for shard in shards)


def _table_facts(shards: Sequence[Shard], roles: ColumnRoles, correct: bool) -> dict[str, Any]:
    """The classes of all answers and labels, and whether labels are classes: from one pass over the table."""
    if roles.label is None:
        if not correct:
            next(iter(shards[0]))  # raises the same error as `read`
        return {}
    files = list(dict.fromkeys(file for shard in shards for file in shard.part.files))
    holders = [file for file in files if roles.label in pq.read_schema(file).names]
    same_labels = len(shards[0].part.files) > 1  # side by side: the same labels in all of them
    labels = _labels(holders[:1] if same_labels else holders, roles.label)
    if correct and not labels.usable:
        return {"labels": None, "classes": ()}
    classes = set(labels.sizes) if correct or _answers_are_labels(files, roles.models, labels.sizes) else set()
    if not classes:
        for chunk in (chunk for shard in shards for chunk in shard):
            classes |= set(chunk.classes)
    return {
        "classes": merge([CategoricalColumn(np.zeros(0, np.int32), tuple(classes))]).classes,
        "fixed_classes": roles.options is None and are_classes(np.array(list(labels.sizes.values()))),
    }


@dataclass(frozen=True)
class _LabelCounts:
    """How many instances have each label, and whether every instance has one that can be a class."""

    sizes: Mapping[str, int]
    usable: bool


def _labels(files: Sequence[Path], label: str) -> _LabelCounts:
    sizes: Counter[str] = Counter()
    usable = True
    for file in files:
        for table in TablePart((file,), (), 0, BLOCK_ROWS).chunks([label]):
            coded = encode(label, table.column(label))
            usable &= not coded.fraction and bool((coded.codes != MISSING).all())
            times = np.bincount(coded.codes[coded.codes != MISSING], minlength=len(coded.values))
            for text, n in zip(coded.values, times.tolist(), strict=True):
                sizes[text] += n
    return _LabelCounts(+sizes, usable)


def _answers_are_labels(files: Sequence[Path], models: Sequence[str], labels: Mapping[str, int]) -> bool:
    """Whether the statistics in the files prove that every answer is one of the labels; possible for integers only."""
    return all(
        str(value) in labels
        for low, high in _ranges(files, set(models))
        for value in (range(low, high + 1) if low is not None and high - low < len(labels) else [""])
    )


def _ranges(files: Sequence[Path], models: set[str]) -> Iterator[tuple[Any, Any]]:
    """Smallest and largest answer of each model in each row group; None where the file has no statistics."""
    for file in files:
        metadata = pq.read_metadata(file)
        names = metadata.schema.to_arrow_schema().names
        are_integers = [pa.types.is_integer(kind) for kind in metadata.schema.to_arrow_schema().types]
        positions = [k for k, name in enumerate(names) if name in models]
        for group in range(metadata.num_row_groups):
            for k in positions:
                statistics = metadata.row_group(group).column(k).statistics if are_integers[k] else None
                if statistics is not None and statistics.null_count == metadata.row_group(group).num_rows:
                    continue
                yield (
                    (statistics.min, statistics.max)
                    if statistics is not None and statistics.has_min_max
                    else (None, None)
                )
