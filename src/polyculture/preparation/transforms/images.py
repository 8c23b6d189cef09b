"""How are images seen anew? Turned, moved, cropped, covered, blurred or mixed, by kornia."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polyculture.dataset import Dataset

from .numeric import Transformed

AT_ONCE = 4096
"""Images that are changed together; bounds memory."""


def rotate(train: Dataset, generator: np.random.Generator, degrees: float = 15.0) -> Transformed:
    """Each image turned by at most so many degrees about its centre; black turns in."""
    from kornia.augmentation import RandomRotation

    return _changed(train, RandomRotation(degrees, p=1.0), generator)


def shift(train: Dataset, generator: np.random.Generator, share: float = 0.1) -> Transformed:
    """Each image moved by at most this share of its sides; black moves in."""
    from kornia.augmentation import RandomAffine

    return _changed(train, RandomAffine(0.0, translate=(share, share), p=1.0), generator)


def scale(train: Dataset, generator: np.random.Generator, share: float = 0.2) -> Transformed:
    """Each image enlarged or made smaller by at most this share."""
    from kornia.augmentation import RandomAffine

    return _changed(train, RandomAffine(0.0, scale=(1 - share, 1 + share), p=1.0), generator)


def flip(train: Dataset, generator: np.random.Generator, share: float = 0.5) -> Transformed:
    """This share of the images mirrored, left for right."""
    from kornia.augmentation import RandomHorizontalFlip

    return _changed(train, RandomHorizontalFlip(p=share), generator)


def crop(train: Dataset, generator: np.random.Generator, share: float = 0.3) -> Transformed:
    """A window of each image, at most this share of its area lost, made as large as it was (Szegedy et al. 2015)."""
    from kornia.augmentation import RandomResizedCrop

    return _changed(train, RandomResizedCrop(train.inputs.shape[1:3], scale=(1 - share, 1.0), p=1.0), generator)


def erase(train: Dataset, generator: np.random.Generator, share: float = 0.2) -> Transformed:
    """On half of the images a black rectangle of 2 % to this share of the area (Zhong et al. 2020)."""
    from kornia.augmentation import RandomErasing

    return _changed(train, RandomErasing(scale=(min(0.02, share), share), p=0.5), generator)


def blur(train: Dataset, generator: np.random.Generator, sigma: float = 1.0) -> Transformed:
    """Each image blurred by a Gaussian of a tenth of a pixel to `sigma` pixels."""
    from kornia.augmentation import RandomGaussianBlur

    size = 2 * int(np.ceil(2 * sigma)) + 1
    gaussian = RandomGaussianBlur((size, size), (min(0.1, sigma), sigma), border_type="replicate", p=1.0)
    return _changed(train, gaussian, generator)


def cutmix(train: Dataset, generator: np.random.Generator, alpha: float = 1.0) -> Transformed:
    """A rectangle of another image pasted into each, labels mixed by area; the area's share is from Beta(alpha, alpha).

    Source: Yun et al. 2019.
    """
    import torch
    from kornia.augmentation import RandomCutMixV2

    paste = RandomCutMixV2(beta=alpha, p=1.0, data_keys=["input", "class"], use_correct_lambda=True)
    shares = np.zeros((len(train), len(train.classes)), np.float32)

    def mixed(images: Any, rows: np.ndarray) -> Any:
        pasted, mixtures = paste(images, torch.from_numpy(train.labels[rows]))
        first, second, kept = mixtures.reshape(-1, 3).numpy().T
        np.add.at(shares, (rows, first.astype(np.int64)), kept)
        np.add.at(shares, (rows, second.astype(np.int64)), 1 - kept)
        return pasted

    return _through(train.inputs, mixed, generator), shares


def randaugment(train: Dataset, generator: np.random.Generator, magnitude: float = 9.0) -> Transformed:
    """Two changes of each image, drawn from nine, at this magnitude of 30 (Cubuk et al. 2020).

    Nothing, turning by up to 30°, shearing and moving along either axis by up to 0.3, contrast and brightness changed
    by up to 0.9, sharpness raised by up to 0.9; at magnitude 30 by up to so much.
    """
    import torch

    changes = _changes(magnitude / 30)

    def twice(images: Any, rows: np.ndarray) -> Any:  # noqa: ARG001
        for _ in range(2):
            which = torch.randint(len(changes) + 1, (len(images),))  # the last is nothing
            for number, change in enumerate(changes):
                chosen = which == number
                if chosen.any():
                    images[chosen] = change(images[chosen])
        return images

    return _through(train.inputs, twice, generator), None


def _changes(strength: float) -> list[Any]:
    from kornia.augmentation import RandomAffine, RandomBrightness, RandomContrast, RandomRotation, RandomSharpness

    near, far = max(0.0, 1 - 0.9 * strength), 1 + 0.9 * strength
    most = 0.3 * strength
    slant = float(np.degrees(np.arctan(most)))
    return [
        RandomRotation(30 * strength, p=1.0),
        RandomAffine(0.0, shear=(-slant, slant, 0.0, 0.0), p=1.0),
        RandomAffine(0.0, shear=(0.0, 0.0, -slant, slant), p=1.0),
        RandomAffine(0.0, translate=(most, 0.0), p=1.0),
        RandomAffine(0.0, translate=(0.0, most), p=1.0),
        RandomContrast((near, far), p=1.0),
        RandomBrightness((near, far), p=1.0),
        RandomSharpness(0.9 * strength, p=1.0),
    ]


def _changed(train: Dataset, change: Callable[[Any], Any], generator: np.random.Generator) -> Transformed:
    return _through(train.inputs, lambda images, rows: change(images), generator), None  # noqa: ARG005


def _through(
    inputs: np.ndarray, change: Callable[[Any, np.ndarray], Any], generator: np.random.Generator
) -> np.ndarray:
    """All images through a change of n × channels × h × w tensors, told which rows it is given.

    They go in shuffled batches, so that partners in mixtures are any two. What is random comes from `generator` alone.
    """
    import torch

    grey = inputs.ndim == 3
    order = generator.permutation(len(inputs))
    seen = np.empty(inputs.shape, np.float32)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(int(generator.integers(2**63)))
        for rows in np.array_split(order, -(-len(order) // AT_ONCE)):
            images = np.asarray(inputs[rows], np.float32)
            given = torch.from_numpy(np.ascontiguousarray(images[:, None] if grey else np.moveaxis(images, 3, 1)))
            changed = change(given, rows).clamp(0, 1).numpy()
            seen[rows] = changed[:, 0] if grey else np.moveaxis(changed, 1, 3)
    return seen.astype(inputs.dtype)
