"""Which parts of a sound are taken away together? Bins of time and pitch, that add up to the waveform exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from polyculture.errors import InputError
from polyculture.models.spectrogram import BANDS, HOP, SAMPLE_RATE, WINDOW

from .players import MOST_PLAYERS, Players, blocks

FADE = 160
"""Samples over which one bin of time passes into the next; hard cuts would click in all pitches."""


@dataclass(frozen=True, eq=False)
class SoundPlayers(Players):
    """Players of waveforms: a coalition is the sum of its bins of time and pitch, and of the reference's other bins.

    Parameters
    ----------
    inputs : n × samples at 8 kHz.
    background : one waveform that stands in for what is absent; silence is zeros.
    limit : most players of a sound.
    side : frames and bands of a player, in place of the fewest that `limit` allows; 0 for these.

    Explanations have the shape frames × bands of `models.spectrogram.log_mel`.
    """

    inputs: Float[np.ndarray, "n t"]
    background: Float[np.ndarray, "1 s"]
    limit: int = MOST_PLAYERS
    side: int = 0

    def __post_init__(self) -> None:
        if self.background.shape != (1, *self.inputs.shape[1:]):
            wrong = f"the baseline has the shape {self.background.shape[1:]}"
            raise InputError(wrong, f"{self.inputs.shape[1:]}, as one input", "give one waveform of that length")

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Frames × bands of a spectrogram."""
        return (1 + max(0, self.inputs.shape[1] - WINDOW) // HOP, BANDS)

    @cached_property
    def groups(self) -> Int[np.ndarray, "f b"]:
        """Player of each frame and band; times come first, pitches of one time are neighbours."""
        if self.side:
            times, bands = (np.arange(length) // self.side for length in self.shape)
        else:
            bins = max(1, math.isqrt(self.limit))
            times = np.arange(self.shape[0]) * min(bins, self.shape[0]) // self.shape[0]
            bands = blocks((BANDS,), bins)
        groups: np.ndarray = times[:, None] * (int(bands.max()) + 1) + bands
        return groups

    @property
    def counts(self) -> Int[np.ndarray, " n"]:  # type: ignore[override]
        """The players of each sound, the same for all."""
        return np.full(len(self.inputs), int(self.groups.max()) + 1)

    @cached_property
    def _parts(self) -> tuple[Float[np.ndarray, "n p t"], Float[np.ndarray, "q t"]]:
        """Each sound less the reference in bins of pitch, and the share of each bin of time in every sample."""
        samples = self.inputs.shape[1]
        spectrum = np.fft.rfft(self.inputs.astype(np.float64) - self.background, axis=1)
        pitches: Int[np.ndarray, " f"] = _pitch_bins(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE), self.groups[0])
        bins = np.stack(
            [np.fft.irfft(spectrum * (pitches == p), samples, axis=1) for p in np.unique(self.groups[0])], 1
        )
        times = self.groups[:, 0] // len(np.unique(self.groups[0]))
        starts = [int(np.flatnonzero(times == time)[0]) * HOP + WINDOW // 2 for time in np.unique(times)[1:]]
        return bins.astype(np.float32), _time_bins(samples, starts).astype(np.float32)

    def compose(
        self,
        rows: Int[np.ndarray, " k"],
        masks: Bool[np.ndarray, "k g"],
        reference: int = 0,  # noqa: ARG002
    ) -> Shaped[np.ndarray, "k t"]:
        """The sounds of these rows with the bins of present players only."""
        bins, times = self._parts
        weights = masks.reshape(len(rows), len(times), bins.shape[1]).astype(np.float32)
        composed = np.tile(self.background.astype(np.float32), (len(rows), 1))
        for pitch in range(bins.shape[1]):  # a loop, so that no array has times × pitches × samples numbers
            composed += bins[rows, pitch] * (weights[:, :, pitch] @ times)
        return composed

    def spread(self, row: int, values: Float[np.ndarray, " g"]) -> Float[np.ndarray, " d"]:  # noqa: ARG002
        """Each player's value over the number of its frames and bands."""
        groups = self.groups.ravel()
        shares: np.ndarray = (values / np.bincount(groups))[groups]
        return shares


def _pitch_bins(frequencies: Float[np.ndarray, " f"], group_of_band: Int[np.ndarray, " b"]) -> Int[np.ndarray, " f"]:
    """Bin of each frequency: that of the mel band whose middle is the nearest."""
    mel = 2595 * np.log10(1 + frequencies / 700)
    highest = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    band = np.clip(np.round(mel / highest * (BANDS + 1)).astype(int) - 1, 0, BANDS - 1)
    bins: np.ndarray = group_of_band[band]
    return bins


def _time_bins(samples: int, starts: list[int]) -> Float[np.ndarray, "q t"]:
    """Share of each bin of time in every sample: 0 to 1, with straight fades around each start; they sum to 1."""
    rises = [np.clip((np.arange(samples) - start) / FADE + 0.5, 0, 1) for start in starts]
    edges = [np.ones(samples), *rises, np.zeros(samples)]
    return np.stack([first - second for first, second in pairwise(edges)])
