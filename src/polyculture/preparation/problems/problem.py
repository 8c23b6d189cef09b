"""What is a problem? A dataset split in parts, with harder tests, and what models of it are compared by."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from polyculture.dataset import Modality, Split, Task

from .column_encoding import ColumnEncoder


@dataclass(frozen=True, eq=False)
class Problem:
    """A dataset split in parts, and what models of it are compared by.

    Parameters
    ----------
    name : as in `PROBLEMS`, or what its files are called.
    split : training, selection and test set, and shifted test sets.
    groups : columns of the instances whose groups are compared.
    cluster : column with what instances were sampled together; empty where each was sampled independently.
    note : how files were read, such as which column is the label; empty for problems by name.
    columns : how the columns of files became numbers; None where inputs are no columns by name.
    origin : name or files, seed and options with which `load_problem` makes it again; empty where it was made else.
    """

    name: str
    split: Split
    groups: tuple[str, ...] = ()
    cluster: str = ""
    note: str = ""
    columns: ColumnEncoder | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def modality(self) -> Modality:
        """What an input is."""
        return self.split.train.modality

    @property
    def task(self) -> Task:
        """What is predicted of it."""
        return self.split.train.task

    @property
    def sentence(self) -> str:
        """What is predicted and how many instances each part has, in one sentence."""
        split = self.split
        target = "a number" if self.task == "regression" else f"{len(split.train.classes)} classes"
        natural = [name for name in split.shifted if "@" not in name]
        external = f", and elsewhere: {', '.join(natural)}" if natural else ""
        note = f"; {self.note}" if self.note else ""
        return (
            f"{self.name}: {target}, {len(split.train):,} instances to learn from, {len(split.selection):,} to choose "
            f"on, {len(split.test):,} to be tested on{external}{note}."
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that models learn from; equal for equal training sets, whatever the machine."""
        train = self.split.train
        digest = hashlib.blake2b(digest_size=8)
        for name, array in train.inputs.items():
            header = (array.shape, train.classes) if len(train.inputs) == 1 else (name, array.shape, train.classes)
            texts = array.dtype.kind in "OU"
            digest.update(repr(header).encode())
            digest.update("\0".join(array.ravel()).encode() if texts else _bytes(array, "<f4"))
        digest.update(_bytes(train.labels, "<f8" if train.task == "regression" else "<i8"))
        return digest.hexdigest()


def _bytes(numbers: np.ndarray, kind: str) -> bytes:
    return np.ascontiguousarray(numbers, dtype=kind).tobytes()
