"""Which hyperparameters does a builder have? Its keyword-only parameters, with their defaults."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any


def options(build: Callable[..., Any]) -> dict[str, Any]:
    """The keyword-only parameters of a builder, with their defaults: these are its hyperparameters."""
    parameters = inspect.signature(build).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def select(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The values that have a default; whole numbers whose default is a fraction become floats again."""
    return {
        name: value if isinstance(defaults[name], (str, int)) else float(value)
        for name, value in values.items()
        if name in defaults
    }


def same_kind(value: Any, default: Any) -> bool:
    """Whether a value is of the kind of the default; None stands for any number."""
    if isinstance(value, bool) or isinstance(default, (str, bool)):
        return type(value) is type(default)
    return isinstance(value, int) if isinstance(default, int) else isinstance(value, (int, float))
