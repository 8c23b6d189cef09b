"""Which instances are copies of each other? Equal inputs, whatever their labels; folds do not divide them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, Shaped

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.rng import stream

from .splits import grouped_folds


def duplicate_groups(dataset: Dataset, groups: Sequence[Shaped[np.ndarray, " n"]] = ()) -> Int[np.ndarray, " n"]:
    """Number of the group of each instance, in 0 … groups − 1; copies are of one group.

    Copies have equal inputs: numbers to single precision, texts but for case and white space.

    Parameters
    ----------
    dataset : the instances; labels are not looked at.
    groups : what else belongs together, such as ids of patients; groups that share an instance become one.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(dataset)
    codes = [np.unique(keys, return_inverse=True)[1].ravel() for keys in (_digests(dataset), *groups)]
    graph, rows = coo_array((n, n)), np.arange(n)
    for code in codes:
        # Each instance is tied to the first of its group.
        first = np.full(int(code.max(initial=-1)) + 1, n)
        np.minimum.at(first, code, rows)
        graph = graph + coo_array((np.ones(n), (rows, first[code])), shape=(n, n))
    components: Int[np.ndarray, " n"] = connected_components(graph, directed=False)[1].astype(np.int64)
    return components


def undivided_folds(
    dataset: Dataset, folds: int, seed: int, groups: Shaped[np.ndarray, " n"] | None = None
) -> list[Int[np.ndarray, " k"]]:
    """Positions of each fold, sorted: stratified by label; copies and what else belongs together are in one fold.

    Raises InputError for groups that are not one value per instance, and for more folds than groups.
    """
    if groups is not None and len(groups) != len(dataset):
        raise InputError(f"{len(groups)} groups for {len(dataset)} instances", "one value per instance")
    undivided = duplicate_groups(dataset, () if groups is None else (groups,))
    return grouped_folds(dataset.labels, undivided, folds, stream(seed, "out of fold"))


def _digests(dataset: Dataset) -> Shaped[np.ndarray, " n"]:
    """A hash of the inputs of each instance."""
    hashes = [hashlib.blake2b(digest_size=16) for _ in range(len(dataset))]
    for array in dataset.inputs.values():
        for digest, row in zip(hashes, array, strict=True):
            digest.update(_bytes(np.asarray(row)))
    return np.array([digest.hexdigest() for digest in hashes])


def _bytes(row: np.ndarray) -> bytes:
    if row.dtype.kind in "OUS":
        return "\0".join(" ".join(str(text).casefold().split()) for text in row.ravel()).encode()
    # Adding zero makes one number of 0 and −0.
    return np.ascontiguousarray(row.astype("<f4") + np.float32(0)).tobytes()
