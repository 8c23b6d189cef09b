"""Which of several files hold the truth, and which the answers? They are opened and joined into one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from polyculture.errors import InputError

from .detection import InputSource, open_source
from .json_lines import BadLines
from .tables.column_roles import ColumnOptions
from .tables.files import ColumnTable, open_table
from .truth_files import SAMPLE, is_label_file, open_lines, open_text_table, truth_table, with_truth


def is_with_truth(sources: Sequence[InputSource], label: Any) -> bool:
    """Whether these are tables whose true answers are in another file."""
    if any(source.kind not in ("table", "text", "truth") for source in sources):
        return False
    return is_label_file(label) or any(source.kind == "truth" for source in sources)


def joined_table(sources: Sequence[InputSource], columns: ColumnOptions, bad: BadLines) -> ColumnTable:
    """The tables and the file with the truth about them, joined into one table."""
    truths = [source for source in sources if source.kind == "truth"]
    label = columns.label if is_label_file(columns.label) else truths[0].path
    if len(truths) > 1 and label is not columns.label:
        raise InputError(
            f"{truths[0].path} and {truths[1].path} both look like the truth",
            "one file with the true answers",
            "name it with label (--label)",
        )
    truth = truth_table(label, columns)
    samples = [source.path for source in sources if source.file.name.lower().startswith(SAMPLE)]
    excluded = {Path(path).resolve() for path in (*samples, *(source.path for source in truths))}
    excluded |= {Path(label).resolve()} if isinstance(label, (str, Path)) else set()
    tables = []
    for source in (source for source in sources if source.file.resolve() not in excluded):
        is_text = source.kind == "text" or (source.file.suffix == ".txt" and truth.ids is None)
        table = open_lines(source.file) if is_text else _open_with_truth(source, bad)
        tables.append((source.model or source.file.name.partition(".")[0], table))
    joined = replace(with_truth(tables, truth, columns), bad=bad)
    joined.remarks.extend(f"{path} is left out: it shows the form of a submission" for path in samples)
    return joined


def _open_with_truth(source: InputSource, bad: BadLines) -> ColumnTable:
    if source.file.suffix == ".txt":
        return open_text_table(source.file)
    is_delimited = {".csv", ".tsv"} & set(source.file.suffixes[-2:])
    return open_table(source.file, min_columns=1, bad=bad) if is_delimited else open_source(source, bad)
