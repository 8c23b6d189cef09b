"""What does the JSON of a result look like, for a program that reads it? A JSON Schema made from the dataclasses."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

import pandas as pd

from polyculture.errors import InputError, near
from polyculture.stats import Interval

from .audit import Audit, Pairwise
from .encoding import FORMAT
from .gates import CheckResult
from .panel import PanelSums
from .portfolio import BASELINES, GAIN, STORED, TABLES, Certificate, Portfolio
from .section import Section

KINDS: Mapping[str, type] = {"audit": Audit, "chapter": Section, "portfolio": Portfolio, "check": CheckResult}
"""Results by the kind that their JSON names."""

_TEXT, _WHOLE = {"type": "string"}, {"type": "integer"}
_NUMBER: dict[str, Any] = {
    "description": "null is nan: undefined; infinities are words",
    "anyOf": [{"type": "number"}, {"type": "null"}, {"enum": ["inf", "-inf"]}],
}
_PACKED: dict[str, Any] = {
    "description": (
        "base64 of zlib of all first bytes, all second bytes, ... of the cells. Square tables are row by row, or where "
        "half is true the upper triangle with the diagonal"
    ),
    "type": "object",
    "properties": {
        "packed": _TEXT,
        "type": {"enum": ["<f8", "<f4", "<i8", "<i4"]},
        "rows": _WHOLE,
        "half": {"type": "boolean"},
    },
    "required": ["packed", "type", "rows"],
    "additionalProperties": False,
}
_FORMULA: dict[str, Any] = {
    "description": "follows from the counts (matrices) or from another column (of): docs/json.md",
    "type": "object",
    "properties": {
        "formula": _TEXT,
        "of": _TEXT,
        "factor": {"type": "number"},
        "undefined": _TEXT,
        "rows": _WHOLE,
        "defined": _WHOLE,
        "sum": {"type": "number"},
    },
    "required": ["formula", "defined", "sum"],
    "additionalProperties": False,
}
_CODED: dict[str, Any] = {
    "description": "each word once, and the positions of the cells in that list",
    "type": "object",
    "properties": {
        "words": {"type": "array"},
        "codes": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/packed"}]},
        "type": {"const": "<i4"},
        "rows": _WHOLE,
    },
    "required": ["words", "codes"],
    "additionalProperties": False,
}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


_BASIC: dict[str, Any] = {
    "number": _NUMBER,
    "packed": _PACKED,
    "formula": _FORMULA,
    "coded": _CODED,
    "matrix": {
        "anyOf": [
            {"type": "array", "items": {"type": "array", "items": _reference("number")}},
            _reference("packed"),
            _reference("formula"),
        ]
    },
    "column": {"anyOf": [{"type": "array"}, _reference("packed"), _reference("formula"), _reference("coded")]},
    "table": {"type": "object", "additionalProperties": _reference("column")},
}


def json_schema(kind: str = "audit") -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a result.

    Parameters
    ----------
    kind : ``"audit"``, ``"chapter"`` (a section), ``"portfolio"`` or ``"check"``.

    Raises InputError for another kind.
    """
    if kind not in KINDS:
        raise InputError(f"no schema of {kind!r}", "", near(kind, KINDS))
    definitions = dict(_BASIC)
    root = _of_dataclass(KINDS[kind], definitions)
    head = {"kind": {"const": f"polyculture.{kind}"}, "format": {"const": FORMAT}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://polyculture.invalid/schema/{kind}-{FORMAT}.json",
        "title": f"polyculture {kind}, format {FORMAT}",
        **root,
        "properties": {**head, **root["properties"]},
        "required": [*head, *root["required"]],
        "$defs": definitions,
    }


def _of_dataclass(result: type, definitions: dict[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass under the names that they have in JSON."""
    if result is Certificate:
        return _of_certificate(definitions)
    if result is PanelSums:
        return _of_panel()
    hints = typing.get_type_hints(result)
    fields = dataclasses.fields(result)
    properties = {str(f.metadata.get("stored", f.name)): _of_type(hints[f.name], definitions) for f in fields}
    summary = (result.__doc__ or "").strip().partition("\n")[0]
    if result is Pairwise:
        for name in ("values", "counts"):
            properties[name] = {"type": "object", "additionalProperties": _reference("matrix")}
    # Within a format fields may be added, never taken away: what has a default may be lacking in older files.
    required = [
        str(f.metadata.get("stored", f.name))
        for f in fields
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    return {"description": summary, "type": "object", "properties": properties, "required": required}


def _of_certificate(definitions: dict[str, Any]) -> dict[str, Any]:
    """Scores and gains of a certificate next to each other."""
    interval = _of_type(Interval, definitions)
    columns = {"best": _TEXT, "n": _WHOLE, **dict.fromkeys(("groups", "shifts", BASELINES), _reference("table"))}
    return {
        "description": f"Scores; gains are called LOSS{GAIN}BASELINE",
        "type": "object",
        "properties": {name: columns[name] if name in (*TABLES, BASELINES) else interval for name in STORED},
        "required": [name for name in STORED if name != BASELINES],
    }


def _of_panel() -> dict[str, Any]:
    """Sums of every set of models: base64 of zlib of numbers of double precision, of bytes, and of bits for masks."""
    square = {"type": "object", "properties": {"models": _WHOLE, "packed": _TEXT}, "required": ["models", "packed"]}
    cells = {"models": _WHOLE, "cells": _WHOLE, "packed": _TEXT}
    mask: dict[str, Any] = {
        "anyOf": [{"type": "null"}, {"type": "object", "properties": cells, "required": list(cells)}]
    }
    columns: dict[str, Any] = {"covariances": {"type": "object", "additionalProperties": square}}
    columns |= dict.fromkeys(("wrong", "observed", "answers"), mask)
    return {
        "description": (PanelSums.__doc__ or "").partition("\n")[0],
        "type": "object",
        "properties": columns,
        "required": list(columns),
    }


def _of_type(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of an annotated type."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind in (str, int, bool):
        return {"type": {str: "string", int: "integer", bool: "boolean"}[kind]}
    if kind is float:
        return _reference("number")
    if kind is pd.DataFrame:
        return _reference("table")
    if hasattr(kind, "array_type"):
        return _reference("matrix") if len(kind.dims) == 2 else {"type": "array", "items": _reference("number")}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if kind.__name__ not in definitions:
            definitions[kind.__name__] = {}  # entered before its fields, which may refer to it
            definitions[kind.__name__] = _of_dataclass(kind, definitions)
        return _reference(kind.__name__)
    if origin is tuple:
        rows = {"type": "array", "items": _of_type(args[0], definitions)}
        return {"anyOf": [rows, _reference("coded")]} if typing.get_origin(args[0]) is tuple else rows
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _of_type(args[1], definitions)}
    if origin is typing.Literal:
        return {"enum": list(args)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [{"type": "null"} if part is type(None) else _of_type(part, definitions) for part in args]}
    return {}
