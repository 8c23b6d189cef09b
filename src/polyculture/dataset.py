"""What do models learn from, and what are they tested on? Inputs, labels, and what is known about each instance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped

from polyculture.errors import InputError, visible

Modality = Literal["table", "image", "volume", "series", "audio", "text", "tags"]
"""What an input is: d features; h × w or h × w × channels grey levels in [0, 1]; depth × h × w; steps × features;
samples of a waveform in [−1, 1] at 8 kHz; one string; or one string per token, empty where the sequence has ended."""
SAMPLE_RATE = 8000
"""Samples per second of a waveform."""
Task = Literal["classification", "regression", "tagging"]
Inputs = Shaped[np.ndarray, "n ..."]
Labels = Int[np.ndarray, " n"] | Int[np.ndarray, "n l"] | Float[np.ndarray, " n"]


class NamedInputs(Mapping[str, Any]):
    """Read-only arrays by name; a single one can be used like the array itself, several raise InputError then."""

    def __init__(self, arrays: Mapping[str, Inputs], dataset: str) -> None:
        self._arrays, self._dataset = dict(arrays), dataset

    def __getitem__(self, name: str) -> Inputs:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    @property
    def single(self) -> str:
        """The name of the only input."""
        if len(self) > 1:
            raise InputError(
                f"the dataset {self._dataset!r} has the inputs {_quoted(self)}",
                "one",
                "choose a learner that reads several inputs, or make a dataset of one of them",
            )
        return next(iter(self))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the only array."""
        return self[self.single].shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Inputs:
        return np.array(self[self.single], dtype=dtype, copy=copy)


