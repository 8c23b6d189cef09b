"""How does a panel of remote members become a bundle? With their specifications in place of graphs."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from polyculture.errors import InputError, near
from polyculture.version import __version__

from ..bundle.bundle import Bundle
from ..bundle.manifest import RULES, SCHEMA, Column, Manifest, MemberEntry
from ..bundle.writing import check_target, write_bundle
from .panel import panel_settings, remote_entries
from .prompts import TEXT, placeholders

CARD = "card.md"
OF_VALUES = ("average", "mean")
"""Rules that combine numbers."""


def panel_bundle(
    path: str | Path, out: str | Path, *, name: str = "", quorum: int | None = None, masked: tuple[str, ...] = ()
) -> Bundle:
    """Write the panel in a TOML file as a bundle; no member is asked, and no key is needed or stored.

    Parameters
    ----------
    path : file with a ``[panel]`` table and a ``[[member]]`` table for each member.
    out : folder of the bundle.
    name, quorum, masked : in place of those in the file.

    Raises FileError and InputError, in one line, for what cannot be read or used.
    """
    check_target(Path(out))
    settings, entries = panel_settings(path), remote_entries(path)
    quorum = settings["quorum"] if quorum is None else quorum
    if not 1 <= quorum <= len(entries):
        raise InputError(f"a quorum of {quorum} of {len(entries)} members", f"1 to {len(entries)}")
    regression = settings["task"] == "regression"
    rules = OF_VALUES if regression else tuple(rule for rule in RULES if rule not in ("average", "stacking"))
    rule = settings["rule"] if "rule" in settings["given"] or not regression else "average"
    if rule not in rules:
        raise InputError(f"rule of [panel] in {path} is {rule!r}", " or ".join(map(repr, rules)))
    columns = _columns(settings["columns"], str(path))
    _check_prompts(entries, [column.name for column in columns] or [TEXT], str(path))
    manifest = Manifest(
        schema=SCHEMA,
        name=name or settings["name"],
        version="",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        task=settings["task"],
        modality="table" if columns else settings["modality"],
        classes=tuple(settings["classes"]),
        input_shape=(len(columns),) if columns else (),
        views=(),
        members=tuple(MemberEntry(**{**entry, "weights_by_class": ()}) for entry in entries),
        rule=rule,
        columns=columns,
        temperature=float(settings["temperature"]),
        quorum=quorum,
        masked=masked,
        source={"panel": str(path)},
        software={"python": platform.python_version(), "polyculture": __version__},
    )
    return write_bundle(out, manifest, {CARD: _card(manifest).encode()})


def _columns(tables: Any, path: str) -> tuple[Column, ...]:
    """The columns of the instances; numbers by name, categories as tables."""
    expected = 'names, or tables such as { name = "site", kind = "category", categories = ["A", "B"] }'
    if not isinstance(tables, list):
        raise InputError(f"columns of [panel] in {path} are {tables!r}", expected)
    return tuple(_column(table, path, expected) for table in tables)


def _column(table: Any, path: str, expected: str) -> Column:
    values: Mapping[str, Any] = {"name": table} if isinstance(table, str) else table
    if not isinstance(values, Mapping) or not isinstance(values.get("name"), str) or not values["name"].strip():
        raise InputError(f"a column of [panel] in {path} is {table!r}", expected)
    kind, categories = values.get("kind", "number"), values.get("categories", [])
    texts = isinstance(categories, list) and all(isinstance(category, str) for category in categories)
    unknown = set(values) - {"name", "kind", "categories", "missing"}
    if unknown or kind not in ("number", "category") or not texts or (kind == "category") != bool(categories):
        raise InputError(f"a column of [panel] in {path} is {dict(values)!r}", expected)
    return Column(values["name"], kind, tuple(categories), bool(values.get("missing", False)))


def _check_prompts(entries: Sequence[Mapping[str, Any]], names: Sequence[str], path: str) -> None:
    """Refuse a prompt that names what no instance has, before it is found out by every request."""
    for entry in entries:
        for template in (entry["remote"].get("prompt", ""), entry["remote"].get("system", "")):
            unknown = [name for name in placeholders(template) if name not in (*names, "columns", "classes")]
            if unknown:
                wrong = f"member {entry['id']} of {path}: the prompt has {{{unknown[0]}}}, which no instance has"
                raise InputError(wrong, "", near(unknown[0], [*names, "columns", "classes"]))


def _card(manifest: Manifest) -> str:
    """The model card of the panel: who answers, what it costs, and what is not known."""
    rows = []
    for member in manifest.members:
        remote = dict(member.remote or {})
        prices = [f"{key.removeprefix('price_')} {remote[key]:g}" for key in sorted(remote) if key.startswith("price_")]
        cells = (member.name, remote["kind"], member.ancestry.get("service", ""), remote["model"], ", ".join(prices))
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} | {member.weight:.3g} |")
    classes = f"Classes: {', '.join(manifest.classes)}." if manifest.classes else "A number is predicted."
    return "\n".join(
        [
            *("---", "tags:", "- polyculture", "- ensemble", "---", "", f"# {manifest.name}", ""),
            f"{len(manifest.members)} members that other services answer for, combined by {manifest.rule}. {classes}",
            *("", "| member | kind | service | model | prices | weight |", "|---|---|---|---|---|---|", *rows, ""),
            "The panel was not certified: how good it is, and how alike its members fail, is known only once labels of",
            "its answers come in. Inputs are sent to the services above. Their models may change without notice.",
            "",
        ]
    )
