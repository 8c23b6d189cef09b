"""Which rows and columns of the data may be wrong? Every fault of every kind, row by row, with its reason."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from polyculture.dataset import Dataset
from polyculture.errors import InputError, near

from ..problems.raw_data import RawData
from .disguised import disguised_gaps, undocumented_codes
from .duplicates import exact_repeats
from .fault import KINDS, Fault, require_kinds
from .imbalance import imbalance
from .missing import infinite_numbers, missing_values
from .near_duplicates import near_repeats
from .normalization import normalization
from .outliers import outliers
from .part import DataPart
from .personal import personal_fields
from .pool import Pool
from .redundant_columns import constant_columns, copied_columns

CROWD_SHARE, CROWD_ROWS = 0.5, 1000
"""In a part of so many rows, faults of one kind in more than this share of them are one fault of the part."""


def empty_parts(pool: Pool) -> Iterator[Fault]:
    """Parts without a row."""
    for part in pool.parts:
        if not len(part):
            yield Fault("empty", part.name, None, "has no row")


FINDERS: tuple[tuple[tuple[str, ...], Callable[[Pool], Iterator[Fault]]], ...] = (
    (("empty",), empty_parts),
    (("duplicate", "conflict", "leak"), exact_repeats),
    (("near-duplicate", "near-leak"), near_repeats),
    (("missing",), missing_values),
    (("disguised-missing",), disguised_gaps),
    (("undocumented-code",), undocumented_codes),
    (("non-finite",), infinite_numbers),
    (("outlier",), outliers),
    (("constant-column",), constant_columns),
    (("copied-column",), copied_columns),
    (("imbalance",), imbalance),
    (("personal",), personal_fields),
    (("normalization",), normalization),
)
"""Kinds of fault and what finds them."""


def find_faults(
    parts: Mapping[str, RawData | Dataset],
    *,
    kinds: Collection[str] | None = None,
    codes: Mapping[str, Sequence[object]] | None = None,
) -> tuple[Fault, ...]:
    """The faults of these parts, sorted by kind, part, row and column. Nothing is changed.

    Where more than half of a thousand rows or more have a fault of one kind, such as repeats of a table of few codes,
    they are one fault of the part.

    Parameters
    ----------
    parts : raw data or datasets by the name of the part, such as ``{"train": …, "test": …}``; rows of a later part
        that an earlier part holds are leaks.
    kinds : names from `KINDS` to search for; all by default.
    codes : by column the codes that its documentation lists; others are undocumented.

    Raises InputError for an unknown kind, and for codes of a column that there is not.

    Examples
    --------
    >>> import numpy as np
    >>> from polyculture.preparation.cleaning import find_faults
    >>> table = np.array([[1.0, 2.0], [3.0, np.nan], [1.0, 2.0]])
    >>> pets = pc.Dataset(table, np.array([0, 1, 0]), ("cat", "dog"))
    >>> for fault in find_faults({"train": pets}):
    ...     print(fault.kind, fault.row, fault.reason)
    duplicate 2 repeats row 0
    missing 1 no value
    """
    require_kinds(kinds or ())
    names = set(KINDS if kinds is None else kinds)
    pool = Pool(tuple(DataPart.of(name, source) for name, source in parts.items()), dict(codes or {}))
    columns = [column.name for column in pool.columns]
    for column in pool.documented_codes:
        if column not in columns:
            raise InputError(f"codes of the column {column!r}, which there is not", "", near(column, columns))
    faults = [
        fault
        for produced, finder in FINDERS
        if names.intersection(produced) and (len(pool) or produced == ("empty",))
        for fault in finder(pool)
        if fault.kind in names
    ]
    order = {kind: position for position, kind in enumerate(KINDS)}
    places = {part.name: position for position, part in enumerate(pool.parts)}

    def position(fault: Fault) -> tuple[int, int, int, str]:
        return order[fault.kind], places[fault.part], -1 if fault.row is None else fault.row, fault.column

    return tuple(sorted(_crowds_as_one(pool, faults), key=position))


def _crowds_as_one(pool: Pool, faults: Iterable[Fault]) -> Iterator[Fault]:
    """The faults, but one for a whole part where most of its rows have one of the same kind in the same column."""
    groups: dict[tuple[str, str, str], list[Fault]] = {}
    for fault in faults:
        if fault.row is None:
            yield fault
        else:
            groups.setdefault((fault.kind, fault.part, fault.column), []).append(fault)
    sizes = {part.name: len(part) for part in pool.parts}
    for (kind, part, column), members in groups.items():
        size, first = sizes[part], members[0]
        if size >= CROWD_ROWS and len(members) > CROWD_SHARE * size:
            yield Fault(
                kind, part, None, f"{len(members):,} of {size:,} rows; row {first.row:,} {first.reason}", column
            )
        else:
            yield from members
