"""How are Predictions stored? As a folder of standard Parquet, CSV and npy files.

answers.parquet     one row per instance: instance, label, options, groups; then per model its answers (NAME), its
                    right/wrong outcomes (NAME:correct), or both
models.csv          one row per model: its id, then what it is made of
probabilities.npy   m × n × c, in the order of models.csv, answers.parquet and the classes; optional, and instead of it
                    may be probabilities.parquet: see `compact_probabilities`
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int

from polyculture.errors import FileError, InputError
from polyculture.predictions import MISSING, Predictions, PredictionSets

from ..arrays import load_npy
from ..tables.categorical import encode, outcomes
from ..tables.files import ColumnTable, open_table
from ..tables.model_factors import read_factors
from ..tables.truth_columns import TableContents, assemble
from .atomic_folder import replacing
from .compact_probabilities import read_probabilities, write_probabilities
from .regression_folder import write_values

ANSWERS, MODELS, PROBABILITIES = "answers.parquet", "models.csv", "probabilities.npy"
COMPACT = "probabilities.parquet"
_OUTCOME = ":correct"
_NOTES = b"polyculture"


def read_folder(folder: Path) -> Predictions:
    """Predictions from a folder that `write` made or one with the same layout; probabilities stay on disk."""
    models = read_factors(folder / MODELS)
    table = open_table(folder / ANSWERS)
    notes = json.loads(table.metadata.get(_NOTES, b"{}"))
    classes = tuple(notes.get("classes", ()))
    answer_columns = _present(models.index, "", table)
    outcome_columns = _present(models.index, _OUTCOME, table)
    cells = table.load(table.names)
    fields: dict[str, Any] = {"fixed_classes": notes.get("fixed_classes")}
    roles = {"instance", *answer_columns, *outcome_columns}
    label = None
    if "label" in cells and notes.get("labelled", True):
        label = encode("label", cells["label"], exact=bool(classes))
        roles.add("label")
    if "options" in cells and notes.get("optioned", True):
        fields["options"] = cells["options"].to_numpy()
        roles.add("options")
    if (folder / PROBABILITIES).is_file():
        fields["probabilities"] = load_npy(folder / PROBABILITIES, "m × n × c floats")
    elif (folder / COMPACT).is_file():
        ids, n = [str(model) for model in models.index], len(next(iter(cells.values())))
        fields["probabilities"] = read_probabilities(folder / COMPACT, ids, n, len(classes))
    verdicts = [outcomes(name, encode(name, cells[name])) for name in outcome_columns]
    return assemble(
        TableContents(
            models,
            table.instance_table(
                "instance" if "instance" in table.names else None,
                [name for name in table.names if name not in roles],
            ),
            [encode(name, cells[name], exact=bool(classes)) for name in answer_columns],
            label,
            np.stack(verdicts) if verdicts else None,
            classes,
            fields,
        )
    )


def write(predictions: Predictions, folder: str | Path, *, compact: bool = False) -> Path:
    """Store predictions as a folder that `read` takes back; returns it.

    Predictions of numbers become a folder as of `write_values`. The folder is written next to its place and then moved
    there, so it is never incomplete. An older Predictions folder is replaced; a folder with other files is an error.

    Parameters
    ----------
    compact : whether to keep probabilities with fewer bits, so that no model's log-loss changes by more than 0.001.

    Raises FileError if the folder cannot be written and InputError if two columns would have the same name.
    """
    if predictions.task == "regression":
        return write_values(PredictionSets(predictions), folder)
    folder, table = Path(folder), _table(predictions)
    with replacing(folder) as new_folder:
        foreign = (
            {p.name for p in folder.iterdir()} - {ANSWERS, MODELS, PROBABILITIES, COMPACT} if folder.exists() else set()
        )
        if foreign:
            raise FileError(
                f"{folder} holds other files, such as {min(foreign)!r}", "a new folder, or Predictions to replace"
            )
        pq.write_table(table, new_folder / ANSWERS, compression="zstd")
        predictions.models.to_csv(new_folder / MODELS, index_label="model")
        if predictions.probabilities is not None and compact:
            write_probabilities(predictions, new_folder / COMPACT)
        elif predictions.probabilities is not None:
            np.save(new_folder / PROBABILITIES, predictions.probabilities)
    return folder


def _present(models: pd.Index[Any], ending: str, table: ColumnTable) -> list[str]:
    """The columns of these models with this ending: of all models or of none."""
    names = [f"{model}{ending}" for model in models if f"{model}{ending}" in table.names]
    if names and len(names) < len(models):
        absent = next(model for model in models if f"{model}{ending}" not in names)
        raise InputError(
            f"{table.source} has no column {absent + ending!r} but {MODELS} has a model {absent!r}",
            "the same models in both files",
        )
    return names


def _table(predictions: Predictions) -> pa.Table:
    """The table of answers.parquet."""
    classes = pa.array(predictions.classes, pa.string())

    def named(codes: Int[np.ndarray, " n"]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32(), mask=codes == MISSING), classes)

    columns: list[tuple[str, pa.Array]] = [("instance", _plain(predictions.instances.index.to_series()))]
    if predictions.labels is not None:
        columns.append(("label", named(predictions.labels)))
    if predictions.options is not None:
        columns.append(("options", pa.array(predictions.options)))
    columns += [(str(name), _plain(column)) for name, column in predictions.instances.items()]
    for i, model in enumerate(predictions.model_ids):
        if predictions.answers is not None:
            columns.append((model, named(predictions.answers[i])))
        if predictions.correct is not None:
            verdict = predictions.correct[i]
            columns.append((model + _OUTCOME, pa.array(verdict == 1, mask=verdict == MISSING)))
    names = [name for name, _ in columns]
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise InputError(
            f"a model and an instance column are both called {repeated[0]!r}", "different names", "rename one of them"
        )
    notes = {
        "format": 1,
        "classes": predictions.classes,
        "fixed_classes": predictions.fixed_classes,
        "labelled": predictions.labels is not None,
        "optioned": predictions.options is not None,
    }
    table = pa.table([column for _, column in columns], names=names)
    return table.replace_schema_metadata({_NOTES: json.dumps(notes, ensure_ascii=False).encode()})


def _plain(column: pd.Series[Any]) -> pa.Array:
    """A column of ids or groups; values of mixed types become text."""
    try:
        return pa.Array.from_pandas(column)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if pd.isna(value) else str(value) for value in column])
