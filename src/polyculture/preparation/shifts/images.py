"""How are images shifted? Sixteen corruptions, after Hendrycks and Dietterich 2019.

Strengths are relative to the image's side, so that they mean the same at 16 and at 224 pixels. Inputs are n × h × w or
n × h × w × channels in [0, 1].
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32
from scipy import fft, ndimage

from .suite import Change, Shift, input_shift

Images = Float32[np.ndarray, "n h w *c"]

FINE_SIDE = 16
"""Pixels a side from which blur, blocks and waves are visible."""
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
    """Poisson noise of a low photon count: 60, 30, 16, 8 or 4 for a white pixel."""
    photons = (60, 30, 16, 8, 4)[severity - 1]
    return generator.poisson(images * photons) / photons


def impulse(images: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Pixels that fail, 3 % per step of severity, half of them black and half white."""
    draws = generator.random(images.shape)
    failed = draws < 0.03 * severity
    return np.where(failed, (draws < 0.015 * severity).astype(images.dtype), images)


def blur(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """Gaussian blur with a standard deviation of a 64th of the side per step of severity."""
    return ndimage.gaussian_filter(images, _per_axis(images, severity * _side(images) / 64))


def defocus(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """Every point becomes a disc whose radius is a 48th of the side per step of severity."""
    radius = severity * _side(images) / 48 + 0.5  # a pixel is half a pixel large itself
    reach = int(np.ceil(radius))
    fine = np.arange(-5 * reach - 2, 5 * reach + 3) / 5  # every pixel in 5 × 5 parts
    covered_parts = np.hypot(fine[:, None], fine) <= radius
    disc = covered_parts.reshape(2 * reach + 1, 5, 2 * reach + 1, 5).mean(axis=(1, 3))
    kernel = (disc / disc.sum()).reshape(1, *disc.shape, *(1,) * (images.ndim - 3))
    return ndimage.convolve(images, kernel.astype(images.dtype))


def motion(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Blurred over 6 % of the side per step of severity, along one of four directions."""
    directions = generator.integers(0, 4, len(images))
    steps = np.linspace(-0.5, 0.5, 9) * 0.06 * severity * _side(images)
    blurred = np.empty_like(images)
    for direction, (row_step, column_step) in enumerate(((0, 1), (1, 0), (0.7071, 0.7071), (0.7071, -0.7071))):
        members = images[directions == direction]
        copies = (ndimage.shift(members, _per_axis(members, row_step * s, column_step * s), order=1) for s in steps)
        blurred[directions == direction] = sum(copies, np.zeros_like(members)) / len(steps)
    return blurred


def contrast(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """Grey levels moved towards the image's mean, by 15 % of the distance per step of severity."""
    mean = images.mean(axis=tuple(range(1, images.ndim)), keepdims=True)
    return np.asarray(mean + (1 - 0.15 * severity) * (images - mean))


def brightness(images: np.ndarray, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """Everything lighter by a tenth of white per step of severity."""
    return images + 0.1 * severity


def rotation(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Turned by 6° per step of severity, half of the images to the left and half to the right."""
    rotated = (ndimage.rotate(images, side * 6.0 * severity, axes=(1, 2), reshape=False, order=1) for side in (1, -1))
    return np.where(_halves(images, generator), *rotated)


def shift(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Moved by a 32nd of the image per step of severity, up, down, left or right; black moves in."""
    directions = generator.integers(0, 4, len(images))
    translated = np.zeros_like(images)
    for direction, (row_step, column_step) in enumerate(((-1, 0), (1, 0), (0, -1), (0, 1))):
        pixels = severity * row_step * images.shape[1] / 32, severity * column_step * images.shape[2] / 32
        members = images[directions == direction]
        translated[directions == direction] = ndimage.shift(members, _per_axis(members, *pixels), order=1)
    return translated


def scale(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Half of the images smaller by 7 % per step of severity, half larger by 7 %."""
    zoomed = (_warped(images, np.eye(2) / (1 + side * 0.07 * severity)) for side in (1, -1))
    return np.where(_halves(images, generator), *zoomed)


def shear(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Slanted by 8 % per step of severity, half of the images to the left and half to the right."""
    sheared = (_warped(images, np.array([[1, 0], [side * 0.08 * severity, 1]])) for side in (1, -1))
    return np.where(_halves(images, generator), *sheared)


def occlusion(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """A black square laid over the image, its side 1/8 to 3/8 of the image's, its centre near the middle."""
    n, height, width = images.shape[:3]
    centre = generator.uniform(0.25, 0.75, (n, 2))
    half = (severity + 1) / 32
    rows = np.abs((np.arange(height) + 0.5) / height - centre[:, :1]) < half
    columns = np.abs((np.arange(width) + 0.5) / width - centre[:, 1:]) < half
    mask = (rows[:, :, None] & columns[:, None, :]).reshape(n, height, width, *(1,) * (images.ndim - 3))
    return np.where(mask, np.float32(0), images)


def pixelate(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """As if taken with 14 % fewer pixels a side per step of severity."""
    ratio = 1 - 0.14 * severity
    rows, columns = (_averaging(length, round(length * ratio)).astype(images.dtype) for length in images.shape[1:3])
    return np.asarray(np.einsum("ah,nhw...,bw->nab...", rows, images, columns, optimize=True))


def jpeg(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """Compressed in blocks of 8 × 8 pixels as JPEG does, every channel by itself, at quality 25, 15, 10, 6 or 3."""
    quality = (25, 15, 10, 6, 3)[severity - 1]
    quanta = np.clip(np.floor((_QUANTA * (5000 / quality) + 50) / 100), 1, None)
    height, width = images.shape[1:3]
    margins = [(0, 0), (0, -height % 8), (0, -width % 8)] + [(0, 0)] * (images.ndim - 3)
    padded = np.pad(images, margins, mode="edge")
    blocks = padded.reshape(len(padded), padded.shape[1] // 8, 8, padded.shape[2] // 8, 8, -1)
    table = quanta[:, None, :, None]
    waves = np.round(fft.dctn(blocks * 255.0 - 128, axes=(2, 4), norm="ortho") / table) * table
    restored: np.ndarray = (fft.idctn(waves, axes=(2, 4), norm="ortho") + 128) / 255
    return restored.reshape(padded.shape)[:, :height, :width]


def elastic(images: Images, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Distorted by a smooth random field (Simard et al. 2003) that moves a pixel by 1.5 % of the side per step."""
    n, height, width = images.shape[:3]
    side = _side(images)
    field = ndimage.gaussian_filter(generator.standard_normal((n, 2, height, width)), (0, 0, side / 9, side / 9))
    field *= 0.015 * severity * side / np.sqrt((field**2).mean(axis=(1, 2, 3), keepdims=True))
    positions = field + np.mgrid[:height, :width]
    distorted = np.empty_like(images)
    for k, (image, coordinates) in enumerate(zip(images, positions, strict=True)):
        planes = np.moveaxis(image.reshape(height, width, -1), 2, 0)
        channels = [ndimage.map_coordinates(plane, coordinates, order=1) for plane in planes]
        distorted[k] = np.stack(channels, axis=2).reshape(image.shape)
    return distorted


def _side(images: np.ndarray) -> int:
    return int(min(images.shape[1:3]))


def _per_axis(images: np.ndarray, rows: float, columns: float | None = None) -> tuple[float, ...]:
    """One number per axis: for rows, for columns, and 0 for instances and channels."""
    return (0.0, rows, rows if columns is None else columns, *(0.0,) * (images.ndim - 3))


def _halves(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A random half of the instances, shaped to choose between two versions of them."""
    half: np.ndarray = generator.permutation(len(images)) % 2 == 0
    return half.reshape(-1, *(1,) * (images.ndim - 1))


def _warped(images: Images, matrix: Float[np.ndarray, "2 2"]) -> np.ndarray:
    """Every image under a linear map about its centre, from positions in the new image to positions in the old."""
    full_matrix = np.eye(images.ndim)
    full_matrix[1:3, 1:3] = matrix
    centre = (np.array(images.shape) - 1) / 2
    return ndimage.affine_transform(images, full_matrix, centre - full_matrix @ centre, order=1)


def _averaging(length: int, pixels: int) -> Float[np.ndarray, "h h"]:
    """The map that averages a line over this many equal segments, at its original length.

    A pixel that lies in two segments gets its share of both, so the mean of the line is preserved.
    """
    edges = np.linspace(0, length, max(1, pixels) + 1)
    starts, ends = np.maximum(edges[:-1, None], np.arange(length)), np.minimum(edges[1:, None], np.arange(length) + 1)
    shares = np.maximum(0, ends - starts)
    return np.asarray(shares.T @ (shares / shares.sum(axis=1, keepdims=True)))


CHANGES: dict[str, Change] = {
    change.__name__: change
    for change in (
        *(noise, rotation, shift, contrast, occlusion, shot, impulse, blur),
        *(defocus, motion, brightness, scale, shear, pixelate, jpeg, elastic),
    )
}
SUITE: dict[str, Shift] = {kind: input_shift(change, (0.0, 1.0)) for kind, change in CHANGES.items()}
VOLUMES: dict[str, Shift] = {kind: SUITE[kind] for kind in ("noise", "contrast", "shot", "impulse", "brightness")}
"""Shifts without geometry: the same functions on n × depth × h × w."""
