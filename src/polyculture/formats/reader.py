"""How does any source of answers become Predictions? Its kind is detected, its items are matched and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from polyculture.errors import InputError
from polyculture.predictions import Predictions

from .alignment import AlignedPredictions, check_matching
from .arrays import SOURCE, by_row, predictions_of_arrays, read_npy_folder
from .canonical_answers import unify, variants
from .detection import InputSource, find_sources, of_one_model, open_source
from .items.builder import PredictionsBuilder
from .items.predictions_from_items import alignment_of_table, assemble_items
from .items.tables_to_items import add_table, labels_by_id
from .json_lines import BadLines
from .logs import helm, inspect_logs, lm_eval, mapped_json_lines, mlflow_runs
from .predictions_folder import read_folder
from .regression_folder import read_values_file
from .rules import NAME_RULES, ReadingRules
from .tables.column_roles import ColumnOptions, find_roles, matching, name_tuple
from .tables.dataframes import is_frame, open_frame, open_split_table
from .tables.files import ColumnTable, unknown_column
from .tables.model_factors import factors_of
from .tables.wide_long import predictions_from

POSITION = "their position"
LOGS = {
    "lm-eval": (lm_eval.read_samples, lm_eval.MATCHED_BY),
    "inspect": (inspect_logs.read_log, inspect_logs.MATCHED_BY),
    "helm": (helm.read_run, helm.MATCHED_BY),
    "lines": (mapped_json_lines.read_lines, mapped_json_lines.MATCHED_BY),
}
"""How logs are read, and by what their items are matched."""


def read(
    source: Any,
    *,
    label: Any = None,
    instance: str | None = None,
    models: str | Sequence[str] | None = None,
    groups: str | Sequence[str] = (),
    factors: str | Path | None = None,
    correct: bool = False,
    rules: ReadingRules | None = None,
) -> Predictions:
    """Predictions from files, folders, arrays, dataframes or logs: each model's answers, and the true ones.

    Takes a path, several, or ``{model: path}``; their kind is detected from their content:

    - tables: CSV and TSV (also packed; commas, semicolons or tabs), Parquet, JSON Lines, Arrow, Feather, a data set
      that Hugging Face saved or loaded, JSON with lists of predictions and references as its `evaluate` takes them, any
      dataframe (pandas, polars, …), ``{model: dataframe}``; several tables are matched by their instances;
    - arrays: ``{model: array}`` with `label`, an array with a row per model, a folder with one npy file per model;
      n × c arrays are probabilities;
    - logs: lm-evaluation-harness (samples_*.jsonl), Inspect (.eval, .json), HELM run folders, MLflow
      (``mlflow:EXPERIMENT``, tables with columns and data), OpenAI's batch outputs; folders are searched;
    - a Predictions folder (see `write`), or the output folder of `run`.

    A table is wide (a row per instance: instance, label, one column per model) or long (a row per answer: instance,
    model, answer and/or correct, label); among other sources, a long table without a model column is of one model,
    named after its file. Columns are found by their usual names, in any case:

    - label: label, labels, target, truth, ground_truth, gold, y_true, y, true, reference,
      references;
    - instance: instance, instance_id, item, item_id, example, example_id, id, index, idx; an unnamed first column as
      pandas writes it; else rows are counted from 0;
    - long tables: model, model_id, model_name; answer, prediction, predicted, pred, output, response,
      predictions; correct, is_correct, outcome;
    - options: number of answers to choose from, if that differs between instances.

    All other columns of a wide table are models. Answers are integers, strings or booleans, compared as text without
    surrounding whitespace; ``3.0`` is 3; empty cells, NA and NaN are missing. A wide table is one of predicted numbers
    (regression) where both the label and models hold fractions, or where the label has more than 20 different whole
    numbers and all models hold fractions, some outside [0, 1]; `read_values` reads any other.

    Parameters
    ----------
    source : what to read.
    label, instance : the columns with the true answers and the ids, if they have other names. For arrays and logs,
        label holds the true answers: an array, ``{instance: answer}``, or a file with the columns instance and label.
    models : names or patterns such as ``"api_*"`` of the models to read; all if left out.
    groups : columns that describe the instance (group, cluster, source); they become columns of the instance table.
    factors : CSV file with one row per model (column model): what each is made of.
    correct : the cells of a wide table are right (1, true) or wrong (0, false) rather than answers.
    rules : how answers are read where the source leaves a choice.

    Raises FileError if it cannot be read, InputError if it holds no predictions.

    Examples
    --------
    >>> columns = {"label": ["cat", "dog"], "ann": ["cat", "dog"], "bob": ["dog", "dog"]}
    >>> pc.read(pd.DataFrame(columns))
    Predictions: 2 models × 2 instances, 2 classes, classification; accuracy 0.5 … 1; 0.0 % missing
      ann  1
      bob  0.5
    """
    columns = ColumnOptions(label, instance, name_tuple(models), name_tuple(groups), correct)
    return _align(source, columns, factors, rules or ReadingRules()).predictions


def align(
    source: Any, *, rules: ReadingRules | None = None, factors: str | Path | None = None, **columns: Any
) -> AlignedPredictions:
    """As `read`, with a report on how well the sources match; takes the same arguments."""
    names: dict[str, Any] = {name: name_tuple(columns.pop(name, None)) for name in ("models", "groups")}
    return _align(source, ColumnOptions(**columns, **names), factors, rules or ReadingRules())


def _align(source: Any, columns: ColumnOptions, factors: str | Path | None, rules: ReadingRules) -> AlignedPredictions:
    bad = BadLines(rules.skip_bad)
    aligned = _aligned(source, columns, rules, bad)
    predictions, report = aligned.predictions, aligned.report
    if predictions.answers is not None:
        report = replace(report, labels=variants(predictions, rules.unify))
        predictions = unify(predictions) if rules.unify else predictions
    if factors is not None:
        predictions = replace(predictions, models=factors_of(predictions.model_ids, Path(factors)))
    return AlignedPredictions(predictions, report)


def _aligned(source: Any, columns: ColumnOptions, rules: ReadingRules, bad: BadLines) -> AlignedPredictions:
    if isinstance(source, np.ndarray):
        source = by_row(source)
    if isinstance(source, Mapping) and source and all(is_frame(value) for value in source.values()):
        return _from_frames(source, columns, rules, bad)
    if isinstance(source, Mapping) and not all(isinstance(value, (str, Path)) for value in source.values()):
        predictions = predictions_of_arrays(source, columns.label, columns)
        return AlignedPredictions(predictions, alignment_of_table(predictions, SOURCE, POSITION, bad))
    if is_frame(source):
        return _from_table(replace(open_frame(source), bad=bad), columns, bad)
    if isinstance(source, Mapping):
        sources = [item for name, path in source.items() for item in find_sources(str(path), rules, str(name))]
    else:
        paths = [source] if isinstance(source, (str, Path)) else _paths(source)
        sources = [item for path in paths for item in find_sources(str(path), rules)]
    if not sources:
        raise InputError("nothing to read", "a path, several, or {model: path}")
    if len(sources) == 1 and not sources[0].is_log and sources[0].model is None:
        return _from_one(sources[0], columns, bad)
    return _from_many(sources, columns, rules, bad)


def _from_one(source: InputSource, columns: ColumnOptions, bad: BadLines) -> AlignedPredictions:
    """Predictions from a single table, folder of arrays or Predictions folder."""
    if source.kind in ("folder", "regression"):
        predictions = _from_folder(source, columns)
        return AlignedPredictions(predictions, alignment_of_table(predictions, source.path, "their ids", bad))
    if source.kind == "npy":
        predictions = read_npy_folder(source.file, columns.label, columns)
        return AlignedPredictions(predictions, alignment_of_table(predictions, source.path, POSITION, bad))
    return _from_table(open_source(source, bad), columns, bad)


def _from_table(table: ColumnTable, columns: ColumnOptions, bad: BadLines) -> AlignedPredictions:
    if columns.label is not None and not isinstance(columns.label, str):
        raise InputError(f"label is a {type(columns.label).__name__}", f"the name of a column of {table.source}")
    predictions = predictions_from(table, columns)
    matched_by = "their ids" if find_roles(table, columns).instance is not None else "the order of their rows"
    report = alignment_of_table(predictions, table.source, matched_by, bad)
    return _with_remarks(AlignedPredictions(predictions, report), table.remarks)


def _from_frames(
    frames: Mapping[str, Any], columns: ColumnOptions, rules: ReadingRules, bad: BadLines
) -> AlignedPredictions:
    """Predictions from a dataframe per model."""
    builder = PredictionsBuilder(replace(rules, names=rules.names or {}), bad)
    matched: dict[str, None] = {}
    remarks: list[str] = []
    for name, frame in frames.items():
        table = replace(open_frame(frame, f"the dataframe of {name}"), bad=bad, remarks=remarks)
        matched[add_table(of_one_model(table, str(name)), columns, builder)] = None
    return _with_remarks(_assemble(builder, matched, columns, "the dataframes"), remarks)


def _from_many(
    sources: Sequence[InputSource], columns: ColumnOptions, rules: ReadingRules, bad: BadLines
) -> AlignedPredictions:
    """Predictions from several sources, or from one log, item by item."""
    logs = [source for source in sources if source.is_log]
    labels = None
    if logs:
        _refuse(
            ("instance", "groups", "correct"), columns, f"{logs[0].path} is a log", "its own names for what it holds"
        )
        labels = labels_by_id(columns.label)
    name_rules = NAME_RULES if logs else {}  # names of table files rarely hold factors
    builder = PredictionsBuilder(replace(rules, names=name_rules if rules.names is None else rules.names), bad, labels)
    matched: dict[str, None] = {}
    remarks: list[str] = []
    later = lm_eval.newest(source.path for source in sources if source.kind == "lm-eval" and source.model is None)
    for earlier, latest in later.items():
        builder.note(f"{earlier} is left out: {latest} is a later run of the same task.")
    for source in sources:
        if source.path not in later:
            matched[_add(source, columns, builder, remarks)] = None
    title = ", ".join(source.path for source in sources[:3])
    return _with_remarks(_assemble(builder, matched, columns, title), remarks)


def _assemble(
    builder: PredictionsBuilder, matched: Iterable[str], columns: ColumnOptions, source: str
) -> AlignedPredictions:
    """The items of all sources, which must have instances in common."""
    aligned = assemble_items(builder, " and ".join(matched), columns.models, source)
    check_matching(aligned)
    return aligned


def _with_remarks(aligned: AlignedPredictions, remarks: Sequence[str]) -> AlignedPredictions:
    return replace(aligned, report=replace(aligned.report, remarks=tuple(dict.fromkeys(remarks))))


def _add(source: InputSource, columns: ColumnOptions, builder: PredictionsBuilder, remarks: list[str]) -> str:
    """Add all items of a source; returns by what they are matched."""
    path, model = source.file, source.model
    if source.kind in LOGS:
        read_log, matched_by = LOGS[source.kind]
        read_log(path, model, builder)
        return matched_by
    if source.kind == "mlflow":
        mlflow_runs.read_runs(source.path, builder)
        return mlflow_runs.MATCHED_BY
    if source.kind == "split":
        mlflow_runs.read_table(open_split_table(path), model or path.stem, builder)
        return mlflow_runs.MATCHED_BY
    if source.kind == "npy":
        raise InputError(f"{path} is a folder of arrays among other sources", "a folder of arrays by itself")
    if source.kind in ("folder", "regression"):
        raise InputError(f"{path} is a Predictions folder among other sources", "one Predictions folder by itself")
    table = replace(open_source(source, builder.bad), remarks=remarks)
    table = of_one_model(table, model or path.name.partition(".")[0])
    return add_table(table, columns, builder)


def _refuse(options: Sequence[str], columns: ColumnOptions, source: str, expected: str) -> None:
    for option in options:
        if getattr(columns, option):
            raise InputError(f"{option} is given but {source}", expected, "leave it out")


def _paths(source: Any) -> list[str | Path]:
    if not isinstance(source, Sequence) or not all(isinstance(path, (str, Path)) for path in source):
        raise InputError(
            f"a {type(source).__name__} cannot be read",
            "a path, several, {model: path}, {model: array}, an array or a dataframe",
        )
    return list(source)


def _from_folder(source: InputSource, columns: ColumnOptions) -> Predictions:
    folder = f"{source.path} is a Predictions folder"
    _refuse(("label", "instance", "correct"), columns, folder, "its own names for columns")
    predictions = (read_folder if source.kind == "folder" else read_values_file)(source.file)
    for name in columns.groups:
        if name not in predictions.instances.columns:
            raise unknown_column(source.path, name, "group", list(predictions.instances.columns))
    if not columns.models:
        return predictions  # taking models would bring the probabilities into memory
    return predictions.take_models(matching(predictions.model_ids, columns.models, source.path))
