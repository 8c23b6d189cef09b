"""How are arrays of images read? NumPy archives in the layouts of Keras and MedMNIST, and the IDX files of MNIST."""

from __future__ import annotations

import gzip
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from polyculture.dataset import Modality
from polyculture.errors import FileError, InputError

from ..data_options import DataOptions, part_of, stem_of
from ..raw_data import RawData, listed, numbered

LAYOUTS = (
    (("x_train", "y_train", "train"), ("x_val", "y_val", "selection"), ("x_test", "y_test", "test")),
    (
        ("train_images", "train_labels", "train"),
        ("val_images", "val_labels", "selection"),
        ("test_images", "test_labels", "test"),
    ),
    (("x", "y", ""),),
    (("images", "labels", ""),),
)
"""Names of inputs and labels in an archive, and the part that they are."""
CHANNELS = (1, 3, 4)
_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_archive(paths: Sequence[Path], source: DataOptions) -> RawData:
    """The instances of one .npz file: x_train, y_train, x_test, y_test; train_images, …; or x, y."""
    path = _one(paths)
    try:
        with np.load(path, allow_pickle=False) as archive:
            held = {name.lower(): archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise FileError(f"cannot read {path}: {_reason(error)}", "an archive that numpy.savez wrote") from error
    layout = next((rows for rows in LAYOUTS if set(rows[0][:2]) <= set(held)), None)
    if layout is None:
        raise InputError(
            f"{path} holds the arrays {', '.join(sorted(held)) or 'none'}",
            "x_train, y_train, x_test, y_test; train_images, train_labels, …; or x, y",
        )
    there = [(held[x], held[y], part) for x, y, part in layout if x in held and y in held]
    return _joined(stem_of(path), there, source)


def read_idx_folder(paths: Sequence[Path], source: DataOptions) -> RawData:
    """The instances of IDX files: each file of images with the file of labels of the same name."""
    found = []
    for images in (path for path in paths if "images" in path.name):
        names = (images.name.replace("images-idx3", "labels-idx1"), images.name.replace("images", "labels"))
        labels = next((other for name in names if (other := images.with_name(name)) in paths), None)
        if labels is None:
            raise FileError(f"{images} has no labels", f"{names[0]} beside it")
        found.append((read_idx(images), read_idx(labels), part_of(images)))
    if not found:
        raise FileError(f"{paths[0].parent} has no images", "files such as train-images-idx3-ubyte.gz")
    return _joined(paths[0].parent.name, found, source)


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file, plain or gzipped; FileError if it is damaged or something else."""
    expected = "an IDX file, such as train-images-idx3-ubyte.gz"
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        zeros, kind, axes = struct.unpack(">HBB", content[:4])
        if zeros or kind not in _IDX_TYPES:
            raise ValueError("not the beginning of an IDX file")
        shape = struct.unpack(f">{axes}I", content[4 : 4 + 4 * axes])
        array = np.frombuffer(content, _IDX_TYPES[kind], offset=4 + 4 * axes).reshape(shape)
        return array.astype(array.dtype.newbyteorder("="))
    except (OSError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise FileError(f"cannot read {path}: {_reason(error)}", expected) from error


def _joined(name: str, parts: Sequence[tuple[np.ndarray, np.ndarray, str]], source: DataOptions) -> RawData:
    inputs = np.concatenate([x for x, _, _ in parts])
    labels = np.concatenate([y.reshape(len(y), -1) for _, y, _ in parts])
    if len(inputs) != len(labels) or labels.shape[1] != 1:
        raise InputError(
            f"{name} has {len(inputs)} inputs and labels of the shape {labels.shape}", "one label for each input"
        )
    named = np.concatenate([np.full(len(x), part) for x, _, part in parts])
    material = RawData(
        name, _modality(inputs, source), inputs, listed(labels[:, 0].tolist()), numbered(len(inputs)), named
    )
    return _as_images(material) if material.modality == "image" else material


def _modality(inputs: np.ndarray, source: DataOptions) -> Modality:
    if source.kind in ("image", "table"):
        return "image" if source.kind == "image" else "table"
    if inputs.ndim == 2:
        return "table"
    if inputs.ndim == 3 or (inputs.ndim == 4 and inputs.shape[-1] in CHANNELS):
        return "image"
    if inputs.ndim == 4:
        return "volume"
    raise InputError(f"inputs of the shape {inputs.shape}", "features, images or volumes: 2, 3 or 4 axes")


def _as_images(material: RawData) -> RawData:
    images = np.asarray(material.inputs)
    if images.ndim == 2:
        side = round(images.shape[1] ** 0.5)
        if side * side != images.shape[1]:
            raise InputError(f"rows of {images.shape[1]} pixels", "as many as a square image has")
        images = images.reshape(-1, side, side)
    return replace(material, inputs=images[..., 0] if images.shape[-1] == 1 and images.ndim == 4 else images)


def _one(paths: Sequence[Path]) -> Path:
    if len(paths) > 1:
        raise InputError(f"{len(paths)} archives", "one", "name others by test_on (--test-on)")
    return paths[0]


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
