"""What has been read from files, before it is split? Instances of one modality with labels as they were written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int, Shaped

from polyculture.dataset import Modality
from polyculture.errors import InputError

from .data_options import part_of, stem_of

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
    instances : one row per instance with what else is known about it, indexed by instance id.
    part : n times ``"train"``, ``"selection"``, ``"test"`` or nothing; an empty array where files cannot define parts.
    note : how the files were read, for the user.
    white : the number that stands for a full pixel; 0 where the inputs are no pixels, or where it is told from them.
    """

    name: str
    modality: Modality
    inputs: Inputs
    labels: Shaped[np.ndarray, " n"]
    instances: pd.DataFrame
    part: Shaped[np.ndarray, " p"] = field(default_factory=lambda: np.array([], dtype=str))
    note: str = ""
    white: float = 0.0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def full_pixel(self) -> float:
        """`white`, or the full scale of the bits that hold the brightest pixel; 1 where there are no pixels."""
        if self.white or not isinstance(self.inputs, np.ndarray) or self.inputs.dtype.kind not in "fiub":
            return self.white or 1.0
        highest = float(self.inputs.max(initial=0))
        return full_scale(highest, self.inputs.dtype.kind in "fb" and highest <= 1)

    def take(self, rows: Int[np.ndarray, " k"]) -> RawData:
        """The instances at these positions, in this order."""
        inputs = self.inputs.iloc[rows] if isinstance(self.inputs, pd.DataFrame) else self.inputs[rows]
        part = self.part[rows] if len(self.part) else self.part
        return replace(self, inputs=inputs, labels=self.labels[rows], instances=self.instances.iloc[rows], part=part)


def full_scale(highest: float, fractions: bool) -> float:
    """The number that stands for a full pixel: 1 of fractions, else that of 8, 10, 12, 14 or 16 bits."""
    return 1.0 if fractions else next((2.0**bits - 1 for bits in (8, 10, 12, 14) if highest < 2**bits), 65535.0)


def object_array(values: Sequence[object]) -> Shaped[np.ndarray, " n"]:
    """An object array of values of any type, also where they are sequences of equal length."""
    array = np.empty(len(values), object)
    array[:] = list(values)
    return array


def instance_table(n: int, **columns: Sequence[object]) -> pd.DataFrame:
    """An instance table with ids 0 … n − 1."""
    return pd.DataFrame(columns, index=pd.RangeIndex(n, name="instance"))


def sequence_data(
    name: str, modality: Modality, inputs: Sequence[object], labels: Sequence[object], paths: Sequence[Path]
) -> RawData:
    """Raw data of inputs of any length; ``file`` is the file of each, where there are several."""
    files = [stem_of(path) for path in paths]
    instances = instance_table(len(files), **({"file": files} if len(set(files)) > 1 else {}))
    parts = np.array([part_of(path) for path in paths], dtype=str)
    return RawData(name, modality, object_array(inputs), object_array(labels), instances, parts)


def require_instances(count: int, owner: str) -> None:
    """Raise InputError if there is no instance."""
    if not count:
        raise InputError(f"{owner} holds no instance", "one or more")
