"""What is learned from and tested on: inputs, labels, and what is known about each instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped

from polyculture.errors import InputError

Modality = Literal["table", "image", "volume", "series", "audio", "text", "tags"]
"""What an input is: d features; h × w or h × w × channels grey levels in [0, 1]; depth × h × w; steps × features;
samples of a waveform in [−1, 1] at 8 kHz; one string; or one string per token, empty where the sequence has ended."""
SAMPLE_RATE = 8000
"""Samples per second of a waveform."""
Task = Literal["classification", "regression", "tagging"]
Labels = Int[np.ndarray, " n"] | Int[np.ndarray, "n l"] | Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Instances with labels.

    Parameters
    ----------
    inputs : n × anything (images are n × height × width or n × height × width × channels, tables n × features).
    labels : class code of each instance, in 0 … len(classes) − 1; for sequences of tokens n × l codes, −1 where a
        sequence has ended; without classes the numbers to be predicted.
    classes : what each code stands for; empty where the labels are numbers (regression).
    instances : one row per instance, indexed by instance id; its columns are what is known about the instance
        (groups, clusters). Made up as 0 … n − 1 when left out.
    name : what to call it in reports.
    modality : what an input is; learners read it accordingly.
    """

    inputs: Shaped[np.ndarray, "n ..."]
    labels: Labels
    classes: tuple[str, ...]
    instances: pd.DataFrame = field(default_factory=pd.DataFrame)
    name: str = ""
    modality: Modality = "table"

    def __post_init__(self) -> None:
        n = len(self.labels)
        if len(self.inputs) != n:
            raise InputError(f"{len(self.inputs)} inputs but {n} labels", "as many labels as inputs")
        self._check_labels()
        if self.instances.empty and len(self.instances) != n:
            object.__setattr__(self, "instances", pd.DataFrame(index=pd.RangeIndex(n, name="instance")))
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
        inputs = self.inputs if isinstance(self.inputs, Mapping) else {self.modality: self.inputs}
        shapes = ", ".join(f"{name} of shape {array.shape[1:]}" for name, array in inputs.items())
        classes = f", {len(self.classes):,} classes" if self.classes else ""
        return f"Dataset{f' {self.name}' if self.name else ''}: {len(self):,} instances, {shapes}{classes}, {self.task}"

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def task(self) -> Task:
        """What is asked: a number of each instance, a class of each token, or a class of each instance."""
        if self.labels.dtype.kind == "f":
            return "regression"
        return "tagging" if self.labels.ndim == 2 else "classification"

    def take(self, rows: Int[np.ndarray, " k"]) -> Dataset:
        """The instances at these positions, in this order; positions may repeat."""
        return replace(self, inputs=self.inputs[rows], labels=self.labels[rows], instances=self.instances.iloc[rows])

    def with_inputs(self, inputs: np.ndarray, name: str | None = None) -> Dataset:
        """The same instances seen differently (noisier, rotated, …)."""
        return replace(self, inputs=inputs, name=self.name if name is None else name)


@dataclass(frozen=True, eq=False)
class Split:
    """A dataset cut in three, and test sets that differ from it on purpose.

    Parameters
    ----------
    train : what models learn from.
    selection : what choices among models are made on.
    test : what is reported; never used for fitting or choosing.
    shifted : the test instances under graded shifts, by name such as ``"noise@3"`` (kind @ severity).
    """

    train: Dataset
    selection: Dataset
    test: Dataset
    shifted: Mapping[str, Dataset] = field(default_factory=dict)

    def __repr__(self) -> str:
        parts = [f"{name}: {getattr(self, name)}" for name in ("train", "selection", "test")]
        parts += [f"shifted: {len(self.shifted)} test sets, such as {next(iter(self.shifted))}"] if self.shifted else []
        return "\n  ".join(["Split", *parts])

    def summary(self) -> dict[str, Any]:
        """How many instances each part has, for records and reports."""
        return {
            "train": len(self.train),
            "selection": len(self.selection),
            "test": len(self.test),
            "shifted": sorted(self.shifted),
        }
