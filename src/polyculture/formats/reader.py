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
from .canonical_answers import normalized_answers, unify, variants
from .detection import InputSource, find_sources, kind_of_names, of_one_model, open_source
from .folders.predictions_folder import read_folder
from .folders.regression_folder import read_values_file
from .graded import graded_cells, graded_predictions, score_columns, with_threshold, with_verdicts
from .items.builder import PredictionsBuilder
from .items.grades import graded_sentence
from .items.predictions_from_items import alignment_of_table, assemble_items
from .items.tables_to_items import add_folder, add_table, labels_by_id
from .joined_tables import is_with_truth, joined_table
from .json_layout import CURE as LAYOUT_CURE
from .json_layout import LAYOUT_ERRORS, layout_problem
from .json_lines import BadLines
from .logs import (
    helm,
    inspect_logs,
    lighteval,
    lm_eval,
    mapped_json_lines,
    mlflow_runs,
    preferences,
    promptfoo,
    records,
    trulens,
)
from .rules import NAME_RULES, ReadingRules
from .tables.column_roles import ColumnOptions, find_roles, matching, name_tuple
from .tables.dataframes import is_frame, open_frame
from .tables.files import ColumnTable, unknown_column
from .tables.model_factors import factors_of
from .tables.models_as_rows import with_models_as_columns
from .tables.single_answers import with_single_answers
from .tables.wide_long import predictions_from
from .truth_files import is_label_file, truth_table, with_truth

POSITION = "their position"
LOGS = {
    "lm-eval": (lm_eval.read_samples, lm_eval.MATCHED_BY),
    "inspect": (inspect_logs.read_log, inspect_logs.MATCHED_BY),
    "helm": (helm.read_run, helm.MATCHED_BY),
    "lighteval": (lighteval.read_details, lighteval.MATCHED_BY),
    "promptfoo": (promptfoo.read_results, promptfoo.MATCHED_BY),
    "trulens": (trulens.read_records, trulens.MATCHED_BY),
    "lines": (mapped_json_lines.read_lines, mapped_json_lines.MATCHED_BY),
    "split": (mlflow_runs.read_split, mlflow_runs.MATCHED_BY),
}
"""How logs are read, and by what their items are matched."""

_ALONE = {"npy": "a folder of arrays", "regression": "a Predictions folder of numbers"}


def read(
    source: Any,
    *,
    label: Any = None,
    instance: str | None = None,
    models: str | Sequence[str] | None = None,
    groups: str | Sequence[str] = (),
    factors: str | Path | None = None,
    correct: bool | str = False,
    rules: ReadingRules | None = None,
    model: str | None = None,
    answer: str | None = None,
    repeat: str | None = None,
    classes: Sequence[Any] = (),
) -> Predictions:
    """Predictions from files, folders, arrays, dataframes or logs: each model's answers, and the true ones.

    Takes a path, several, or ``{model: path}``; their kind is detected from their content:

    - tables: CSV and TSV (also packed; commas, semicolons or tabs), Parquet, JSON Lines, Arrow, Feather, a data set
      that Hugging Face saved or loaded, JSON with lists of predictions and references as its `evaluate` takes them, any
      dataframe (pandas, polars, …), ``{model: dataframe}``; several tables are matched by their instances;
    - arrays: ``{model: array}`` with `label`, an array with a row per model, a folder with one npy file per model;
      n × c arrays are probabilities;
    - logs: lm-evaluation-harness (samples_*.jsonl), lighteval (details_*.parquet), Inspect (.eval, .json), promptfoo
      (results.json), HELM run folders, MLflow (``mlflow:EXPERIMENT``, tables with columns and data), TruLens,
      preferences of judges (alpaca_eval, MT-bench, arena), OpenAI's batch outputs; folders are searched;
    - the truth in a file of its own (solution.csv, labels.txt, …), next to tables or files with an answer per line;
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
    label, instance : the columns with the true answers and the ids, if they have other names. Else label holds the true
        answers: an array (for arrays), ``{instance: answer}``, or a file with the columns instance and label. For
        preferences it is also a judge, or a pattern of judges.
    models : names or patterns such as ``"api_*"`` of the models to read; all if left out.
    groups : columns that describe the instance (group, cluster, source); they become columns of the instance table.
    factors : CSV file with one row per model (column model): what each is made of.
    correct : True if the cells of a wide table are right (1, true) or wrong (0, false) rather than answers; of a long
        table the column that says so, if it has another name. Scores between are numbers with the target 1, unless the
        rules have a threshold.
    rules : how answers are read where the source leaves a choice.
    model, answer : the columns of a long table with the model and its answer, if they have other names.
    repeat : the column of a long table that tells the runs of a model apart (a seed): each run is read as a model
        `model@run`. Where a model has several rows per instance, a column called repeat, run, seed, epoch, … is found.
    classes : names of the classes, in the order of the columns of arrays of probabilities.

    Raises FileError if it cannot be read, InputError if it holds no predictions.

    Examples
    --------
    >>> columns = {"label": ["cat", "dog"], "ann": ["cat", "dog"], "bob": ["dog", "dog"]}
    >>> pc.read(pd.DataFrame(columns))
    Predictions: 2 models × 2 instances, 2 classes, classification; accuracy 0.5 … 1; 0.0 % missing
      ann  1
      bob  0.5
    """
    names = name_tuple(models), name_tuple(groups)
    columns = ColumnOptions(label, instance, *names, correct, model, answer, repeat, tuple(classes))
    return _align(source, columns, factors, rules or ReadingRules()).predictions


