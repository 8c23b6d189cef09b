"""How are recordings augmented? By volume, speed, and silenced stretches of time and frequency."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from polyculture.dataset import Dataset

from .numeric import Transformed, interpolated

BATCH_SIZE = 256
"""Waveforms per batch; bounds memory."""


def gain(train: Dataset, generator: np.random.Generator, decibels: float = 6.0) -> Transformed:
    """Each waveform louder or softer by at most this many decibels, clipped to [−1, 1]."""
    factor = 10 ** (generator.uniform(-decibels, decibels, len(train)) / 20)
    return np.clip(train.array * factor[:, None], -1, 1).astype(train.array.dtype), None


def speed(train: Dataset, generator: np.random.Generator, amount: float = 0.1) -> Transformed:
    """Each waveform played faster or slower by at most this share, cut or padded with silence to its original length.

    Pitch changes with speed. Source: Ko et al. 2015.
    """
    factor = generator.uniform(1 - amount, 1 + amount, len(train))
    steps = np.arange(train.array.shape[1])
    return _in_batches(train.array, lambda waves, rows: interpolated(waves, factor[rows, None] * steps)), None


def time_mask(train: Dataset, generator: np.random.Generator, share: float = 0.2) -> Transformed:
    """A stretch of each waveform silenced, at most this share of it (Park et al. 2019, SpecAugment)."""
    steps = train.array.shape[1]
    start, end = (steps * ends for ends in _stretch(len(train), share, generator))
    positions = np.arange(steps)
    return np.where((positions >= start) & (positions < end), 0, train.array).astype(train.array.dtype), None


def frequency_mask(train: Dataset, generator: np.random.Generator, share: float = 0.2) -> Transformed:
    """A band of each waveform's frequencies silenced, at most this share of the mel scale (Park et al. 2019)."""
    steps = train.array.shape[1]
    mel = np.log1p(np.fft.rfftfreq(steps, 1 / 8000) / 700) / np.log1p(4000 / 700)
    start, end = _stretch(len(train), share, generator)

    def silenced(waves: np.ndarray, rows: slice) -> np.ndarray:
        spectrum = np.fft.rfft(waves, axis=1)
        spectrum[(mel >= start[rows]) & (mel < end[rows])] = 0
        return np.clip(np.fft.irfft(spectrum, steps, axis=1), -1, 1)

    return _in_batches(train.array, silenced), None


def specaugment(train: Dataset, generator: np.random.Generator, share: float = 0.2) -> Transformed:
    """A stretch of time and a band of frequencies of each waveform silenced (Park et al. 2019)."""
    masked, _ = time_mask(train, generator, share)
    return frequency_mask(train.with_inputs(masked), generator, share)


def _stretch(n: int, share: float, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of a stretch of [0, 1] for each waveform, its length uniform up to `share`."""
    length = generator.uniform(0, share, (n, 1))
    start = generator.uniform(0, 1 - length)
    return start, start + length


def _in_batches(waves: np.ndarray, change: Callable[[np.ndarray, slice], np.ndarray]) -> np.ndarray:
    changed = np.empty_like(waves)
    for start in range(0, len(waves), BATCH_SIZE):
        rows = slice(start, start + BATCH_SIZE)
        changed[rows] = change(waves[rows], rows)
    return changed
