"""What do the tensors of a request mean for a bundle? Columns of a table, texts, files of images, or numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from polyculture.errors import near

from .refusals import excerpt, malformed

if TYPE_CHECKING:
    from ..bundle.manifest import Manifest

INPUT = "input"
"""Name of the tensor of inputs that have no columns; the name of the modality is accepted, too."""


def given_inputs(manifest: Manifest, tensors: Mapping[str, np.ndarray]) -> Any:
    """What `Bundle.read_inputs` reads, from tensors by name."""
    if manifest.columns and not (len(tensors) == 1 and INPUT in tensors and INPUT not in _names(manifest)):
        return _columns(manifest, tensors)
    name, array = _single(manifest, tensors)
    if array.dtype == object:
        return _contents(manifest, name, array)
    if manifest.modality in ("text", "tags"):
        raise malformed(f"the tensor {excerpt(name)} has numbers", "texts, of the datatype BYTES")
    if manifest.modality == "image" and array.dtype == np.uint8:
        return array.astype(np.float32) / 255  # as images are stored in files; the inputs lie in [0, 1]
    return array


def plain_inputs(manifest: Manifest, tensors: Mapping[str, np.ndarray], row: int) -> dict[str, Any]:
    """One instance by name as values that JSON has, to be kept; bytes that are no text are left out."""
    inputs: dict[str, Any] = {}
    for name, array in tensors.items():
        cells = array[row : row + 1].tolist()[0]
        inputs[name] = _plain(cells[0] if manifest.columns and isinstance(cells, list) and len(cells) == 1 else cells)
    return inputs


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return f"{len(value)} bytes"
    return None if value != value else value  # nan


def _names(manifest: Manifest) -> list[str]:
    return [column.name for column in manifest.columns]


def _columns(manifest: Manifest, tensors: Mapping[str, np.ndarray]) -> dict[str, list[Any]]:
    columns = {}
    for name, array in tensors.items():
        if array.ndim > 2 or (array.ndim == 2 and array.shape[1] != 1):
            names = _names(manifest)
            cure = "" if name in names else near(name, names)
            raise malformed(f"the column {excerpt(name)} has the shape {list(array.shape)}", "[n] or [n, 1]", cure)
        cells = array.ravel().tolist()
        columns[name] = [_text(name, cell) for cell in cells] if array.dtype == object else cells
    return columns


def _single(manifest: Manifest, tensors: Mapping[str, np.ndarray]) -> tuple[str, np.ndarray]:
    if len(tensors) != 1 or not {INPUT, manifest.modality} & set(tensors):
        names = ", ".join(excerpt(name) for name in list(tensors)[:5])
        raise malformed(f"the inputs are {names}", f"one tensor, {INPUT!r}")
    return next(iter(tensors.items()))


def _contents(manifest: Manifest, name: str, array: np.ndarray) -> Any:
    """Texts, tokens of sequences, or the bytes of files."""
    if manifest.modality == "tags" and array.ndim == 2 and array.shape[1] > 1:
        return [[_text(name, cell) for cell in row] for row in array.tolist()]
    if array.size != len(array):
        raise malformed(f"the tensor {excerpt(name)} has the shape {list(array.shape)}", "[n] or [n, 1]")
    cells = array.ravel().tolist()
    if manifest.modality in ("image", "audio"):
        return cells
    if manifest.modality not in ("text", "tags"):
        raise malformed(f"the tensor {excerpt(name)} has texts", f"numbers of the shape {['n', *manifest.input_shape]}")
    return [_text(name, cell) for cell in cells]


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise malformed(f"the tensor {excerpt(name)} has bytes that are no UTF-8", "texts in UTF-8") from error
