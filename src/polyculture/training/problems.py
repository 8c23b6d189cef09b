"""What is there to learn? Data that need no download, cut in three, with tests that are harder on purpose."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Int

from polyculture import rng
from polyculture.dataset import Dataset, Split
from polyculture.errors import InputError, near

from .extra import need
from .shifts import shifted


@dataclass(frozen=True, eq=False)
class Problem:
    """Something to learn, and what it is judged by.

    Parameters
    ----------
    name : as in `PROBLEMS`.
    split : what is learned from, chosen on and tested on.
    modality : what an input is; ``"image"`` (n × height × width, float32 in [0, 1]) or ``"table"`` (n × d).
    """

    name: str
    split: Split
    modality: Literal["image", "table"] = "image"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that models learn from; equal for equal training sets, whatever the machine."""
        train = self.split.train
        digest = hashlib.blake2b(repr((train.inputs.shape, train.classes)).encode(), digest_size=8)
        digest.update(np.ascontiguousarray(train.inputs, dtype="<f4").tobytes())
        digest.update(np.ascontiguousarray(train.labels, dtype="<i8").tobytes())
        return digest.hexdigest()


def load_problem(name: str, seed: int = 0) -> Problem:
    """The problem of that name, its split and its shifted tests drawn by `seed`.

    Raises InputError for an unknown name and MissingExtraError without scikit-learn, which carries the data.
    """
    if name not in PROBLEMS:
        raise InputError(f"no problem {name!r}", "", near(name, PROBLEMS))
    return PROBLEMS[name](seed)


def digits(seed: int) -> Problem:
    """1797 handwritten digits of 8 × 8 pixels (Alpaydin and Kaynak 1998): 809 train, 269 selection, 719 test."""
    need("sklearn")
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    inputs = (images.reshape(-1, 8, 8) / 16).astype(np.float32)
    everything = Dataset(inputs, labels.astype(np.int64), tuple(map(str, range(10))), name="digits")
    train, selection, test = (
        everything.take(rows)
        for rows in stratified(everything.labels, (0.45, 0.15, 0.40), rng.stream(seed, "digits", "split"))
    )
    return Problem("digits", Split(train, selection, test, shifted(test, seed)))


def stratified(
    labels: Int[np.ndarray, " n"], shares: tuple[float, ...], generator: np.random.Generator
) -> list[Int[np.ndarray, " k"]]:
    """Disjoint parts of 0 … n − 1, sorted, each with its share of every label to within one instance.

    The shares add up to one, and so do the parts: every instance is in exactly one.
    """
    parts: list[list[Int[np.ndarray, " k"]]] = [[] for _ in shares]
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        cuts = np.round(np.cumsum(shares)[:-1] * len(rows)).astype(int)
        for part, chosen in zip(parts, np.split(rows, cuts), strict=True):
            part.append(chosen)
    return [np.sort(np.concatenate(part)) for part in parts]


PROBLEMS: dict[str, Callable[[int], Problem]] = {"digits": digits}
"""Problem by name: a function from a seed to the problem."""
