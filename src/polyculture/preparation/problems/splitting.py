"""How does raw data become a problem? Groups held out, the rest split in three, and shifted test sets added."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.dataset import Dataset, Split
from polyculture.errors import InputError, near
from polyculture.rng import stream

from ..shifts import LazyDatasets, shifted
from ..splits import folds, grouped, in_time, sampled, stratified
from .column_encoding import ColumnEncoder
from .data_options import DataOptions
from .labels import classes_of, with_parsed_labels
from .preprocessing import Preprocessor, fit_preprocessing
from .problem import Problem
from .raw_data import RawData, require_instances
from .readers.series import BLOCK

SHARES = (0.45, 0.15, 0.40)
"""Train, selection and test where the files define no parts: a large test set, for the audit is made on it."""
SELECTION_SHARE = 1 / 8
"""Share of a training part in files that becomes the selection set, at most `MAX_SELECTION` instances."""
MAX_SELECTION = 5000

Parts = list[Int[np.ndarray, " k"]]


def build_problem(
    raw: RawData,
    options: DataOptions,
    seed: int,
    external_tests: Mapping[str, RawData] | None = None,
    parts: Sequence[np.ndarray] | None = None,
) -> Problem:
    """The problem in this raw data: labels as classes or numbers, parts without a leak, shifted test sets.

    Whatever preprocessing learns (sizes, categories, values for gaps), it learns from the training part.

    Parameters
    ----------
    raw : what was read.
    options : how it is split.
    seed : of the split, the samples and the shifts.
    external_tests : other raw data of the same kind to test on, by name.
    parts : rows of the training, selection and test set, without groups that are held out; drawn if left out.

    Raises InputError for unknown columns and groups, for one class only, and for data that cannot be split so.
    """
    require_instances(len(raw), raw.name)
    raw = with_parsed_labels(replace(raw, white=raw.full_pixel), options)
    for name in (options.group, options.cluster, options.time):
        if name and name not in raw.instances.columns:
            raise InputError(f"{raw.name} has no column {name!r}", "", near(name, map(str, raw.instances.columns)))
    group = options.group or _default_group(raw)
    group_tests, remainder = _hold_out(raw, options, group)
    classes = classes_of(remainder)
    parts = parts or _parts(remainder, options, seed, classes)
    train, selection, test = (
        remainder.take(_limited(remainder.take(rows), rows, options, seed, name))
        for name, rows in zip(("train", "selection", "test"), parts, strict=True)
    )
    columns = ColumnEncoder.of(train.inputs) if isinstance(train.inputs, pd.DataFrame) else None
    preprocess = fit_preprocessing(train, classes, columns)
    file_tests = {name: _external_test(test, raw, options, name) for name, test in (external_tests or {}).items()}
    natural = _natural_tests({**group_tests, **file_tests}, preprocess, options, seed, raw.name)
    test_set = preprocess(test)
    graded = shifted(test_set, seed, options.shifts)
    split = Split(preprocess(train), preprocess(selection), test_set, LazyDatasets({**natural, **graded.makers}))
    groups = (group,) if group and test_set.instances[group].nunique() > 1 else ()
    cluster = options.cluster or (BLOCK if raw.modality == "series" else "")
    return Problem(raw.name, split, groups, cluster, raw.note, columns)


def _default_group(raw: RawData) -> str:
    """The column of groups that the reader added (speaker, file), if it has several values."""
    columns = [name for name in ("speaker", "file") if name in raw.instances.columns]
    return next((name for name in columns if raw.instances[name].nunique() > 1), "")


def _hold_out(raw: RawData, options: DataOptions, group: str) -> tuple[dict[str, RawData], RawData]:
    """The raw data of each held-out group by the name of its test, and the remainder."""
    if not options.hold_out:
        return {}, raw
    if not group:
        raise InputError(f"{raw.name} has no groups to hold out", "a column of groups", "name one by group")
    values = raw.instances[group].astype(str).to_numpy()
    for value in options.hold_out:
        if value not in values:
            raise InputError(f"no instance with {group} {value!r}", "", near(value, set(values)))
    tests = {f"{group}={value}": raw.take(np.flatnonzero(values == value)) for value in options.hold_out}
    remainder = raw.take(np.flatnonzero(~np.isin(values, options.hold_out)))
    require_instances(len(remainder), f"{raw.name} without {', '.join(options.hold_out)}")
    return tests, remainder


def part_rows(raw: RawData, options: DataOptions, seed: int) -> Parts:
    """Rows of the training, selection and test set of this raw data, as `build_problem` draws them."""
    raw = with_parsed_labels(raw, options)
    return _parts(raw, options, seed, classes_of(raw))


def _parts(raw: RawData, options: DataOptions, seed: int, classes: tuple[str, ...]) -> Parts:
    """Rows of the training, selection and test set."""
    codes = _strata(raw, classes)
    clusters = raw.instances[options.cluster].astype(str).to_numpy() if options.cluster else None

    def split_rows(rows: np.ndarray, shares: tuple[float, ...], *purpose: str) -> Parts:
        generator = stream(seed, raw.name, *purpose)
        if clusters is None:
            return [rows[part] for part in stratified(codes[rows], shares, generator)]
        return [rows[part] for part in grouped(clusters[rows], shares, generator)]

    rows, fold_and_count = np.arange(len(raw)), options.fold_and_count()
    if fold_and_count is not None:
        fold, count = fold_and_count
        generator = stream(seed, raw.name, "folds")
        tests = (
            folds(codes, count, generator) if clusters is None else grouped(clusters, (1 / count,) * count, generator)
        )
        develop = np.setdiff1d(rows, tests[fold])
        return [*split_rows(develop, (1 - SELECTION_SHARE, SELECTION_SHARE), "folds", "selection"), tests[fold]]
    if raw.modality == "series":
        return in_time(rows, SHARES, gap=options.window + options.horizon - 1)
    if options.time:
        return in_time(raw.instances[options.time].to_numpy(), SHARES)
    if clusters is None and "test" in raw.part:
        return _parts_from_files(raw, split_rows)
    return split_rows(rows, SHARES, "split")


def _parts_from_files(raw: RawData, split_rows: Callable[..., Parts]) -> Parts:
    """The parts that the files define; the selection set comes from the training part if they do not define it."""
    train, test = np.flatnonzero(~np.isin(raw.part, ("selection", "test"))), np.flatnonzero(raw.part == "test")
    selection = np.flatnonzero(raw.part == "selection")
    require_instances(len(train), f"the training part of {raw.name}")
    if not len(selection):
        share = min(SELECTION_SHARE, MAX_SELECTION / len(train))
        train, selection = split_rows(train, (1 - share, share), "selection")
    return [train, selection, test]


def _strata(raw: RawData, classes: tuple[str, ...]) -> Int[np.ndarray, " n"]:
    """What the parts are stratified by: classes, where each instance has one."""
    if not classes or raw.modality == "tags":
        return np.zeros(len(raw), np.int64)
    return np.unique(raw.labels.astype(str), return_inverse=True)[1].astype(np.int64)


def _limited(raw: RawData, rows: np.ndarray, options: DataOptions, seed: int, part: str) -> np.ndarray:
    """As many of these rows as the limit allows."""
    if options.limit is None or len(rows) <= options.limit:
        return rows
    if options.time or raw.modality == "series":
        order = rows
        if options.time:
            order = rows[np.argsort(raw.instances[options.time].to_numpy(), kind="stable")]
        return np.sort(order[-options.limit :] if part == "train" else order[: options.limit])
    classes = () if raw.labels.dtype.kind == "f" else ("",)
    return np.asarray(rows[sampled(_strata(raw, classes), options.limit, stream(seed, raw.name, "limit", part))])


def _natural_tests(
    raw_tests: Mapping[str, RawData], preprocess: Preprocessor, options: DataOptions, seed: int, problem: str
) -> dict[str, Callable[[], Dataset]]:
    """Test sets of other groups and other files, by name; preprocessed and limited as the test set is."""
    tests: dict[str, Callable[[], Dataset]] = {}
    for name, raw in raw_tests.items():
        rows = _limited(raw, np.arange(len(raw)), options, seed, "test")
        dataset = preprocess(raw.take(rows))
        tests[name] = partial(dataset.with_inputs, dataset.inputs, f"{problem} {name}")
    return tests


def _external_test(test: RawData, raw: RawData, options: DataOptions, name: str) -> RawData:
    """The test part of other raw data, its labels parsed in the same way, with the same instance columns."""
    flat = isinstance(test.inputs, np.ndarray) and (raw.modality, test.modality) == ("image", "table")
    if test.modality != raw.modality and not flat:
        raise InputError(f"{name} is of the kind {test.modality}", f"{raw.modality}, as {raw.name}")
    task = "" if options.positive else "regression" if raw.labels.dtype.kind == "f" else "classification"
    test = with_parsed_labels(replace(test, name=name, white=test.full_pixel), replace(options, task=task))
    if "test" in test.part:
        test = test.take(np.flatnonzero(test.part == "test"))
    require_instances(len(test), name)
    instances = test.instances.reindex(columns=raw.instances.columns)
    ids = pd.Series(instances.index.astype(str), index=instances.index)
    instances = instances.apply(lambda column: column.astype(object).fillna(ids))
    # Rows of another file are numbered from 0, too: they are not the instances of these numbers in the first.
    return replace(test, instances=instances.set_axis(pd.Index(name + ":" + ids, name=instances.index.name)))
