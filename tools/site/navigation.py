"""Which pages are in a folder of the navigation? `methods/` in mkdocs.yml stands for every page of docs/methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def expand(entries: Sequence[Any], pages: Sequence[str]) -> list[Any]:
    """The navigation with every `FOLDER/` replaced by its pages: README or index first, then by name.

    A folder without pages is left out.

    pages : paths of all pages relative to docs.
    """
    expanded: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            for title, value in entry.items():
                part = expand(value, pages) if isinstance(value, list) else value
                expanded += [{title: part}] if part else []
        elif entry.endswith("/"):
            folder = [page for page in pages if page.startswith(entry)]
            expanded += sorted(folder, key=lambda page: (not page.endswith(("README.md", "index.md")), page))
        else:
            expanded.append(entry)
    return expanded
