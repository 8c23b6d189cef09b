"""How does material become a problem? Held-out groups aside, the rest cut in three, harder tests beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.dataset import Dataset, Split
from polyculture.errors import InputError, near
from polyculture.rng import stream

from ..shifts import Lazy, shifted
from ..splits import folds, grouped, in_time, sampled, stratified
from .data_options import DataOptions
from .labels import asked, classes_of
from .preprocessing import Shape, shaped
from .problem import Problem
from .raw_data import RawData, need_instances
from .readers.series import BLOCK

SHARES = (0.45, 0.15, 0.40)
"""Train, selection, test, where nobody has cut before: many to be tested on, for the audit is made on them."""
CHOICE = 1 / 8
"""What is taken from a given training part to choose on, at most `MOST_CHOICE` instances."""
MOST_CHOICE = 5000

Parts = list[Int[np.ndarray, " k"]]


def cut(material: RawData, source: DataOptions, seed: int, elsewhere: Mapping[str, RawData] | None = None) -> Problem:
    """The problem that this material poses: labels as classes or numbers, parts without a leak, shifted tests.

    Everything that is learned on the way (sizes, categories, what fills a gap) is learned from the training part.

    Parameters
    ----------
    material : what was read.
    source : how it is to be cut.
    seed : of the split, the samples and the shifts.
    elsewhere : other material of the same kind to be tested on, by name.

    Raises InputError for unknown columns and groups, for one class only, and for material that cannot be cut so.
    """
    need_instances(len(material), material.name)
    material = asked(material, source)
    for name in (source.group, source.cluster, source.time):
        _need_column(material, name)
    group = source.group or _only_group(material)
    outside, inside = _held_out(material, source, group)
    classes = classes_of(inside)
    parts = _parts(inside, source, seed, classes)
    train, selection, test = (
        inside.take(_limited(inside.take(rows), rows, source, seed, name))
        for name, rows in zip(("train", "selection", "test"), parts, strict=True)
    )
    shape = shaped(train, classes)
    others = {name: _alike(other, material, source, name) for name, other in (elsewhere or {}).items()}
    natural = _natural({**outside, **others}, shape, source, seed, material.name)
    tested = shape(test)
    graded = shifted(tested, seed, source.shifts)
    split = Split(shape(train), shape(selection), tested, Lazy({**natural, **graded.makers}))
    groups = (group,) if group and tested.instances[group].nunique() > 1 else ()
    cluster = source.cluster or (BLOCK if material.modality == "series" else "")
    return Problem(material.name, split, groups, cluster, material.told)


def _need_column(material: RawData, name: str) -> None:
    if name and name not in material.known.columns:
        raise InputError(f"{material.name} has no column {name!r}", "", near(name, map(str, material.known.columns)))


def _only_group(material: RawData) -> str:
    """The column that reading found by itself (file, speaker), if it is one that splits the instances."""
    found = [name for name in ("speaker", "file") if name in material.known.columns]
    return next((name for name in found if material.known[name].nunique() > 1), "")


def _held_out(material: RawData, source: DataOptions, group: str) -> tuple[dict[str, RawData], RawData]:
    """Material of each held-out group by the name of its test, and the rest."""
    if not source.hold_out:
        return {}, material
    if not group:
        raise InputError(f"{material.name} has no groups to hold out", "a column of groups", "name one by group")
    values = material.known[group].astype(str).to_numpy()
    for value in source.hold_out:
        if value not in values:
            raise InputError(f"no instance with {group} {value!r}", "", near(value, set(values)))
    outside = {f"{group}={value}": material.take(np.flatnonzero(values == value)) for value in source.hold_out}
    inside = material.take(np.flatnonzero(~np.isin(values, source.hold_out)))
    need_instances(len(inside), f"{material.name} without {', '.join(source.hold_out)}")
    return outside, inside


def _parts(inside: RawData, source: DataOptions, seed: int, classes: tuple[str, ...]) -> Parts:
    """Rows to learn from, to choose on and to be tested on."""
    codes = _strata(inside, classes)
    which = source.which_fold()
    clusters = inside.known[source.cluster].astype(str).to_numpy() if source.cluster else None

    def apart(rows: np.ndarray, shares: tuple[float, ...], *what_for: str) -> Parts:
        generator = stream(seed, inside.name, *what_for)
        cut = (
            stratified(codes[rows], shares, generator)
            if clusters is None
            else grouped(clusters[rows], shares, generator)
        )
        return [rows[part] for part in cut]

    everything = np.arange(len(inside))
    if which is not None:
        fold, count = which
        generator = stream(seed, inside.name, "folds")
        tests = (
            folds(codes, count, generator) if clusters is None else grouped(clusters, (1 / count,) * count, generator)
        )
        rest = np.setdiff1d(everything, tests[fold])
        return [*apart(rest, (1 - CHOICE, CHOICE), "folds", "selection"), tests[fold]]
    if source.time:
        return in_time(inside.known[source.time].to_numpy(), SHARES)
    if inside.modality == "series":
        return in_time(everything, SHARES, gap=source.window + source.horizon - 1)
    if clusters is None and "test" in inside.part:
        return _given(inside, apart)
    return apart(everything, SHARES, "split")


def _given(inside: RawData, apart: Callable[..., Parts]) -> Parts:
    """The parts that the files tell; what is chosen on comes from the training part if they do not tell it."""
    train, test = np.flatnonzero(~np.isin(inside.part, ("selection", "test"))), np.flatnonzero(inside.part == "test")
    selection = np.flatnonzero(inside.part == "selection")
    need_instances(len(train), f"the training part of {inside.name}")
    if not len(selection):
        share = min(CHOICE, MOST_CHOICE / len(train))
        train, selection = apart(train, (1 - share, share), "selection")
    return [train, selection, test]


def _strata(material: RawData, classes: tuple[str, ...]) -> Int[np.ndarray, " n"]:
    """What parts have the same mix of: classes, where each instance has one."""
    if not classes or material.modality == "tags":
        return np.zeros(len(material), np.int64)
    return np.unique(material.labels.astype(str), return_inverse=True)[1].astype(np.int64)


def _limited(material: RawData, rows: np.ndarray, source: DataOptions, seed: int, part: str) -> np.ndarray:
    """Which of these rows are kept under the limit."""
    if source.limit is None or len(rows) <= source.limit:
        return rows
    if source.time or material.modality == "series":
        order = rows
        if source.time:
            order = rows[np.argsort(material.known[source.time].to_numpy(), kind="stable")]
        return np.sort(order[-source.limit :] if part == "train" else order[: source.limit])
    classes = () if material.labels.dtype.kind == "f" else ("",)
    kept = sampled(_strata(material, classes), source.limit, stream(seed, material.name, "limit", part))
    limited: np.ndarray = rows[kept]
    return limited


def _natural(
    others: Mapping[str, RawData], shape: Shape, source: DataOptions, seed: int, name: str
) -> dict[str, Callable[[], Dataset]]:
    """Test sets of other groups and other files, by name; read in the same way, limited in the same way."""
    found: dict[str, Callable[[], Dataset]] = {}
    for where, material in others.items():
        rows = _limited(material, np.arange(len(material)), source, seed, "test")
        dataset = shape(material.take(rows))
        found[where] = partial(dataset.with_inputs, dataset.inputs, f"{name} {where}")
    return found


def _alike(other: RawData, main: RawData, source: DataOptions, name: str) -> RawData:
    """The test part of other material, with labels asked in the same way and the same instance columns."""
    flat = isinstance(other.inputs, np.ndarray) and (main.modality, other.modality) == ("image", "table")
    if other.modality != main.modality and not flat:
        raise InputError(f"{name} is of the kind {other.modality}", f"{main.modality}, as {main.name}")
    task = "" if source.positive else "regression" if main.labels.dtype.kind == "f" else "classification"
    other = asked(replace(other, name=name), replace(source, task=task))
    if "test" in other.part:
        other = other.take(np.flatnonzero(other.part == "test"))
    need_instances(len(other), name)
    known = other.known.reindex(columns=main.known.columns)
    alone = pd.Series(known.index.astype(str), index=known.index)
    return replace(other, known=known.apply(lambda column: column.astype(object).fillna(alone)))
