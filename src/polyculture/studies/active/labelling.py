"""How do people give labels? A table with an empty column goes out, and comes back filled in; nothing in it is lost.

to-label.csv   the batch: instance, what is seen of it, and the column to fill in
labels.csv     every label that was given, by batch; ? where nobody can tell
asked.csv      every instance that was asked for, with what each member answered before
labelled.csv   the pool with all labels
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from polyculture.errors import FileError, InputError, near
from polyculture.stats import plural

TO_LABEL, LABELS, ASKED, LABELLED = "to-label.csv", "labels.csv", "asked.csv", "labelled.csv"
NOBODY_KNOWS = "?"
"""What stands for a label that nobody can give; the instance is not asked for a second time."""
INSTANCE = "instance"


@dataclass(frozen=True)
class GivenLabels:
    """What came back.

    Parameters
    ----------
    labels : by instance id, those that are valid.
    problems : a sentence for each row that is not.
    blank : ids of instances without a label.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    blank: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every instance has a valid label and nothing else is in the way."""
        return not self.problems and not self.blank


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Replace a CSV file in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(frame.to_csv(index=False, lineterminator="\n"), encoding="utf-8")
    temporary.replace(path)


def read_table(path: Path) -> pd.DataFrame:
    """The cells of a CSV file as texts, empty ones as empty texts; also as a spreadsheet saves it, with semicolons.

    Raises FileError for a file that cannot be read, or whose rows have more cells than columns.
    """
    expected = "the table with one more column filled in, saved as CSV in UTF-8"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"cannot read {path}: {' '.join(str(error).split())}", expected) from error
    if "\0" in text:
        raise FileError(f"{path} holds binary data", expected)
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise FileError(f"cannot read {path}: {error}", expected) from error
    columns = [name.strip() for name in rows[0]] if rows else []
    for number, row in enumerate(rows[1:], 2):
        if len(row) > len(columns):
            raise FileError(f"line {number} of {path} has {len(row)} cells for {len(columns)} columns", expected)
    cells = [[*row, *[""] * (len(columns) - len(row))] for row in rows[1:]]
    return pd.DataFrame(cells, columns=columns, dtype=object)


def read_labels(path: Path, column: str, instances: Sequence[str], classes: Sequence[str]) -> GivenLabels:
    """The labels in a file that was filled in; what cannot be used is a sentence each, and everything else is kept.

    Parameters
    ----------
    path : of the file.
    column : of labels.
    instances : ids that were asked for.
    classes : that a label may be.

    Raises FileError for a file that cannot be read, InputError for one without the columns of ids and labels.
    """
    table = read_table(path)
    for name in (INSTANCE, column):
        if name not in table.columns or list(table.columns).count(name) > 1:
            raise InputError(f"{path} has no column {name!r} of its own", f"the columns of {TO_LABEL}", "put it back")
    rows = [(str(i).strip(), str(label).strip()) for i, label in zip(table[INSTANCE], table[column], strict=True)]
    return valid_labels(rows, instances, classes, str(path))


def valid_labels(
    rows: Sequence[tuple[str, str]], instances: Sequence[str], classes: Sequence[str], source: str
) -> GivenLabels:
    """The valid ones of pairs of instance id and label; a sentence for every other."""
    wanted, problems = set(instances), list[str]()
    labels: dict[str, str] = {}
    counts = Counter(instance for instance, _ in rows)
    for number, (instance, label) in enumerate(rows, 1):
        place = f"row {number} of {source}"
        if instance not in wanted:
            problems.append(f"{place} has the instance {instance!r}, which was not asked for; leave the row out.")
        elif counts[instance] > 1:
            problems += _duplicate(instance, rows, source) if instance not in labels else []
            labels.setdefault(instance, "")
        elif label and label not in classes and label != NOBODY_KNOWS:
            hint = near(label, classes)
            problems.append(
                f"{place} has the label {label!r}, which is no class; {hint}{'' if hint[-1] == '?' else '.'}"
            )
            labels[instance] = ""
        else:
            labels[instance] = label
    absent = [instance for instance in instances if instance not in labels]
    if absent:
        problems.append(f"{source} lacks {plural(len(absent), 'instance')}, such as {absent[0]!r}; put the rows back.")
    named = {instance for instance in instances if not labels.get(instance) and counts[instance] == 1}
    blank = tuple(i for i, label in rows if i in named and not label)
    return GivenLabels({i: label for i, label in labels.items() if label}, tuple(problems), blank)


def _duplicate(instance: str, rows: Sequence[tuple[str, str]], source: str) -> list[str]:
    """One sentence for an instance that stands in several rows."""
    labels = sorted({label for name, label in rows if name == instance and label})
    different = f" with the labels {' and '.join(map(repr, labels))}" if len(labels) > 1 else ""
    return [f"{source} has the instance {instance!r} twice{different}; leave one row."]
