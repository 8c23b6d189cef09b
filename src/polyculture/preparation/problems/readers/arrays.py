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
from ..raw_data import RawData, instance_table, object_array

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
"""Names of inputs and labels in an archive, and the part that they belong to."""
CHANNELS = (1, 3, 4)
_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_archive(paths: Sequence[Path], options: DataOptions) -> RawData:
    """The instances of one .npz file: x_train, y_train, x_test, y_test; train_images, …; or x, y."""
    if len(paths) > 1:
        raise InputError(f"{len(paths)} archives", "one", "name others by test_on (--test-on)")
    path = paths[0]
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name.lower(): archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise FileError(f"cannot read {path}: {_reason(error)}", "an archive that numpy.savez wrote") from error
    layout = next((rows for rows in LAYOUTS if set(rows[0][:2]) <= set(arrays)), None)
    if layout is None:
        raise InputError(
            f"{path} holds the arrays {', '.join(sorted(arrays)) or 'none'}",
            "x_train, y_train, x_test, y_test; train_images, train_labels, …; or x, y",
        )
    parts = [(arrays[x], arrays[y], part) for x, y, part in layout if x in arrays and y in arrays]
    return _concatenated(stem_of(path), parts, options)


def read_idx_folder(paths: Sequence[Path], options: DataOptions) -> RawData:
    """The instances of IDX files: each file of images with the file of labels of the same name."""
    parts = []
    for images in (path for path in paths if "images" in path.name):
        names = (images.name.replace("images-idx3", "labels-idx1"), images.name.replace("images", "labels"))
        labels = next((path for name in names if (path := images.with_name(name)) in paths), None)
        if labels is None:
            raise FileError(f"{images} has no labels", f"{names[0]} beside it")
        parts.append((read_idx(images), read_idx(labels), part_of(images)))
    if not parts:
        raise FileError(f"{paths[0].parent} has no images", "files such as train-images-idx3-ubyte.gz")
    return _concatenated(paths[0].parent.name, parts, options)


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file, gzipped or not; FileError if it is damaged or not an IDX file."""
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


def _concatenated(name: str, parts: Sequence[tuple[np.ndarray, np.ndarray, str]], options: DataOptions) -> RawData:
    inputs = np.concatenate([x for x, _, _ in parts])
    labels = np.concatenate([y.reshape(len(y), -1) for _, y, _ in parts])
    if len(inputs) != len(labels) or labels.shape[1] != 1:
        raise InputError(
            f"{name} has {len(inputs)} inputs and labels of the shape {labels.shape}", "one label for each input"
        )
    part = np.concatenate([np.full(len(x), name) for x, _, name in parts])
    raw = RawData(
        name, _modality(inputs, options), inputs, object_array(labels[:, 0].tolist()), instance_table(len(inputs)), part
    )
    return _image_data(raw) if raw.modality == "image" else raw


def _modality(inputs: np.ndarray, options: DataOptions) -> Modality:
    if options.kind in ("image", "table"):
        return "image" if options.kind == "image" else "table"
    if inputs.ndim == 2:
        return "table"
    if inputs.ndim == 3 or (inputs.ndim == 4 and inputs.shape[-1] in CHANNELS):
        return "image"
    if inputs.ndim == 4:
        return "volume"
    raise InputError(f"inputs of the shape {inputs.shape}", "features, images or volumes: 2, 3 or 4 axes")


def _image_data(raw: RawData) -> RawData:
    images = np.asarray(raw.inputs)
    if images.ndim == 2:
        side = round(images.shape[1] ** 0.5)
        if side * side != images.shape[1]:
            raise InputError(f"rows of {images.shape[1]} pixels", "as many as a square image has")
        images = images.reshape(-1, side, side)
    return replace(raw, inputs=images[..., 0] if images.shape[-1] == 1 and images.ndim == 4 else images)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
