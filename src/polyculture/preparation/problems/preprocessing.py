"""How does raw data become arrays? By rules learned from the training part only: sizes, lengths, categories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32, Int64

from polyculture.dataset import Dataset
from polyculture.errors import InputError, near

from .column_encoding import ColumnEncoder
from .raw_data import Inputs, RawData, object_array

Preprocessor = Callable[[RawData], Dataset]
MAX_TOKENS = 40
"""Longer sequences of tokens are split in pieces."""
LENGTH_QUANTILE = 0.98
"""Recordings get the length of this quantile of the training recordings; longer ones lose their end."""


def fit_preprocessing(train: RawData, classes: tuple[str, ...], columns: ColumnEncoder | None) -> Preprocessor:
    """The function from raw data to a dataset, with rules learned from this training part; columns as these say."""
    if train.modality == "tags":
        return _tokens(train, classes)
    to_array = _array_maker(train, columns)

    def preprocess(raw: RawData) -> Dataset:
        labels = _codes(raw, classes) if classes else raw.labels
        return Dataset(to_array(raw), labels, classes, raw.instances, train.name, train.modality)

    return preprocess


def _array_maker(train: RawData, columns: ColumnEncoder | None) -> Callable[[RawData], np.ndarray]:
    inputs = train.inputs
    if columns is not None:
        return lambda raw: _encoded(columns, raw.inputs)
    if train.modality == "audio":
        length = int(np.ceil(np.quantile([len(wave) for wave in inputs], LENGTH_QUANTILE)))
        return lambda raw: _padded(np.asarray(raw.inputs), length)
    if train.modality == "image":
        size = tuple(inputs.shape[1:])
        return lambda raw: resized_images(np.asarray(raw.inputs), size, raw.full_pixel)
    if train.modality == "text":
        return lambda raw: np.asarray(raw.inputs)
    return lambda raw: _numbers(raw, inputs.shape[1:], train.modality)


def _encoded(encoder: ColumnEncoder, inputs: Inputs) -> np.ndarray:
    if not isinstance(inputs, pd.DataFrame):
        raise InputError("features without names", "columns by name, as those learned from")
    return encoder(inputs)


def _numbers(raw: RawData, shape: tuple[int, ...], modality: str) -> Float32[np.ndarray, "n ..."]:
    inputs = np.asarray(raw.inputs)
    if inputs.shape[1:] != shape:
        raise InputError(f"inputs of the shape {inputs.shape[1:]}", f"{shape}, as those learned from")
    return _unit(inputs, raw.full_pixel) if modality == "volume" else np.asarray(inputs, np.float32)


def _codes(raw: RawData, classes: tuple[str, ...]) -> Int64[np.ndarray, " n"]:
    codes_by_class = {name: code for code, name in enumerate(classes)}
    for label in raw.labels:
        if label not in codes_by_class:
            raise InputError(
                f"{raw.name} has the class {label!r}", "only classes that are learned", near(str(label), classes)
            )
    return np.array([codes_by_class[label] for label in raw.labels], np.int64)


def _padded(waves: np.ndarray, length: int) -> Float32[np.ndarray, "n t"]:
    table = np.zeros((len(waves), length), np.float32)
    for row, wave in zip(table, waves, strict=True):
        row[: len(wave)] = wave[:length]
    return table


def resized_images(images: np.ndarray, size: tuple[int, ...], white: float) -> Float32[np.ndarray, "n ..."]:
    """Images as float32 in [0, 1] with this height, width and number of channels (grey if there is none).

    `white` is the number of a full pixel; a row of pixels is read as a square image.
    """
    images = _unit(images, white)
    side = int(np.sqrt(images.shape[-1]))
    if images.ndim == 2 and side * side == images.shape[1]:
        images = images.reshape(-1, side, side)
    if len(size) == 2 and images.ndim == 4:
        images = images.mean(axis=3)
    if len(size) == 3 and images.ndim == 3:
        images = np.repeat(images[..., None], size[2], axis=3)
    if images.ndim != len(size) + 1 or images.shape[3:] != tuple(size[2:]):
        raise InputError(
            f"images of the size {' × '.join(map(str, images.shape[1:]))}",
            f"{' × '.join(map(str, size))}, or others with as many channels",
        )
    if images.shape[1:3] == tuple(size[:2]):
        return images
    return np.asarray(np.clip(_zoomed(images, size[:2]), 0, 1).astype(np.float32))


def _unit(images: np.ndarray, white: float) -> Float32[np.ndarray, "n ..."]:
    return (images / np.float32(white)).astype(np.float32)


def _zoomed(images: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Area means where the image gets smaller, linear interpolation where it gets larger."""
    rows, columns = (_resampling(old, new) for old, new in zip(images.shape[1:3], size, strict=True))
    return np.asarray(np.einsum("ah,nhw...,bw->nab...", rows, images, columns, optimize=True))


def _resampling(old: int, new: int) -> Float[np.ndarray, "new old"]:
    """Triangles around the positions of the new pixels, at least one old pixel wide; each row sums to one."""
    positions = (np.arange(new) + 0.5) * old / new - 0.5
    reach = max(1.0, old / new)
    weights = np.maximum(0, 1 - np.abs(np.clip(positions, 0, old - 1)[:, None] - np.arange(old)) / reach)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _tokens(train: RawData, classes: tuple[str, ...]) -> Preprocessor:
    steps = min(MAX_TOKENS, max(map(len, np.asarray(train.inputs))))
    codes_by_tag = {tag: code for code, tag in enumerate(classes)}

    def preprocess(raw: RawData) -> Dataset:
        pieces = _pieces(raw, steps)
        labels = np.full((len(pieces), steps), -1, np.int64)
        tokens = object_array([""] * (len(pieces) * steps)).reshape(len(pieces), steps)
        for k, (words, tags) in enumerate(zip(pieces.inputs, pieces.labels, strict=True)):
            unknown = next((tag for tag in tags if tag not in codes_by_tag), None)
            if unknown is not None:
                raise InputError(
                    f"{raw.name} has the tag {unknown!r}", "only tags that are learned", near(unknown, classes)
                )
            tokens[k, : len(words)] = words
            labels[k, : len(tags)] = [codes_by_tag[tag] for tag in tags]
        return Dataset(tokens.astype(str), labels, classes, pieces.instances, train.name, "tags")

    return preprocess


def _pieces(raw: RawData, steps: int) -> RawData:
    """Sequences of at most this many tokens; longer ones are split, the ids of their pieces end in the position."""
    sequences, tags = np.asarray(raw.inputs), raw.labels
    cuts = [(k, start) for k, tokens in enumerate(sequences) for start in range(0, len(tokens), steps)]
    if len(cuts) == len(raw):
        return raw
    rows = np.array([k for k, _ in cuts])
    names = [f"{raw.instances.index[k]}+{start}" if start else str(raw.instances.index[k]) for k, start in cuts]
    pieces = raw.take(rows)
    return replace(
        pieces,
        inputs=object_array([sequences[k][start : start + steps] for k, start in cuts]),
        labels=object_array([tags[k][start : start + steps] for k, start in cuts]),
        instances=pieces.instances.set_axis(pd.Index(names, name="instance"), axis="index"),
    )
