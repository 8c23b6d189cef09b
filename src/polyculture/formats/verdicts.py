"""Which labels are valid? Verdicts from a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path

from polyculture.errors import FileError, InputError


def read_verdicts(path: Path) -> dict[str, float]:
    """The probability that each label is valid, from a CSV with the columns instance and valid."""
    expected = "a CSV with the columns instance and valid"
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"cannot read {path}: {error}", expected) from error
    if not rows or not {"instance", "valid"} <= set(rows[0]):
        raise InputError(f"{path} lacks rows or a column", expected)
    verdicts = {}
    for line, row in enumerate(rows, start=2):
        try:
            verdicts[row["instance"]] = float(row["valid"])
        except (TypeError, ValueError):
            raise InputError(
                f"{path}, line {line}: valid is {row['valid']!r}", "the probability that the label is valid, 0 to 1"
            ) from None
    return verdicts
