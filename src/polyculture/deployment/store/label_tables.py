"""What do the labels of a file change? Ids and labels are read as all tables are, and written into the store."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyculture.errors import InputError

from .columns import VersionNames
from .labels import LabelReport, is_empty
from .store import open_store

if TYPE_CHECKING:
    from polyculture.formats.tables.files import ColumnTable


def label_file(
    path: str | Path, store: str, *, bundle: str | Path | None = None, id: str = "", label: str = "", time: str = ""
) -> LabelReport:
    """Write the true labels of a table of ids and labels into a store.

    Parameters
    ----------
    path : CSV, JSON Lines or Parquet, packed or not, with a row for each label.
    store : URL or file of the store that the server writes.
    bundle : folder whose classes the labels are held to (default: those of the bundles that answered).
    id, label : columns (default: the usual names, or of two columns the other one).
    time : column with the time at which a label was given: seconds since 1970, or dates (default: now).

    Raises InputError for a column that is not there and a label that is no class, before anything is written.

    Examples
    --------
    >>> from polyculture.deployment.store import AnswerRecord, VersionNames, open_store
    >>> with open_store("answers-to-label.sqlite") as store:
    ...     store.register(VersionNames("1", "classification", ("no", "yes"), ("ann", "bob")))
    ...     store.append([AnswerRecord(f"r{k}", float(k), "1", member_answers=(1, 0)) for k in range(3)])
    >>> pd.DataFrame({"id": ["r0", "r1"], "label": ["yes", "no"]}).to_csv("truth.csv", index=False)
    >>> pc.label("truth.csv", "answers-to-label.sqlite").matched
    2
    """
    from polyculture.formats.detection import InputSource, open_source
    from polyculture.formats.json_lines import BadLines
    from polyculture.formats.tables.column_roles import INSTANCE_NAMES, LABEL_NAMES, first_name

    table = open_source(InputSource("table", str(path)), BadLines(), keep_na=True)  # a class may be called NA
    id_name = table.require(id, "--id") if id else first_name(table.names, INSTANCE_NAMES)
    label_name = table.require(label, "--label") if label else first_name(table.names, LABEL_NAMES)
    id_name, label_name = _pair(table, id_name, label_name)
    if time:
        table.require(time, "--time")
    ids = table.instance_ids(id_name).tolist()
    labels = _labels(table, label_name)
    filled = [row for row, value in enumerate(labels) if not is_empty(value)]
    times = _seconds(table, time, filled) if time else None
    with open_store(store, create=bundle is not None) as opened:
        report = opened.label(
            [ids[row] for row in filled],
            [labels[row] for row in filled],
            times,
            names_of_bundle(bundle) if bundle is not None else None,
        )
    return replace(report, empty=len(labels) - len(filled), store=opened.name)


def _pair(table: ColumnTable, id_name: str | None, label_name: str | None) -> tuple[str, str]:
    """Both columns, where of two columns at most one has an unusual name."""
    if len(table.names) == 2:
        first, second = table.names
        id_name = id_name or {first: second, second: first}.get(label_name or "")
        label_name = label_name or {first: second, second: first}.get(id_name or "")
    for name, role in ((id_name, "id"), (label_name, "label")):
        if name is None:
            raise InputError(
                f"the columns of {table.source} are {', '.join(table.names[:8])}",
                "a column of ids and one of labels",
                f"name the column (--{role})",
            )
    if id_name == label_name:
        raise InputError(f"column {id_name!r} cannot be both ids and labels", "two columns")
    return str(id_name), str(label_name)


def _labels(table: ColumnTable, name: str) -> list[object]:
    """The labels; of CSV as the texts of its cells, so that 007 stays 007."""
    if table.typed:
        return list(table.values(name).tolist())
    return list(table.load([name])[name].to_pylist())


def _seconds(table: ColumnTable, name: str, rows: Sequence[int]) -> list[float]:
    """The times in these rows, in seconds since 1970; dates without a time zone are UTC."""
    cells = table.values(name).tolist()
    return [_moment(table.source, row, cells[row]) for row in rows]


def _moment(source: str, row: int, cell: Any) -> float:
    try:
        if isinstance(cell, (int, float)):
            seconds = float(cell)
        else:
            date = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell).strip())
            seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        seconds = math.nan
    if not math.isfinite(seconds):
        raise InputError(
            f"row {row + 1} of {source} has the time {cell!r}",
            "seconds since 1970, or a date such as 2026-11-30T12:00:00Z",
        )
    return seconds


def names_of_bundle(bundle: str | Path) -> VersionNames:
    """What the codes of the answers of a bundle stand for."""
    from polyculture.deployment.bundle import open_bundle

    manifest = open_bundle(bundle).manifest
    members = tuple(member.id for member in manifest.members)
    return VersionNames(manifest.version, manifest.task, tuple(manifest.classes), members)
