"""How does sound become an image? By the logarithm of its energy over time, in mel bands."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float, Float32

SAMPLE_RATE = 8000
"""Samples per second of a waveform, as in `polyculture.dataset`, which loads pandas."""
WINDOW, HOP, BANDS = 256, 160, 40


def log_mel(waves: Float[np.ndarray, "n t"]) -> Float32[np.ndarray, "n f b"]:
    """Log-energies of 40 mel bands (0 to 4 kHz), a row for each window of 32 ms every 20 ms.

    Source: Davis and Mermelstein 1980; mel scale of O'Shaughnessy 1987.
    """
    padded = np.pad(waves, ((0, 0), (0, max(0, WINDOW - waves.shape[1]))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=1)[:, ::HOP]
    pieces = [_energies(part) for part in np.array_split(frames, max(1, len(frames) // 256))]
    return np.concatenate(pieces)


def _energies(frames: np.ndarray) -> np.ndarray:
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=2)) ** 2
    energies: np.ndarray = np.log(spectrum @ _bands().T + 1e-6).astype(np.float32)
    return energies


@cache
def _bands() -> np.ndarray:
    """40 triangles over the 129 frequencies, evenly spaced in mel."""
    mel = np.linspace(0, 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    frequencies = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)
    rising = (frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequencies) / np.diff(edges)[1:, None]
    triangles: np.ndarray = np.maximum(0, np.minimum(rising, falling))
    return triangles
