"""Which features of an instance are explained? Columns, pixels, bins of a spectrogram, or words."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped

from polyculture.dataset import Dataset, Modality
from polyculture.errors import InputError
from polyculture.models import tokenizer
from polyculture.models.spectrogram import log_mel

from .options import ExplainOptions


def word_table(texts: Shaped[np.ndarray, " n"]) -> Shaped[np.ndarray, "n d"]:
    """The first 128 words of each text as models read them, empty after its end; as wide as the longest text."""
    lists = [tokenizer.split(str(text))[: tokenizer.MOST_STEPS] for text in texts]
    width = max([1, *map(len, lists)])
    return np.array([words + [""] * (width - len(words)) for words in lists], dtype=str).reshape(-1, width)


def feature_shape(modality: Modality, inputs: Shaped[np.ndarray, "n ..."]) -> tuple[int, ...]:
    """Shape of the explained features of one instance, as of `Explanations.feature_shape`."""
    if modality == "text":
        return word_table(inputs).shape[1:]
    if modality == "audio":
        return log_mel(inputs[:1]).shape[1:]
    return inputs.shape[1:3] if modality == "image" else inputs.shape[1:]


def numbers(modality: Modality, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "n ..."]:
    """Inputs as the numbers that perturbations change: spectrograms of waveforms, else the inputs themselves."""
    return log_mel(inputs) if modality == "audio" else np.asarray(inputs, np.float32)


def baseline_of(background: Dataset, options: ExplainOptions) -> np.ndarray:
    """One instance without content, in the form of `numbers`: the mean of the background, zeros or the given array.

    Not for texts. Raises InputError for an array of another shape, or with numbers that are not finite.
    """
    rows = numbers(background.modality, background.array)
    if isinstance(options.baseline, str):
        mean: np.ndarray = rows.mean(axis=0, dtype=np.float64)
        return (mean if options.baseline == "mean" else np.zeros_like(mean)).astype(np.float32)
    array = np.asarray(options.baseline)
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise InputError(f"a baseline of the type {array.dtype}", "finite numbers")
    if array.shape == background.array.shape[1:]:
        array = numbers(background.modality, array[None])[0]
    elif array.shape != rows.shape[1:]:
        raise InputError(f"a baseline of shape {array.shape}", f"{rows.shape[1:]}, the shape of one input")
    baseline: np.ndarray = array.astype(np.float32)
    return baseline
