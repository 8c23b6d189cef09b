"""Which instances keep their label? A stratified draw; of all the others only the inputs are handed on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.fitted import Fitted
from polyculture.preparation.splits import sampled
from polyculture.preparation.transforms.transform import BoundedAmount
from polyculture.recipe import Recipe
from polyculture.rng import stream

from ..architectures import Net, find_architecture
from ..context import TrainingContext
from ..learned_level import Amounts, Fit, LevelAmount

BY_SEED = "seed"
"""The draw of labels that depends on the recipe's seed."""

FEWEST = 1000
"""Instances that a net sees in an epoch at least."""


@dataclass(frozen=True)
class _DrawNumber:
    """A whole number, or ``seed``."""

    description: str = "a whole number, 0 or more, or 'seed'"

    def parse(self, text: str) -> int | str | None:
        """The number or the word; None for other text."""
        return text if text == BY_SEED else int(text) if text.isascii() and text.isdecimal() else None


AMOUNTS = (
    LevelAmount("labels", BoundedAmount(10**9, integer=True), 100),
    LevelAmount("draw", _DrawNumber(), BY_SEED),
)
"""Number of labels, and which draw of them: by the recipe's seed, or number DRAW for every seed."""


@dataclass(frozen=True, eq=False)
class LabelledPool:
    """A training set of which most labels are unknown.

    Parameters
    ----------
    labelled : the instances with labels.
    pool : p inputs of all other instances, without labels.
    """

    labelled: Dataset
    pool: Shaped[np.ndarray, "p ..."]

    @classmethod
    def of(cls, amounts: Amounts, train: Dataset, seed: int) -> LabelledPool:
        """The draw that these amounts and the recipe's seed name."""
        rows = labelled_rows(train, amounts["labels"], seed if amounts["draw"] == BY_SEED else amounts["draw"])
        pool_rows = np.setdiff1d(np.arange(len(train)), rows)
        return cls(train.take(rows), train.array[pool_rows])

    def with_labels(self, rows: Int[np.ndarray, " k"], codes: Int[np.ndarray, " k"]) -> Dataset:
        """The labelled instances, and these of the pool with these class codes."""
        labelled = self.labelled
        return Dataset(
            np.concatenate([labelled.array, self.pool[rows]]),
            np.concatenate([labelled.labels, codes.astype(labelled.labels.dtype)]),
            labelled.classes,
            name=labelled.name,
            modality=labelled.modality,
        )


def labelled_rows(train: Dataset, count: int, draw: int) -> Int[np.ndarray, " k"]:
    """Rows of the instances that keep their label, sorted: every class in proportion, and one of each at least."""
    generator = stream(draw, "labelled")
    rows = sampled(train.labels, count, generator)
    for code in np.setdiff1d(train.labels, train.labels[rows]):
        codes, counts = np.unique(train.labels[rows], return_counts=True)
        surplus = generator.choice(np.flatnonzero(train.labels[rows] == codes[counts.argmax()]))
        rows[surplus] = generator.choice(np.flatnonzero(train.labels == code))
    return np.sort(rows)


def labelled_part(amounts: Amounts, train: Dataset, seed: int) -> Dataset:
    """The instances with labels."""
    return LabelledPool.of(amounts, train, seed).labelled


def fit_small(fit: Fit) -> Fit:
    """The same fit, but a net sees few instances several times in an epoch: as often as makes them `FEWEST` or more.

    Without it a net of the usual number of epochs would make a handful of steps on a hundred labels.
    """

    def fit_repeated(recipe: Recipe, train: Dataset, context: TrainingContext) -> Fitted:
        if isinstance(find_architecture(recipe.architecture), Net) and len(train) < FEWEST:
            train = train.take(np.tile(np.arange(len(train)), -(-FEWEST // len(train))))
        return fit(recipe, train, context)

    return fit_repeated


def refuse_draw(recipe: Recipe, amounts: Amounts, train: Dataset) -> None:  # noqa: ARG001
    """Refuse more labels than instances, no instance left for the pool, and fewer labels than classes."""
    count, classes = amounts["labels"], len(np.unique(train.labels))
    if count >= len(train):
        wrong = f"{count} labels of {len(train)} training instances leave no pool without labels"
        raise InputError(wrong, f"fewer than {len(train)}", "lower the number after the level's name")
    if count < classes:
        wrong = f"{count} labels for {classes} classes"
        raise InputError(wrong, "one or more of every class", "raise the number after the level's name")
