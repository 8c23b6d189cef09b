"""How do results travel as strict JSON? Shapes and types come back from the annotations of the dataclasses.

nan is null, infinities are the strings "inf" and "-inf"; large tables are packed. docs/json.md says it for readers, and
`json_schema` for programs.
"""

from __future__ import annotations

import binascii
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

from .packing import (
    LONGEST_PLAIN,
    is_large,
    packed_columns,
    packed_table,
    packed_words,
    unpacked_columns,
    unpacked_table,
    unpacked_words,
)

FORMAT = 2
"""Version of the JSON of results; it grows when a program that reads the older one would read the newer one wrongly."""


def to_json(value: Any, kind: str) -> str:
    """Strict JSON of a result, marked with what it is."""
    return json.dumps({"kind": f"polyculture.{kind}", "format": FORMAT} | _encode(value), allow_nan=False)


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
    version = values.get("format", 1)
    if not isinstance(version, int) or version > FORMAT:
        raise InputError(f"{kind} of format {version!r}", f"format {FORMAT} or lower", "update polyculture")
    try:
        return _decode(result, values)
    except (binascii.Error, zlib.error, IndexError) as error:
        raise InputError(f"damaged {kind}: {error}", expected, "write it again") from error


def _encode(value: Any) -> Any:
    """Plain JSON values; shapes and types come back from the annotations of the dataclasses."""
    if hasattr(value, "to_stored"):
        return _encode(value.to_stored())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {_stored(f): _encode(_stored_value(f, getattr(value, f.name))) for f in dataclasses.fields(value)}
    if isinstance(value, pd.DataFrame):
        if len(value) > LONGEST_PLAIN:
            return packed_columns(value, _encode)
        return {str(c): [_encode(v) for v in value[c].tolist()] for c in value.columns}
    if isinstance(value, np.ndarray):
        return packed_table(value) if is_large(value) else [_encode(v) for v in value.tolist()]
    if isinstance(value, np.generic):
        return _encode(value.item())
    if isinstance(value, Mapping):
        return {str(k): _encode(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return packed_words(value) if is_large(value) else [_encode(v) for v in value]
    if isinstance(value, float):
        return None if math.isnan(value) else value if math.isfinite(value) else str(value)
    return None if value is pd.NA else value


def _decode(kind: Any, value: Any) -> Any:
    """The value of that annotated type from its JSON form."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if hasattr(kind, "array_type"):
        floating = any("float" in str(d) for d in kind.dtypes)
        if isinstance(value, dict):
            return unpacked_table(value).astype(np.float64 if floating else np.int64)
        return np.array(_numbers(value), dtype=np.float64 if floating else np.int64)
    if hasattr(kind, "from_stored"):
        return kind.from_stored(value, _decode)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        stored = {f.name: _stored(f) for f in dataclasses.fields(kind)}
        hints = {name: hint for name, hint in _hints(kind).items() if stored[name] in value}
        values = {name: _decode(hint, value[stored[name]]) for name, hint in hints.items()}
        return kind(**{f.name: _current_value(f, values[f.name]) for f in dataclasses.fields(kind) if f.name in values})
    if kind is pd.DataFrame:
        return pd.DataFrame(unpacked_columns(value, _column))
    if kind is float:
        return _numbers(value)
    if origin is tuple:
        inner = args[0]
        if isinstance(value, dict):
            return unpacked_words(value)
        return tuple(_decode(inner, v) for v in value)
    if origin in (Mapping, dict):
        return {k: _decode(args[1], v) for k, v in value.items()}
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _decode(args[0], value)
    return value


def _stored(field: dataclasses.Field[Any]) -> str:
    """The name of a field in JSON, which stays when the field is renamed."""
    return str(field.metadata.get("stored", field.name))


def _stored_value(field: dataclasses.Field[Any], value: Any) -> Any:
    """The word that stands for a value in JSON, which stays when the word is renamed in Python."""
    words = field.metadata.get("stored_values")
    return words.get(value, value) if words else value


def _current_value(field: dataclasses.Field[Any], value: Any) -> Any:
    """The word in Python for one in JSON."""
    words = field.metadata.get("stored_values", {})
    return next((word for word, stored in words.items() if stored == value), value)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return {f.name: typing.get_type_hints(kind)[f.name] for f in dataclasses.fields(kind)}


def _numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_numbers(v) for v in value]
    return math.nan if value is None else float(value) if isinstance(value, str) else value


def _column(values: list[Any]) -> list[Any]:
    """A column with null read as nan when everything else in it is a number."""
    cells = [v for v in values if v is not None]
    numeric = all(isinstance(v, (int, float)) or v in ("inf", "-inf") for v in cells)
    return [_numbers(v) for v in values] if numeric else values
