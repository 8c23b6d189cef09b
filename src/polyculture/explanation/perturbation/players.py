"""Which features are taken away together, and what stands in for them? Columns, patches, runs of words, bins of sound.

The parts that are present or absent together are called players, as in the theory of cooperative games. An attribution
is computed for each player and then spread evenly over its features, so that sums do not change.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from polyculture.errors import InputError

MOST_PLAYERS = 64
"""Players of an image, volume, series, text or sound; the columns of a table are never merged without being told to."""


class Players(ABC):
    """The parts of n inputs that can be absent.

    Attributes: `counts`, the players of each input; `shape`, of the features of one explanation; `references`, how
    many inputs stand in for what is absent (the value of a coalition is the mean over them).
    """

    counts: Int[np.ndarray, " n"]
    shape: tuple[int, ...]
    references: int = 1

    @abstractmethod
    def compose(
        self, rows: Int[np.ndarray, " k"], masks: Bool[np.ndarray, "k g"], reference: int = 0
    ) -> Shaped[np.ndarray, "k ..."]:
        """The inputs of these rows with only the players of each mask; the reference stands in for all others."""

    @abstractmethod
    def spread(self, row: int, values: Float[np.ndarray, " g"]) -> Float[np.ndarray, " d"]:
        """The features' shares of the players' values; their sum is that of the values."""


@dataclass(frozen=True, eq=False)
class ArrayPlayers(Players):
    """Players of inputs that are arrays of numbers.

    Parameters
    ----------
    inputs : tables, images, volumes or series.
    background : inputs that stand in for what is absent, of the same shape.
    groups : player of each feature; of each place for images with channels.
    """

    inputs: Shaped[np.ndarray, "n ..."]
    background: Shaped[np.ndarray, "b ..."]
    groups: Int[np.ndarray, ...]

    def __post_init__(self) -> None:
        shape = self.inputs.shape[1:]
        if self.background.shape[1:] != shape or not len(self.background):
            raise InputError(
                f"the baseline has the shape {self.background.shape[1:]}", f"{shape}, as one input", "give another one"
            )
        if self.groups.shape not in (shape, shape[:-1]):
            raise InputError(
                f"the groups have the shape {self.groups.shape}", f"{shape}, as one input", "number the features so"
            )
        present = np.unique(self.groups)
        if not np.array_equal(present, np.arange(len(present))):
            raise InputError("the groups of features skip a number", "every number from 0 on", "number them anew")

    @property
    def counts(self) -> Int[np.ndarray, " n"]:  # type: ignore[override]
        """The players of each input, the same for all."""
        return np.full(len(self.inputs), int(self.groups.max()) + 1)

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of the groups: that of an input, without channels."""
        return self.groups.shape

    @property
    def references(self) -> int:  # type: ignore[override]
        """Number of inputs in the background."""
        return len(self.background)

    def compose(
        self, rows: Int[np.ndarray, " k"], masks: Bool[np.ndarray, "k g"], reference: int = 0
    ) -> Shaped[np.ndarray, "k ..."]:
        """The inputs of these rows with the features of the reference where a player is absent."""
        shape = self.inputs.shape[1:]
        present = masks[:, self.groups.ravel()].reshape(len(rows), *self.groups.shape)
        if self.groups.ndim < len(shape):
            present = present[..., None]
        composed: np.ndarray = np.where(present, self.inputs[rows], self.background[reference])
        return composed

    def spread(self, row: int, values: Float[np.ndarray, " g"]) -> Float[np.ndarray, " d"]:  # noqa: ARG002
        """Each player's value over the number of its features."""
        groups = self.groups.ravel()
        shares: np.ndarray = (values / np.bincount(groups))[groups]
        return shares


def singles(shape: tuple[int, ...]) -> Int[np.ndarray, ...]:
    """Every feature a player."""
    return np.arange(math.prod(shape)).reshape(shape)


def blocks(
    shape: tuple[int, ...], limit: int = MOST_PLAYERS, uncut: int = 0, sides: tuple[int, ...] = ()
) -> Int[np.ndarray, ...]:
    """Players that are rectangular blocks: of pixels, of voxels, of steps.

    Parameters
    ----------
    shape : of one input, without channels.
    limit : most players; blocks are as small as this allows, of (about) the same length along every axis.
    uncut : axes at the end that are cut only where the others do not suffice, such as the features of a series.
    sides : lengths of a block, in place of those that `limit` allows.
    """
    if limit < 1:
        raise InputError(f"{limit} groups of features", "1 or more")
    lengths = list(sides) or _smallest_lengths(shape, limit, len(shape) - uncut)
    places = [np.arange(side) // length for side, length in zip(shape, lengths, strict=True)]
    sizes = tuple(int(place[-1]) + 1 for place in places)
    return np.ravel_multi_index(tuple(np.meshgrid(*places, indexing="ij")), sizes)


def _smallest_lengths(shape: tuple[int, ...], limit: int, growing: int) -> list[int]:
    """Lengths of the smallest blocks of which there are at most so many; only the first `growing` axes, if possible."""
    lengths = [1] * len(shape)
    while math.prod(-(-side // length) for side, length in zip(shape, lengths, strict=True)) > limit:
        if lengths[:growing] == list(shape[:growing]):
            growing = len(shape)
        for axis in range(growing):
            lengths[axis] = min(lengths[axis] + 1, shape[axis])
    return lengths
