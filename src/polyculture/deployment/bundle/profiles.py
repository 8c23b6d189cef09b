"""Which few numbers describe an input? Those by which the watch notices that inputs are not what they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from polyculture.models import tokenizer

from .manifest import Manifest

MOST_COLUMNS = 200
"""Columns of a table that are described; the others are left out."""
LOUDNESS_FLOOR = 1e-6

NAMES = {
    "image": ("brightness", "contrast", "sharpness", "darkest", "brightest"),
    "volume": ("brightness", "contrast", "sharpness", "darkest", "brightest"),
    "audio": ("loudness", "peak", "crossings", "roughness"),
    "text": ("characters", "words", "unknown_words", "word_length"),
    "tags": ("tokens", "unknown_words", "capitals", "digits"),
}
"""Numbers of an input by modality; of a table its columns, of a series mean and spread of each feature."""


def profile_names(manifest: Manifest) -> tuple[str, ...]:
    """Names of the numbers of `profile`, in their order."""
    if manifest.modality in NAMES:
        return NAMES[manifest.modality]
    if manifest.modality == "series":
        features = range(min(manifest.input_shape[-1], MOST_COLUMNS // 2))
        return tuple(f"{part}_{feature + 1}" for part in ("mean", "spread") for feature in features)
    names = [column.name for column in manifest.columns] or [f"x{i}" for i in range(manifest.input_shape[0])]
    return tuple(names[:MOST_COLUMNS])


def profile(
    manifest: Manifest, encoders: Mapping[str, Any], raw: Shaped[np.ndarray, "n ..."]
) -> Float[np.ndarray, "n p"]:
    """A row of numbers for each raw input, float64; nan where a cell of a table is missing, −1 an unknown category.

    Images: mean, standard deviation, mean difference of neighbours, least and greatest grey level. Recordings: level
    in decibels, peak, share of changes of sign, mean difference of samples ÷ mean size. Texts: characters, words, share
    of words that are not in the vocabulary, characters per word. Tags: tokens, share of unknown words, share with a
    capital, share with a digit. Series: mean and standard deviation of each feature.
    """
    if manifest.modality in ("image", "volume"):
        return _of_images(np.asarray(raw, np.float64))
    if manifest.modality == "audio":
        return _of_sound(np.asarray(raw, np.float64))
    if manifest.modality == "text":
        return _of_texts(raw, _vocabulary(encoders))
    if manifest.modality == "tags":
        return _of_tokens(raw, _vocabulary(encoders))
    numbers = np.asarray(raw, np.float64)
    if manifest.modality == "series":
        limit = MOST_COLUMNS // 2
        return np.concatenate([numbers.mean(axis=1)[:, :limit], numbers.std(axis=1)[:, :limit]], axis=1)
    return numbers[:, :MOST_COLUMNS]


def _of_images(images: Float[np.ndarray, "n ..."]) -> Float[np.ndarray, "n 5"]:
    flat = images.reshape(len(images), -1)
    steps = np.abs(np.diff(images, axis=2)).reshape(len(images), -1)
    sharpness = steps.mean(axis=1) if steps.shape[1] else np.zeros(len(images))
    return np.stack([flat.mean(axis=1), flat.std(axis=1), sharpness, flat.min(axis=1), flat.max(axis=1)], axis=1)


def _of_sound(waves: Float[np.ndarray, "n t"]) -> Float[np.ndarray, "n 4"]:
    power = np.sqrt((waves**2).mean(axis=1))
    size = np.maximum(np.abs(waves).mean(axis=1), LOUDNESS_FLOOR)
    crossings = (np.diff(np.signbit(waves), axis=1)).mean(axis=1)
    roughness = np.abs(np.diff(waves, axis=1)).mean(axis=1) / size
    return np.stack(
        [20 * np.log10(np.maximum(power, LOUDNESS_FLOOR)), np.abs(waves).max(axis=1), crossings, roughness], axis=1
    )


def _of_texts(texts: Shaped[np.ndarray, " n"], vocabulary: Mapping[str, int]) -> Float[np.ndarray, "n 4"]:
    rows = np.empty((len(texts), 4))
    for row, text in zip(rows, texts, strict=True):
        words = tokenizer.split(text)
        count = max(len(words), 1)
        unknown = sum(word not in vocabulary for word in words) if vocabulary else 0
        row[:] = len(text), len(words), unknown / count, sum(map(len, words)) / count
    return rows


def _of_tokens(tokens: Shaped[np.ndarray, "n l"], vocabulary: Mapping[str, int]) -> Float[np.ndarray, "n 4"]:
    rows = np.empty((len(tokens), 4))
    for row, sequence in zip(rows, tokens.tolist(), strict=True):
        words = [token for token in sequence if token]
        count = max(len(words), 1)
        unknown = sum(word.lower() not in vocabulary for word in words) if vocabulary else 0
        capitals = sum(any(c.isupper() for c in word) for word in words)
        digits = sum(any(c.isdigit() for c in word) for word in words)
        row[:] = len(words), unknown / count, capitals / count, digits / count
    return rows


def _vocabulary(encoders: Mapping[str, Any]) -> Mapping[str, int]:
    """Words of the first view that has some; empty where none has."""
    return next((dict(encoder["codes"][0]) for encoder in encoders.values()), {})
