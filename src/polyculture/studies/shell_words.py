"""How is a name written in a command that can be copied to a shell?"""

from __future__ import annotations

import shlex
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


def option_words(*groups: Any) -> str:
    """The options that were given in dataclasses, but for the models, as words of another command."""
    words: list[str] = []
    for group in groups:
        for option in fields(group):
            value = getattr(group, option.name)
            if value != option.default and option.name != "models":
                name = f"--{option.name.replace('_', '-')}"
                values = value if isinstance(value, list) else [value]
                words += [name if text is True or text == "" else f"{name}={text}" for text in values]
    return "".join(f" {shell_word(word)}" for word in words)


_SPECIAL = b"\\'"
