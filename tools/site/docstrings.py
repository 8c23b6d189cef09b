"""How do docstrings become pages? `Parameters` become a list and `Examples` code: Markdown would run lines together.

A function that is imported under another name than it is defined with is shown with the name that is imported.
"""

from __future__ import annotations

import re
from typing import Any

import griffe
import interface

SECTION = re.compile(r"^(Parameters|Attributes|Returns|Raises)\n-+\n(.*?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
EXAMPLES = re.compile(r"^Examples\n-+\n(.*)\Z", re.MULTILINE | re.DOTALL)
ITEM = re.compile(r"^(\w[\w, *]*) : (.*(?:\n[ ]+.*)*)", re.MULTILINE)


class MarkdownSections(griffe.Extension):
    """`Parameters` with `name : meaning` lines as Markdown lists, `Examples` as a block of code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            text = SECTION.sub(_markdown_list, obj.docstring.value)
            obj.docstring.value = EXAMPLES.sub(
                lambda match: f"**Examples**\n\n```pycon\n{match[1].rstrip()}\n```", text
            )


class ImportedNames(griffe.Extension):
    """An entry for every name that a room gives to a function with another name of its own."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        for path, defined in interface.renamed().items():
            room, _, name = path.partition(".")[2].rpartition(".")
            (pkg[room] if room else pkg).set_member(name, griffe.Alias(name, target=defined))


def _markdown_list(match: re.Match[str]) -> str:
    items = [f"- `{item[1]}`: {' '.join(item[2].split())}" for item in ITEM.finditer(match[2])]
    return f"**{match[1]}**\n\n" + ("\n".join(items) if items else match[2])
