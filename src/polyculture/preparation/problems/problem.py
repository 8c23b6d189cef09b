"""What is a problem? Something to learn, cut in parts, and what it is judged by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from polyculture.dataset import Modality, Split, Task


@dataclass(frozen=True, eq=False)
class Problem:
    """Something to learn, and what it is judged by.

    Parameters
    ----------
    name : as in `PROBLEMS`, or what its files are called.
    split : what is learned from, chosen on and tested on.
    groups : columns of the instances whose groups are worth comparing.
    cluster : column that tells which instances were sampled together; empty where each stands for itself.
    told : what was taken for what when files were read; empty for problems by name.
    """

    name: str
    split: Split
    groups: tuple[str, ...] = ()
    cluster: str = ""
    told: str = ""

    @property
    def modality(self) -> Modality:
        """What an input is."""
        return self.split.train.modality

    @property
    def task(self) -> Task:
        """What is asked about it."""
        return self.split.train.task

    @property
    def sentence(self) -> str:
        """What there is to learn and how it is cut, in one sentence."""
        split = self.split
        asked = "a number" if self.task == "regression" else f"{len(split.train.classes)} classes"
        natural = [name for name in split.shifted if "@" not in name]
        elsewhere = f", and elsewhere: {', '.join(natural)}" if natural else ""
        told = f"; {self.told}" if self.told else ""
        return (
            f"{self.name}: {asked}, {len(split.train):,} instances to learn from, {len(split.selection):,} to choose "
            f"on, {len(split.test):,} to be tested on{elsewhere}{told}."
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that models learn from; equal for equal training sets, whatever the machine."""
        train = self.split.train
        digest = hashlib.blake2b(repr((train.inputs.shape, train.classes)).encode(), digest_size=8)
        texts = train.inputs.dtype.kind in "OU"
        digest.update("\0".join(train.inputs.ravel()).encode() if texts else _bytes(train.inputs, "<f4"))
        digest.update(_bytes(train.labels, "<f8" if train.task == "regression" else "<i8"))
        return digest.hexdigest()


def _bytes(numbers: np.ndarray, kind: str) -> bytes:
    return np.ascontiguousarray(numbers, dtype=kind).tobytes()
