"""Which columns are numbers with a comma? Decimal commas and thousands, one meaning per file; else the user decides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from polyculture.errors import InputError

from ..labels import number_of

_SPACES = "\u0020\u00a0\u2009\u202f'’"
_DECIMAL = re.compile(rf"[+-]?(?:\d+|\d{{1,3}}(?:[.{_SPACES}]\d{{3}})+)?,\d+(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?(?:[eE][+-]?\d+)?")
_GROUPED = re.compile(rf"[+-]?\d{{1,3}}(?:[.{_SPACES}]\d{{3}})+")
_SEPARATORS = str.maketrans(dict.fromkeys(f".{_SPACES}"))


def without_commas(table: pd.DataFrame, path: Path, separator: str, ignore: Iterable[str] = ()) -> pd.DataFrame:
    """The table, its columns of numbers with commas written with a point and without separators of thousands.

    Where every comma of a column could be either (1,234), the other columns of the file decide, and between
    semicolons it is a decimal comma.

    Raises InputError for a column that writes numbers in two ways, and where nothing decides.
    """
    columns = {name: meaning for name, meaning in _meanings(table, path) if name not in set(ignore)}
    decided = set(columns.values()) - {"either"} or ({"decimal"} if separator == ";" else set())
    for name, meaning in columns.items():
        if meaning == "either" and len(decided) != 1:
            cell = next(cell for cell in _cells(table[name]) if "," in cell)
            raise InputError(
                f"column {name!r} of {path} holds {cell!r}, whose comma may stand before decimals or between thousands",
                "numbers with a decimal point, without separators of thousands",
                f"write {cell.replace(',', '.')} or {cell.replace(',', '')}",
            )
    meanings = {name: next(iter(decided)) if m == "either" else m for name, m in columns.items()}
    return table.assign(**{name: _plain(table[name], meaning) for name, meaning in meanings.items()})


def decimal_number(cell: str) -> float | None:
    """The cell as a number, its decimals after a point or a comma, if it is one."""
    text = cell.strip()
    return number_of(text.translate(_SEPARATORS).replace(",", ".") if _DECIMAL.fullmatch(text) else text)


def _meanings(table: pd.DataFrame, path: Path) -> Iterator[tuple[str, str]]:
    """Columns of numbers with commas, and what the comma marks: ``decimal``, ``thousands`` or ``either``."""
    for name, column in table.items():
        if not pd.api.types.is_object_dtype(column) and not pd.api.types.is_string_dtype(column):
            continue
        cells = _cells(column)
        commas = [cell for cell in cells if "," in cell]
        points = [cell for cell in cells if "," not in cell]
        if not commas or not all(number_of(cell) is not None or _GROUPED.fullmatch(cell) for cell in points):
            continue
        decimals = [_DECIMAL.fullmatch(cell) is not None for cell in commas]
        thousands = [_THOUSANDS.fullmatch(cell) is not None for cell in commas]
        if not all(a or b for a, b in zip(decimals, thousands, strict=True)):
            continue
        point = next((cell for cell in points if "." in cell and not _GROUPED.fullmatch(cell)), None)
        if all(thousands) and (point or not all(decimals)):
            yield str(name), "thousands"
        elif all(thousands):
            yield str(name), "either"
        elif all(decimals) and point is None:
            yield str(name), "decimal"
        else:
            comma = commas[thousands.index(False)]
            point = point or commas[decimals.index(False)]
            raise InputError(
                f"column {name!r} of {path} holds both {comma!r} and {point!r}",
                "numbers with a decimal point, or with a decimal comma in the whole column",
                f"write {comma!r} with a point",
            )


def _cells(column: pd.Series) -> list[str]:
    """The distinct cells that are texts; nothing if one is not."""
    values = column.dropna().unique().tolist()
    return [value.strip() for value in values] if all(isinstance(value, str) for value in values) else []


def _plain(column: pd.Series, meaning: str) -> pd.Series:
    """The column with numbers as Python writes them."""
    if meaning == "thousands":
        return column.map(lambda cell: cell.replace(",", ""), na_action="ignore")
    return column.map(lambda cell: cell.strip().translate(_SEPARATORS).replace(",", "."), na_action="ignore")
