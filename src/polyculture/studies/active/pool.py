"""What can be asked for? Instances, the labels that some of them have, and what people see of each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int, Shaped

from polyculture.dataset import Dataset, Modality
from polyculture.errors import InputError, near
from polyculture.preparation.problems.column_encoding import ColumnEncoder
from polyculture.preparation.problems.raw_data import object_array
from polyculture.preparation.problems.readers.tables import ID_NAMES, default_label, read_frames
from polyculture.preparation.problems.readers.texts import text_column

from .options import QueryOptions

UNKNOWN = -1
"""Code of a label that is not known."""


@dataclass(frozen=True, eq=False)
class QueryPool:
    """Instances that can be asked for.

    Parameters
    ----------
    inputs : n × anything, as of a `Dataset`.
    modality : what an input is.
    labels : class code of each instance; −1 where it is not known.
    classes : what each code stands for.
    frame : what people see of each instance; its index is the instance id.
    column : what the label is called.
    name : of the pool.
    """

    inputs: Shaped[np.ndarray, "n ..."]
    modality: Modality
    labels: Int[np.ndarray, " n"]
    classes: tuple[str, ...]
    frame: pd.DataFrame
    column: str = "label"
    name: str = "pool"

    def __post_init__(self) -> None:
        if not self.frame.index.is_unique:
            twice = self.frame.index[self.frame.index.duplicated()][0]
            raise InputError(f"the pool {self.name} has the instance {twice!r} twice", "an id of its own for each")
        if len(self.classes) < 2:
            noun = "class" if len(self.classes) == 1 else "classes"
            names = ", ".join(map(repr, self.classes)) or "none"
            raise InputError(
                f"the pool {self.name} has labels of {len(self.classes)} {noun} in {self.column!r} ({names})",
                "labels of two classes or more, or their names",
                "name all classes with --classes",
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def ids(self) -> list[str]:
        """Instance ids, in order."""
        return [str(name) for name in self.frame.index]

    @property
    def labelled(self) -> Int[np.ndarray, " k"]:
        """Positions with a label."""
        return np.flatnonzero(self.labels != UNKNOWN)

    @property
    def fingerprint(self) -> str:
        """Hash of instances and what is seen of them, whatever is labelled."""
        digest = hashlib.blake2b("\0".join(self.ids).encode(), digest_size=8)
        array = self.inputs
        digest.update("\0".join(map(str, array)).encode() if array.dtype.kind in "OU" else array.tobytes())
        return digest.hexdigest()

    def dataset(self, rows: Int[np.ndarray, " k"]) -> Dataset:
        """The instances at these positions, all of which have a label."""
        frame = pd.DataFrame(index=pd.Index(np.array(self.ids, object)[rows], name="instance"))
        return Dataset(self.inputs[rows], self.labels[rows], self.classes, frame, self.name, self.modality)

    def with_labels(self, labels: Mapping[str, str]) -> QueryPool:
        """The pool with these labels by instance id; classes that are not the pool's are no labels."""
        codes, place = self.labels.copy(), {name: row for row, name in enumerate(self.ids)}
        for instance, label in labels.items():
            if label in self.classes and instance in place:
                codes[place[instance]] = self.classes.index(label)
        return replace(self, labels=codes)


def read_pool(path: str | Path, options: QueryOptions) -> QueryPool:
    """The rows of a CSV, TSV or Parquet file; a row without a label can be asked for.

    Texts are read as such where a column of texts is named or has a usual name; otherwise all columns become numbers.

    Raises FileError for a file that cannot be read; InputError for unknown columns and labels that are not among the
    classes.
    """
    frame, _, _ = read_frames([Path(path)])
    column = _column(frame, options.label, path) if options.label else default_label(frame)
    labels = [None if pd.isna(value) else str(value).strip() for value in frame[column]]
    classes = tuple(options.classes) or tuple(sorted({label for label in labels if label}))
    for row, label in enumerate(labels):
        if label and label not in classes:
            raise InputError(
                f"row {row + 1} of {path} has the label {label!r}", "one of the classes", near(label, classes)
            )
    codes = np.array([classes.index(label) if label else UNKNOWN for label in labels], np.int64)
    names = [name for name in frame.columns if name != column]
    ids = [name for name in names if str(name).lower() in ID_NAMES and frame[name].is_unique][:1]
    index = pd.Index(frame[ids[0]].astype(str) if ids else [str(row) for row in range(len(frame))], name="instance")
    seen = frame[[name for name in names if name not in ids]].set_axis(index, axis="index")
    text = _column(seen, options.text, path) if options.text else text_column(seen)
    inputs = object_array(seen[text].fillna("").astype(str).tolist()) if text else ColumnEncoder.of(seen)(seen)
    return QueryPool(inputs, "text" if text else "table", codes, classes, seen, column, Path(path).name)


def pool_of(dataset: Dataset, labelled: Sequence[int] = ()) -> QueryPool:
    """The instances of a dataset, of which those at some positions have a label that is known.

    Raises InputError for a dataset that is not for classification.
    """
    if dataset.task != "classification":
        raise InputError(f"a query for labels of {dataset.task}", "classes", "give a dataset for classification")
    codes = np.full(len(dataset), UNKNOWN, np.int64)
    rows = np.asarray(labelled, np.int64)
    codes[rows] = dataset.labels[rows]
    frame = dataset.instances.set_axis(dataset.instances.index.astype(str), axis="index")
    if dataset.modality == "text":
        frame = frame.assign(text=dataset.array)
    return QueryPool(dataset.array, dataset.modality, codes, dataset.classes, frame, "label", dataset.name or "pool")


def _column(frame: pd.DataFrame, name: str, path: str | Path) -> str:
    if name not in frame.columns:
        raise InputError(f"{path} has no column {name!r}", "", near(name, map(str, frame.columns)))
    return name
