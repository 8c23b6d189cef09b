"""How do several tables become one? Each is split into items, which are matched by their ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from polyculture.errors import InputError
from polyculture.predictions import MISSING

from ..folders.predictions_folder import read_folder
from ..tables.categorical import CategoricalColumn
from ..tables.column_roles import ColumnOptions, find_roles
from ..tables.files import ColumnTable, open_table
from ..tables.models_as_rows import with_models_as_columns
from ..tables.wide_long import contents_of
from .builder import PredictionsBuilder
from .item import Item


def add_table(table: ColumnTable, options: ColumnOptions, builder: PredictionsBuilder) -> str:
    """Add all cells of a table; returns by what its rows are matched with those of other tables."""
    # The models are chosen when all tables are in; a label that is no column belongs to the logs among the sources.
    wide_table = with_models_as_columns(table, options)
    if wide_table is not table:
        table, options = wide_table, replace(options, model=None)
    present = tuple(p for p in options.models if p in table.names or any(fnmatchcase(name, p) for name in table.names))
    file_options = replace(options, models=present, label=None if builder.extra_labels is not None else options.label)
    roles, parts = find_roles(table, file_options), contents_of(table, file_options)
    texts = None if parts.label is None else _texts(parts.label)
    instances = [str(name) for name in parts.instances.index]
    runs = [(str(model), 0) for model in parts.models.index]
    if "base" in parts.models:
        runs = list(zip(parts.models["base"], parts.models["repeat"], strict=True))
    for m, (model, repeat) in enumerate(runs):
        column = parts.answers[m] if parts.answers else None
        answers = [None] * len(instances) if column is None else _texts(column)
        for n, instance in enumerate(instances):
            outcome = MISSING if parts.correct is None else int(parts.correct[m, n])
            is_unparsed = parts.unparsed is not None and bool(parts.unparsed[m, n])
            if answers[n] is None and outcome == MISSING and not is_unparsed:
                continue
            item = Item(model, instance, instance, f"instance {instance} of {table.source}", answers[n])
            item.label = None if texts is None else texts[n]
            item.score = None if outcome == MISSING else outcome
            item.state, item.repeat = "unparsed" if is_unparsed else "", repeat
            builder.add(item)
    return "their ids" if roles.instance is not None else "the order of their rows"


def add_folder(folder: Path, builder: PredictionsBuilder, remarks: list[str]) -> str:
    """Add all cells of a Predictions folder; returns by what its instances are matched with those of other sources."""
    predictions = read_folder(folder)
    omissions = ["probabilities"] * (predictions.probabilities is not None) + [
        str(c) for c in predictions.instances.columns
    ]
    if omissions:
        remarks.append(f"left out of {folder}, which is among other sources: {', '.join(omissions)}")
    classes = np.array([*predictions.classes, None], dtype=object)
    unknown = np.full(predictions.shape[1], MISSING)
    labels = classes[unknown if predictions.labels is None else predictions.labels]
    instances = [str(name) for name in predictions.instances.index.tolist()]
    options = [0] * len(instances) if predictions.options is None else predictions.options.tolist()
    for m, model in enumerate(predictions.model_ids):
        builder.add_factors(model, {str(name): cell for name, cell in predictions.models.iloc[m].dropna().items()})
        answers = classes[unknown if predictions.answers is None else predictions.answers[m]]
        outcomes = (unknown if predictions.correct is None else predictions.correct[m]).tolist()
        cells = zip(instances, answers, labels, outcomes, options, strict=True)
        for instance, answer, label, outcome, n_options in cells:
            if answer is not None or outcome != MISSING:
                item = Item(model, instance, instance, f"instance {instance} of {folder}", answer, label)
                item.score, item.options = None if outcome == MISSING else outcome, n_options
                builder.add(item)
    return "their ids"


def _texts(column: CategoricalColumn) -> list[str | None]:
    """The cells as texts; None where they are empty."""
    texts: list[str | None] = np.array([*column.values, None], dtype=object)[column.codes].tolist()
    return texts


def labels_by_id(label: Any, keep_na: bool = False) -> Mapping[str, str] | None:
    """The true answers by instance: as a mapping, or from a file with the columns instance and label."""
    if label is None:
        return None
    if isinstance(label, Mapping):
        return {str(instance): str(answer) for instance, answer in label.items()}
    if not isinstance(label, (str, Path)) or not Path(label).is_file():
        raise InputError(f"label is {label!r}", "{instance: answer}, or a file with the columns instance and label")
    table = open_table(Path(label), keep_na=keep_na)
    roles = find_roles(table, ColumnOptions())
    if roles.instance is None or roles.label is None:
        raise InputError(
            f"{label} has no labels by instance (its columns: {', '.join(table.names)})",
            "the columns instance and label",
        )
    keys, answers = table.instance_ids(roles.instance).astype(str), table.ids(roles.label).astype(str)
    return dict(zip(keys, answers, strict=True))
