"""How does JSON become frozen values again? By the annotations of their fields, each checked."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from polyculture.errors import FileError


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def decoded(kind: Any, value: Any, place: str) -> Any:
    """The value as an instance of this type: a dataclass, tuple, mapping, number, text, literal, or one of several.

    Parameters
    ----------
    place : what to call the value in an error.

    Raises FileError for a value of another type, a missing field and an unknown one.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _record(kind, value, place)
    if origin in (typing.Union, types.UnionType):
        inner = next(a for a in arguments if a is not type(None))
        return None if value is None else decoded(inner, value, place)
    if kind is Any:
        return value
    if origin is typing.Literal:
        if value in arguments and isinstance(value, type(arguments[0])):
            return value
        raise _unfit(place, value, " or ".join(map(repr, arguments)))
    if origin is tuple:
        if not isinstance(value, list):
            raise _unfit(place, value, "a list")
        return tuple(decoded(arguments[0], inner, f"{place}[{i}]") for i, inner in enumerate(value))
    if origin is Mapping:
        if not isinstance(value, dict):
            raise _unfit(place, value, "an object")
        return {key: decoded(arguments[1], inner, f"{place}.{key}") for key, inner in value.items()}
    return _plain(kind, value, place)


def _record(kind: Any, value: Any, place: str) -> Any:
    if not isinstance(value, dict):
        raise _unfit(place, value, "an object")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = [name for name in value if name not in fields]
    required = [
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    absent = [name for name in required if name not in value]
    if unknown or absent:
        wrong = f"the unknown field {unknown[0]!r}" if unknown else f"no field {absent[0]!r}"
        raise FileError(f"{place} has {wrong}", f"the fields of a {kind.__name__}", "export the bundle again")
    hints = _hints(kind)
    return kind(**{name: decoded(hints[name], inner, f"{place}: {name}") for name, inner in value.items()})


def _plain(kind: Any, value: Any, place: str) -> Any:
    """A number, truth value or text; null stands for a number that is not finite."""
    if kind is float and value is None:
        return float("nan")
    fits = isinstance(value, (int, float) if kind is float else kind) and (kind is bool or not isinstance(value, bool))
    if not fits:
        raise _unfit(
            place,
            value,
            {"int": "an integer", "float": "a number", "str": "a text"}.get(kind.__name__, "true or false"),
        )
    return float(value) if kind is float else value


def _unfit(place: str, value: Any, expected: str) -> FileError:
    text = repr(value)
    return FileError(f"{place} is {text if len(text) < 60 else text[:57] + '…'}", expected, "export the bundle again")
