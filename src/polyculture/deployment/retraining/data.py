"""What does a successor learn from, and on what is it compared? Old data and new data; compared on new instances only.

The champion may have seen any old instance, so none of them is compared on: all of them are learned from. The new ones
are split in three, to learn from, to select on and to compare on, as `polyculture run` splits what has no parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polyculture.errors import FileError, InputError, PolycultureError
from polyculture.preparation.problems import DataOptions, Problem, RawData, build_problem, part_rows, read_raw
from polyculture.preparation.problems.labels import label_text
from polyculture.preparation.problems.raw_data import object_array

from ..bundle.bundle import Bundle

FEWEST = 50
"""New instances that it takes to compare two bundles."""
PIXELS = ("image", "volume")
"""Modalities whose numbers are shares of a full pixel."""


@dataclass(frozen=True, eq=False)
class RetrainingData:
    """Old and new data as a problem.

    Parameters
    ----------
    problem : trained on old and new instances; selection and test set are new ones only.
    test : the test set before it was encoded, as clients send it.
    n_old, n_new : instances.
    n_repeated : instances of the new data that the old data has as well, which count as old.
    """

    problem: Problem
    test: RawData
    n_old: int
    n_new: int
    n_repeated: int


def retraining_data(
    bundle: Bundle, data: Sequence[str | Path], old: Sequence[str | Path] | None, seed: int
) -> RetrainingData:
    """Old and new data of a bundle.

    Parameters
    ----------
    data : new data: files, or a problem by name.
    old : what the bundle learned from; None for what it says itself.
    seed : of the split of the new data.

    Raises FileError and InputError where the old data cannot be found, and where there is too little that is new.
    """
    origin = dict(bundle.manifest.source.get("problem") or {})
    options = _options(origin)
    former = _old_data(bundle, origin, old, options)
    latest = _without_held_out(read_raw(list(data), options), origin)
    n_read = len(latest)
    latest = _without(latest, former) if former is not None else latest
    if len(latest) < FEWEST:
        remark = f" that the old data lacks ({n_read:,} in all)" if former is not None else ""
        raise InputError(
            f"{', '.join(map(str, data))} holds {len(latest)} instances{remark}",
            f"{FEWEST} new ones or more: on them the bundles are compared",
            "give data that has come since the bundle was made",
        )
    train, selection, test = part_rows(latest, options, seed)
    raw, n_old = (latest, 0) if former is None else (joined(former, latest), len(former))
    parts = [np.concatenate([np.arange(n_old), n_old + train]), n_old + selection, n_old + test]
    problem = build_problem(raw, replace(options, limit=None), seed, parts=parts)
    sources = [*_sources(origin, old), [str(name) for name in data]]
    source = [name for names in sources for name in names]
    record = {"source": source, "sources": sources, "seed": seed, "options": asdict(options)}
    clusters = options.cluster or problem.cluster
    problem = replace(problem, origin=record, cluster=clusters)
    return RetrainingData(problem, raw.take(parts[2]), n_old, len(latest), n_read - len(latest))


def _options(origin: Mapping[str, Any]) -> DataOptions:
    """How the champion's data were read; no shifts, no held-out groups and no other tests."""
    names = {field.name for field in fields(DataOptions)} - {"hold_out", "test_on", "shifts", "limit"}
    stored = {name: value for name, value in dict(origin.get("options", {})).items() if name in names}
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in stored.items()}
    return DataOptions(**{**values, "shifts": ()})


def _without_held_out(raw: RawData, origin: Mapping[str, Any]) -> RawData:
    """The raw data without the groups that the champion was not to learn from: its successor is not to either."""
    options = dict(origin.get("options", {}))
    values = [str(value) for value in options.get("hold_out") or ()]
    names = [options.get("group") or "", "speaker", "file"]
    group = next((name for name in names if name in raw.instances.columns), None)
    if not values or group is None:
        return raw
    return raw.take(np.flatnonzero(~raw.instances[group].astype(str).isin(values).to_numpy()))


def _sources(origin: Mapping[str, Any], old: Sequence[str | Path] | None) -> list[list[str]]:
    """Groups of files, or names of problems, that are read together; those that were given replace the recorded."""
    if old is not None:
        return [[str(name) for name in old]] if old else []
    return [list(names) for names in origin.get("sources") or ([origin["source"]] if origin.get("source") else [])]


