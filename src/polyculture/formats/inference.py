"""What do fitted models of any library predict for a dataset? No library is imported for it.

scikit-learn    predict_proba, or else predict
PyTorch         a module (it has state_dict): eval mode, its device, softmax of what it returns
ONNX            a session (it has run and get_inputs), such as onnxruntime.InferenceSession
callable        called with the inputs; returns n answers, or n × c probabilities
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.predictions import MISSING, Predictions, smallest_integer

BATCH = 1024
_ONNX_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
}


def predictions_of_models(models: Mapping[str, Any], dataset: Dataset) -> Predictions:
    """Predictions of fitted models on every instance of a dataset.

    Parameters
    ----------
    models : by id: scikit-learn estimators, PyTorch modules, ONNX sessions, or callables from inputs to n answers
        (codes or names of classes) or n × c probabilities, whose columns are in the order of the dataset's classes.
        Rows of PyTorch and ONNX models that are not probabilities are taken as logits.
    dataset : inputs and true classes.

    Returns Predictions with probabilities if all models give them. Raises InputError if an answer is not one of the
    dataset's classes, has another length or is not finite.
    """
    outputs = {str(name): _output(str(name), model, dataset) for name, model in models.items()}
    answers = [t.argmax(axis=1) if t.ndim == 2 else t for t in outputs.values()]
    c = len(dataset.classes)
    all_probabilities = bool(outputs) and all(t.ndim == 2 for t in outputs.values())
    return Predictions(
        pd.DataFrame(index=pd.Index(list(outputs), name="model", dtype=object)),
        dataset.instances,
        np.array(answers, smallest_integer(c)).reshape(len(answers), len(dataset)),
        dataset.labels,
        classes=dataset.classes,
        probabilities=np.stack(list(outputs.values())) if all_probabilities else None,
    )


def _output(name: str, model: Any, dataset: Dataset) -> Float[np.ndarray, "n c"] | Int[np.ndarray, " n"]:
    """A model's probabilities, or else the codes of its answers."""
    inputs = dataset.array
    columns: Sequence[Any] = dataset.classes
    if hasattr(model, "state_dict"):
        output = _probabilities(_from_torch(name, model, inputs))
    elif hasattr(model, "run") and hasattr(model, "get_inputs"):
        output = _probabilities(_from_onnx(name, model, inputs, len(columns)))
    elif hasattr(model, "predict"):
        flat = inputs.reshape(len(inputs), -1) if hasattr(model, "get_params") else inputs
        output = np.asarray((model.predict_proba if hasattr(model, "predict_proba") else model.predict)(flat))
        columns = list(getattr(model, "classes_", columns))
    elif callable(model):
        output = np.asarray(model(inputs))
    else:
        raise InputError(
            f"the model {name!r} is a {type(model).__name__}",
            "something that can be called, or a scikit-learn, PyTorch or ONNX model",
        )
    return _by_class(name, output, columns, dataset)


def _by_class(
    name: str, output: np.ndarray, columns: Sequence[Any], dataset: Dataset
) -> Float[np.ndarray, "n c"] | Int[np.ndarray, " n"]:
    """The output with columns or codes in the order of the dataset's classes."""
    n, c = len(dataset), len(dataset.classes)
    if output.shape == (n,):
        distinct, positions = np.unique(output, return_inverse=True)
        return np.asarray(_codes(name, distinct.tolist(), dataset.classes))[positions]
    if output.shape != (n, len(columns)) or output.dtype.kind not in "fiu" or not np.isfinite(output).all():
        problem = (
            f"the shape {output.shape}" if output.shape != (n, len(columns)) else "values that are no finite numbers"
        )
        raise InputError(f"the answers of {name!r} have {problem}", f"{n} answers, or {n} × {c} probabilities")
    if not _are_probabilities(output):
        raise InputError(
            f"the rows of {name!r} are no probabilities", "numbers in 0 … 1 with the sum 1", "apply softmax"
        )
    places = range(c) if columns is dataset.classes else _codes(name, list(columns), dataset.classes)
    probabilities = np.zeros((n, c), np.float32)
    probabilities[:, list(places)] = output
    return probabilities


def _codes(name: str, answers: Sequence[Any], classes: Sequence[str]) -> list[int]:
    """Codes of answers that are codes themselves (whole numbers from 0), or names of classes; MISSING stays."""
    index = {text: code for code, text in enumerate(classes)}
    texts = [str(int(a)) if isinstance(a, (float, np.floating)) and a % 1 == 0 else str(a) for a in answers]
    are_names = all(text in index for text in texts)
    if all(isinstance(a, (int, float, np.number)) and a in range(MISSING, len(classes)) for a in answers):
        codes = [int(a) for a in answers]
        clash = next((code for code, text in zip(codes, texts, strict=True) if index.get(text, code) != code), None)
        if are_names and clash is not None:
            raise InputError(
                f"{name!r} answers {clash}, which is the name of a class and the number of another",
                "names of classes as texts, or classes that are not named with numbers",
            )
        return codes
    unknown = next((a for a, text in zip(answers, texts, strict=True) if text not in index), None)
    if unknown is not None:
        raise InputError(f"{name!r} answers {unknown!r}", f"a class, or its number, 0 … {len(classes) - 1}")
    return [index[text] for text in texts]


def _probabilities(output: np.ndarray) -> np.ndarray:
    """The output, with softmax applied to rows that are not probabilities."""
    if output.ndim != 2 or _are_probabilities(output):
        return output
    powers = np.exp(output - output.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _are_probabilities(rows: np.ndarray) -> bool:
    return bool(rows.min(initial=0) >= 0 and np.allclose(rows.sum(axis=1), 1, atol=1e-3))


def _from_torch(name: str, model: Any, inputs: Shaped[np.ndarray, "n ..."]) -> np.ndarray:
    """Outputs of a module in evaluation mode; its own mode is restored."""
    weight = next(iter(model.parameters()), None)
    if weight is None:
        raise InputError(f"the module {name!r} has no parameters", "some", "wrap it in a function of arrays")
    training = bool(model.training)
    model.eval()
    try:
        parts = [model(weight.new_tensor(part)).detach().cpu().numpy() for part in _batches(inputs)]
    finally:
        model.train(training)
    return np.concatenate(parts).astype(np.float64)


def _from_onnx(name: str, session: Any, inputs: Shaped[np.ndarray, "n ..."], classes: int) -> np.ndarray:
    """The output of a session that has a column per class; for classifiers that is not the first output."""
    first = session.get_inputs()[0]
    kind = _ONNX_TYPES.get(first.type, np.float32)
    parts = []
    for part in _batches(inputs):
        outputs = [np.asarray(output) for output in session.run(None, {first.name: part.astype(kind)})]
        fitting = [output for output in outputs if output.shape == (len(part), classes) and output.dtype.kind == "f"]
        if not fitting:
            shapes = ", ".join(str(output.shape) for output in outputs)
            raise InputError(
                f"the outputs of {name!r} have the shapes {shapes}",
                f"one of {len(part)} × {classes} numbers",
                "export it without ZipMap",
            )
        parts.append(fitting[0])
    return np.concatenate(parts).astype(np.float64)


def _batches(inputs: Shaped[np.ndarray, "n ..."]) -> Iterator[Shaped[np.ndarray, "k ..."]]:
    for start in range(0, len(inputs), BATCH):
        yield inputs[start : start + BATCH]