@dataclass(frozen=True, eq=False, init=False)
class Dataset:
    """Instances with labels.

    Parameters
    ----------
    inputs : n × anything (images are n × height × width or n × height × width × channels, tables n × features); or a
        mapping of several such arrays by name, such as ``{"ct": volumes, "history": table}``.
    labels : class code of each instance, in 0 … len(classes) − 1; for sequences of tokens n × l codes, −1 where a
        sequence has ended; without classes the numbers to be predicted.
    classes : what each code stands for; empty where the labels are numbers (regression).
    instances : one row per instance, indexed by instance id; its columns are what is known about the instance
        (groups, clusters). Made up as 0 … n − 1 when left out.
    name : what to call it in reports.
    modality : what an input is (default: a table), learners read it accordingly; for a mapping of inputs a mapping with
        the same names.
    modalities : the same as a mapping, whatever was given.

    Raises InputError where inputs, labels and instance rows differ in number, and for labels outside of the classes.

    Examples
    --------
    >>> pc.Dataset(np.zeros((4, 2)), np.array([0, 1, 1, 0]), ("cat", "dog"), name="pets")
    Dataset pets: 4 instances, table of shape (2,), 2 classes, classification
    """

    inputs: NamedInputs
    labels: Labels
    classes: tuple[str, ...]
    instances: pd.DataFrame
    name: str
    modalities: Mapping[str, Modality]

    def __init__(
        self,
        inputs: Inputs | Mapping[str, Inputs],
        labels: Labels,
        classes: tuple[str, ...],
        instances: pd.DataFrame | None = None,
        name: str = "",
        modality: Modality | Mapping[str, Modality] | None = None,
        *,
        modalities: Mapping[str, Modality] | None = None,
    ) -> None:
        if modality is not None or modalities is None:
            modality = "table" if modality is None else modality
            modalities = {modality: modality} if isinstance(modality, str) else modality
        arrays = inputs if isinstance(inputs, Mapping) else dict.fromkeys(modalities, inputs)
        if instances is None or (instances.empty and len(instances) != len(labels)):
            instances = pd.DataFrame(index=pd.RangeIndex(len(labels), name="instance"))
        named_inputs, modalities = NamedInputs(arrays, name), MappingProxyType(dict(modalities))
        fields = (named_inputs, labels, classes, instances, name, modalities)
        for field_name, value in zip(self.__dataclass_fields__, fields, strict=True):
            object.__setattr__(self, field_name, value)
        self._check_inputs(inputs)
        self._check_labels()

    def _check_inputs(self, inputs: Inputs | Mapping[str, Inputs]) -> None:
        n = len(self.labels)
        names = list(inputs if isinstance(inputs, Mapping) else self.modalities)
        if not names or set(names) != set(self.modalities) or (len(names) > 1 and not isinstance(inputs, Mapping)):
            raise InputError(
                f"{_quoted(names) if isinstance(inputs, Mapping) else 'one array'} as inputs with the modalities of "
                f"{_quoted(self.modalities)}",
                "one modality for each input, under the same name",
            )
        for name, array in self.inputs.items():
            if len(array) != n:
                count = f"{len(array)} inputs{f' {name!r}' if len(self.inputs) > 1 else ''}"
                raise InputError(f"{count} but {n} labels", "as many labels as inputs")
        if len(self.instances) != n:
            raise InputError(f"{len(self.instances)} instance rows but {n} labels", "one row per instance")

    def _check_labels(self) -> None:
        labels, floor = self.labels, -1 if self.labels.ndim == 2 else 0
        if labels.dtype.kind == "f":
            if self.classes or not np.isfinite(labels).all():
                raise InputError("labels that are numbers", "no classes, and finite numbers only")
        elif len(labels) and not (int(labels.min()) >= floor and int(labels.max()) < len(self.classes)):
            raise InputError(
                f"labels run from {labels.min()} to {labels.max()} but there are {len(self.classes)} classes",
                f"codes in {floor} … {len(self.classes) - 1}",
            )

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} of shape {array.shape[1:]}" for name, array in self.inputs.items())
        classes = f", {len(self.classes):,} classes" if self.classes else ""
        name = f" {self.name}" if self.name else ""
        return visible(f"Dataset{name}: {len(self):,} instances, {shapes}{classes}, {self.task}")

    def __len__(self) -> int:
        return len(self.labels)

    def __reduce__(self) -> tuple[Any, ...]:
        """Read-only mappings cannot be pickled, dicts can."""
        return Dataset, (self.inputs, self.labels, self.classes, self.instances, self.name, dict(self.modalities))

    @property
    def array(self) -> Inputs:
        """The inputs where there is one array of them; InputError where there are several."""
        return self.inputs[self.inputs.single]

    @property
    def modality(self) -> Modality:
        """What an input is, where there is one array of them; InputError where there are several."""
        return self.modalities[self.inputs.single]

    @property
    def task(self) -> Task:
        """What is predicted: a number for each instance, a class for each token, or a class for each instance."""
        if self.labels.dtype.kind == "f":
            return "regression"
        return "tagging" if self.labels.ndim == 2 else "classification"

    def take(self, rows: Int[np.ndarray, " k"]) -> Dataset:
        """The instances at these positions, in this order; positions may repeat."""
        inputs = NamedInputs({name: array[rows] for name, array in self.inputs.items()}, self.name)
        return replace(self, inputs=inputs, labels=self.labels[rows], instances=self.instances.iloc[rows])

    def with_inputs(self, inputs: Inputs | Mapping[str, Inputs], name: str | None = None) -> Dataset:
        """The same instances with other inputs (noisier, rotated, …), of the same modalities."""
        arrays = inputs if isinstance(inputs, Mapping) else {self.inputs.single: inputs}
        return replace(self, inputs=NamedInputs(arrays, self.name), name=self.name if name is None else name)


def _quoted(names: Iterable[str]) -> str:
    return " and ".join(map(repr, names)) or "none"


@dataclass(frozen=True, eq=False)
class Split:
    """A dataset split in three, and test sets that differ from it on purpose.

    Parameters
    ----------
    train : what models learn from.
    selection : what choices among models are made on.
    test : what is reported; never used for fitting or choosing.
    shifted : the test instances under graded shifts, by name such as ``"noise@3"`` (kind @ severity).

    Examples
    --------
    >>> pets = pc.Dataset(np.zeros((6, 2)), np.array([0, 1, 1, 0, 1, 0]), ("cat", "dog"))
    >>> parts = [pets.take(np.array(rows)) for rows in ([0, 1], [2, 3], [4, 5])]
    >>> pc.Split(*parts).summary()
    {'train': 2, 'selection': 2, 'test': 2, 'shifted': []}
    """

    train: Dataset
    selection: Dataset
    test: Dataset
    shifted: Mapping[str, Dataset] = field(default_factory=dict)

    def __repr__(self) -> str:
        parts = [f"{name}: {getattr(self, name)}" for name in ("train", "selection", "test")]
        names = list(map(visible, self.shifted))
        parts += [f"shifted: {len(names)} test sets, such as {names[0]}"] if names else []
        return "\n  ".join(["Split", *parts])

    def summary(self) -> dict[str, Any]:
        """How many instances each part has, for records and reports."""
        return {
            "train": len(self.train),
            "selection": len(self.selection),
            "test": len(self.test),
            "shifted": sorted(self.shifted),
        }
