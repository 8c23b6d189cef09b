"""Which pages are in a folder of the navigation? `methods/` in mkdocs.yml stands for every page of docs/methods."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

LINK = re.compile(r"\]\((?:\./)?([\w.-]+\.md)[)#]")
INDEX = ("README.md", "index.md")


def expand(entries: Sequence[Any], pages: Mapping[str, str]) -> list[Any]:
    """The navigation with every `FOLDER/` replaced by its pages: README or index, the pages that it links, the others.

    A folder without pages is left out.

    pages : text of every page by its path relative to docs.
    """
    expanded: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            for title, value in entry.items():
                part = expand(value, pages) if isinstance(value, list) else value
                expanded += [{title: part}] if part else []
        elif entry.endswith("/"):
            expanded += _in_order(entry, pages)
        else:
            expanded.append(entry)
    return expanded


def _in_order(folder: str, pages: Mapping[str, str]) -> list[str]:
    inside = sorted(page for page in pages if page.startswith(folder))
    indexes = [page for page in inside if page.rpartition("/")[2] in INDEX]
    linked = [folder + name for page in indexes for name in LINK.findall(pages[page])]
    return list(dict.fromkeys([*indexes, *(page for page in linked if page in inside), *inside]))
