"""Which items are judged? JSON Lines or CSV with an id, what the prompt needs, and the label where it is known."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyculture.errors import FileError, InputError

ID, LABEL = "id", "label"


@dataclass(frozen=True, eq=False)
class PanelItems:
    """Items that a panel judges.

    Parameters
    ----------
    ids : different texts, n of them.
    records : of each the columns that a prompt may name; neither id nor label is among them.
    labels : true classes as texts, empty where one is not known; None where no item has one.
    fingerprint : SHA-256 of ids and records.

    Raises InputError for no items, and an id that is empty or repeats.
    """

    ids: tuple[str, ...]
    records: tuple[Mapping[str, Any], ...]
    labels: tuple[str, ...] | None = None
    fingerprint: str = ""

    def __post_init__(self) -> None:
        if not self.ids:
            raise InputError("there are no items", 'at least one, such as {"id": "1", "text": "…"}')
        positions: dict[str, int] = {}
        for position, name in enumerate(self.ids, 1):
            if not name:
                raise InputError(f"item {position} has an empty id", "a text or a number")
            if name in positions:
                raise InputError(
                    f"items {positions[name]} and {position} have the id {name!r}", "an id for each", "rename one"
                )
            positions[name] = position

    @property
    def columns(self) -> list[str]:
        """Columns that every item has, in the order of the first."""
        return [name for name in self.records[0] if all(name in record for record in self.records)]


def panel_items(source: str | Path | Iterable[Mapping[str, Any]]) -> PanelItems:
    """Items from a file of JSON Lines, a CSV file, or mappings.

    Each has an ``id`` (default: its number from 1), the columns of the prompt, and may have a ``label``.

    Raises FileError where the file cannot be read, InputError for a line that is no object.
    """
    if isinstance(source, (str, Path)):
        rows = _csv_rows(Path(source)) if str(source).lower().endswith(".csv") else _json_rows(Path(source))
    else:
        rows = [dict(row) for row in source]
    ids = tuple(str(row.get(ID, position)).strip() for position, row in enumerate(rows, 1))
    records = tuple({name: value for name, value in row.items() if name not in (ID, LABEL)} for row in rows)
    labels = tuple(_label(row.get(LABEL)) for row in rows)
    content = json.dumps([ids, records], sort_keys=True, ensure_ascii=False, default=str)
    fingerprint = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()
    return PanelItems(ids, records, labels if any(labels) else None, fingerprint)


def _label(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _json_rows(path: Path) -> Sequence[dict[str, Any]]:
    rows = []
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise InputError(f"line {number} of {path} is no object", 'one per line, such as {"id": "1", "text": "…"}')
        rows.append(row)
    return rows


def _csv_rows(path: Path) -> Sequence[dict[str, Any]]:
    lines = list(csv.reader(_text(path).splitlines(keepends=True)))
    heading, rows = (lines[0] if lines else []), lines[1:]
    for number, row in enumerate(rows, 2):
        if row and len(row) != len(heading):
            raise InputError(f"row {number} of {path} has {len(row)} fields", f"{len(heading)}, as the heading has")
    return [dict(zip(heading, row, strict=True)) for row in rows if row]


def _text(path: Path) -> str:
    expected = "JSON Lines or CSV with an item per line"
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}", expected) from error
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not UTF-8", expected) from error
