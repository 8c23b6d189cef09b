"""How is data split without a leak? Into parts and folds that share no instance, no group and no time."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, Shaped

from polyculture.errors import InputError


def stratified(
    labels: Int[np.ndarray, " n"], shares: tuple[float, ...], generator: np.random.Generator
) -> list[Int[np.ndarray, " k"]]:
    """Disjoint parts of 0 … n − 1, sorted, each with its share of every label to within one instance.

    The shares sum to one; every instance is in exactly one part.
    """
    parts: list[list[Int[np.ndarray, " k"]]] = [[] for _ in shares]
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        cuts = np.round(np.cumsum(shares)[:-1] * len(rows)).astype(int)
        for part, members in zip(parts, np.split(rows, cuts), strict=True):
            part.append(members)
    return [np.sort(np.concatenate(part)) for part in parts]


def sampled(labels: Int[np.ndarray, " n"], count: int, generator: np.random.Generator) -> Int[np.ndarray, " k"]:
    """Exactly `count` positions (all if there are fewer), sorted, with every label in proportion to within one."""
    rows = _by_label(labels, generator)
    if count >= len(rows):
        return np.arange(len(rows))
    return np.sort(rows[(np.arange(count) * len(rows)) // count])


def grouped(
    groups: Shaped[np.ndarray, " n"], shares: tuple[float, ...], generator: np.random.Generator
) -> list[Int[np.ndarray, " k"]]:
    """Disjoint parts of 0 … n − 1, sorted, that share no group, none of them empty.

    The largest groups are assigned first, each to the part that is furthest below its share, so no part exceeds its
    share by more than the size of the largest group.

    Raises InputError if there are fewer groups than parts.
    """
    names, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < len(shares):
        raise InputError(
            f"{len(names)} group{'s' if len(names) != 1 else ''} to be dealt to {len(shares)} parts",
            "a group for every part, or more",
            "name a column with more values",
        )
    order = generator.permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    deficits = np.array(shares) * len(groups)
    part_of = np.full(len(names), -1)
    for unassigned, group in zip(range(len(order), 0, -1), order, strict=True):
        empty = [part for part in range(len(shares)) if not (part_of == part).any()]
        candidates = empty if len(empty) == unassigned else range(len(shares))
        target = max(candidates, key=lambda part: deficits[part])
        part_of[group] = target
        deficits[target] -= sizes[group]
    return [np.flatnonzero(part_of[codes] == part) for part in range(len(shares))]


def in_time(times: Shaped[np.ndarray, " n"], shares: tuple[float, ...], gap: int = 0) -> list[Int[np.ndarray, " k"]]:
    """Parts of 0 … n − 1 in the order of time: every instance of a part is later than those of the part before it.

    Instances of the same time stay in one part, so a cut moves to the first of them. The first `gap` instances after
    each cut are in no part: windows that still look into the part before.

    Raises InputError if a part would be empty.
    """
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    cuts = np.round(np.cumsum(shares)[:-1] * len(order)).astype(int)
    cuts = np.searchsorted(ordered, ordered[np.minimum(cuts, len(order) - 1)], side="left")
    parts = [part[gap if number else 0 :] for number, part in enumerate(np.split(order, cuts))]
    if not all(len(part) for part in parts):
        raise InputError(
            f"{len(order)} instances of {len(np.unique(times))} times cannot be split in {len(shares)} parts",
            f"a distinct time for each part, and more than {gap} instances",
        )
    return [np.sort(part) for part in parts]


def folds(labels: Int[np.ndarray, " n"], count: int, generator: np.random.Generator) -> list[Int[np.ndarray, " k"]]:
    """`count` disjoint test sets, sorted, that together are 0 … n − 1.

    Their sizes differ by at most one, and so do the numbers of every label in them. For folds that do not
    split groups: `grouped` with equal shares.

    Raises InputError for fewer folds than 2 or more than there are instances.
    """
    if not 2 <= count <= len(labels):
        raise InputError(f"{count} folds of {len(labels)} instances", "2 or more, with an instance in each")
    rows = _by_label(labels, generator)
    return [np.sort(rows[fold::count]) for fold in range(count)]


def _by_label(labels: Int[np.ndarray, " n"], generator: np.random.Generator) -> Int[np.ndarray, " n"]:
    """Positions in the order of their labels, in random order within each label."""
    shuffled = generator.permutation(len(labels))
    return shuffled[np.argsort(labels[shuffled], kind="stable")]


def grouped_folds(
    labels: Int[np.ndarray, " n"], groups: Shaped[np.ndarray, " n"], count: int, generator: np.random.Generator
) -> list[Int[np.ndarray, " k"]]:
    """`count` disjoint test sets, sorted, that together are 0 … n − 1 and share no group.

    Groups of several instances are assigned first, the largest before the others, each to the fold that has fewest of
    its labels; all other instances one by one. So every label is in every fold in proportion, as far as groups allow.

    Raises InputError for fewer folds than 2 or more than there are groups.
    """
    names, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if not 2 <= count <= len(names):
        raise InputError(f"{count} folds of {len(names)} groups of instances", "2 or more, with a group in each")
    label_codes = np.unique(labels, return_inverse=True)[1]
    table = np.zeros((count, int(label_codes.max()) + 1), np.int64)
    fold_of = np.empty(len(labels), np.int64)
    shuffled = generator.permutation(len(labels))
    # The largest groups first; instances that are a group by themselves last, label by label.
    unit = np.where(sizes[codes] > 1, codes, -1)
    by_size = shuffled[np.lexsort((label_codes[shuffled], unit[shuffled], -sizes[codes[shuffled]]))]
    starts = np.flatnonzero(np.r_[True, np.diff(codes[by_size]) != 0])
    for rows in np.split(by_size, starts[1:]):
        counts = np.bincount(label_codes[rows], minlength=table.shape[1])
        fold = int(np.lexsort((table.sum(axis=1), table @ counts))[0])
        fold_of[rows] = fold
        table[fold] += counts
    return [np.flatnonzero(fold_of == fold) for fold in range(count)]