def align(
    source: Any, *, rules: ReadingRules | None = None, factors: str | Path | None = None, **columns: Any
) -> AlignedPredictions:
    """As `read`, with a report on how well the sources match; takes the same arguments."""
    names: dict[str, Any] = {name: name_tuple(columns.pop(name, None)) for name in ("models", "groups", "classes")}
    return _align(source, ColumnOptions(**columns, **names), factors, rules or ReadingRules())


def _align(source: Any, columns: ColumnOptions, factors: str | Path | None, rules: ReadingRules) -> AlignedPredictions:
    bad = BadLines(rules.skip_bad)
    columns = replace(columns, rules=rules)
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
        predictions = normalized_answers(predictions_of_arrays(source, columns.label, columns), rules.normalize)
        return AlignedPredictions(predictions, alignment_of_table(predictions, SOURCE, POSITION, bad))
    if is_frame(source):
        return _from_frame(replace(with_single_answers(open_frame(source)), bad=bad), columns, rules)
    if isinstance(source, Mapping):
        sources = [item for name, path in source.items() for item in find_sources(str(path), rules, str(name))]
    else:
        paths = [source] if isinstance(source, (str, Path)) else _paths(source)
        sources = [item for path in paths for item in find_sources(str(path), rules)]
    if not sources:
        raise InputError("nothing to read", "a path, several, or {model: path}")
    if any(source.kind == "preferences" for source in sources):
        return _from_preferences(sources, columns, rules, bad)
    if is_with_truth(sources, columns.label):
        return _from_joined(joined_table(sources, columns, bad), columns, rules)
    text = next((source.path for source in sources if source.kind == "text"), None)
    if text is not None:
        raise InputError(f"{text} has no true answers next to it", "labels.txt, or a file named with label (--label)")
    if rules.fields and all(source.kind != "lines" for source in sources):
        raise InputError(
            f"fields are of JSON Lines, which {sources[0].path} is not",
            "JSON Lines, or a JSON list of records",
            "name the columns of a table (--model, --answer, --label, --instance)",
        )
    if columns.classes and any(source.kind != "npy" for source in sources):
        raise InputError(
            f"classes beside {sources[0].path}", "classes beside arrays of probabilities", "leave them out"
        )
    if len(sources) == 1 and not sources[0].is_log and sources[0].model is None:
        return _from_one(sources[0], columns, rules, bad)
    return _from_many(sources, columns, rules, bad)


