"""How are class frequencies and labels changed? Classes balanced or made rare, and labels replaced by wrong ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.rng import derived_seed, stream


def balanced(train: Dataset, seed: int) -> Dataset:
    """Every class as often as the most frequent one: all instances, some of the rarer classes repeatedly."""
    generator = stream(seed, "balanced")
    groups = _rows_by_class(train)
    size = max(map(len, groups))
    repeats = [generator.choice(rows, size - len(rows)) for rows in groups]
    return train.take(np.concatenate([np.arange(len(train)), *repeats]))


def undersampled(train: Dataset, seed: int) -> Dataset:
    """Every class as often as the rarest one, by a random subset of the others."""
    generator = stream(seed, "undersampled")
    groups = _rows_by_class(train)
    fewest = min(map(len, groups))
    return train.take(np.sort(np.concatenate([generator.permutation(rows)[:fewest] for rows in groups])))


def smote(train: Dataset, seed: int, neighbours: int = 5) -> Dataset:
    """Every class as often as the most frequent one, by new instances between neighbours of the class.

    A new instance lies on the line from one of the class to one of its nearest neighbours in the class. Its
    instance columns are empty. Source: Chawla et al. 2002. Raises InputError for a class with too few neighbours.
    """
    from imblearn.over_sampling import SMOTE

    groups = _rows_by_class(train)
    rarest = min(groups, key=len)
    if len(rarest) <= neighbours and len(rarest) < max(map(len, groups)):
        label = train.classes[train.labels[rarest[0]]]
        raise InputError(
            f"smote:{neighbours} was given {len(rarest)} instances of class {label!r}",
            f"more than {neighbours}",
            "take fewer neighbours, or 'balanced'",
        )
    state = derived_seed(seed, "smote") % 2**32
    inputs, labels = SMOTE(k_neighbors=neighbours, random_state=state).fit_resample(train.array, train.labels)
    new = [f"smote-{number}" for number in range(len(labels) - len(train))]
    index = pd.Index([*train.instances.index, *new], name=train.instances.index.name)
    instances = train.instances.reset_index(drop=True).reindex(range(len(labels))).set_axis(index, axis="index")
    return replace(train, inputs=inputs, labels=labels.astype(train.labels.dtype), instances=instances)


def imbalance(train: Dataset, seed: int, ratio: float = 0.1) -> Dataset:
    """Classes increasingly rare in the order of their codes: the last keeps this ratio of its instances.

    The class of code k among c keeps ratio^(k / (c − 1)) of its instances, at least one. Source: Cui et al. 2019.
    """
    generator = stream(seed, "imbalance")
    steps = max(1, len(train.classes) - 1)
    selected = []
    for rows in _rows_by_class(train):
        share = ratio ** (int(train.labels[rows[0]]) / steps)
        selected.append(generator.permutation(rows)[: max(1, round(share * len(rows)))])
    return train.take(np.sort(np.concatenate(selected)))


def label_noise(train: Dataset, seed: int, share: float = 0.2) -> Dataset:
    """This share of the labels replaced by another class, each other class as likely; for tags, of the tokens' labels.

    The instances and the new classes depend on the seed only: with the same seed a smaller share is part of a larger
    one. Source: symmetric noise of Angluin and Laird 1988.
    """
    generator = stream(seed, "label noise")
    labels, c = train.labels.copy(), len(train.classes)
    if c < 2:
        raise InputError(f"label-noise was given {c} class", "2 or more")
    positions = np.argwhere(labels >= 0)
    order = generator.permutation(len(positions))
    offsets = generator.integers(1, c, len(positions))
    wrong = order[: round(share * len(positions))]
    cells = tuple(positions[wrong].T)
    labels[cells] = (labels[cells] + offsets[: len(wrong)]) % c
    return replace(train, labels=labels)


def _rows_by_class(train: Dataset) -> list[Int[np.ndarray, " k"]]:
    """Positions of the instances of each class that has any."""
    return [np.flatnonzero(train.labels == label) for label in np.unique(train.labels)]
