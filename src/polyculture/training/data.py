"""What does a model learn from? All of the training set, a half, a resample, or more than there is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from polyculture import rng
from polyculture.dataset import Dataset

from .problems import stratified


def everything(train: Dataset, seed: int) -> Dataset:  # noqa: ARG001
    """The training set as it is."""
    return train


def half_a(train: Dataset, seed: int) -> Dataset:  # noqa: ARG001
    """Half of the training set, stratified by label; the same half for every seed, with nothing of ``half-b``."""
    return train.take(_halves(train)[0])


def half_b(train: Dataset, seed: int) -> Dataset:  # noqa: ARG001
    """The other half."""
    return train.take(_halves(train)[1])


def bootstrap(train: Dataset, seed: int) -> Dataset:
    """As many instances as there are, drawn with replacement (about 63 % of them at least once)."""
    return train.take(rng.stream(seed, "bootstrap").integers(0, len(train), len(train)))


def augmented(train: Dataset, seed: int) -> Dataset:
    """The training images and, after them, one copy of each: turned, moved and noised a little.

    Inputs that are not images (n × height × width) get noise only, of a twentieth of each feature's spread.
    """
    generator = rng.stream(seed, "augmented")
    inputs = train.inputs
    if inputs.ndim == 3:
        copies = np.stack([_jittered(image, generator) for image in inputs])
        copies = np.clip(copies + generator.normal(0, 0.05, inputs.shape), 0, 1)
    else:
        copies = inputs + generator.normal(0, 0.05, inputs.shape) * inputs.std(axis=0)
    twice = train.take(np.tile(np.arange(len(train)), 2))
    return twice.with_inputs(np.concatenate([inputs, copies]).astype(inputs.dtype))


def _halves(train: Dataset) -> list[np.ndarray]:
    return stratified(train.labels, (0.5, 0.5), rng.stream(0, "halves"))


def _jittered(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Turned by at most 10° about its centre and moved by at most a sixteenth of its side."""
    angle = np.deg2rad(generator.uniform(-10, 10))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = (np.array(image.shape) - 1) / 2
    move = generator.uniform(-1, 1, 2) * np.array(image.shape) / 16
    jittered: np.ndarray = ndimage.affine_transform(image, turn, centre - turn @ (centre + move), order=1)
    return jittered


DATA: dict[str, Callable[[Dataset, int], Dataset]] = {
    "all": everything,
    "half-a": half_a,
    "half-b": half_b,
    "bootstrap": bootstrap,
    "augmented": augmented,
}
"""Level of the data axis by name: a function from the training set and the recipe's seed to what is learned from."""
