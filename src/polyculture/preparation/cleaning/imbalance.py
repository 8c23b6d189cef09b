"""Which classes and groups have few rows? Their counts in each part, and what only a later part has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from polyculture.stats.interval import percent

from .fault import Fault
from .pool import Pool

LEAST_RATIO = 10
"""Times that the most frequent class or group has the rows of a rare one."""
MOST_GROUPS = 20
"""Distinct values of an instance column that make it one of groups."""


def imbalance(pool: Pool) -> Iterator[Fault]:
    """Classes and groups that are `LEAST_RATIO` times rarer than the most frequent one, and those new in a later part.

    Groups are the values of the instances' columns with 2 to `MOST_GROUPS` of them.
    """
    classes = [Counter() if part.regression else _classes(part.labels.tolist()) for part in pool.parts]
    yield from _imbalances(pool, classes, "class", "")
    names = dict.fromkeys(str(name) for part in pool.parts for name in part.instances.columns)
    for name in names:
        groups = [Counter(map(str, part.instances.get(name, []))) for part in pool.parts]
        if 2 <= len(set().union(*groups)) <= MOST_GROUPS:
            yield from _imbalances(pool, groups, "group", name)


def _classes(labels: list[object]) -> Counter[object]:
    return Counter(tag for label in labels for tag in (label if isinstance(label, tuple) else (label,)))


def _imbalances(pool: Pool, counts: list[Counter], what: str, column: str) -> Iterator[Fault]:
    for number, (part, sizes) in enumerate(zip(pool.parts, counts, strict=True)):
        total = sum(sizes.values())
        largest = max(sizes.values(), default=0)
        for value, size in sorted(sizes.items(), key=lambda item: (item[1], str(item[0]))):
            share = percent(size / total)
            if number and value not in counts[0] and what == "class":
                first = pool.parts[0].name
                yield Fault("imbalance", part.name, None, f"{what} {value!r} is not in {first} at all", column)
            elif size * LEAST_RATIO <= largest:
                reason = f"{what} {value!r} has {size:,} of {total:,} ({share})"
                yield Fault("imbalance", part.name, None, reason, column)
