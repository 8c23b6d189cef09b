"""How do arrays become Predictions? One array per model, of answers or class probabilities, and the true answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from polyculture.errors import FileError, InputError
from polyculture.predictions import MISSING, Predictions
from polyculture.predictions.columns import by_index, check_lengths, is_one_hot

from .tables.column_roles import LABEL_NAMES, ColumnOptions, matching
from .tables.files import is_visible

SOURCE = "the arrays"


def predictions_of_arrays(
    arrays: Mapping[str, Any],
    label: Any,
    options: ColumnOptions,
    source: str = SOURCE,
    classes: Sequence[str] = (),
) -> Predictions:
    """Predictions from one array per model: n answers, n × c probabilities, or with `correct` n outcomes."""
    outputs = {str(name): _plain(str(name), values) for name, values in by_index(arrays, label).items()}
    outputs = {name: outputs[name] for name in matching(outputs, options.models, source)}
    check_lengths({name: len(values) for name, values in outputs.items()})
    if options.correct:
        return Predictions.from_correct({name: values.tolist() for name, values in outputs.items()})
    if label is None:
        raise InputError(f"{source} have no labels", "the true answer of each instance", "give them with label")
    truth = _labels(label, classes)
    if truth.ndim == 1 and all(values.ndim == 2 for values in outputs.values()):
        return _from_probabilities(outputs, truth, classes)
    if any(values.ndim == 2 for values in outputs.values()):
        answered = next(name for name, values in outputs.items() if values.ndim == 1)
        raise InputError(f"{answered} holds answers but other models probabilities", "one or the other for every model")
    return Predictions.from_answers({name: values.tolist() for name, values in outputs.items()}, truth.tolist())


def read_npy_folder(folder: Path, label: Any, options: ColumnOptions) -> Predictions:
    """Predictions from a folder with NAME.npy per model and one file called label, labels, y_true, ….npy."""
    paths = [path for path in sorted(folder.glob("*.npy")) if is_visible(path)]
    arrays = {path.stem: load_npy(path, "n answers, or n × c probabilities") for path in paths}
    default_name = next((name for name in LABEL_NAMES if name in arrays), None)
    key = label if isinstance(label, str) else default_name if label is None else None
    if isinstance(label, str) and label not in arrays:
        raise InputError(f"{folder} has no file {label + '.npy'!r}", "a file with the true answers")
    truth = arrays.pop(key) if key else label
    if truth is None and not options.correct:
        raise InputError(
            f"{folder} has no file with the true answers",
            "one called " + ", ".join(f"{name}.npy" for name in LABEL_NAMES[:3]),
            "name it with label (--label)",
        )
    if not arrays:
        raise InputError(f"{folder} has no npy file of a model", "one for every model, and one with the true answers")
    return predictions_of_arrays(arrays, truth, options, str(folder))


def by_row(array: np.ndarray) -> dict[str, np.ndarray]:
    """The models of an array with one row per model, called model-0, model-1, …."""
    return {f"model-{i}": row for i, row in enumerate(array)}


def _from_probabilities(outputs: Mapping[str, np.ndarray], truth: np.ndarray, classes: Sequence[str]) -> Predictions:
    sizes = {name: values.shape[1] for name, values in outputs.items()}
    c = next(iter(sizes.values()))
    mismatched = next((name for name, size in sizes.items() if size != c), None)
    if mismatched is not None:
        raise InputError(
            f"{mismatched} has {sizes[mismatched]} classes but {next(iter(sizes))} has {c}", "the same classes"
        )
    table = np.stack(list(outputs.values())).astype(np.float64)
    names = tuple(classes) or tuple(str(k) for k in range(c))
    observed = ~np.isnan(table).all(axis=2)
    answers = np.where(observed, np.nan_to_num(table).argmax(axis=2), MISSING)
    index = {name: code for code, name in enumerate(names)}
    texts = [str(int(v)) if isinstance(v, (float, bool)) and v % 1 == 0 else str(v) for v in truth.tolist()]
    unknown_label = next((text for text in texts if text not in index), None)
    if unknown_label is not None:
        raise InputError(
            f"the label {unknown_label!r} is none of {c} classes", f"the number of the class, 0 … {c - 1}, as the label"
        )
    if len(texts) != table.shape[1]:
        raise InputError(f"there are {len(texts)} labels but {table.shape[1]} instances", "a true answer for each")
    return Predictions(
        pd.DataFrame(index=pd.Index(list(outputs), name="model", dtype=object)),
        pd.DataFrame(index=pd.RangeIndex(len(texts), name="instance")),
        answers,
        np.array([index[text] for text in texts]),
        classes=names,
        probabilities=table,
    )


def _plain(name: str, values: Any) -> np.ndarray:
    array = _array(name, values)
    if array.ndim == 2 and array.shape[1] == 1 and (array.dtype.kind != "f" or not (array % 1).any()):
        array = array[:, 0]  # a column of answers; of fractions it is the probability of one class
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.dtype.kind not in "fiu"):
        raise InputError(
            f"{name} is an array of the shape {array.shape} and type {array.dtype}",
            "n answers, or n × c probabilities",
        )
    return array


def _labels(label: Any, classes: Sequence[str]) -> np.ndarray:
    """The true answers; one-hot rows become their class."""
    array = _array("label", label)
    if array.ndim == 2 and array.shape[1] > 1 and is_one_hot(array):
        array = array.argmax(axis=1)
        return np.asarray(np.array(classes)[array]) if len(classes) else np.asarray(array)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise InputError(
            f"label is an array of the shape {array.shape}", "n true answers", "take argmax(axis=1) of scores per class"
        )
    return array


def _array(name: str, values: Any) -> np.ndarray:
    try:
        array: np.ndarray = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{name} is no array: {error}", "n answers, or n × c probabilities") from error
    return array


def load_npy(path: Path, expected: str) -> np.ndarray:
    """The array of an npy file, which stays on disk until used."""
    try:
        stored: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FileError(f"{path} is not a complete npy file", expected, "write it again") from error
    return stored
