"""How is a folder of pictures read? One subfolder per class, pictures of any format that Pillow opens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from polyculture.errors import FileError, InputError, need

from ..data_options import DataOptions
from ..raw_data import RawData, listed, numbered

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
LARGEST = 64
"""Pixels a side that a picture is read with at most; larger ones are made smaller."""


def read_pictures(paths: Sequence[Path], source: DataOptions) -> RawData:  # noqa: ARG001
    """Pictures whose folder is their class; folders above that say train, test or val are parts.

    All are brought to the commonest size among them, at most 64 pixels a side, grey if all of them are grey.

    Raises InputError for pictures in one folder only, FileError for one that cannot be read.
    """
    folder = paths[0]
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    below = [path.relative_to(folder) for path in files]
    if any(len(path.parts) < 2 for path in below):
        raise InputError(f"pictures in {folder} itself, such as {files[0].name}", "a subfolder for each class")
    opened = [_opened(path) for path in files]
    sizes = Counter(image.shape[:2] for image in opened)
    height, width = max(sizes, key=lambda size: (sizes[size], size))
    shrink = min(1.0, LARGEST / max(height, width))
    grey = all(_is_grey(image) for image in opened)
    size = (max(1, round(height * shrink)), max(1, round(width * shrink)))
    pictures = np.stack([_resized(image[..., 0] if grey else image, size) for image in opened])
    parts = np.array([_part(path) for path in below])
    known = numbered(len(files)).set_axis([path.as_posix() for path in below], axis="index").rename_axis("instance")
    return RawData(
        folder.name,
        "image",
        pictures,
        listed([path.parts[-2] for path in below]),
        known,
        parts if (parts != "").any() else np.array([], dtype=str),
        f"{len(files):,} pictures of {' × '.join(map(str, pictures.shape[1:3]))} pixels",
    )


def _opened(path: Path) -> np.ndarray:
    need("PIL", extra="images")
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise FileError(f"cannot read the picture {path}: {error}", "a picture that Pillow opens") from error


def _is_grey(image: np.ndarray) -> bool:
    return bool((image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all())


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    from PIL import Image

    if image.shape[:2] == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))


def _part(below: Path) -> str:
    parts = {"train": "train", "val": "selection", "valid": "selection", "dev": "selection", "test": "test"}
    return next((parts[name.lower()] for name in below.parts[:-2] if name.lower() in parts), "")
