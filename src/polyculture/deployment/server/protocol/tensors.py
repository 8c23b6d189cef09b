"""How does a tensor become an array, and an array a tensor? As JSON, and as raw little-endian bytes."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ..refusals import excerpt, malformed

DTYPES = {
    "BOOL": np.dtype(np.bool_),
    **{
        f"{word}{bits}": np.dtype(f"<{word[0].lower()}{bits // 8}")
        for word in ("UINT", "INT")
        for bits in (8, 16, 32, 64)
    },
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
    "BYTES": np.dtype(object),
}
"""By datatype of the protocol the type of the array. BF16, too, is read, from raw bytes, as 32-bit numbers."""
MOST_AXES = 16
_KINDS: dict[str, set[type]] = {"b": {bool}, "i": {int}, "u": {int}, "f": {float, int, type(None)}}
_LENGTH = struct.Struct("<I")


def checked_shape(name: str, shape: Any) -> tuple[int, ...]:
    """The shape of a request's tensor: whole numbers, the first of which counts the instances."""
    if not isinstance(shape, (list, tuple)) or not all(type(size) is int and size >= 0 for size in shape):
        raise malformed(f"the shape of {excerpt(name)} is {excerpt(shape)}", "a list of whole numbers")
    if not 1 <= len(shape) <= MOST_AXES:
        raise malformed(f"the tensor {excerpt(name)} has {len(shape)} axes", f"1 to {MOST_AXES}, instances first")
    return tuple(shape)


def checked_datatype(name: str, datatype: Any, raw: bool) -> str:
    """The datatype of a tensor, if it is one of the protocol."""
    datatypes = [*DTYPES, "BF16"] if raw else list(DTYPES)
    if not isinstance(datatype, str) or datatype not in datatypes:
        cure = "send BF16 as raw bytes" if datatype == "BF16" else ""
        raise malformed(f"the datatype of {excerpt(name)} is {excerpt(datatype)}", ", ".join(datatypes), cure)
    return datatype


def array_of_json(
    name: str, datatype: str, shape: tuple[int, ...], values: Any, base64_encoded: bool = False
) -> Shaped[np.ndarray, ...]:
    """The array of JSON data, flat in row-major order or nested as the shape is.

    Null in a tensor of floating-point numbers is a missing value, nan. No value is changed on the way: text among
    numbers, 1.5 among integers, and numbers that the datatype cannot hold are refused.
    """
    cells, extent = _flat(name, values)
    count = math.prod(shape)
    if len(cells) != count or (len(extent) > 1 and extent != shape):
        wrong = f"{excerpt(name)} has data of shape {list(extent)}"
        raise malformed(wrong, f"{count:,} values, for its shape {list(shape)}")
    array = _texts(name, cells, base64_encoded) if datatype == "BYTES" else _numbers(name, datatype, cells)
    return array.reshape(shape)


def _flat(name: str, values: Any) -> tuple[list[Any], tuple[int, ...]]:
    """The cells of nested rows, and the shape in which they came."""
    if not isinstance(values, list):
        raise malformed(f"the data of {excerpt(name)} are {excerpt(values)}", "a list")
    shape = [len(values)]
    while values and isinstance(values[0], list):
        width = len(values[0])
        if len(shape) >= MOST_AXES or not all(isinstance(row, list) and len(row) == width for row in values):
            raise malformed(f"the data of {excerpt(name)} are ragged", "a flat list, or rows of equal length")
        shape.append(width)
        values = list(chain.from_iterable(values))
    return values, tuple(shape)


def _numbers(name: str, datatype: str, cells: list[Any]) -> np.ndarray:
    dtype = DTYPES[datatype]
    kinds = set(map(type, cells))
    if not kinds <= _KINDS[dtype.kind]:
        unfit = next(cell for cell in cells if type(cell) not in _KINDS[dtype.kind])
        raise malformed(f"the data of {excerpt(name)} have {excerpt(unfit)}", f"values of {datatype}")
    try:
        if dtype.kind != "f":
            return np.array(cells, dtype)
        array = np.array(cells, np.float64)
    except OverflowError as error:
        raise malformed(f"the data of {excerpt(name)} have numbers beyond the range of {datatype}") from error
    if dtype.itemsize == array.itemsize:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        cast = array.astype(dtype)
        square = float(cast.dot(cast))  # finite unless a number is large, infinite or missing
    if not math.isfinite(square) and np.isinf(cast).any():  # JSON has no infinite numbers
        raise malformed(f"the data of {excerpt(name)} have numbers beyond the range of {datatype}")
    return cast


