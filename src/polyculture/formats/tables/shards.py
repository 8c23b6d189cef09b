"""How is a table read that is larger than memory? A Parquet file or a folder of them, some row groups at a time."""

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
from .column_roles import ColumnOptions, ColumnRoles, find_roles
from .dataframes import table_of
from .files import open_table
from .model_factors import factors_of
from .parquet_layout import WHOLE, TablePart, hold_different_models, parquet_files, table_parts
from .truth_columns import assemble
from .wide_long import contents_of

_AS_NUMBERS = {"True": "1", "False": "0"}


@dataclass(frozen=True, eq=False)
class Shard:
    """Some instances of a table that stays on disk; going through it gives them as Predictions, chunk by chunk.

    Parameters
    ----------
    cut : where it is.
    chosen : which column is what.
    known : what holds for the whole table: classes, fixed_classes and models, as in Predictions.
    """

    cut: TablePart
    chosen: ColumnOptions
    known: Mapping[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Predictions]:
        position = self.cut.first
        for table in self.cut.chunks():
            predictions = assemble(contents_of(table_of(table, str(self.cut.files[0])), self.chosen))
            if isinstance(predictions.instances.index, pd.RangeIndex):
                positions = pd.RangeIndex(position, position + len(table), name="instance")
                predictions = replace(predictions, instances=predictions.instances.set_axis(positions))
            position += len(table)
            yield replace(predictions, **self._coded(predictions), **self.known)

    def _coded(self, predictions: Predictions) -> dict[str, Any]:
        """Answers and labels by the classes of the whole table."""
        classes = self.known.get("classes", predictions.classes)
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
    """The same as `read`, of a table that is larger than memory: its parts, which are read when they are gone through.

    Takes a Parquet file, or a folder of Parquet files, with a row per instance. Files with the same columns hold
    different instances and are read in the order of their names; files in which every model has its column only once
    hold different models of the same instances. That instance ids are unique is not checked.

    Parameters
    ----------
    path : the file or folder.
    label, instance, models, groups, factors, correct : as in `read`.

    Raises FileError if a file cannot be read, InputError if it has a row per answer or the files do not fit together.
    """
    model_patterns, group_names = (
        (names,) if isinstance(names, str) else tuple(names or ()) for names in (models, groups)
    )
    column_options = ColumnOptions(label, instance, model_patterns, group_names, correct)
    files = parquet_files(Path(path))
    tables = [open_table(file) for file in files]
    names = dict.fromkeys(name for table in tables for name in table.names)
    roles = find_roles(replace(tables[0], source=str(path), names=tuple(names)), column_options)
    if roles.long:
        raise InputError(f"{path} has a row per answer", "a row per instance and a column per model", "make it wide")
    join_models = hold_different_models(tables, roles.models)
    shards = [Shard(cut, column_options) for cut in table_parts(files, len(roles.models), join_models)]
    table_facts = _known(shards, roles, correct)
    if factors is not None:
        table_facts["models"] = factors_of(list(roles.models), Path(factors))
    return tuple(replace(shard, known=table_facts) for shard in shards)


def _known(shards: Sequence[Shard], roles: ColumnRoles, correct: bool) -> dict[str, Any]:
    """The classes of all answers and labels, and whether labels are classes: from one look at the whole table."""
    if roles.label is None:
        if not correct:
            next(iter(shards[0]))  # complains as a table in one piece would
        return {}
    files = list(dict.fromkeys(file for shard in shards for file in shard.cut.files))
    holders = [file for file in files if roles.label in pq.read_schema(file).names]
    same_labels = len(shards[0].cut.files) > 1  # side by side: the same labels in all of them
    labels = _labels(holders[:1] if same_labels else holders, roles.label)
    if correct and not labels.usable:
        return {"labels": None, "classes": ()}
    classes = set(labels.sizes) if correct or _all_within(files, roles.models, labels.sizes) else set()
    if not classes:
        for chunk in (chunk for shard in shards for chunk in shard):
            classes |= set(chunk.classes)
    return {
        "classes": merge([CategoricalColumn(np.zeros(0, np.int32), tuple(classes))]).classes,
        "fixed_classes": roles.options is None and are_classes(np.array(list(labels.sizes.values()))),
    }


@dataclass(frozen=True)
class _LabelCounts:
    """How many instances have each label, and whether every one has a label that can be a class."""

    sizes: Mapping[str, int]
    usable: bool


def _labels(files: Sequence[Path], label: str) -> _LabelCounts:
    sizes: Counter[str] = Counter()
    usable = True
    for file in files:
        for table in TablePart((file,), (), 0, WHOLE).chunks([label]):
            coded = encode(label, table.column(label))
            usable &= not coded.fraction and bool((coded.codes != MISSING).all())
            times = np.bincount(coded.codes[coded.codes != MISSING], minlength=len(coded.values))
            for text, n in zip(coded.values, times.tolist(), strict=True):
                sizes[text] += n
    return _LabelCounts(+sizes, usable)


def _all_within(files: Sequence[Path], models: Sequence[str], labels: Mapping[str, int]) -> bool:
    """Whether the files say that every answer is one of the labels; they only can where all are whole numbers."""
    return all(
        str(value) in labels
        for low, high in _ranges(files, set(models))
        for value in (range(low, high + 1) if low is not None and high - low < len(labels) else [""])
    )


def _ranges(files: Sequence[Path], models: set[str]) -> Iterator[tuple[Any, Any]]:
    """Smallest and largest answer of each model in each row group; None where the file does not tell."""
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
