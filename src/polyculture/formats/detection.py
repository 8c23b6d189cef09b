"""What kind of source is this? Files, folders and URIs are recognised by their content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from polyculture.errors import FileError, InputError

from .folders.predictions_folder import ANSWERS, MODELS
from .folders.regression_folder import values_folder
from .json_lines import BadLines, first_object, load_json
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
from .rules import ReadingRules
from .tables.column_roles import ANSWER_NAMES, LABEL_NAMES, MODEL_NAMES, OUTCOME_NAMES, ColumnOptions, first_name
from .tables.dataframes import ARROW_SUFFIXES, open_arrow, open_json_lines
from .tables.files import ColumnTable, check_readable, is_visible, open_table
from .tables.json_tables import holds_predictions, is_json_table, names_of, open_json_table
from .tables.single_answers import with_single_answers
from .text_lines import KINDS
from .truth_files import is_truth
from .unpacking import PACKED_SUFFIXES

Kind = Literal[
    "table",
    "text",
    "truth",
    "folder",
    "regression",
    "npy",
    "lm-eval",
    "lighteval",
    "inspect",
    "helm",
    "mlflow",
    "split",
    "lines",
    "promptfoo",
    "trulens",
    "preferences",
]
LEFT = "predictions"
"""Subfolder of a run that holds its predictions."""
TABLES = (
    *("*.parquet", "*.arrow", "*.feather"),
    *(f"*{kind}{packed}" for kind in (".csv", ".tsv", ".jsonl") for packed in ("", *PACKED_SUFFIXES)),
)


@dataclass(frozen=True)
class InputSource:
    """One file, folder or URI to read.

    Parameters
    ----------
    kind : its format.
    path : its path; the URI for MLflow.
    model : id of its model, if the user gives it.
    """

    kind: Kind
    path: str
    model: str | None = None

    @property
    def file(self) -> Path:
        """The path as such."""
        return Path(self.path)

    @property
    def is_log(self) -> bool:
        """Whether it is the log of a tool, rather than a table or arrays."""
        return self.kind not in ("table", "text", "truth", "folder", "regression", "npy")


def find_sources(path: str, rules: ReadingRules, model: str | None = None) -> list[InputSource]:
    """All sources at this path, sorted by name."""
    if path.startswith(mlflow_runs.SCHEME):
        return [InputSource("mlflow", path, model)]
    location = Path(path)
    if location.is_dir():
        return [replace(source, model=model) for source in _in_folder(location, rules)]
    return [InputSource(_kind(location, rules), path, model)]


def open_source(source: InputSource, bad: BadLines, keep_na: bool = False) -> ColumnTable:
    """The columns of a table, or of a data set that Hugging Face saved; a list of one answer is that answer."""
    return replace(with_single_answers(_open(source, bad, keep_na)), bad=bad)


def _open(source: InputSource, bad: BadLines, keep_na: bool) -> ColumnTable:
    path = source.file
    if path.is_dir():
        return open_arrow(sorted(filter(is_visible, path.glob("*.arrow"))), source.path)
    check_readable(path)
    if path.suffix == ".json":
        return open_json_table(path)
    if {".jsonl", ".ndjson"} & set(path.suffixes[-2:]):
        return open_json_lines(path, bad)
    if ARROW_SUFFIXES & set(path.suffixes[-1:]):
        return open_arrow([path], source.path)
    return open_table(path, bad=bad, keep_na=keep_na)


def of_one_model(table: ColumnTable, name: str, options: ColumnOptions) -> ColumnTable:
    """The table with a column `model` of this name, unless it already names its models."""
    lower = {column.lower() for column in table.names}
    has_answers = options.of_rows or lower & {*ANSWER_NAMES, *OUTCOME_NAMES}
    if options.model or lower & set(MODEL_NAMES) or not has_answers:
        return table
    first = next(iter(table.load(table.names[:1]).values()))
    names = pa.chunked_array([pa.array([name] * len(first))]).dictionary_encode()

    def load(column_names: Iterable[str]) -> dict[str, pa.ChunkedArray]:
        loaded = table.load([column for column in column_names if column != "model"])
        return {column: names if column == "model" else loaded[column] for column in column_names}

    return replace(table, names=(*table.names, "model"), load=load)


def _kind(path: Path, rules: ReadingRules) -> Kind:
    check_readable(path)
    if path.suffix == ".eval":
        return "inspect"
    if path.suffix == ".json":
        return "lines" if rules.fields else _kind_of_json(path)
    if {".jsonl", ".ndjson"} & set(path.suffixes[-2:]):
        first = first_object(path)
        if lm_eval.is_sample(first):
            return "lm-eval"
        if mapped_json_lines.is_batch(first) or rules.fields:
            return "lines"
        return "promptfoo" if promptfoo.is_result(first) else kind_of_names(tuple(first))
    if path.suffix == ".npy":
        raise InputError(
            f"{path} is a single array",
            "a folder with one such file per model and one with the labels",
            f"read {path.parent}",
        )
    return kind_of_names(records.column_names(path))


def kind_of_names(names: tuple[str, ...]) -> Kind:
    """The kind of a table with these columns: records of a tool, or any other."""
    if lighteval.is_details(names):
        return "lighteval"
    if trulens.is_records(names):
        return "trulens"
    return "preferences" if preferences.is_preference(names) else "table"


def _kind_of_json(path: Path) -> Kind:
    value = load_json(path)
    kind = _kind_of_value(value)
    if kind:
        return kind
    if isinstance(value, list) and value and all(isinstance(row, list) for row in value):
        raise InputError(
            f"{path} is a list of lists, as pandas writes with orient='values'",
            "names of the columns",
            "write it with to_json(path, orient='split') or to_csv(path)",
        )
    raise InputError(
        f"{path} is JSON of an unknown kind",
        "a log of Inspect or promptfoo, or a table: a list of records, columns with data, or lists by column",
        "export it as CSV",
    )


def _kind_of_value(value: Any) -> Kind | None:
    if inspect_logs.is_log(value):
        return "inspect"
    if promptfoo.is_results(value):
        return "promptfoo"
    if mlflow_runs.is_evaluation(names_of(value)):
        return "split"
    if isinstance(value, list) and all(isinstance(row, dict) for row in value[:1]):
        kind = kind_of_names(records.names_of_records(value))
        if kind != "table":
            return kind
    return "table" if is_json_table(value) else None


def _in_folder(folder: Path, rules: ReadingRules) -> list[InputSource]:
    if (folder / LEFT / ANSWERS).is_file():
        folder = folder / LEFT
    if (folder / ANSWERS).is_file():
        complete = (folder / MODELS).is_file()
        return [InputSource("folder", str(folder)) if complete else InputSource("table", str(folder / ANSWERS))]
    values = values_folder(folder)
    if values is not None:
        return [InputSource("regression", str(values))]
    if (folder / "dataset_info.json").is_file() and any(folder.glob("*.arrow")):
        return [InputSource("table", str(folder))]
    if any(map(is_visible, folder.glob("*.npy"))):
        return [InputSource("npy", str(folder))]
    logs = (source for source in _logs(folder) if is_visible(source.file, folder))
    sources = sorted(logs, key=lambda source: source.path)
    if not sources:
        files = [path for pattern in TABLES for path in folder.glob(pattern) if path.name != MODELS]
        files += [path for path in folder.glob("*.json") if is_visible(path) and holds_predictions(load_json(path))]
        texts = [path for path in folder.glob("*.txt") if is_visible(path)]
        files += texts if any(map(is_truth, texts)) or not files else []
        files = sorted({path for path in files if is_visible(path)})
        sources = [InputSource(_kind_in_folder(path, files, rules), str(path)) for path in files]
    if not sources:
        raise FileError(
            f"{folder} is a folder without {ANSWERS}, logs or tables",
            f"a Predictions folder, logs of an evaluation tool, npy files, or tables ({KINDS})",
        )
    return sources


def _kind_in_folder(path: Path, files: Sequence[Path], rules: ReadingRules) -> Kind:
    """The kind of a file among others: also one with the truth about them, or with an answer per line."""
    texts = [file for file in files if file.suffix == ".txt"]
    if path in texts and (any(map(is_truth, texts)) or len(texts) == len(files)):
        check_readable(path)
        return "truth" if is_truth(path) else "text"
    names = records.column_names(path)
    has_answers = first_name(names, LABEL_NAMES) and first_name(names, (*MODEL_NAMES, *ANSWER_NAMES, *OUTCOME_NAMES))
    is_small = 0 < len(names) < 4 and not has_answers  # ids, the truth, and a split
    return "truth" if len(files) > 1 and is_truth(path) and is_small else _kind(path, rules)


def _logs(folder: Path) -> Iterator[InputSource]:
    """The logs in a folder and below."""
    for path in folder.rglob(helm.SPEC):
        if helm.is_run(path.parent):
            yield InputSource("helm", str(path.parent))
    for path in folder.rglob("*.eval"):
        yield InputSource("inspect", str(path))
    for path in folder.rglob(lm_eval.SAMPLES):
        if lm_eval.is_sample(first_object(path)):
            yield InputSource("lm-eval", str(path))
    for path in folder.rglob(lighteval.FILES):
        if lighteval.is_details(records.column_names(path)):
            yield InputSource("lighteval", str(path))
    deeper = (path for path in folder.rglob("annotations.json") if path.parent != folder)
    for path in filter(is_visible, (*folder.glob("*.json"), *deeper)):
        kind = _kind_of_value(load_json(path)) if not path.name.startswith("results_") else None
        if kind not in (None, "table"):
            yield InputSource(kind, str(path))
