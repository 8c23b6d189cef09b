"""Which rows are left out of the cleaned copy? Of the kinds of fault that the user names, training rows only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from polyculture.preparation.cleaning import Fault

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
    the same inputs. Rows of other parts are never left out: what models are tested on stays comparable.

    Parameters
    ----------
    faults : as `find_faults` gives them, of all kinds.
    kinds : for which rows are left out.
    training : parts that may lose rows.
    """
    copies = _copies(faults)
    rows: dict[tuple[str, int], tuple[str, str]] = {}
    for fault in faults:
        if fault.kind not in kinds or fault.row is None:
            continue
        if fault.kind in _LEAKS:
            if fault.other_part in training and fault.other_row is not None:
                reason = f"row {fault.row} of {fault.part} is {'nearly ' if fault.kind == 'near-leak' else ''}the same"
                for row in (fault.other_row, *copies[fault.other_part, fault.other_row]):
                    rows.setdefault((fault.other_part, row), (fault.kind, reason))
        elif fault.part in training:
            rows.setdefault((fault.part, fault.row), (fault.kind, fault.reason))
    table = [(part, row, kind, reason) for (part, row), (kind, reason) in sorted(rows.items())]
    return pd.DataFrame(table, columns=list(COLUMNS))


def _copies(faults: Sequence[Fault]) -> Mapping[tuple[str, int], list[int]]:
    """The later rows of the same inputs in the same part, by the first."""
    copies: dict[tuple[str, int], list[int]] = defaultdict(list)
    for fault in faults:
        same_part = fault.other_part in ("", fault.part)
        if fault.kind in _REPEATS and fault.row is not None and fault.other_row is not None and same_part:
            copies[fault.part, fault.other_row].append(fault.row)
    return copies
