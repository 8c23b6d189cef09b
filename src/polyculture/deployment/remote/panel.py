"""Which remote members does a file name? TOML with a ``[panel]`` table and a ``[[member]]`` table for each."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyculture.errors import FileError, InputError, PolycultureError, near

from .specification import RemoteSpec

OWN = ("id", "name", "weight", "ancestry")
"""What a [[member]] table has beside the specification."""
SETTINGS: Mapping[str, Any] = {
    **{"name": "panel", "task": "classification", "modality": "text", "classes": [], "rule": "vote"},
    **{"temperature": 1.0, "quorum": 0, "columns": [], "swap": []},
}
"""What a [panel] table may have, with what it is if left out."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def panel_settings(path: str | Path) -> dict[str, Any]:
    """The ``[panel]`` table: name, task, modality, classes, rule, temperature, quorum, columns, swap; defaults filled
    in.

    A quorum of 0 in the file is the majority of the members; ``given`` has the names that the file sets.

    Raises FileError where the file cannot be read, InputError for a value that cannot be used.
    """
    tables = _read(Path(path))
    settings = tables.get("panel", {})
    if not isinstance(settings, dict):
        raise InputError(f"[panel] in {path} is {settings!r}", "a table")
    for name in settings:
        if name not in SETTINGS:
            raise InputError(f"[panel] in {path} has {name!r}", "", near(name, SETTINGS))
    settings = {**SETTINGS, **settings, "given": tuple(settings)}
    n_members = len(_member_tables(tables, Path(path)))
    _check_settings(settings, n_members, str(path))
    return settings | {"quorum": settings["quorum"] or n_members // 2 + 1}


def remote_entries(path: str | Path) -> list[dict[str, Any]]:
    """The members as a manifest has them, one mapping each.

    Keys: id, name, weight (they sum to 1), weights_by_class, graph, view, recipe, ancestry, export_error, remote.

    Raises FileError where the file cannot be read, InputError for a value that cannot be used, a key in the file among
    them.
    """
    file = Path(path)
    tables = _member_tables(_read(file), file)
    classes = panel_settings(file)["classes"]
    entries = [_entry(table, number, classes, file) for number, table in enumerate(tables, 1)]
    ids = [entry["id"] for entry in entries]
    repeated = [name for name in ids if ids.count(name) > 1]
    if repeated:
        raise InputError(f"{file} has two members with the id {repeated[0]!r}", "an id for each")
    total = math.fsum(entry["weight"] for entry in entries)
    return [entry | {"weight": entry["weight"] / total} for entry in entries]


def _entry(table: Mapping[str, Any], number: int, classes: list[str], file: Path) -> dict[str, Any]:
    """A ``[[member]]`` table as an entry of a manifest."""
    name = table.get("id", f"member-{number}")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise InputError(f"member {number} of {file} has the id {name!r}", "letters, digits, dots, - and _")
    weight = table.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < math.inf:
        raise InputError(f"member {name} of {file} has the weight {weight!r}", "a number above 0")
    try:
        spec = RemoteSpec.from_dict({key: value for key, value in table.items() if key not in OWN})
        if spec.kind == "chat":
            spec.parser.check(classes)
    except PolycultureError as error:
        raise InputError(f"member {name} of {file}: {error.wrong}", error.expected, error.cure) from error
    ancestry = table.get("ancestry", {})
    if not isinstance(ancestry, dict) or not all(isinstance(value, str) for value in ancestry.values()):
        raise InputError(f"member {name} of {file} has the ancestry {ancestry!r}", 'a table such as { vendor = "…" }')
    return {
        **{"id": name, "name": str(table.get("name", name)), "weight": float(weight), "weights_by_class": []},
        **{"graph": "", "view": "", "recipe": {"kind": spec.kind, "model": spec.model}, "export_error": None},
        **{"ancestry": {"service": spec.host, "model": spec.model} | ancestry, "remote": spec.to_dict()},
    }


def _check_settings(settings: Mapping[str, Any], n_members: int, path: str) -> None:
    if settings["task"] not in ("classification", "regression"):
        raise InputError(f"task of [panel] in {path} is {settings['task']!r}", "'classification' or 'regression'")
    classes = settings["classes"]
    valid = isinstance(classes, list) and all(isinstance(name, str) and name.strip() for name in classes)
    if not valid or len(set(classes)) < len(classes):
        raise InputError(f"classes of [panel] in {path} are {classes!r}", 'different texts, such as ["no", "yes"]')
    if settings["task"] == "classification" and len(classes) < 2:
        raise InputError(f"[panel] in {path} has {len(classes)} classes", 'two or more: classes = ["no", "yes"]')
    if settings["task"] == "regression" and classes:
        raise InputError(f"[panel] in {path} is of regression and has classes", "no classes")
    quorum = settings["quorum"]
    if type(quorum) is not int or not 0 <= quorum <= n_members:
        raise InputError(f"quorum of [panel] in {path} is {quorum!r}", f"a whole number from 0 to {n_members}")
    temperature = settings["temperature"]
    if type(temperature) not in (int, float) or not 0 < temperature < math.inf:
        raise InputError(f"temperature of [panel] in {path} is {temperature!r}", "a number above 0")
    swap = settings["swap"]
    names = isinstance(swap, list) and all(isinstance(name, str) and name for name in swap)
    if not names or len(swap) not in (0, 2) or len(set(swap)) < len(swap):
        raise InputError(f"swap of [panel] in {path} is {swap!r}", 'two columns, such as ["a", "b"]')
    for name in ("name", "modality", "rule"):
        if not isinstance(settings[name], str) or not settings[name]:
            raise InputError(f"{name} of [panel] in {path} is {settings[name]!r}", "a text")


def _read(path: Path) -> dict[str, Any]:
    expected = "a TOML file with [panel] and [[member]] tables"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}", expected) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileError(f"{path} is not TOML: {error}", expected) from error


def _member_tables(tables: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    unknown = [name for name in tables if name not in ("panel", "member")]
    if unknown:
        raise InputError(f"{path} has {unknown[0]!r}", "[panel] and [[member]] tables")
    members = tables.get("member", [])
    if not isinstance(members, list) or not members or not all(isinstance(table, dict) for table in members):
        raise InputError(f"{path} names no member", "at least one [[member]] table")
    return members
