"""How do models fare on harder versions of the same test images? Five kinds of shift at five severities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from polyculture import rng
from polyculture.dataset import Dataset

SEVERITIES = (1, 2, 3, 4, 5)

Images = Float32[np.ndarray, "n h w"]


def shifted(test: Dataset, seed: int) -> dict[str, Dataset]:
    """The test instances under every kind and severity, by name such as ``"noise@3"``.

    What is random (the noise field, the direction, the place) is drawn once per kind, so severities differ in
    strength only. Values stay in [0, 1].
    """
    tests = {}
    for kind, shift in SHIFTS.items():
        for severity in SEVERITIES:
            images = shift(test.inputs, severity, rng.stream(seed, test.name, "shift", kind))
            name = f"{kind}@{severity}"
            tests[name] = test.with_inputs(np.clip(images, 0, 1).astype(np.float32), f"{test.name} {name}")
    return tests


def noise(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Gaussian noise of standard deviation 0.08 per step of severity."""
    return images + 0.08 * severity * generator.standard_normal(images.shape)


def rotation(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Turned by 6° per step of severity, half of the images to the left and half to the right."""
    left = generator.permutation(len(images)) % 2 == 0
    return np.where(left[:, None, None], _turned(images, 6.0 * severity), _turned(images, -6.0 * severity))


def shift(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Moved by a 32nd of the image per step of severity, up, down, left or right; black moves in."""
    way = generator.integers(0, 4, len(images))
    moved = np.zeros_like(images)
    for direction, (down, right) in enumerate(((-1, 0), (1, 0), (0, -1), (0, 1))):
        pixels = severity * np.array([0, down * images.shape[1], right * images.shape[2]]) / 32
        moved[way == direction] = ndimage.shift(images[way == direction], pixels, order=1)
    return moved


def contrast(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """Grey levels drawn towards the image's mean, by 15 % of the distance per step of severity."""
    mean = images.mean(axis=(1, 2), keepdims=True)
    drawn: np.ndarray = mean + (1 - 0.15 * severity) * (images - mean)
    return drawn


def occlusion(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """A black square laid over the image, its side 1/8 to 3/8 of the image's, its centre near the middle."""
    n, height, width = images.shape
    centre = generator.uniform(0.25, 0.75, (n, 2))
    half = (severity + 1) / 32
    rows = np.abs((np.arange(height) + 0.5) / height - centre[:, :1]) < half
    columns = np.abs((np.arange(width) + 0.5) / width - centre[:, 1:]) < half
    return np.where(rows[:, :, None] & columns[:, None, :], 0.0, images)


def _turned(images: Images, degrees: float) -> np.ndarray:
    turned: np.ndarray = ndimage.rotate(images, degrees, axes=(1, 2), reshape=False, order=1)
    return turned


SHIFTS: dict[str, Callable[[Images, int, np.random.Generator], np.ndarray]] = {
    "noise": noise,
    "rotation": rotation,
    "shift": shift,
    "contrast": contrast,
    "occlusion": occlusion,
}
