"""How do results travel as strict JSON? Shapes and types come back from the annotations of the dataclasses.

nan is null, infinities are the strings "inf" and "-inf"; large square tables are packed.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import types
import typing
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from polyculture.errors import InputError

LARGEST_PLAIN = 200
"""Square tables with more rows are packed in JSON; as plain numbers those of a thousand models take 300 MB, not 30."""


def to_json(value: Any, kind: str) -> str:
    """Strict JSON of a result, marked with what it is."""
    return json.dumps({"kind": f"polyculture.{kind}", "format": 1} | _encode(value), allow_nan=False)


def from_json(result: type, text: str, kind: str) -> Any:
    """The result of that class that `to_json` wrote."""
    article = "an" if kind[0] in "aeiou" else "a"
    expected = f"{article} {kind} written by polyculture"
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error}", expected) from error
    if not isinstance(values, dict) or values.get("kind") != f"polyculture.{kind}":
        raise InputError("JSON of another kind", expected)
    return _decode(result, values)


def _encode(value: Any) -> Any:
    """Plain JSON values; shapes and types come back from the annotations of the dataclasses."""
    if hasattr(value, "to_stored"):
        return _encode(value.to_stored())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {_stored(f): _encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, pd.DataFrame):
        return {str(c): [_encode(v) for v in value[c].tolist()] for c in value.columns}
    if isinstance(value, np.ndarray):
        return _packed(value) if _is_large(value) else [_encode(v) for v in value.tolist()]
    if isinstance(value, np.generic):
        return _encode(value.item())
    if isinstance(value, Mapping):
        return {str(k): _encode(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return _packed_words(value) if _is_large(value) else [_encode(v) for v in value]
    if isinstance(value, float):
        return None if math.isnan(value) else value if math.isfinite(value) else str(value)
    return None if value is pd.NA else value


def _decode(kind: Any, value: Any) -> Any:
    """The value of that annotated type from its JSON form."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if hasattr(kind, "array_type"):
        floating = any("float" in str(d) for d in kind.dtypes)
        if isinstance(value, dict):
            return _unpacked(value).astype(np.float64 if floating else np.int64)
        return np.array(_numbers(value), dtype=np.float64 if floating else np.int64)
    if hasattr(kind, "from_stored"):
        return kind.from_stored(value, _decode)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        stored = {f.name: _stored(f) for f in dataclasses.fields(kind)}
        hints = {name: hint for name, hint in _hints(kind).items() if stored[name] in value}
        return kind(**{name: _decode(hint, value[stored[name]]) for name, hint in hints.items()})
    if kind is pd.DataFrame:
        return pd.DataFrame({c: _column(v) for c, v in value.items()})
    if kind is float:
        return _numbers(value)
    if origin is tuple:
        inner = args[0]
        if isinstance(value, dict):
            words = value["words"]
            return tuple(tuple(words[code] for code in row) for row in _unpacked(value["codes"]).tolist())
        return tuple(_decode(inner, v) for v in value)
    if origin in (Mapping, dict):
        return {k: _decode(args[1], v) for k, v in value.items()}
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _decode(args[0], value)
    return value


def _stored(field: dataclasses.Field[Any]) -> str:
    """The name of a field in JSON, which stays when the field is renamed."""
    return str(field.metadata.get("stored", field.name))


def _is_large(value: Any) -> bool:
    """Whether this is a square table of numbers or words that is better packed."""
    if isinstance(value, np.ndarray):
        return value.ndim == 2 and value.shape[0] == value.shape[1] > LARGEST_PLAIN and value.dtype.kind in "iuf"
    return len(value) > LARGEST_PLAIN and all(isinstance(row, tuple) and len(row) == len(value) for row in value)


def _packed(table: np.ndarray) -> dict[str, Any]:
    half = np.array_equal(table, table.T, equal_nan=table.dtype.kind == "f")
    cells = table[np.triu_indices(len(table))] if half else table.ravel()
    kind = "<f4" if table.dtype.kind == "f" else "<i8"
    by_byte = cells.astype(kind).view(np.uint8).reshape(len(cells), -1).T
    text = base64.b64encode(zlib.compress(by_byte.tobytes())).decode()
    return {"packed": text, "type": kind, "rows": len(table), "half": half}


def _unpacked(value: Mapping[str, Any]) -> np.ndarray:
    by_byte = np.frombuffer(zlib.decompress(base64.b64decode(value["packed"])), np.uint8)
    cells = by_byte.reshape(np.dtype(value["type"]).itemsize, -1).T.copy().view(value["type"]).ravel()
    table = np.zeros((value["rows"], value["rows"]), cells.dtype)
    if not value["half"]:
        table[:] = cells.reshape(table.shape)
        return table
    table[np.triu_indices(len(table))] = cells
    table.T[np.triu_indices(len(table))] = cells
    return table


def _packed_words(table: Any) -> dict[str, Any]:
    words = sorted({word for row in table for word in row})
    index = {word: code for code, word in enumerate(words)}
    return {"words": words, "codes": _packed(np.array([[index[word] for word in row] for row in table]))}


@cache
def _hints(kind: type) -> dict[str, Any]:
    return {f.name: typing.get_type_hints(kind)[f.name] for f in dataclasses.fields(kind)}


def _numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_numbers(v) for v in value]
    return math.nan if value is None else float(value) if isinstance(value, str) else value


def _column(values: list[Any]) -> list[Any]:
    """A column with null read as nan when everything else in it is a number."""
    rest = [v for v in values if v is not None]
    numeric = all(isinstance(v, (int, float)) or v in ("inf", "-inf") for v in rest)
    return [_numbers(v) for v in values] if numeric else values
