"""How is a name written in a command that can be copied to a shell?"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from polyculture.errors import visible


def shell_word(text: str) -> str:
    """The text as one word of a shell command; with control characters as ``$'\\x1b'``, which bash and zsh turn back.

    Examples
    --------
    >>> shell_word("a b.csv")
    "'a b.csv'"
    """
    if visible(text) == text:
        return shlex.quote(text)
    try:
        raw = text.encode("utf-8", "surrogateescape")  # bytes of a file name that are not UTF-8
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogatepass")
    characters = (chr(b) if 32 <= b < 127 and b not in _SPECIAL else f"\\x{b:02x}" for b in raw)
    return f"$'{''.join(characters)}'"


def option_words(*groups: Any, **columns: Any) -> str:
    """The options that were given as words of another command, each after a blank; models are left out.

    Parameters
    ----------
    groups : dataclasses with a field for every option; fields that have their default were not given.
    columns : further options by name; empty ones were not given.
    """
    options = {f.name: getattr(group, f.name) for group in groups for f in fields(group)}
    defaults = {f.name: f.default for group in groups for f in fields(group)}
    values = {name: value for name, value in options.items() if value != defaults[name] and name != "models"}
    values |= {name: value for name, value in columns.items() if value}
    words = []
    for name, value in values.items():
        option = f"--{name.replace('_', '-')}"
        texts = value if isinstance(value, list) else [value]
        words += [option if text is True or text == "" else f"{option}={text}" for text in texts]
    return "".join(f" {shell_word(word)}" for word in words)


def source_words(paths: Sequence[str], *groups: Any, **columns: Any) -> str:
    """Tables and the options with which they are read, as words of another command; options as in `option_words`."""
    return " ".join(map(shell_word, paths)) + option_words(*groups, **columns)


_SPECIAL = b"\\'"
