"""What has been read, before it is cut? Instances of one modality with labels as they were written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from jaxtyping import Int, Shaped

from polyculture.dataset import Modality
from polyculture.errors import InputError

Inputs = pd.DataFrame | np.ndarray


@dataclass(frozen=True, eq=False)
class RawData:
    """Instances that have been read.

    Parameters
    ----------
    name : what to call them.
    modality : what an input is.
    inputs : n rows: images, windows, numbers; a frame of raw columns; or an object array of texts, waves, or tuples
        of tokens.
    labels : n strings, n floats (numbers to be predicted), or n tuples of tags.
    known : what else is known about each instance; its index are the ids.
    part : n times ``"train"``, ``"selection"``, ``"test"`` or nothing; an empty array where the files do not tell.
    told : what was taken for what, for the user to see.
    """

    name: str
    modality: Modality
    inputs: Inputs
    labels: Shaped[np.ndarray, " n"]
    known: pd.DataFrame
    part: Shaped[np.ndarray, " p"] = field(default_factory=lambda: np.array([], dtype=str))
    told: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Int[np.ndarray, " k"]) -> RawData:
        """The instances at these positions, in this order."""
        inputs = self.inputs.iloc[rows] if isinstance(self.inputs, pd.DataFrame) else self.inputs[rows]
        part = self.part[rows] if len(self.part) else self.part
        return replace(self, inputs=inputs, labels=self.labels[rows], known=self.known.iloc[rows], part=part)


def listed(things: Sequence[object]) -> Shaped[np.ndarray, " n"]:
    """An object array of things of any kind, also where they are sequences of equal length."""
    array = np.empty(len(things), object)
    array[:] = list(things)
    return array


def numbered(n: int, **columns: Sequence[object]) -> pd.DataFrame:
    """An instance table with ids 0 … n − 1."""
    return pd.DataFrame(columns, index=pd.RangeIndex(n, name="instance"))


def need_instances(count: int, where: str) -> None:
    """Refuse what has no instance at all."""
    if not count:
        raise InputError(f"{where} holds no instance", "one or more")