def _texts(name: str, cells: list[Any], base64_encoded: bool) -> np.ndarray:
    if not set(map(type, cells)) <= {str}:
        unfit = next(cell for cell in cells if not isinstance(cell, str))
        raise malformed(f"the data of {excerpt(name)} have {excerpt(unfit)}", "texts, for the datatype BYTES")
    array = np.empty(len(cells), object)
    try:
        array[:] = [base64.b64decode(cell, validate=True) if base64_encoded else cell.encode() for cell in cells]
    except ValueError as error:
        raise malformed(f"the data of {excerpt(name)} are no base64", "bytes as base64") from error
    return array


def array_of_bytes(
    name: str, datatype: str, shape: tuple[int, ...], content: bytes | memoryview
) -> Shaped[np.ndarray, ...]:
    """The array of raw little-endian bytes in row-major order; BYTES: each value after its length in 4 bytes."""
    count = math.prod(shape)
    if datatype == "BYTES":
        return _raw_texts(name, count, content).reshape(shape)
    dtype = np.dtype("<u2") if datatype == "BF16" else DTYPES[datatype]
    if count * dtype.itemsize != len(content):
        wrong = f"{excerpt(name)} has {len(content):,} bytes"
        raise malformed(wrong, f"{count * dtype.itemsize:,}, for {datatype} of shape {list(shape)}")
    if datatype == "BF16":
        words: np.ndarray = np.frombuffer(content, "<u2").astype("<u4") << 16
        return np.frombuffer(words.tobytes(), "<f4").reshape(shape)
    if datatype == "BOOL":
        return np.frombuffer(content, np.uint8).astype(np.bool_).reshape(shape)
    return np.frombuffer(content, dtype).reshape(shape)


def _raw_texts(name: str, count: int, content: bytes | memoryview) -> np.ndarray:
    if count * _LENGTH.size > len(content):
        wrong = f"{excerpt(name)} has {len(content):,} bytes"
        raise malformed(wrong, f"{count:,} values, each after its length in 4 bytes")
    array = np.empty(count, object)
    position = 0
    for index in range(count):
        start = position + _LENGTH.size
        position = start + _LENGTH.unpack_from(content, position)[0] if start <= len(content) else len(content) + 1
        if position > len(content):
            raise malformed(f"value {index} of {excerpt(name)} ends after the data", "its length in 4 bytes before it")
        array[index] = bytes(content[start:position])
    if position != len(content):
        raise malformed(f"{excerpt(name)} has {len(content) - position:,} bytes after its last value", "none")
    return array


def json_of_array(datatype: str, array: Shaped[np.ndarray, ...]) -> Any:
    """What stands in ``data``: flat, in row-major order. Numbers stay an array, which orjson writes by itself."""
    flat = np.ascontiguousarray(array).ravel()
    if datatype == "BYTES":
        return [cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell for cell in flat.tolist()]
    return flat.astype(np.float32).tolist() if datatype == "FP16" else flat


def bytes_of_array(datatype: str, array: Shaped[np.ndarray, ...]) -> bytes:
    """The array as raw little-endian bytes in row-major order."""
    if datatype == "BYTES":
        return bytes_of_texts(array.ravel().tolist())
    return np.ascontiguousarray(array, DTYPES[datatype]).tobytes()


def bytes_of_texts(texts: Sequence[bytes | str]) -> bytes:
    """Each text after its length in 4 bytes."""
    contents = [text.encode() if isinstance(text, str) else text for text in texts]
    return b"".join(part for content in contents for part in (_LENGTH.pack(len(content)), content))
