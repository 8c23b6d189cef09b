"""How is a training set enlarged? By one augmented copy of each instance, after the originals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from polyculture.dataset import Dataset
from polyculture.rng import stream

from .transform import View


def with_augmented_copy(train: Dataset, view: View, generator: np.random.Generator) -> Dataset:
    """The training set and, after it, one augmented copy of it: for learners without epochs.

    Where the view mixes labels, each copy has the class with the largest share (the first if tied).
    """
    copies, shares = view(train, generator)
    doubled = train.take(np.tile(np.arange(len(train)), 2)).with_inputs(np.concatenate([train.array, copies]))
    if shares is None:
        return doubled
    heaviest = shares.argmax(axis=1).astype(train.labels.dtype)
    return replace(doubled, labels=np.concatenate([train.labels, heaviest]))


def augmented(train: Dataset, seed: int) -> Dataset:
    """The training images and, after them, one copy of each: rotated, translated and with noise.

    Inputs that are not grey images get noise only, of a twentieth of each feature's spread.
    """
    generator = stream(seed, "augmented")
    inputs = train.array
    if train.modality == "image" and inputs.ndim == 3:
        copies = np.stack([_jittered(image, generator) for image in inputs])
        copies = np.clip(copies + generator.normal(0, 0.05, inputs.shape), 0, 1)
    else:
        copies = inputs + generator.normal(0, 0.05, inputs.shape) * inputs.std(axis=0)
    doubled = train.take(np.tile(np.arange(len(train)), 2))
    return doubled.with_inputs(np.concatenate([inputs, copies]).astype(inputs.dtype))


def _jittered(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Rotated by at most 10° about its centre and translated by at most a sixteenth of its side."""
    angle = np.deg2rad(generator.uniform(-10, 10))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = (np.array(image.shape) - 1) / 2
    move = generator.uniform(-1, 1, 2) * np.array(image.shape) / 16
    return ndimage.affine_transform(image, turn, centre - turn @ (centre + move), order=1)
