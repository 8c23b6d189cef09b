"""What happens to pictures outside the laboratory? Sixteen corruptions, after Hendrycks and Dietterich 2019.

Strengths are in parts of the image's side, so that they mean the same at 16 and at 224 pixels. Inputs are n × h × w or
n × h × w × channels in [0, 1].
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32
from scipy import fft, ndimage

from .suite import Change, Shift, of_inputs

Images = Float32[np.ndarray, "n h w *c"]

FINE = 16
"""Pixels a side from which blur, blocks and waves make sense."""
COARSE = ("noise", "rotation", "shift", "contrast", "occlusion")

# The JPEG standard's table for luminance (ITU-T T.81, Annex K.1).
_QUANTA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)


def noise(images: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Gaussian noise of standard deviation 0.08 per step of severity."""
    return images + 0.08 * severity * generator.standard_normal(images.shape)


def shot(images: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Poisson noise of few photons: 60, 30, 16, 8 or 4 for a white pixel."""
    photons = (60, 30, 16, 8, 4)[severity - 1]
    counted: np.ndarray = generator.poisson(images * photons) / photons
    return counted


def impulse(images: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Pixels that fail, 3 % per step of severity, half of them black and half white."""
    drawn = generator.random(images.shape)
    struck = drawn < 0.03 * severity
    return np.where(struck, (drawn < 0.015 * severity).astype(images.dtype), images)


def blur(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """Gaussian blur with a standard deviation of a 64th of the side per step of severity."""
    blurred: np.ndarray = ndimage.gaussian_filter(images, _inside(images, severity * _side(images) / 64))
    return blurred


def defocus(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """Every point becomes a disc whose radius is a 48th of the side per step of severity."""
    radius = severity * _side(images) / 48 + 0.5  # a pixel is half a pixel large itself
    reach = int(np.ceil(radius))
    fine = np.arange(-5 * reach - 2, 5 * reach + 3) / 5  # every pixel in 5 × 5 parts
    inside = np.hypot(fine[:, None], fine) <= radius
    disc = inside.reshape(2 * reach + 1, 5, 2 * reach + 1, 5).mean(axis=(1, 3))
    spread: np.ndarray = ndimage.convolve(images, _kernel(images, disc / disc.sum()))
    return spread


def motion(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Smeared over 6 % of the side per step of severity, along one of four directions."""
    way = generator.integers(0, 4, len(images))
    steps = np.linspace(-0.5, 0.5, 9) * 0.06 * severity * _side(images)
    smeared = np.empty_like(images)
    for direction, (down, right) in enumerate(((0, 1), (1, 0), (0.7071, 0.7071), (0.7071, -0.7071))):
        these = images[way == direction]
        moved = (ndimage.shift(these, _inside(these, down * s, right * s), order=1) for s in steps)
        smeared[way == direction] = sum(moved, np.zeros_like(these)) / len(steps)
    return smeared


def contrast(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """Grey levels drawn towards the image's mean, by 15 % of the distance per step of severity."""
    mean = images.mean(axis=tuple(range(1, images.ndim)), keepdims=True)
    drawn: np.ndarray = mean + (1 - 0.15 * severity) * (images - mean)
    return drawn


def brightness(images: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """Everything lighter by a tenth of white per step of severity."""
    return images + 0.1 * severity


def rotation(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Turned by 6° per step of severity, half of the images to the left and half to the right."""
    turned = (ndimage.rotate(images, side * 6.0 * severity, axes=(1, 2), reshape=False, order=1) for side in (1, -1))
    return np.where(_halves(images, generator), *turned)


def shift(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Moved by a 32nd of the image per step of severity, up, down, left or right; black moves in."""
    way = generator.integers(0, 4, len(images))
    moved = np.zeros_like(images)
    for direction, (down, right) in enumerate(((-1, 0), (1, 0), (0, -1), (0, 1))):
        pixels = severity * down * images.shape[1] / 32, severity * right * images.shape[2] / 32
        these = images[way == direction]
        moved[way == direction] = ndimage.shift(these, _inside(these, *pixels), order=1)
    return moved


def scale(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Half of the images smaller by 7 % per step of severity, half larger by as much."""
    zoomed = (_mapped(images, np.eye(2) / (1 + side * 0.07 * severity)) for side in (1, -1))
    return np.where(_halves(images, generator), *zoomed)


def shear(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Slanted by 8 % per step of severity, half of the images to the left and half to the right."""
    slanted = (_mapped(images, np.array([[1, 0], [side * 0.08 * severity, 1]])) for side in (1, -1))
    return np.where(_halves(images, generator), *slanted)


def occlusion(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """A black square laid over the image, its side 1/8 to 3/8 of the image's, its centre near the middle."""
    n, height, width = images.shape[:3]
    centre = generator.uniform(0.25, 0.75, (n, 2))
    half = (severity + 1) / 32
    rows = np.abs((np.arange(height) + 0.5) / height - centre[:, :1]) < half
    columns = np.abs((np.arange(width) + 0.5) / width - centre[:, 1:]) < half
    covered = (rows[:, :, None] & columns[:, None, :]).reshape(n, height, width, *(1,) * (images.ndim - 3))
    return np.where(covered, np.float32(0), images)


def pixelate(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """As if taken with 14 % fewer pixels a side per step of severity."""
    kept = 1 - 0.14 * severity
    rows, columns = (_coarser(length, round(length * kept)).astype(images.dtype) for length in images.shape[1:3])
    coarse: np.ndarray = np.einsum("ah,nhw...,bw->nab...", rows, images, columns, optimize=True)
    return coarse


def jpeg(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """Compressed in blocks of 8 × 8 pixels as JPEG does, every channel by itself, at quality 25, 15, 10, 6 or 3."""
    quality = (25, 15, 10, 6, 3)[severity - 1]
    quanta = np.clip(np.floor((_QUANTA * (5000 / quality) + 50) / 100), 1, None)
    height, width = images.shape[1:3]
    margins = [(0, 0), (0, -height % 8), (0, -width % 8)] + [(0, 0)] * (images.ndim - 3)
    whole = np.pad(images, margins, mode="edge")
    blocks = whole.reshape(len(whole), whole.shape[1] // 8, 8, whole.shape[2] // 8, 8, -1)
    table = quanta[:, None, :, None]
    waves = np.round(fft.dctn(blocks * 255.0 - 128, axes=(2, 4), norm="ortho") / table) * table
    restored: np.ndarray = (fft.idctn(waves, axes=(2, 4), norm="ortho") + 128) / 255
    return restored.reshape(whole.shape)[:, :height, :width]


def elastic(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Bent by a smooth random field (Simard et al. 2003) that moves a pixel by 1.5 % of the side per step."""
    n, height, width = images.shape[:3]
    side = _side(images)
    field = ndimage.gaussian_filter(generator.standard_normal((n, 2, height, width)), (0, 0, side / 9, side / 9))
    field *= 0.015 * severity * side / np.sqrt((field**2).mean(axis=(1, 2, 3), keepdims=True))
    places = field + np.mgrid[:height, :width]
    bent = np.empty_like(images)
    for image, place, where in zip(images, places, range(n), strict=True):
        planes = image.reshape(height, width, -1)
        drawn = [ndimage.map_coordinates(planes[:, :, k], place, order=1) for k in range(planes.shape[2])]
        bent[where] = np.stack(drawn, axis=2).reshape(image.shape)
    return bent


def _side(images: np.ndarray) -> int:
    side: int = min(images.shape[1:3])
    return side


def _inside(images: np.ndarray, down: float, right: float | None = None) -> tuple[float, ...]:
    """One number per axis: for rows, for columns, and for instances and channels none."""
    return (0.0, down, down if right is None else right, *(0.0,) * (images.ndim - 3))


def _kernel(images: np.ndarray, kernel: Float[np.ndarray, "a b"]) -> np.ndarray:
    return kernel.reshape(1, *kernel.shape, *(1,) * (images.ndim - 3)).astype(images.dtype)


def _halves(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A random half of the instances, shaped to choose between two versions of them."""
    left: np.ndarray = generator.permutation(len(images)) % 2 == 0
    return left.reshape(-1, *(1,) * (images.ndim - 1))


def _mapped(images: Images, matrix: Float[np.ndarray, "2 2"]) -> np.ndarray:
    """Every image under one linear map about its centre, from places in the new image to places in the old."""
    whole = np.eye(images.ndim)
    whole[1:3, 1:3] = matrix
    centre = (np.array(images.shape) - 1) / 2
    mapped: np.ndarray = ndimage.affine_transform(images, whole, centre - whole @ centre, order=1)
    return mapped


def _coarser(length: int, pixels: int) -> Float[np.ndarray, "h h"]:
    """The map that averages a line over so many equal stretches, and draws each at its full length again.

    A pixel that lies in two stretches gets its share of both, so the mean of the line stays.
    """
    edges = np.linspace(0, length, max(1, pixels) + 1)
    left, right = np.maximum(edges[:-1, None], np.arange(length)), np.minimum(edges[1:, None], np.arange(length) + 1)
    shares = np.maximum(0, right - left)
    coarse: np.ndarray = shares.T @ (shares / shares.sum(axis=1, keepdims=True))
    return coarse


CHANGES: dict[str, Change] = {
    "noise": noise,
    "rotation": rotation,
    "shift": shift,
    "contrast": contrast,
    "occlusion": occlusion,
    "shot": shot,
    "impulse": impulse,
    "blur": blur,
    "defocus": defocus,
    "motion": motion,
    "brightness": brightness,
    "scale": scale,
    "shear": shear,
    "pixelate": pixelate,
    "jpeg": jpeg,
    "elastic": elastic,
}
SUITE: dict[str, Shift] = {kind: of_inputs(change, (0.0, 1.0)) for kind, change in CHANGES.items()}
VOLUMES: dict[str, Shift] = {kind: SUITE[kind] for kind in ("noise", "contrast", "shot", "impulse", "brightness")}
"""What needs no plane: the same functions on n × depth × h × w."""
