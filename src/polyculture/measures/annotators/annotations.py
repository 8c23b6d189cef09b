"""Who labelled which item as what? Labels of several workers, each of some items, checked once, here, at the gate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError

MISSING = -1


@dataclass(frozen=True, eq=False)
class Annotations:
    """Labels that workers (people or models) gave to items: one entry per label, in any order.

    Parameters
    ----------
    worker, item, label : codes from 0 of who labelled what as which class, one entry per label.
    workers, items, classes : how many there are of each; some may be without any label.

    Raises InputError for codes out of range, two labels of one worker for one item, fewer than two classes or workers
    with labels, and where no item has labels of two workers: nothing can then be said of any worker.
    """

    worker: Int[np.ndarray, " a"]
    item: Int[np.ndarray, " a"]
    label: Int[np.ndarray, " a"]
    workers: int
    items: int
    classes: int

    def __post_init__(self) -> None:
        if not len(self.worker) == len(self.item) == len(self.label):
            sizes = f"{len(self.worker)} workers, {len(self.item)} items and {len(self.label)} labels"
            raise InputError(f"annotations of {sizes}", "a worker, an item and a label for each", "drop the incomplete")
        if not len(self.label):
            raise InputError("annotations without a single label", "labels of two workers or more", "fill in labels")
        for name, size in (("worker", self.workers), ("item", self.items), ("label", self.classes)):
            codes = getattr(self, name)
            low, high = int(codes.min()), int(codes.max())
            if low < 0 or high >= size:
                raise InputError(
                    f"{name} codes of annotations run from {low} to {high}",
                    f"0 … {size - 1}",
                    "leave out what is missing, and count all that occur",
                )
        self._check_overlap()

    def _check_overlap(self) -> None:
        if self.classes < 2:
            raise InputError("annotations of one class", "two classes or more", "name the classes that nobody chose")
        first = int(self.worker[0])
        if (self.worker == first).all():
            raise InputError(
                f"all {len(self.worker)} labels are of one worker",
                "labels of two workers or more",
                "let others label the same items",
            )
        pairs = self.worker.astype(np.int64) * self.items + self.item
        values, counts = np.unique(pairs, return_counts=True)
        if (counts > 1).any():
            worker, item = divmod(int(values[counts > 1][0]), self.items)
            raise InputError(
                f"worker {worker} labelled item {item} {int(counts.max())} times",
                "one label per worker and item",
                "keep the first or the last of them",
            )
        if self.labels_per_item.max() < 2:
            raise InputError(
                "no item has labels of two workers",
                "items that several workers labelled",
                "let workers label the same items",
            )

    @classmethod
    def of_table(cls, answers: Int[np.ndarray, "m n"], classes: int) -> Annotations:
        """Annotations of a table with a row per worker; negative codes are missing labels."""
        worker, item = np.nonzero(answers >= 0)
        m, n = answers.shape
        return cls(worker, item, answers[worker, item].astype(np.int64), m, n, classes)

    @cached_property
    def labels_per_item(self) -> Int[np.ndarray, " n"]:
        """How many workers labelled each item."""
        return np.bincount(self.item, minlength=self.items)

    @cached_property
    def labels_per_worker(self) -> Int[np.ndarray, " m"]:
        """How many items each worker labelled."""
        return np.bincount(self.worker, minlength=self.workers)

    @cached_property
    def counts(self) -> Int[np.ndarray, "n c"]:
        """How many workers gave each class to each item."""
        cells = np.bincount(self.item.astype(np.int64) * self.classes + self.label, minlength=self.items * self.classes)
        return cells.astype(np.int32).reshape(self.items, self.classes)

    @property
    def shares(self) -> Float[np.ndarray, "n c"]:
        """The same as shares of the item's labels; equal shares where it has none."""
        total = self.labels_per_item[:, None]
        shares: Float[np.ndarray, "n c"] = np.where(total > 0, self.counts / np.maximum(total, 1), 1 / self.classes)
        return shares

    def mean_of_workers(self, values: Float[np.ndarray, " a"]) -> Float[np.ndarray, " m"]:
        """Mean over the labels of each worker; nan for workers without labels."""
        total = np.bincount(self.worker, values, self.workers)
        out = np.full(self.workers, np.nan)
        np.divide(total, self.labels_per_worker, out=out, where=self.labels_per_worker > 0)
        return out

    def table(self) -> tuple[Int[np.ndarray, "m n"], Bool[np.ndarray, "m n"]]:
        """Labels of every worker (row) for every item, MISSING where there is none; and where there is one."""
        table = np.full((self.workers, self.items), MISSING, np.int64)
        table[self.worker, self.item] = self.label
        return table, table >= 0
