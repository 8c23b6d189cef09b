"""What is a chat model asked about an instance? A template with the instance's text or columns filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from polyculture.errors import InputError, near

TEXT = "text"
"""Name under which an instance that is a text has its text."""
_WORD = re.compile(r"\{\{|\}\}|\{([^{}\"'\n:]+)\}")
"""Doubled braces stand for themselves, as those of JSON in a prompt do: a quote or a colon is in no name."""


def placeholders(template: str) -> list[str]:
    """The names in braces, in their order."""
    return [match[1].strip() for match in _WORD.finditer(template) if match[1] is not None]


def check_prompt(template: str) -> None:
    """Refuse a template that would ask the same about every instance."""
    if not set(placeholders(template)) - {"classes"}:
        raise InputError(
            "prompt of a chat member has no place for the instance",
            "{text}, {columns} or the name of a column in braces",
            "write the braces into the prompt",
        )


def fill(template: str, record: Mapping[str, Any], classes: Sequence[str]) -> str:
    """The template with this instance in it.

    Text of the instance is put in as it is: braces in it stand for nothing.

    Parameters
    ----------
    record : columns of the instance by name; an instance that is a text has the one column ``text``.
    classes : names of the classes, for ``{classes}``.

    Raises InputError for a name that the instance does not have.
    """
    values = {
        "columns": "\n".join(f"{name}: {_shown(value)}" for name, value in record.items()),
        "classes": ", ".join(classes),
    } | {name: _shown(value) for name, value in record.items()}

    def value(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]
        name = match[1].strip()
        if name not in values:
            raise InputError(f"the prompt has {{{name}}}, which the instance lacks", "", near(name, values))
        return values[name]

    return _WORD.sub(value, template)


def _shown(value: Any) -> str:
    """A value as a person writes it: 3 rather than 3.0, nothing where it is missing."""
    if value is None or value != value:
        return "missing"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
