"""How does raw material become arrays? By rules that only the training part teaches: sizes, lengths, categories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32, Int64

from polyculture.dataset import Dataset
from polyculture.errors import InputError, near

from .column_encoding import Coder
from .raw_data import Inputs, RawData, listed

Shape = Callable[[RawData], Dataset]
MOST_TOKENS = 40
"""Longer sequences of tokens are cut in pieces."""
USUAL = 0.98
"""Recordings are as long as this share of those learned from; longer ones lose their end."""


def shaped(train: RawData, classes: tuple[str, ...]) -> Shape:
    """The function from material to a dataset that this training part teaches."""
    if train.modality == "tags":
        return _tokens(train, classes)
    read = _reader(train)

    def shape(material: RawData) -> Dataset:
        labels = _codes(material, classes) if classes else material.labels
        return Dataset(read(material.inputs), labels, classes, material.known, train.name, train.modality)

    return shape


def _reader(train: RawData) -> Callable[[Inputs], np.ndarray]:
    inputs = train.inputs
    if isinstance(inputs, pd.DataFrame):
        coder = Coder.of(inputs)
        return lambda frame: _coded(coder, frame)
    if train.modality == "audio":
        length = int(np.ceil(np.quantile([len(wave) for wave in inputs], USUAL)))
        return lambda waves: _padded(np.asarray(waves), length)
    if train.modality == "image":
        size = tuple(inputs.shape[1:])
        return lambda images: in_size(np.asarray(images), size)
    if train.modality == "text":
        return np.asarray
    return lambda numbers: _numbers(np.asarray(numbers), inputs.shape[1:], train.modality)


def _coded(coder: Coder, inputs: Inputs) -> np.ndarray:
    if not isinstance(inputs, pd.DataFrame):
        raise InputError("features without names", "columns by name, as those learned from")
    return coder(inputs)


def _numbers(inputs: np.ndarray, shape: tuple[int, ...], modality: str) -> Float32[np.ndarray, "n ..."]:
    if inputs.shape[1:] != shape:
        raise InputError(f"inputs of the shape {inputs.shape[1:]}", f"{shape}, as those learned from")
    return _unit(inputs) if modality == "volume" else np.asarray(inputs, np.float32)


def _codes(material: RawData, classes: tuple[str, ...]) -> Int64[np.ndarray, " n"]:
    known = {name: code for code, name in enumerate(classes)}
    for label in material.labels:
        if label not in known:
            raise InputError(
                f"{material.name} has the class {label!r}", "only classes that are learned", near(str(label), classes)
            )
    return np.array([known[label] for label in material.labels], np.int64)


def _padded(waves: np.ndarray, length: int) -> Float32[np.ndarray, "n t"]:
    table = np.zeros((len(waves), length), np.float32)
    for row, wave in zip(table, waves, strict=True):
        row[: len(wave)] = wave[:length]
    return table


def in_size(images: np.ndarray, size: tuple[int, ...]) -> Float32[np.ndarray, "n ..."]:
    """Images as float32 in [0, 1] with this height, width and number of channels (grey if there is none).

    Whole numbers are parts of 255, or of 65535 where they are larger; a row of pixels is taken for a square image.
    """
    images = _unit(images)
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
    resized: np.ndarray = np.clip(_zoomed(images, size[:2]), 0, 1).astype(np.float32)
    return resized


def _unit(images: np.ndarray) -> Float32[np.ndarray, "n ..."]:
    highest = float(images.max(initial=0))
    top = 1.0 if images.dtype.kind == "f" and highest <= 1 else 255.0 if highest <= 255 else 65535.0
    scaled: np.ndarray = (images / np.float32(top)).astype(np.float32)
    return scaled


def _zoomed(images: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Pixels as means of what they cover where the image gets smaller, linear between them where it gets larger."""
    rows, columns = (_resampling(old, new) for old, new in zip(images.shape[1:3], size, strict=True))
    zoomed: np.ndarray = np.einsum("ah,nhw...,bw->nab...", rows, images, columns, optimize=True)
    return zoomed


def _resampling(old: int, new: int) -> Float[np.ndarray, "new old"]:
    """Triangles around the places of the new pixels, at least one old pixel wide; each row adds up to one."""
    places = (np.arange(new) + 0.5) * old / new - 0.5
    reach = max(1.0, old / new)
    weights = np.maximum(0, 1 - np.abs(np.clip(places, 0, old - 1)[:, None] - np.arange(old)) / reach)
    shares: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _tokens(train: RawData, classes: tuple[str, ...]) -> Shape:
    steps = min(MOST_TOKENS, max(map(len, np.asarray(train.inputs))))
    known = {tag: code for code, tag in enumerate(classes)}

    def shape(material: RawData) -> Dataset:
        whole = _pieces(material, steps)
        labels = np.full((len(whole), steps), -1, np.int64)
        tokens = listed([""] * (len(whole) * steps)).reshape(len(whole), steps)
        for k, (words, tags) in enumerate(zip(whole.inputs, whole.labels, strict=True)):
            strange = next((tag for tag in tags if tag not in known), None)
            if strange is not None:
                raise InputError(
                    f"{material.name} has the tag {strange!r}", "only tags that are learned", near(strange, classes)
                )
            tokens[k, : len(words)] = words
            labels[k, : len(tags)] = [known[tag] for tag in tags]
        return Dataset(tokens.astype(str), labels, classes, whole.known, train.name, "tags")

    return shape


def _pieces(material: RawData, steps: int) -> RawData:
    """Sequences of at most so many tokens; those longer are cut, and the pieces numbered in their ids."""
    sequences, tags = np.asarray(material.inputs), material.labels
    cuts = [(k, start) for k, tokens in enumerate(sequences) for start in range(0, len(tokens), steps)]
    if len(cuts) == len(material):
        return material
    rows = np.array([k for k, _ in cuts])
    names = [f"{material.known.index[k]}+{start}" if start else str(material.known.index[k]) for k, start in cuts]
    whole = material.take(rows)
    return replace(
        whole,
        inputs=listed([sequences[k][start : start + steps] for k, start in cuts]),
        labels=listed([tags[k][start : start + steps] for k, start in cuts]),
        known=whole.known.set_axis(pd.Index(names, name="instance"), axis="index"),
    )
