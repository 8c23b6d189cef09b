"""How are numeric inputs augmented? With noise, mixtures, masks, scaling and warping."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped

from polyculture.dataset import Dataset

Transformed = tuple[np.ndarray, np.ndarray | None]
"""Augmented inputs, and the shares of each class where labels are mixed."""


def noise(train: Dataset, generator: np.random.Generator, amount: float = 0.1) -> Transformed:
    """Images and volumes with Gaussian noise of this standard deviation; audio with this share of its loudness."""
    inputs = train.array
    white = generator.standard_normal(inputs.shape, np.float32)
    if train.modality == "audio":
        loudness = np.sqrt((inputs**2).mean(axis=1, keepdims=True))
        return np.clip(inputs + amount * loudness * white, -1, 1).astype(inputs.dtype), None
    return np.clip(inputs + amount * white, 0, 1).astype(inputs.dtype), None


def jitter(train: Dataset, generator: np.random.Generator, amount: float = 0.1) -> Transformed:
    """Every feature with Gaussian noise of this share of its standard deviation over the training set."""
    inputs = train.array
    spread = inputs.reshape(-1, inputs.shape[-1]).std(axis=0)
    return (inputs + amount * spread * generator.standard_normal(inputs.shape, np.float32)).astype(inputs.dtype), None


def mixup(train: Dataset, generator: np.random.Generator, alpha: float = 0.2) -> Transformed:
    """Every instance mixed with another one, λ : 1 − λ with λ from Beta(alpha, alpha), and their labels with them.

    Source: Zhang et al. 2018.
    """
    inputs, n, c = train.array, len(train), len(train.classes)
    partner = generator.permutation(n)
    weight = generator.beta(alpha, alpha, n).astype(np.float32)
    factor = weight.reshape(n, *[1] * (inputs.ndim - 1))
    shares = np.zeros((n, c), np.float32)
    np.add.at(shares, (np.arange(n), train.labels), weight)
    np.add.at(shares, (np.arange(n), train.labels[partner]), 1 - weight)
    return (factor * inputs + (1 - factor) * inputs[partner]).astype(inputs.dtype), shares


def mask(train: Dataset, generator: np.random.Generator, share: float = 0.1) -> Transformed:
    """This share of the values of a table replaced by the same feature's value in another row (swap noise).

    Source: Bahri et al. 2022 (SCARF).
    """
    inputs = train.array
    rows = generator.integers(0, len(train), inputs.shape)
    replacements = np.take_along_axis(inputs, rows, axis=0)
    return np.where(generator.random(inputs.shape) < share, replacements, inputs), None


def scaling(train: Dataset, generator: np.random.Generator, amount: float = 0.1) -> Transformed:
    """Every feature of each series times a factor from N(1, amount²). Source: Um et al. 2017."""
    n, _, features = train.array.shape
    factors = generator.normal(1, amount, (n, 1, features))
    return (train.array * factors).astype(train.array.dtype), None


def window_warp(train: Dataset, generator: np.random.Generator, share: float = 0.1) -> Transformed:
    """A window of this share of each series at double or half speed; the length stays, by linear interpolation.

    Source: Le Guennec et al. 2016.
    """
    n, steps = train.array.shape[:2]
    length = max(2, round(share * steps))
    start = generator.integers(0, max(1, steps - length), n)[:, None]
    speed = generator.choice([0.5, 2.0], n)[:, None]
    window = (np.arange(steps - 1) >= start) & (np.arange(steps - 1) < start + length)
    elapsed = np.cumsum(np.where(window, speed, 1.0), axis=1)
    positions = np.concatenate([np.zeros((n, 1)), elapsed], axis=1) * (steps - 1) / elapsed[:, -1:]
    return interpolated(train.array, positions), None


def interpolated(
    series: Shaped[np.ndarray, "n t ..."], positions: Float[np.ndarray, "n s"]
) -> Shaped[np.ndarray, "n s ..."]:
    """Each series at these positions between its first step (0) and its last (t − 1), linearly; zero beyond."""
    steps = series.shape[1]
    valid = (positions >= 0) & (positions <= steps - 1)
    low = np.clip(np.floor(positions).astype(np.int64), 0, max(0, steps - 2))
    shape = (*positions.shape, *[1] * (series.ndim - 2))
    high = np.where(valid, positions - low, 0).astype(np.float32).reshape(shape)
    rows = np.arange(len(series))[:, None]
    values = (1 - high) * series[rows, low] + high * series[rows, np.minimum(low + 1, steps - 1)]
    return np.asarray(values * valid.reshape(shape), series.dtype)
