"""How are recordings shifted? Noise, lower volume, clipping, echo, other speed, narrow bandwidth.

Inputs are n × samples of waveforms in [−1, 1] at 8 kHz.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32
from scipy import signal

from polyculture.dataset import SAMPLE_RATE

from .suite import Shift, input_shift

Waves = Float32[np.ndarray, "n t"]


def noise(waves: Waves, severity: int, generator: np.random.Generator) -> np.ndarray:
    """White noise with 8 % of the recording's own root mean square per step of severity."""
    level = np.sqrt((waves**2).mean(axis=1, keepdims=True))
    return np.asarray(waves + 0.08 * severity * level * generator.standard_normal(waves.shape))


def quieter(waves: Waves, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """Volume lower by 6 decibels per step of severity."""
    return waves * 0.5**severity


def clipping(waves: Waves, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """Cut off above 1/2, 1/4, 1/8, 1/16 or 1/32 of the peak."""
    limit = np.abs(waves).max(axis=1, keepdims=True) * 0.5**severity
    return np.asarray(np.clip(waves, -limit, limit))


def reverb(waves: Waves, severity: int, generator: np.random.Generator) -> np.ndarray:
    """A room whose echo has 40 % of the recording's energy per step of severity and decays within 0.3 seconds."""
    time = np.arange(int(0.3 * SAMPLE_RATE)) / SAMPLE_RATE
    echo = generator.standard_normal((1, len(time))) * np.exp(-6.9 * time / 0.3)
    echo *= np.sqrt(0.4 * severity / (echo**2).sum())
    reverberant = waves + signal.fftconvolve(waves, echo, axes=1)[:, : waves.shape[1]]
    return np.asarray(reverberant / np.maximum(1, np.abs(reverberant).max(axis=1, keepdims=True)))


def speed(waves: Waves, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Half of the recordings faster by 8 % per step of severity, half slower; pitch changes with speed."""
    faster = generator.permutation(len(waves)) % 2 == 0
    samples = np.arange(waves.shape[1])
    resampled = [
        np.interp(samples * (1 + (1 if fast else -1) * 0.08 * severity), samples, wave, right=0.0)
        for wave, fast in zip(waves, faster, strict=True)
    ]
    return np.array(resampled).reshape(waves.shape)


def narrow(waves: Waves, severity: int, generator: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """A band-pass filter from 100 + 100 × severity to 3700 − 500 × severity Hz."""
    band = (100 + 100 * severity, 3700 - 500 * severity)
    filter_sections = signal.butter(4, band, btype="bandpass", fs=SAMPLE_RATE, output="sos")
    return signal.sosfilt(filter_sections, waves, axis=1)


CHANGES = (noise, quieter, clipping, reverb, speed, narrow)
SUITE: dict[str, Shift] = {change.__name__: input_shift(change, (-1.0, 1.0)) for change in CHANGES}
