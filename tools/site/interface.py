"""What can be imported? The reference pages: one for `polyculture.__all__`, one per room that users import from."""

from __future__ import annotations

import importlib
import inspect

import griffe

import polyculture

ROOMS = (
    "auditing",
    "selection",
    "training",
    "compression",
    "studies",
    "formats",
    "predictions",
    "explanation",
    "preparation",
    "recipe",
    "results",
    "reporting",
    "deployment",
    "measures",
    "measures.attribution",
    "measures.similarity",
    "measures.panels",
    "integrations.inspect_metrics",
    "integrations.mlflow_metrics",
    "integrations.pytest_plugin",
    "stats",
    "testing",
)
"""Rooms with names of their own to import; the names of `polyculture` itself are documented on the first page."""
PAGE = "reference/api.md"


def names(room: str) -> list[str]:
    """The public names of a room, or of `polyculture` itself."""
    module = importlib.import_module(f"polyculture.{room}" if room else "polyculture")
    if hasattr(module, "__all__"):
        return list(module.__all__)
    homes = {name: getattr(value, "__module__", "") for name, value in vars(module).items()}
    return [name for name, value in homes.items() if value == module.__name__ and not name.startswith("_")]


def home(name: str, room: str = "") -> str:
    """Where a class or function is defined, such as ``polyculture.auditing.assembly.audit``; a constant's room.

    A function can have the name of its file, so that the path by the room alone would be the file's.
    """
    value = _value(name, room)
    module = getattr(value, "__module__", "")
    defined = module.startswith("polyculture.") and hasattr(value, "__qualname__")
    return f"{module}.{value.__qualname__}" if defined else address(name, room)


def address(name: str, room: str = "") -> str:
    """The path under which a reader imports the name, such as ``polyculture.measures.effective_number``."""
    return ".".join(filter(None, ("polyculture", room, name)))


def anchor(name: str, room: str = "") -> str:
    """The path that heads the entry: where it is defined, or for a renamed name where it is imported from."""
    defined = home(name, room)
    return defined if defined.endswith(f".{name}") else address(name, room)


def renamed() -> dict[str, str]:
    """Where each name is defined that is imported under another one: ``polyculture.scaling`` is ``along_scale``."""
    paths = {address(name, room): (name, home(name, room)) for room in ("", *ROOMS) for name in names(room)}
    return {path: defined for path, (name, defined) in paths.items() if not defined.endswith(f".{name}")}


def pages() -> dict[str, str]:
    """Every page of the reference in Markdown by its path: first that of the public names, then one per room."""
    entries = {home(name): f"api.md#{anchor(name)}" for name in polyculture.__all__}
    contents = {PAGE: _public_page()}
    for room in ROOMS:
        contents[f"reference/{room}.md"] = _room_page(room, entries)
        entries = {home(name, room): f"{room}.md#{anchor(name, room)}" for name in names(room)} | entries
    return contents


def undocumented() -> list[str]:
    """Public names without a docstring, of `polyculture` and of every room in the reference."""
    package = griffe.load("polyculture", search_paths=["src"], resolve_aliases=False)
    paths = [home(name, room) for room in ("", *ROOMS) for name in names(room)]
    return [path for path in paths if not _object(package, path).has_docstring]


def _value(name: str, room: str) -> object:
    return getattr(importlib.import_module(f"polyculture.{room}" if room else "polyculture"), name)


def _object(package: griffe.Object | griffe.Alias, path: str) -> griffe.Object | griffe.Alias:
    member = package[path.removeprefix("polyculture.")]
    return member.final_target if isinstance(member, griffe.Alias) else member


def _public_page() -> str:
    rooms = ", ".join(f"[`polyculture.{room}`]({room}.md)" for room in ROOMS)
    introduction = (
        "# API\n\nEvery name of `import polyculture as pc`. Nothing is loaded before its first use. "
        f"What the rooms offer beyond it: {rooms}.\n"
    )
    return "\n".join([introduction, *(_entry(name) for name in polyculture.__all__)])


def _room_page(room: str, entries: dict[str, str]) -> str:
    """The page of one room: its module's text; what has an entry on another page is linked to it."""
    question = (inspect.getdoc(importlib.import_module(f"polyculture.{room}")) or "").partition("\n\n")[0]
    parts = [f"# polyculture.{room}\n\n{question}\n"]
    homes = {name: home(name, room) for name in names(room)}
    links = [f"[`{name}`]({entries[path]})" for name, path in homes.items() if path in entries]
    if links:
        parts.append(f"On other pages of the reference: {', '.join(links)}.\n")
    return "\n".join([*parts, *(_entry(name, room) for name, path in homes.items() if path not in entries)])


def _entry(name: str, room: str = "") -> str:
    """What mkdocstrings says of one object, under a heading with its short name."""
    return f"::: {anchor(name, room)}\n    options:\n      heading: {name}\n      toc_label: {name}\n"