def _from_one(source: InputSource, columns: ColumnOptions, rules: ReadingRules, bad: BadLines) -> AlignedPredictions:
    """Predictions from a single table, folder of arrays or Predictions folder."""
    if source.kind in ("folder", "regression"):
        predictions = normalized_answers(_from_folder(source, columns), columns.rules.normalize)
        return AlignedPredictions(predictions, alignment_of_table(predictions, source.path, "their ids", bad))
    if source.kind == "npy":
        predictions = read_npy_folder(source.file, columns.label, columns)
        return AlignedPredictions(predictions, alignment_of_table(predictions, source.path, POSITION, bad))
    return _from_table(open_source(source, bad, rules.keep_na), columns, rules)


def _from_frame(table: ColumnTable, columns: ColumnOptions, rules: ReadingRules) -> AlignedPredictions:
    """Predictions from one dataframe: a table, or the records of a tool."""
    kind = kind_of_names(table.names)
    if kind in ("preferences", "trulens"):
        builder = PredictionsBuilder(replace(rules, names=rules.names or {}), table.bad)
        rows = list(records.rows_of_table(table))
        if kind == "trulens":
            trulens.add_records(rows, table.source, None, builder)
            return _assemble(builder, [trulens.MATCHED_BY], columns, table.source)
        remarks = preferences.add_comparisons([("judge", row) for row in rows], columns.label, builder)
        return _with_remarks(_assemble(builder, [preferences.MATCHED_BY], columns, table.source), remarks)
    if is_label_file(columns.label):
        truth = truth_table(columns.label, columns)
        joined = with_truth([("answers", table)], truth, columns)
        return _from_joined(replace(joined, bad=table.bad), columns, rules)
    return _from_table(table, columns, rules)


def _from_table(table: ColumnTable, columns: ColumnOptions, rules: ReadingRules) -> AlignedPredictions:
    if columns.label is not None and not isinstance(columns.label, str):
        raise InputError(f"label is a {type(columns.label).__name__}", f"the name of a column of {table.source}")
    wide_table = with_models_as_columns(table, columns)
    if wide_table is not table:
        table, columns = wide_table, replace(columns, model=None)
    roles = find_roles(table, columns)
    if rules.threshold is not None:
        table = with_threshold(table, score_columns(roles, columns), rules.threshold)
    matched_by = "their ids" if roles.instance is not None else "the order of their rows"
    graded = graded_predictions(table, columns)
    predictions = graded or predictions_from(table, columns)
    report = alignment_of_table(predictions, table.source, matched_by, table.bad)
    if graded:
        report = replace(report, graded=graded_sentence(*graded_cells(table, score_columns(roles, columns))))
    return _with_remarks(AlignedPredictions(predictions, report), table.remarks)


def _from_preferences(
    sources: Sequence[InputSource], columns: ColumnOptions, rules: ReadingRules, bad: BadLines
) -> AlignedPredictions:
    """Predictions of judges, from all their comparisons."""
    foreign = next((source.path for source in sources if source.kind != "preferences"), None)
    if foreign is not None:
        raise InputError(f"{foreign} is among files of preferences", "files of preferences by themselves")
    builder = PredictionsBuilder(replace(rules, names=rules.names or {}), bad)
    files = [(source.file, source.model) for source in sources]
    remarks = preferences.read_comparisons(files, columns.label, builder)
    title = ", ".join(source.path for source in sources[:3])
    return _with_remarks(_assemble(builder, [preferences.MATCHED_BY], columns, title), remarks)


def _from_joined(table: ColumnTable, columns: ColumnOptions, rules: ReadingRules) -> AlignedPredictions:
    """Predictions from a table with the truth in it, in which the ids of a wide table have their usual name."""
    instance = columns.instance if columns.instance in table.names else None
    return _from_table(table, replace(columns, label=None, instance=instance), rules)


