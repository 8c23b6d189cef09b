"""Which rows are exactly an earlier row? Repeats, the same inputs under another label, and leaks between parts."""

from __future__ import annotations

from collections.abc import Iterator

from .fault import Fault
from .pool import Pool


def exact_repeats(pool: Pool) -> Iterator[Fault]:
    """Duplicates and conflicts within each part, and leaks between parts.

    A row is a duplicate if an earlier row of its part has its inputs and its label, and a conflict if earlier rows
    have its inputs under other labels only; where labels are numbers to be predicted there is no conflict.
    """
    yield from _within_parts(pool)
    yield from _leaks(pool)


def earlier_copies(pool: Pool) -> dict[int, int]:
    """By number of a row the first row of the same part with the same inputs, where it is an earlier one."""
    first: dict[tuple[int, bytes], int] = {}
    keys = zip(pool.part_numbers.tolist(), pool.digests, strict=True)
    rows = ((row, first.setdefault(key, row)) for row, key in enumerate(keys))
    return {row: earlier for row, earlier in rows if earlier != row}


def leaked_copies(pool: Pool) -> dict[int, int]:
    """By number of a row the first row of an earlier part with the same inputs."""
    first: dict[bytes, int] = {}
    parts = pool.part_numbers.tolist()
    rows = ((row, first.setdefault(digest, row)) for row, digest in enumerate(pool.digests))
    return {row: earlier for row, earlier in rows if parts[earlier] != parts[row]}


def _leaks(pool: Pool) -> Iterator[Fault]:
    """Rows with the inputs of a row in an earlier part."""
    for row, earlier in leaked_copies(pool).items():
        part, position = pool.place(earlier)
        yield pool.fault(
            "leak", row, f"is row {position:,} of {part}{pool.label_difference(row, earlier)}", other=earlier
        )


def _within_parts(pool: Pool) -> Iterator[Fault]:
    first: dict[tuple[int, object], int] = {}
    copies = earlier_copies(pool)
    for row, earlier in copies.items():
        labels = pool.labels
        first.setdefault((earlier, labels[earlier]), earlier)
        twin = first.setdefault((earlier, labels[row]), row)
        position = pool.place(twin if twin != row else earlier)[1]
        if twin != row:
            yield pool.fault("duplicate", row, f"repeats row {position:,}", other=twin)
        elif not pool.parts[int(pool.part_numbers[row])].regression:
            reason = f"has the inputs of row {position:,}, and the label {labels[row]!r} instead of {labels[earlier]!r}"
            yield pool.fault("conflict", row, reason, other=earlier)
