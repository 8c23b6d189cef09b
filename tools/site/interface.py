"""What can be imported? The reference pages: one for `polyculture.__all__`, one per room that users import from."""

from __future__ import annotations

import importlib

import griffe

import polyculture

ROOMS = ("selection", "formats", "preparation", "training", "results", "recipe", "stats", "reporting", "testing")
"""Rooms with names of their own to import; the names of `polyculture` itself are documented on the first page."""
PAGE = "reference/api.md"


def home(name: str, room: str = "") -> str:
    """Where a class or function is defined, such as ``polyculture.auditing.assembly.audit``; a constant's room.

    A function can have the name of its file, so that the path by the room alone would be the file's.
    """
    value = getattr(importlib.import_module(f"polyculture.{room}" if room else "polyculture"), name)
    module = getattr(value, "__module__", "")
    defined = module.startswith("polyculture.") and hasattr(value, "__qualname__")
    return f"{module}.{value.__qualname__}" if defined else f"polyculture.{room}.{name}"


def pages() -> dict[str, str]:
    """Every page of the reference in Markdown by its path: first that of the public names, then one per room."""
    entries = {home(name): PAGE for name in polyculture.__all__}
    contents = {PAGE: _public_page()}
    for room in ROOMS:
        contents[f"reference/{room}.md"] = _room_page(room, entries)
        entries = {home(name, room): f"reference/{room}.md" for name in _names(room)} | entries
    return contents


def undocumented() -> list[str]:
    """Public names without a docstring, of `polyculture` and of every room in the reference."""
    package = griffe.load("polyculture", search_paths=["src"], resolve_aliases=False)
    paths = [home(name) for name in polyculture.__all__]
    paths += [home(name, room) for room in ROOMS for name in _names(room)]
    return [path for path in paths if not _object(package, path).has_docstring]


def _object(package: griffe.Object | griffe.Alias, path: str) -> griffe.Object | griffe.Alias:
    member = package[path.removeprefix("polyculture.")]
    return member.final_target if isinstance(member, griffe.Alias) else member


def _names(room: str) -> list[str]:
    module = importlib.import_module(f"polyculture.{room}")
    if hasattr(module, "__all__"):
        return list(module.__all__)
    homes = {name: getattr(value, "__module__", "") for name, value in vars(module).items()}
    return [name for name, value in homes.items() if value == module.__name__ and not name.startswith("_")]


def _public_page() -> str:
    rooms = ", ".join(f"[`polyculture.{room}`]({room}.md)" for room in ROOMS)
    introduction = (
        "# API\n\nEvery name of `import polyculture as pc`. Nothing is loaded before its first use. "
        f"What the rooms offer beyond it: {rooms}.\n"
    )
    return "\n".join([introduction, *(_entry(name, home(name)) for name in polyculture.__all__)])


def _room_page(room: str, entries: dict[str, str]) -> str:
    """The page of one room; what has an entry on another page is linked to it."""
    module = importlib.import_module(f"polyculture.{room}")
    parts = [f"# polyculture.{room}\n\n{(module.__doc__ or '').strip().splitlines()[0]}\n"]
    homes = {name: home(name, room) for name in _names(room)}
    links = [
        f"[`{name}`]({entries[path].removeprefix('reference/')}#{path})"
        for name, path in homes.items()
        if path in entries
    ]
    if links:
        parts.append(f"On other pages of the reference: {', '.join(links)}.\n")
    return "\n".join([*parts, *(_entry(name, path) for name, path in homes.items() if path not in entries)])


def _entry(name: str, path: str) -> str:
    """What mkdocstrings says of one object, under a heading with its short name."""
    return f"::: {path}\n    options:\n      heading: {name}\n      toc_label: {name}\n"