def _from_frames(
    frames: Mapping[str, Any], columns: ColumnOptions, rules: ReadingRules, bad: BadLines
) -> AlignedPredictions:
    """Predictions from a dataframe per model."""
    if is_label_file(columns.label):
        tables = [(str(name), open_frame(frame, f"the dataframe of {name}")) for name, frame in frames.items()]
        joined = with_truth(tables, truth_table(columns.label, columns), columns)
        return _from_joined(replace(joined, bad=bad), columns, rules)
    builder = PredictionsBuilder(replace(rules, names=rules.names or {}), bad)
    matched: dict[str, None] = {}
    remarks: list[str] = []
    for name, frame in frames.items():
        table = with_single_answers(open_frame(frame, f"the dataframe of {name}"))
        table = replace(table, bad=bad, remarks=remarks)
        table = with_verdicts(of_one_model(table, str(name), columns), columns, rules.threshold)
        matched[add_table(table, columns, builder)] = None
    return _with_remarks(_assemble(builder, matched, columns, "the dataframes"), remarks)


def _from_many(
    sources: Sequence[InputSource], columns: ColumnOptions, rules: ReadingRules, bad: BadLines
) -> AlignedPredictions:
    """Predictions from several sources, or from one log, item by item."""
    logs = [source for source in sources if source.is_log]
    labels = None
    if logs:
        _refuse(
            ("instance", "groups", "correct", "model", "answer", "repeat"),
            columns,
            f"{logs[0].path} is a log",
            "its own names for what it holds",
        )
        labels = labels_by_id(columns.label, rules.keep_na)
    name_rules = NAME_RULES if logs else {}  # names of table files rarely hold factors
    builder = PredictionsBuilder(replace(rules, names=name_rules if rules.names is None else rules.names), bad, labels)
    matched: dict[str, None] = {}
    remarks: list[str] = []
    later = _earlier_runs(sources, builder)
    if later:
        remarks.append(f"earlier runs of the same task are left out: {len(later)} (repeat runs with --repeats)")
    for source in sources:
        if source.path not in later:
            matched[_add(source, columns, builder, remarks)] = None
    title = ", ".join(source.path for source in sources[:3])
    return _with_remarks(_assemble(builder, matched, columns, title), remarks)


def _earlier_runs(sources: Sequence[InputSource], builder: PredictionsBuilder) -> set[str]:
    """Files of earlier runs to leave out; none where all runs count, which get their numbers."""
    earlier: set[str] = set()
    for kind, runs in (("lm-eval", lm_eval.runs), ("lighteval", lighteval.runs)):
        groups = runs(source.path for source in sources if source.kind == kind and source.model is None)
        if builder.rules.repeats:
            builder.repeats |= {path: number for group in groups for number, path in enumerate(group, 1)}
            continue
        for *paths, latest in groups:
            earlier |= set(paths)
            for path in paths:
                builder.note(f"{path} is left out: {latest} is a later run of the same task.")
    return earlier


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
        try:
            read_log(path, model, builder)
        except LAYOUT_ERRORS as error:
            raise InputError(f"{path} {layout_problem(error)}", "", LAYOUT_CURE) from error
        return matched_by
    if source.kind == "mlflow":
        mlflow_runs.read_runs(source.path, builder)
        return mlflow_runs.MATCHED_BY
    if source.kind == "folder":
        return add_folder(path, builder, remarks)
    if source.kind in _ALONE:
        kind, cure = _ALONE[source.kind], "join all in one table, with the ids and a column per model"
        raise InputError(f"{path} is {kind} among other sources", f"{kind} by itself", cure)
    table = open_source(source, builder.bad, columns.rules.keep_na)
    remarks.extend(table.remarks)
    table = replace(table, remarks=remarks)
    table = of_one_model(table, model or path.name.partition(".")[0], columns)
    return add_table(with_verdicts(table, columns, builder.rules.threshold), columns, builder)


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
    _refuse(("label", "instance", "correct", "model", "answer", "repeat"), columns, folder, "its own names for columns")
    predictions = (read_folder if source.kind == "folder" else read_values_file)(source.file)
    for name in columns.groups:
        if name not in predictions.instances.columns:
            raise unknown_column(source.path, name, "group", list(predictions.instances.columns))
    if not columns.models:
        return predictions  # taking models would bring the probabilities into memory
    ids = predictions.models.get("id")
    return predictions.take_models(matching(predictions.model_ids, columns.models, source.path, ids))
