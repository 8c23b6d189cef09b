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
    classes: Sequence[Any] = (),
) -> Predictions:
    """Predictions from one array per model: n answers, n × c probabilities, or with `correct` n outcomes.

    n × k texts or whole numbers are the k best answers, of which the first counts.
    """
    classes = tuple(map(_name, classes or options.classes))
    outputs = {str(name): _plain(str(name), values) for name, values in by_index(arrays, label).items()}
    outputs = {name: outputs[name] for name in matching(outputs, options.models, source)}
    check_lengths({name: len(values) for name, values in outputs.items()})
    if options.correct:
        return Predictions.from_correct({name: values.tolist() for name, values in outputs.items()})
    if label is None:
        raise InputError(f"{source} have no labels", "the true answer of each instance", "give them with label")
    truth = _labels(label, classes)
    outputs = {name: _first_answers(name, values, len(classes)) for name, values in outputs.items()}
    if classes and any(values.ndim == 1 for values in outputs.values()):
        raise InputError("classes beside answers", "classes beside n × c probabilities only", "leave classes out")
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
    if classes and (len(classes) != c or len(set(classes)) != c):
        problem = f"{len(set(classes))} names of classes but {c} columns of probabilities"
        raise InputError(problem, "a name of its own for every column")
    names = tuple(classes) or tuple(str(k) for k in range(c))
    observed = ~np.isnan(table).all(axis=2)
    answers = np.where(observed, np.nan_to_num(table).argmax(axis=2), MISSING)
    index = {name: code for code, name in enumerate(names)}
    texts = [_name(v) for v in truth.tolist()]
    if not set(texts) <= set(names) and set(texts) <= {str(k) for k in range(c)}:
        texts = [names[int(text)] for text in texts]  # codes of classes that have names
    unknown_label = next((text for text in texts if text not in index), None)
    if unknown_label is not None:
        raise InputError(
            f"the label {unknown_label!r} is none of {c} classes",
            f"the number of the class, 0 … {c - 1}, as the label",
            "name the classes in the order of the columns with classes",
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
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.dtype.kind not in "fiuUO"):
        raise InputError(
            f"{name} is an array of the shape {array.shape} and type {array.dtype}",
            "n answers, or n × c probabilities",
        )
    return array


def _first_answers(name: str, values: np.ndarray, classes: int) -> np.ndarray:
    """The best answers of n × k whole numbers or texts; anything else as it is."""
    if values.ndim != 2 or values.dtype.kind == "f" or is_one_hot(values):
        return values
    n, k = values.shape
    ordered = np.sort(values.astype(str) if values.dtype.kind in "UO" else values, axis=1)
    is_no_ranking = bool((ordered[:, 1:] == ordered[:, :-1]).any())
    if values.dtype.kind in "iu" and n > 1:  # counts of votes have the same sum in every row
        same_sum = bool((values.sum(axis=1) == values[0].sum()).all())
        consecutive = bool((ordered == ordered[0, 0] + np.arange(k)).all())
        is_no_ranking |= bool((values < 0).any()) or (same_sum and not consecutive)
    if is_no_ranking or classes:
        raise InputError(
            f"{name} is an array of {n} × {k} values that are neither probabilities nor the {k} best answers",
            "rows that sum to 1, or different answers in every row, the best first",
            "divide counts by their sum, or give the answers alone",
        )
    return np.asarray(values[:, 0])


def _name(value: Any) -> str:
    """A class or label as text."""
    value = value.item() if isinstance(value, np.generic) else value
    return str(int(value)) if isinstance(value, (float, bool)) and value % 1 == 0 else str(value)


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
