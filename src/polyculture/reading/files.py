"""How does a file become Predictions? Find out what it is, which column is what, and hand it to the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from polyculture.errors import InputError
from polyculture.predictions import Predictions

from .factors import factors_of
from .folder import ANSWERS, is_folder, read_folder
from .roles import Options, matching
from .shapes import predictions_from
from .tables import open_table, unknown_column


def read(
    path: str | Path,
    *,
    label: str | None = None,
    instance: str | None = None,
    models: str | Sequence[str] | None = None,
    groups: str | Sequence[str] = (),
    factors: str | Path | None = None,
    correct: bool = False,
) -> Predictions:
    """Predictions from a table or folder: who answered what, and what would have been right.

    Takes one CSV file (.csv, .tsv, also gzipped; commas, semicolons or tabs), one Parquet file, or a Predictions
    folder (see `write`). A file is wide (a row per instance: instance, label, one column per model) or long (a row per
    answer: instance, model, answer and/or correct, label). Columns are found by their usual names, in any case:

    - label: label, labels, target, truth, ground_truth, gold, y_true, y, true, reference;
    - instance: instance, instance_id, item, item_id, example, example_id, id, index, idx; an unnamed first column as
      pandas writes it; else rows are counted from 0;
    - long tables: model, model_id, model_name; answer, prediction, predicted, pred, output, response; correct,
      is_correct, outcome;
    - options: how many answers one could choose from, if that differs between instances.

    All other columns of a wide table are models. Answers are integers, strings or booleans, compared as text without
    blanks around it; ``3.0`` is 3; empty cells, NA and NaN are missing.

    Parameters
    ----------
    path : the file or folder.
    label, instance : the columns with the true answers and the ids, if they have other names.
    models : names or patterns such as ``"api_*"`` of the models to read; all if left out.
    groups : columns that tell about the instance (group, cluster, source); they end up in the instance table.
    factors : CSV file with one row per model (column model) that tells what it is made of.
    correct : the cells of a wide table say right (1, true) or wrong (0, false) rather than what was answered.

    Raises FileError if it cannot be read, InputError if it is not a table of predictions.
    """
    path = Path(path)
    chosen = Options(label, instance, _several(models), _several(groups), correct)
    if is_folder(path):
        predictions = _from_folder(path, chosen)
    else:
        predictions = predictions_from(open_table(path / ANSWERS if path.is_dir() else path), chosen)
    if factors is not None:
        predictions = replace(predictions, models=factors_of(predictions.model_ids, Path(factors)))
    return predictions


def _from_folder(path: Path, chosen: Options) -> Predictions:
    for option in ("label", "instance", "correct"):
        if getattr(chosen, option):
            raise InputError(
                f"{option} is given but {path} is a Predictions folder", "its own names for columns", "leave it out"
            )
    predictions = read_folder(path)
    for name in chosen.groups:
        if name not in predictions.instances.columns:
            raise unknown_column(str(path), name, "group", list(predictions.instances.columns))
    if not chosen.models:
        return predictions  # taking models would bring the probabilities into memory
    return predictions.take_models(matching(predictions.model_ids, chosen.models, str(path)))


def _several(names: str | Sequence[str] | None) -> tuple[str, ...]:
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)
