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

from ..model_factors import factors_of
from .categorical import Coded, encode, merge
from .column_roles import ColumnOptions, Roles, find_roles
from .dataframes import table_of
from .files import open_table
from .parquet_layout import WHOLE, Cut, cuts, parquet_files, side_by_side
from .wide_long import predictions_from

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

    cut: Cut
    chosen: ColumnOptions
    known: Mapping[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Predictions]:
        at = self.cut.first
        for table in self.cut.pieces():
            found = predictions_from(table_of(table, str(self.cut.files[0])), self.chosen)
            if isinstance(found.instances.index, pd.RangeIndex):
                positions = pd.RangeIndex(at, at + len(table), name="instance")
                found = replace(found, instances=found.instances.set_axis(positions))
            at += len(table)
            yield replace(found, **self._coded(found), **self.known)

    def _coded(self, found: Predictions) -> dict[str, Any]:
        """Answers and labels by the classes of the whole table."""
        classes = self.known.get("classes", found.classes)
        if classes == found.classes:
            return {}
        index = {text: code for code, text in enumerate(classes)}
        codes = [index[text] if text in index else index[_AS_NUMBERS[text]] for text in found.classes]
        table = np.array([*codes, MISSING], smallest_integer(len(classes)))
        given = {"answers": found.answers, "labels": found.labels}
        return {name: np.take(table, old, mode="wrap") for name, old in given.items() if old is not None}


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
    wanted, told = ((names,) if isinstance(names, str) else tuple(names or ()) for names in (models, groups))
    chosen = ColumnOptions(label, instance, wanted, told, correct)
    files = parquet_files(Path(path))
    tables = [open_table(file) for file in files]
    names = dict.fromkeys(name for table in tables for name in table.names)
    roles = find_roles(replace(tables[0], source=str(path), names=tuple(names)), chosen)
    if roles.long:
        raise InputError(f"{path} has a row per answer", "a row per instance and a column per model", "make it wide")
    together = side_by_side(tables, roles.models)
    shards = [Shard(cut, chosen) for cut in cuts(files, len(roles.models), together)]
    known = _known(shards, roles, correct)
    if factors is not None:
        known["models"] = factors_of(list(roles.models), Path(factors))
    return tuple(replace(shard, known=known) for shard in shards)


def _known(shards: Sequence[Shard], roles: Roles, correct: bool) -> dict[str, Any]:
    """The classes of all answers and labels, and whether labels are classes: from one look at the whole table."""
    if roles.label is None:
        if not correct:
            next(iter(shards[0]))  # complains as a table in one piece would
        return {}
    files = list(dict.fromkeys(file for shard in shards for file in shard.cut.files))
    holders = [file for file in files if roles.label in pq.read_schema(file).names]
    one = len(shards[0].cut.files) > 1  # side by side: the same labels in all of them
    labels = _labels(holders[:1] if one else holders, roles.label)
    if correct and not labels.usable:
        return {"labels": None, "classes": ()}
    classes = set(labels.sizes) if correct or _all_within(files, roles.models, labels.sizes) else set()
    if not classes:
        for chunk in (chunk for shard in shards for chunk in shard):
            classes |= set(chunk.classes)
    return {
        "classes": merge([Coded(np.zeros(0, np.int32), tuple(classes))]).classes,
        "fixed_classes": roles.options is None and are_classes(np.array(list(labels.sizes.values()))),
    }


@dataclass(frozen=True)
class _Labels:
    """How many instances have each label, and whether every one has a label that can be a class."""

    sizes: Mapping[str, int]
    usable: bool


def _labels(files: Sequence[Path], label: str) -> _Labels:
    sizes: Counter[str] = Counter()
    usable = True
    for file in files:
        for table in Cut((file,), (), 0, WHOLE).pieces([label]):
            coded = encode(label, table.column(label))
            usable &= not coded.fraction and bool((coded.codes != MISSING).all())
            times = np.bincount(coded.codes[coded.codes != MISSING], minlength=len(coded.values))
            for text, n in zip(coded.values, times.tolist(), strict=True):
                sizes[text] += n
    return _Labels(+sizes, usable)


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
        opened = pq.read_metadata(file)
        names = opened.schema.to_arrow_schema().names
        whole = [pa.types.is_integer(kind) for kind in opened.schema.to_arrow_schema().types]
        at = [k for k, name in enumerate(names) if name in models]
        for group in range(opened.num_row_groups):
            for k in at:
                told = opened.row_group(group).column(k).statistics if whole[k] else None
                if told is not None and told.null_count == opened.row_group(group).num_rows:
                    continue
                yield (told.min, told.max) if told is not None and told.has_min_max else (None, None)
