"""Is a JSON document laid out as its tool writes it? One error names the first member that is not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from polyculture.errors import InputError, PolycultureError

from .json_lines import shorten

Layout = Any
"""A type or types of a value; [layout] for a list; {name: layout} for an object, ``name?`` may be absent or null."""

LAYOUT_ERRORS = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError)
"""What reading raises where a document is laid out in a way that nobody thought of."""
_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true/false",
}
CURE = "write or export it again with the tool that made it"


def check_layout(value: Any, layout: Layout, place: str) -> None:
    """Raise InputError about the first member of a value that is not laid out so.

    Parameters
    ----------
    value : what json.loads gives.
    layout : see `Layout`; members that it does not name may be anything.
    place : what the value is, for the error.
    """
    _check(value, layout, place, "")


def layout_problem(error: Exception) -> str:
    """What an unforeseen error in reading says about a document; an error of polyculture's own is raised again."""
    if isinstance(error, PolycultureError):
        raise error
    text = f"{type(error).__name__}: {shorten(' '.join(str(error).split()), 100)}"
    return f"is not laid out as its tool writes it ({text})"


def _check(value: Any, layout: Layout, place: str, path: str) -> None:
    if isinstance(layout, list):
        if not isinstance(value, list):
            raise _misfit(value, (list,), place, path)
        for position, member in enumerate(value):
            _check(member, layout[0], place, f"{path}[{position}]")
    elif isinstance(layout, Mapping):
        if not isinstance(value, dict):
            raise _misfit(value, (dict,), place, path)
        for name, member_layout in layout.items():
            key = name.removesuffix("?")
            if key == name and key not in value:
                raise InputError(f"{path.lstrip('.') or place} has no member {key!r}{_of(path, place)}", "", CURE)
            if value.get(key) is not None or key == name:
                _check(value[key], member_layout, place, f"{path}.{key}")
    elif not isinstance(value, layout) or (isinstance(value, bool) and layout is not object and bool not in layout):
        raise _misfit(value, layout, place, path)


def _of(path: str, place: str) -> str:
    return f" in {place}" if path else ""


def _misfit(value: Any, types: tuple[type, ...], place: str, path: str) -> InputError:
    content = shorten(json.dumps(value, ensure_ascii=False))
    names = " or ".join(_NAMES.get(kind, kind.__name__) for kind in types)
    return InputError(f"{path.lstrip('.') or place} is {content}{_of(path, place)}", names, CURE)