def _old_data(
    bundle: Bundle, origin: Mapping[str, Any], old: Sequence[str | Path] | None, options: DataOptions
) -> RawData | None:
    """What the champion learned from; None where it is said that there is nothing."""
    sources = _sources(origin, old)
    if not sources:
        if old is not None:
            return None
        raise InputError(f"{bundle.path} does not say what it learned from", "the old data", "name it with --old")
    try:
        parts = [_without_held_out(read_raw(names, options), origin) for names in sources]
    except PolycultureError as error:
        kind = FileError if isinstance(error, FileError) else InputError
        raise kind(
            f"the old data of {bundle.path} cannot be read: {error.wrong}", error.expected, "name it with --old"
        ) from error
    raw = parts[0]
    for part in parts[1:]:
        raw = joined(raw, part)
    return raw


def joined(first: RawData, second: RawData) -> RawData:
    """Both, the first in front; instances are numbered anew.

    Raises InputError where they are not of one kind: other columns, other shapes, or numbers and classes.
    """
    if first.modality != second.modality:
        raise InputError(f"new data of the kind {second.modality}", f"{first.modality}, as the old data")
    kinds = ["numbers" if raw.labels.dtype.kind == "f" else "classes" for raw in (first, second)]
    if kinds[0] != kinds[1]:
        raise InputError(f"new labels that are {kinds[1]}", f"{kinds[0]}, as the old ones")
    instances = pd.concat([first.instances, second.instances], ignore_index=True)
    for name in instances.columns[instances.isna().any()]:  # known of one of the two only
        instances[name] = instances[name].astype(object).where(instances[name].notna(), "")
    instances.index.name = first.instances.index.name
    numbers = kinds[0] == "numbers"
    return replace(
        first,
        inputs=_joined_inputs(first, second),
        labels=np.concatenate([first.labels, second.labels])
        if numbers
        else object_array([*first.labels.tolist(), *second.labels.tolist()]),
        instances=instances,
        part=np.array([], dtype=str),
        white=1.0 if first.modality in PIXELS else first.white,
    )


def _joined_inputs(first: RawData, second: RawData) -> pd.DataFrame | np.ndarray:
    old, new = first.inputs, second.inputs
    if isinstance(old, pd.DataFrame) and isinstance(new, pd.DataFrame):
        absent = [name for name in old.columns if name not in new.columns]
        if absent:
            raise InputError(f"the new data has no column {absent[0]!r}", "every column of the old data")
        return pd.concat([old, new[old.columns]], ignore_index=True)
    if isinstance(old, pd.DataFrame) or isinstance(new, pd.DataFrame):
        raise InputError("old and new data are not both tables with columns", "files of one kind")
    if first.modality in PIXELS:
        old, new = (np.asarray(raw.inputs, np.float32) / np.float32(raw.full_pixel) for raw in (first, second))
    if old.shape[1:] != new.shape[1:]:
        raise InputError(f"new instances of the shape {new.shape[1:]}", f"{old.shape[1:]}, as the old ones")
    if old.dtype == object or new.dtype == object:
        return object_array([*old, *new])
    return np.concatenate([old, new])


def _without(raw: RawData, former: RawData) -> RawData:
    """What the former data lacks; an instance that it has twice is left out twice."""
    counts = Counter(_keys(former))
    rows = []
    for row, key in enumerate(_keys(raw)):
        if counts[key] > 0:
            counts[key] -= 1
        else:
            rows.append(row)
    return raw.take(np.array(rows, np.int64))


def _keys(raw: RawData) -> list[Hashable]:
    """Inputs and label of each instance, as something to compare by."""
    labels = [label_text(label) for label in raw.labels.tolist()]
    inputs = raw.inputs
    if isinstance(inputs, pd.DataFrame):
        names = sorted(map(str, inputs.columns))
        columns = [_texts(inputs[name]) for name in names]
        return [*zip(labels, *columns, strict=True)]
    if inputs.dtype == object:
        return [(label, _content(value)) for label, value in zip(labels, inputs, strict=True)]
    scale = np.float32(raw.full_pixel) if raw.modality in PIXELS else np.float32(1)
    return [(label, (row / scale).tobytes()) for label, row in zip(labels, np.asarray(inputs, np.float32), strict=True)]


def _texts(column: pd.Series) -> list[str]:
    """Cells as text; the number 3 is 3.0, however a file writes it."""
    numbers = pd.to_numeric(column, errors="coerce")
    texts = column.astype(object).where(column.notna(), "").astype(str).str.strip()
    return numbers.astype(float).astype(str).where(numbers.notna(), texts).tolist()


def _content(value: Any) -> Hashable:
    """What identifies an input of any length."""
    return value.tobytes() if isinstance(value, np.ndarray) and value.dtype != object else str(value)
