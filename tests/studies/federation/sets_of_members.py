"""Sets of members made by hand: what every client's model answers on a small test set."""

from __future__ import annotations

import numpy as np
import pandas as pd

from polyculture.dataset import Dataset
from polyculture.studies.federation.members import LOCAL, MemberSet
from polyculture.studies.federation.mixes import OwnMixes, own_mixes

CLASSES = ("a", "b")


def dataset(labels: list[int], **columns: list[str]) -> Dataset:
    """A dataset of these labels, whose inputs do not matter."""
    instances = pd.DataFrame(columns, index=pd.RangeIndex(len(labels), name="instance"))
    return Dataset(np.zeros((len(labels), 1), np.float32), np.array(labels), CLASSES, instances)


def member_set(wrong: np.ndarray, mixes: OwnMixes, name: str = LOCAL, clients: bool = True) -> MemberSet:
    """A set of models that are wrong here, on as many instances of both classes."""
    labels = np.arange(wrong.shape[1]) % 2
    probabilities = np.eye(2, dtype=np.float32)[np.where(wrong, 1 - labels, labels)]
    return MemberSet(name, probabilities, labels, mixes, clients)


def two_mixes(n: int) -> OwnMixes:
    """A client that meets three instances of a for one of b, and one that meets b only."""
    test = dataset([k % 2 for k in range(n)])
    return own_mixes([dataset([0, 0, 0, 1]), dataset([1, 1])], ["first", "second"], test)
