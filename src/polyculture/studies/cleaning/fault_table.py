"""Which row has which fault? Every fault as a line of a table, with the file and line where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from polyculture.errors import FileError
from polyculture.preparation.cleaning import Fault

from .options import LABEL_ERROR
from .sources import CleaningSource
from .suspects import Suspects

COLUMNS = (
    *("kind", "part", "row", "instance", "column", "reason", "other_part", "other_row", "other_instance"),
    "file",
)


def fault_table(source: CleaningSource, faults: Sequence[Fault], suspects: Suspects | None) -> pd.DataFrame:
    """One row per fault: kind, part, row, instance, column, reason, the row that it resembles, and its file."""
    rows = [_row(source, fault) for fault in faults]
    if suspects is not None:
        positions = {int(place): (part, k) for part, own in source.rows.items() for k, place in enumerate(own)}
        for suspect in suspects.table(source.raw).to_dict("records"):
            part, row = positions[int(suspect["place"])]
            against = f"{suspect['against']} of {suspect['models']} models disagree, and suggest {suspect['suggested']}"
            reason = f"labelled {suspect['label']}; {against}"
            fault = (LABEL_ERROR, part, row, suspect["instance"], "", reason, "", None, "")
            rows.append((*fault, _file(source, part, row)))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"row": "Int64", "other_row": "Int64"})


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV in one step; FileError where it cannot be written."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(part, index=False)
        part.replace(path)
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror}", "a folder that can be written") from error


def _row(source: CleaningSource, fault: Fault) -> tuple[object, ...]:
    other = source.instance(fault.other_part, fault.other_row) if fault.other_row is not None else ""
    instance = source.instance(fault.part, fault.row) if fault.row is not None else ""
    return (
        *(fault.kind, fault.part, fault.row, instance, fault.column, fault.reason),
        *(fault.other_part, fault.other_row, other, _file(source, fault.part, fault.row)),
    )


def _file(source: CleaningSource, part: str, row: int | None) -> str:
    """The file of a row; empty for a whole column, and for what else is tested on."""
    if row is None or part not in source.rows or not source.layout:
        return ""
    number = int(source.file[np.asarray(source.rows[part])[row]])
    return source.paths[number].name
