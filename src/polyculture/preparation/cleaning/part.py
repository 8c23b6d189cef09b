"""What is searched for faults? The inputs of one part by name, with labels and instances, whatever they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from polyculture.dataset import Dataset, Modality

from ..problems.raw_data import RawData

Inputs = pd.DataFrame | np.ndarray


@dataclass(frozen=True, eq=False)
class DataPart:
    """One part of the data.

    Parameters
    ----------
    name : what the part is called, such as ``"train"``.
    inputs : n rows of each input, by its name.
    modalities : what each of them is.
    labels : n labels: texts, numbers, codes, or tuples of tags.
    instances : one row per instance with what else is known about it.
    white : the number that stands for a full pixel.
    """

    name: str
    inputs: Mapping[str, Inputs]
    modalities: Mapping[str, Modality]
    labels: Shaped[np.ndarray, " n"]
    instances: pd.DataFrame
    white: float = 1.0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def regression(self) -> bool:
        """Whether labels are numbers to be predicted."""
        return self.labels.dtype.kind == "f"

    @classmethod
    def of(cls, name: str, source: RawData | Dataset) -> DataPart:
        """The part of that name made of raw data or of a dataset."""
        if isinstance(source, RawData):
            inputs: dict[str, Inputs] = {source.modality: source.inputs}
            white = source.full_pixel if source.modality in ("image", "volume") else 1.0
            return cls(name, inputs, {source.modality: source.modality}, source.labels, source.instances, white)
        labels = source.labels
        if labels.ndim == 2:
            rows = np.empty(len(labels), object)
            rows[:] = [tuple(codes[codes >= 0].tolist()) for codes in labels]
            labels = rows
        elif source.classes:
            labels = np.array(source.classes, dtype=object)[labels]
        return cls(name, dict(source.inputs), source.modalities, labels, source.instances)


def parts_of(raw: RawData) -> dict[str, RawData]:
    """The parts that the files define, ``train`` first; all rows as one part where they define none.

    Parameters
    ----------
    raw : what has been read. Rows of no part are a part called ``all``.
    """
    if not len(raw.part):
        return {"all": raw}
    names = [name for name in ("train", "", "selection", "test") if (raw.part == name).any()]
    return {name or "all": raw.take(np.flatnonzero(raw.part == name)) for name in names}
