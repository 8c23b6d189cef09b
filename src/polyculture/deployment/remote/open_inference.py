"""How is a server with the Open Inference Protocol (V2) asked, and what does its answer say?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
from jaxtyping import Float

from polyculture.errors import InputError

from .batch import Batch
from .specification import RemoteSpec

DATATYPES = {
    "bool": "BOOL",
    **{f"uint{bits}": f"UINT{bits}" for bits in (8, 16, 32, 64)},
    **{f"int{bits}": f"INT{bits}" for bits in (8, 16, 32, 64)},
    **{f"float{bits}": f"FP{bits}" for bits in (16, 32, 64)},
}
"""The protocol's name of each dtype of numpy."""


def infer_url(spec: RemoteSpec) -> str:
    """Address that answers for the model."""
    return f"{spec.url.rstrip('/')}/v2/models/{quote(spec.model, safe='')}/infer"


def infer_body(spec: RemoteSpec, batch: Batch) -> bytes:
    """The request about these instances; they have no missing numbers."""
    columns = dict(batch.columns)
    if spec.input and len(columns) > 1:
        arrays = [column.reshape(batch.n, -1) for column in columns.values()]
        if any(array.dtype.kind not in "biuf" for array in arrays):
            raise InputError(
                f"a column of the instances is no number, and they go into {spec.input!r} together", "numbers"
            )
        columns = {spec.input: np.concatenate(arrays, axis=1, dtype=np.float32)}
    tensors = [_tensor(spec.input or name or "input", column) for name, column in columns.items()]
    request = {"inputs": tensors, "outputs": [{"name": spec.output}]}
    return json.dumps(request, allow_nan=False, ensure_ascii=False).encode()


def _tensor(name: str, column: np.ndarray) -> dict[str, Any]:
    """A column as a tensor with the instances on its first axis; texts as BYTES."""
    datatype = DATATYPES.get(column.dtype.name)
    if datatype is None:
        values = column.ravel().tolist()
        if not all(isinstance(value, str) for value in values):
            raise InputError(f"the column {name!r} has values that are neither numbers nor texts", "one of both")
        return {"name": name, "shape": list(column.shape), "datatype": "BYTES", "data": values}
    return {"name": name, "shape": list(column.shape), "datatype": datatype, "data": column.ravel().tolist()}


def read_response(body: Any, spec: RemoteSpec, n: int, classes: Sequence[str]) -> Float[np.ndarray, "n c"] | None:
    """Probabilities (n, c), or values (n, 1) in regression; None where the response has none for these instances.

    A tensor (n, c) holds probabilities; one of n texts or whole numbers holds the names or the positions of classes.
    """
    outputs = body.get("outputs") if isinstance(body, Mapping) else None
    tensors = [t for t in outputs if isinstance(t, Mapping)] if isinstance(outputs, list) else []
    tensor = next((t for t in tensors if t.get("name") == spec.output), None)
    values = _flat(tensor.get("data")) if tensor else None
    if tensor is None or values is None:
        return None
    if classes and len(values) == n and len(classes) > 1:
        return _one_hot(values, classes)
    width = len(classes) or 1
    if len(values) != n * width or not all(type(value) in (int, float) for value in values):
        return None
    rows = np.array(values, float).reshape(n, width)
    return _distributions(rows) if classes else np.where(np.isfinite(rows), rows, np.nan)


def _flat(data: Any) -> list[Any] | None:
    """The values of a tensor, which may be nested (the protocol allows both)."""
    if not isinstance(data, list):
        return None
    values: list[Any] = data
    while values and isinstance(values[0], list):
        if not all(isinstance(row, list) for row in values):
            return None
        values = [value for row in values for value in row]
    return values


def _one_hot(values: Sequence[Any], classes: Sequence[str]) -> Float[np.ndarray, "n c"]:
    """Rows with a 1 at the class that each value names, by name or position; nan where it names none."""
    rows = np.full((len(values), len(classes)), np.nan)
    for row, value in zip(rows, values, strict=True):
        position = classes.index(value) if isinstance(value, str) and value in classes else value
        if type(position) is int and 0 <= position < len(classes):
            row[:] = 0
            row[position] = 1
    return rows


def _distributions(rows: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    """Rows that are probabilities but for rounding, made to sum to 1; nan where they are not."""
    with np.errstate(invalid="ignore"):
        sums = rows.sum(axis=1, keepdims=True)
        valid = ((rows >= -1e-6) & (rows <= 1 + 1e-6)).all(axis=1, keepdims=True) & (np.abs(sums - 1) <= 1e-2)
        return np.where(valid, np.clip(rows, 0, 1) / np.where(valid, sums, 1), np.nan)
