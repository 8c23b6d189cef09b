"""How are images augmented? Rotated, translated, cropped, covered, blurred or mixed, by kornia."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from polyculture.dataset import Dataset
from polyculture.models.image_tensors import augmented_images

from .numeric import Transformed


def rotate(train: Dataset, generator: np.random.Generator, degrees: float = 15.0) -> Transformed:
    """Each image rotated by at most this many degrees about its centre; the corners become black."""
    return _changed(train, generator, "RandomRotation", degrees, p=1.0)


def shift(train: Dataset, generator: np.random.Generator, share: float = 0.1) -> Transformed:
    """Each image translated by at most this share of its sides; the margin becomes black."""
    return _changed(train, generator, "RandomAffine", 0.0, translate=(share, share), p=1.0)


def scale(train: Dataset, generator: np.random.Generator, share: float = 0.2) -> Transformed:
    """Each image made larger or smaller by at most this share."""
    return _changed(train, generator, "RandomAffine", 0.0, scale=(1 - share, 1 + share), p=1.0)


def flip(train: Dataset, generator: np.random.Generator, share: float = 0.5) -> Transformed:
    """This share of the images mirrored horizontally."""
    return _changed(train, generator, "RandomHorizontalFlip", p=share)


def crop(train: Dataset, generator: np.random.Generator, share: float = 0.3) -> Transformed:
    """A window of each image, at most this share of its area lost, resized to the image (Szegedy et al. 2015)."""
    size = train.array.shape[1:3]
    return _changed(train, generator, "RandomResizedCrop", size, scale=(1 - share, 1.0), p=1.0)


def erase(train: Dataset, generator: np.random.Generator, share: float = 0.2) -> Transformed:
    """On half of the images a black rectangle of 2 % to this share of the area (Zhong et al. 2020)."""
    return _changed(train, generator, "RandomErasing", scale=(min(0.02, share), share), p=0.5)


def blur(train: Dataset, generator: np.random.Generator, sigma: float = 1.0) -> Transformed:
    """Each image blurred by a Gaussian of a tenth of a pixel to `sigma` pixels."""
    size = 2 * int(np.ceil(2 * sigma)) + 1
    sigmas = min(0.1, sigma), sigma
    return _changed(train, generator, "RandomGaussianBlur", (size, size), sigmas, border_type="replicate", p=1.0)


def cutmix(train: Dataset, generator: np.random.Generator, alpha: float = 1.0) -> Transformed:
    """A rectangle of another image pasted into each, labels mixed by area; the area's share is from Beta(alpha, alpha).

    Source: Yun et al. 2019.
    """
    from kornia.augmentation import RandomCutMixV2

    paste = RandomCutMixV2(beta=alpha, p=1.0, data_keys=["input", "class"], use_correct_lambda=True)
    shares = np.zeros((len(train), len(train.classes)), np.float32)

    def mixed(images: Any, rows: np.ndarray) -> Any:
        pasted, mixtures = paste(images, images.new_tensor(train.labels[rows]))
        first, second, weight = mixtures.reshape(-1, 3).numpy().T
        np.add.at(shares, (rows, first.astype(np.int64)), weight)
        np.add.at(shares, (rows, second.astype(np.int64)), 1 - weight)
        return pasted

    return augmented_images(train.array, mixed, generator), shares


def randaugment(train: Dataset, generator: np.random.Generator, magnitude: float = 9.0) -> Transformed:
    """Two changes of each image, drawn from nine, at this magnitude of 30 (Cubuk et al. 2020).

    Identity, rotation by up to 30°, shear and translation along either axis by up to 0.3, contrast and brightness
    changed by up to 0.9, sharpness raised by up to 0.9; all limits for magnitude 30.
    """
    changes = _changes(magnitude / 30)

    def change_pairs(images: Any, rows: np.ndarray) -> Any:  # noqa: ARG001
        for _ in range(2):
            numbers = images.new_empty(len(images)).long().random_(0, len(changes) + 1)  # the last is the identity
            for number, change in enumerate(changes):
                members = numbers == number
                if members.any():
                    images[members] = change(images[members])
        return images

    return augmented_images(train.array, change_pairs, generator), None


def _changes(strength: float) -> list[Any]:
    from kornia.augmentation import RandomAffine, RandomBrightness, RandomContrast, RandomRotation, RandomSharpness

    factors = max(0.0, 1 - 0.9 * strength), 1 + 0.9 * strength
    offset = 0.3 * strength
    slant = float(np.degrees(np.arctan(offset)))
    return [
        RandomRotation(30 * strength, p=1.0),
        RandomAffine(0.0, shear=(-slant, slant, 0.0, 0.0), p=1.0),
        RandomAffine(0.0, shear=(0.0, 0.0, -slant, slant), p=1.0),
        RandomAffine(0.0, translate=(offset, 0.0), p=1.0),
        RandomAffine(0.0, translate=(0.0, offset), p=1.0),
        RandomContrast(factors, p=1.0),
        RandomBrightness(factors, p=1.0),
        RandomSharpness(0.9 * strength, p=1.0),
    ]


def _changed(
    train: Dataset, generator: np.random.Generator, name: str, *arguments: Any, **settings: Any
) -> Transformed:
    """All images after a change of kornia, which is imported on first use."""
    change = getattr(import_module("kornia.augmentation"), name)(*arguments, **settings)
    return augmented_images(train.array, lambda images, rows: change(images), generator), None  # noqa: ARG005
