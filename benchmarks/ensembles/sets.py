"""Which ten sets are ensembles compared on? Each cut by a seed, with tests from elsewhere or under graded shifts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polyculture import rng
from polyculture.dataset import Dataset
from polyculture.preparation.problems import DataOptions
from polyculture.training import Problem, load_problem

HOSPITALS = ("heart_va", "heart_cleveland", "heart_hungarian", "heart_switzerland")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
SEVERITY = "@3"


@dataclass(frozen=True, eq=False)
class Cut:
    """A set, cut for one seed.

    Parameters
    ----------
    develop : all that may be learned from and chosen on.
    test : of the same kind.
    shifted : tests from elsewhere, or else under each kind of graded shift at the middle severity.
    """

    develop: Dataset
    test: Dataset
    shifted: Mapping[str, Dataset]

    @property
    def modality(self) -> str:
        """What a row is."""
        return self.test.modality

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.test.array.shape[1:]


def rows(dataset: Dataset) -> Any:
    """Inputs as scikit-learn has them: a matrix, for texts a frame with one column."""
    if dataset.modality == "text":
        import pandas as pd

        return pd.DataFrame({"text": dataset.array.astype(object)})
    return dataset.array.reshape(len(dataset), -1).astype(np.float64)


def cut(problem: Problem, seed: int, most: int, tests: int) -> Cut:
    """The problem's training and selection parts in one, at most so many of them, and at most so many tests."""
    split = problem.split
    inputs = np.concatenate([split.train.array, split.selection.array])
    labels = np.concatenate([split.train.labels, split.selection.labels])
    order = rng.stream(seed, "ten sets").permutation(len(labels))[:most]
    develop = Dataset(inputs[order], labels[order], split.train.classes, modality=split.train.modality)
    natural = {name: test for name, test in split.shifted.items() if "@" not in name}
    graded = {name: test for name, test in split.shifted.items() if name.endswith(SEVERITY)}
    tested = rng.stream(seed, "tested").permutation(len(split.test))[:tests]
    return Cut(develop, split.test.take(tested), natural or graded)


def sets(folder: Path) -> dict[str, Callable[[int], Cut]]:
    """A function from the seed to the cut, by name."""

    def files(pattern: str) -> list[Path]:
        return sorted(folder.glob(pattern))

    def load(what: Any, most: int = 10_000, tests: int = 10_000, **source: Any) -> Callable[[int], Cut]:
        def made(seed: int) -> Cut:
            said = {name: value(seed) if callable(value) else value for name, value in source.items()}
            return cut(load_problem(what, seed, DataOptions(**said)), seed, most, tests)

        return made

    usps = tuple(map(str, files("image/usps.npz")))
    return {
        "digits": load("digits"),
        "MNIST-10k": load(files("image/mnist.npz"), tests=4000, test_on=usps, shifts=()),
        "heart": load(files("tabular/heart_*"), positive=">0", hold_out=lambda s: (HOSPITALS[s % 4],)),
        "German credit": load(files("tabular/german*")),
        "credit default": load(files("tabular/UCI*"), most=4000, limit=6000),
        "breast cancer": load("breast-cancer"),
        "wine": load("wine"),
        "sentiment": load(files("text/stsa*"), shifts=("typos", "truncation")),
        "question type": load(files("text/TREC*"), shifts=("typos", "truncation")),
        "spoken digits": load(files("speech/*.zip"), hold_out=lambda s: (SPEAKERS[s % 6],), shifts=()),
    }
