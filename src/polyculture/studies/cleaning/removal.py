"""Which rows are left out of the cleaned copy? Of the kinds of fault that the user names, training rows only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.preparation.cleaning import Fault
from polyculture.preparation.cleaning.part import DataPart
from polyculture.preparation.cleaning.pool import Pool
from polyculture.preparation.cleaning.search import FINDERS
from polyculture.preparation.problems import RawData

TRAINING = ("train", "all")
"""Parts that rows may be left out of; `all` where files define no parts."""
COLUMNS = ("part", "row", "kind", "reason")
_LEAKS = ("leak", "near-leak")
_REPEATS = ("duplicate", "conflict")


def rows_left_out(
    faults: Sequence[Fault], kinds: Collection[str], training: Collection[str] = TRAINING
) -> pd.DataFrame:
    """The rows that a remedy of these kinds leaves out, one line for each: part, row, kind, and reason.

    Of rows that repeat each other the first stays; of a leak the training row goes, and with it every training row of
    the same inputs; of conflicting labels no row stays. Rows of other parts are never left out: what models are tested
    on stays comparable.

    Parameters
    ----------
    faults : as `row_faults` gives them, of all kinds.
    kinds : for which rows are left out.
    training : parts that may lose rows.
    """
    copies = _Copies(faults)
    rows: dict[tuple[str, int], tuple[str, str]] = {}
    for fault in faults:
        if fault.kind not in kinds or fault.row is None:
            continue
        if fault.kind in _LEAKS:
            if fault.other_part in training and fault.other_row is not None:
                alike = "almost a row" if fault.kind == "near-leak" else "a row"
                for row in copies.of(fault.other_part, fault.other_row):
                    reason = f"is {alike} of {fault.part}: {fault.row:,}"
                    rows.setdefault((fault.other_part, row), (fault.kind, reason))
        elif fault.part in training:
            places = copies.of(fault.part, fault.row) if fault.kind == "conflict" else [fault.row]
            for row in places:
                rows.setdefault((fault.part, row), (fault.kind, fault.reason))
    table = [(part, row, kind, reason) for (part, row), (kind, reason) in sorted(rows.items())]
    return pd.DataFrame(table, columns=list(COLUMNS))


def row_faults(
    parts: Mapping[str, RawData | Dataset], faults: Sequence[Fault], kinds: Collection[str]
) -> tuple[Fault, ...]:
    """The faults with one for every row, also where so many rows have one that `find_faults` tells them as one.

    Parameters
    ----------
    parts, faults : what was searched, and what was found.
    kinds : for which rows are left out.
    """
    wanted = {*kinds, *(_REPEATS if {*kinds} & {*_LEAKS, "conflict"} else ())}
    crowds = {fault.kind for fault in faults if fault.row is None and fault.kind in wanted}
    crowds |= {kind for kind in wanted - {fault.kind for fault in faults} if kind in _REPEATS}
    if not crowds:
        return tuple(faults)
    pool = Pool(tuple(DataPart.of(name, source) for name, source in parts.items()), {})
    by_row = [
        fault
        for produced, finder in FINDERS
        if crowds.intersection(produced)
        for fault in finder(pool)
        if fault.kind in crowds
    ]
    return (*(fault for fault in faults if fault.kind not in crowds), *by_row)


def require_rest(count: int, removed: pd.DataFrame) -> None:
    """Raise InputError where none of so many training rows would be left."""
    if count and len(removed) >= count:
        kinds = ", ".join(sorted(set(removed["kind"])))
        raise InputError(f"all {count:,} training rows have a fault to be left out ({kinds})", "one row or more")


class _Copies:
    """Which rows of a part have the same inputs."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._alike: dict[tuple[str, int], set[int]] = defaultdict(set)
        for fault in faults:
            if fault.kind in _REPEATS and fault.row is not None and fault.other_row is not None:
                self._alike[fault.part, fault.row].add(fault.other_row)
                self._alike[fault.part, fault.other_row].add(fault.row)

    def of(self, part: str, row: int) -> list[int]:
        """The row itself and all that have its inputs, in order."""
        members, queue = {row}, [row]
        while queue:
            new = self._alike[part, queue.pop()] - members
            members |= new
            queue += sorted(new)
        return sorted(members)
