"""How are numbers seen anew? Noise, mixtures, and what tables and series allow besides."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped

from polyculture.dataset import Dataset

Transformed = tuple[np.ndarray, np.ndarray | None]
"""Inputs seen anew, and the shares of each class where labels are mixed."""


def noise(train: Dataset, generator: np.random.Generator, amount: float = 0.1) -> Transformed:
    """Images and volumes with Gaussian noise of this standard deviation; sounds with this share of their loudness."""
    inputs = train.inputs
    white = generator.standard_normal(inputs.shape, np.float32)
    if train.modality == "audio":
        loudness = np.sqrt((inputs**2).mean(axis=1, keepdims=True))
        return np.clip(inputs + amount * loudness * white, -1, 1).astype(inputs.dtype), None
    return np.clip(inputs + amount * white, 0, 1).astype(inputs.dtype), None


def jitter(train: Dataset, generator: np.random.Generator, amount: float = 0.1) -> Transformed:
    """Every feature with Gaussian noise of this share of its standard deviation over the training set."""
    inputs = train.inputs
    spread = inputs.reshape(-1, inputs.shape[-1]).std(axis=0)
    return (inputs + amount * spread * generator.standard_normal(inputs.shape, np.float32)).astype(inputs.dtype), None


def mixup(train: Dataset, generator: np.random.Generator, alpha: float = 0.2) -> Transformed:
    """Every instance mixed with another one, λ : 1 − λ with λ from Beta(alpha, alpha), and so their labels.

    Source: Zhang et al. 2018.
    """
    inputs, n, c = train.inputs, len(train), len(train.classes)
    partner = generator.permutation(n)
    weight = generator.beta(alpha, alpha, n).astype(np.float32)
    each = weight.reshape(n, *[1] * (inputs.ndim - 1))
    shares = np.zeros((n, c), np.float32)
    np.add.at(shares, (np.arange(n), train.labels), weight)
    np.add.at(shares, (np.arange(n), train.labels[partner]), 1 - weight)
    return (each * inputs + (1 - each) * inputs[partner]).astype(inputs.dtype), shares


def mask(train: Dataset, generator: np.random.Generator, share: float = 0.1) -> Transformed:
    """This share of the values of a table replaced by the same feature's value in another row (swap noise).

    Source: Bahri et al. 2022 (SCARF).
    """
    inputs = train.inputs
    rows = generator.integers(0, len(train), inputs.shape)
    strangers = np.take_along_axis(inputs, rows, axis=0)
    return np.where(generator.random(inputs.shape) < share, strangers, inputs), None


def scaling(train: Dataset, generator: np.random.Generator, amount: float = 0.1) -> Transformed:
    """Every feature of each series times a factor from N(1, amount²). Source: Um et al. 2017."""
    n, _, features = train.inputs.shape
    factors = generator.normal(1, amount, (n, 1, features))
    return (train.inputs * factors).astype(train.inputs.dtype), None


def window_warp(train: Dataset, generator: np.random.Generator, share: float = 0.1) -> Transformed:
    """A window of this share of each series passes at double or half speed, the rest evenly; as long as before.

    Source: Le Guennec et al. 2016.
    """
    n, steps = train.inputs.shape[:2]
    length = max(2, round(share * steps))
    start = generator.integers(0, max(1, steps - length), n)[:, None]
    speed = generator.choice([0.5, 2.0], n)[:, None]
    within = (np.arange(steps - 1) >= start) & (np.arange(steps - 1) < start + length)
    passed = np.cumsum(np.where(within, speed, 1.0), axis=1)
    places = np.concatenate([np.zeros((n, 1)), passed], axis=1) * (steps - 1) / passed[:, -1:]
    return interpolated(train.inputs, places), None


def interpolated(
    series: Shaped[np.ndarray, "n t ..."], places: Float[np.ndarray, "n s"]
) -> Shaped[np.ndarray, "n s ..."]:
    """Each series read at these places between its first step (0) and its last (t − 1), linearly; zero outside."""
    steps = series.shape[1]
    inside = (places >= 0) & (places <= steps - 1)
    low = np.clip(np.floor(places).astype(np.int64), 0, max(0, steps - 2))
    more = [1] * (series.ndim - 2)
    high = np.where(inside, places - low, 0).astype(np.float32).reshape(*places.shape, *more)
    rows = np.arange(len(series))[:, None]
    read = (1 - high) * series[rows, low] + high * series[rows, np.minimum(low + 1, steps - 1)]
    found: np.ndarray = (read * inside.reshape(*places.shape, *more)).astype(series.dtype)
    return found
