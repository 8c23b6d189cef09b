"""How is a folder of images read? One subfolder per class, images of any format that Pillow opens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from polyculture.errors import FileError, InputError, need

from ..data_options import DataOptions, is_visible
from ..raw_data import RawData, full_scale, instance_table, object_array

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
MAX_SIDE = 64
"""Maximum pixels a side of an image; larger ones are made smaller."""
DEEP_MODES = ("I", "F")
"""First letters of Pillow's modes of grey pictures with more than 8 bits, which `convert` would cut at 255."""


def read_images(paths: Sequence[Path], options: DataOptions) -> RawData:  # noqa: ARG001
    """Images whose folder is their class; parent folders called train, test or val are parts.

    All are resized to their most common size, at most 64 pixels a side, and grey if all of them are grey. Pictures of
    more than 8 bits are scaled to 0 … 255, all by the same factor: the brightest tells whether they have 10, 12, 14 or
    16 bits, or fractions up to 1.

    Raises InputError for images in the folder itself and for pixels outside of 0 … 65535, FileError for an image that
    cannot be read.
    """
    folder = paths[0]
    paths_below = [path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS]
    files = sorted(path for path in paths_below if is_visible(path.relative_to(folder)))
    relative_paths = [path.relative_to(folder) for path in files]
    if any(len(path.parts) < 2 for path in relative_paths):
        raise InputError(f"pictures in {folder} itself, such as {files[0].name}", "a subfolder for each class")
    originals = _in_8_bits([_load_image(path) for path in files], files)
    sizes = Counter(image.shape[:2] for image in originals)
    height, width = max(sizes, key=lambda size: (sizes[size], size))
    shrink = min(1.0, MAX_SIDE / max(height, width))
    grey = all((image == image[..., :1]).all() for image in originals)
    size = (max(1, round(height * shrink)), max(1, round(width * shrink)))
    images = np.stack([_resize(image[..., 0] if grey else image, size) for image in originals])
    ids = pd.Index([path.as_posix() for path in relative_paths], name="instance")
    instances = instance_table(len(files)).set_axis(ids, axis="index")
    return RawData(
        folder.name,
        "image",
        images,
        object_array([path.parts[-2] for path in relative_paths]),
        instances,
        np.array([_part_of_folder(path) for path in relative_paths]),
        f"{len(files):,} pictures of {' × '.join(map(str, images.shape[1:3]))} pixels",
        255.0,
    )


def _load_image(path: Path) -> np.ndarray:
    need("PIL", extra="images")
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode.startswith(DEEP_MODES):
                return np.asarray(image, np.float32)[..., None]
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise FileError(f"cannot read the picture {path}: {error}", "a picture that Pillow opens") from error


def _in_8_bits(images: Sequence[np.ndarray], files: Sequence[Path]) -> list[np.ndarray]:
    """The images; those with more than 8 bits (floats of one channel) as three equal channels in 0 … 255."""
    floats = [(image, path) for image, path in zip(images, files, strict=True) if image.dtype.kind == "f"]
    for image, path in floats:
        if not (image.min(initial=0) >= 0 and image.max(initial=0) <= 65535):
            invalid = image.min() if image.min() < 0 else image.max()
            raise InputError(
                f"the picture {path} holds the pixel {invalid:g}", "pixels in 0 … 65535", "scale it to 8 or 16 bits"
            )
    highest = max((float(image.max(initial=0)) for image, _ in floats), default=0.0)
    factor = np.float32(255 / full_scale(highest, highest <= 1))
    return [np.repeat(image * factor, 3, axis=2) if image.dtype.kind == "f" else image for image in images]


def _resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    from PIL import Image

    if image.shape[:2] == size:
        return image
    if image.ndim == 3 and image.dtype.kind == "f":
        return np.stack([_resize(channel, size) for channel in np.moveaxis(image, 2, 0)], axis=2)
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))


def _part_of_folder(path: Path) -> str:
    parts = {"train": "train", "val": "selection", "valid": "selection", "dev": "selection", "test": "test"}
    return next((parts[name.lower()] for name in path.parts[:-2] if name.lower() in parts), "")
