"""Are all inputs in one form? Scales of pixels, rates and levels of sounds, Unicode and white space of texts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.dataset import SAMPLE_RATE

from .fault import Fault
from .pool import Pool

_RATE_NAMES = re.compile(r"(sampl(e|ing)_?)?rate|sr|fs|hz|sampling_?frequency", re.I)
_SURPLUS_SPACE = re.compile(r"^\s|\s$|\s\s|[\t\r\n\v\f\u00a0]")
_DAMAGED = re.compile("\ufffd|Ã[\u0080-\u00bf]|â\u0080|[\x00-\x08\x0e-\x1f\x7f]")
_EMPTY_BAND = 1e-5
"""Share of energy in the upper half of the frequencies below which there is none."""
MIXED_SHARE = 0.02
"""Share of recordings without high frequencies, and of those with them, that makes a mixture."""
CLIPPED_PAIRS = 3
"""Pairs of neighbouring samples at the peak that make a recording cut off."""


def normalization(pool: Pool) -> Iterator[Fault]:
    """What is not in one form, as one fault of the part, with the number of rows that it concerns."""
    for part, _, name, inputs in pool.other_inputs():
        if len(part):
            find = _FORMS.get(part.modalities[name])
            for reason in find(inputs) if find else ():
                yield Fault("normalization", part.name, None, reason, pool.input_label(name))
    yield from _scales(pool)
    yield from _sampling_rates(pool)
    for column in pool.columns:
        if not column.numeric:
            present = column.present.tolist()
            spellings = len(set(present)) - len({_folded(text) for text in set(present)})
            if spellings:
                reason = f"{spellings:,} values differ from another one only in case, spaces or Unicode form"
                yield Fault("normalization", pool.parts[0].name, None, reason, column.name)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _text_forms(texts: np.ndarray) -> Iterator[str]:
    lines = [text for text in texts if isinstance(text, str)]
    counts = {
        "are not in composed Unicode (NFC)": sum(not unicodedata.is_normalized("NFC", text) for text in lines),
        "have white space in surplus": sum(bool(_SURPLUS_SPACE.search(text)) for text in lines),
        "hold control characters or the traces of a wrong encoding": sum(bool(_DAMAGED.search(text)) for text in lines),
    }
    for words, count in counts.items():
        if count:
            yield f"{count:,} of {len(lines):,} texts {words}"


def _image_forms(images: np.ndarray) -> Iterator[str]:
    if images.dtype.kind not in "fiub" or not images.size:
        return
    finite = images[np.isfinite(images)] if images.dtype.kind == "f" else images
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if low < 0:
        yield f"pixels go from {low:g} to {high:g}; a full scale begins at 0"
    elif 0 < high <= 1 and images.dtype.kind in "iu":
        yield "pixels are whole numbers 0 and 1 only"
    elif images.dtype.kind == "f" and high > 1:
        yield f"pixels are numbers with fractions from {low:g} to {high:g}; those of a unit scale end at 1"
    axes = tuple(range(1, images.ndim))
    peaks = images.max(axis=axes).astype(np.float64)
    small = int((peaks <= 1).sum() if high > 1.5 else 0) - int((peaks == 0).sum() if high > 1.5 else 0)
    if small:
        yield f"{small:,} of {len(images):,} pictures go to 1 at most, where others go to {high:g}"


def _sound_forms(waves: np.ndarray) -> Iterator[str]:
    samples = [np.asarray(wave, np.float64) for wave in waves if len(wave) > 1]
    audible = [wave for wave in samples if np.isfinite(wave).all() and np.abs(wave).max() > 0]
    if not audible:
        return
    narrow = sum(_upper_share(wave) < _EMPTY_BAND for wave in audible)
    if MIXED_SHARE * len(audible) < narrow < (1 - MIXED_SHARE) * len(audible):
        yield (
            f"{narrow:,} of {len(audible):,} recordings have no sound above {SAMPLE_RATE // 4:,} Hz, as if recorded at "
            "a lower sampling rate than the others"
        )
    clipped = sum(_pairs_at_peak(wave) >= CLIPPED_PAIRS for wave in audible)
    if clipped:
        yield f"{clipped:,} of {len(audible):,} recordings are cut off at their peak"
    levels = np.array([20 * np.log10(np.sqrt(np.mean(wave**2))) for wave in audible])
    low, high = np.quantile(levels, [0.05, 0.95])
    if high - low > 20:
        yield f"levels differ by {high - low:.0f} dB between the 5th and the 95th percentile"


def _pairs_at_peak(wave: Float[np.ndarray, " t"]) -> int:
    peaks = np.abs(wave) >= 0.999 * np.abs(wave).max()
    return int((peaks[1:] & peaks[:-1]).sum())


def _upper_share(wave: Float[np.ndarray, " t"]) -> float:
    """Share of the energy in the upper half of the frequencies."""
    energies = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    total = float(energies.sum())
    return float(energies[len(energies) // 2 :].sum()) / total if total > 0 else 1.0


def _scales(pool: Pool) -> Iterator[Fault]:
    """Parts whose pixels are on another scale than those of the first part."""
    peaks: dict[str, tuple[str, float]] = {}
    for part, _, name, inputs in pool.other_inputs():
        if part.modalities[name] in ("image", "volume") and inputs.dtype.kind in "fiub" and inputs.size:
            peak = float(np.nanmax(inputs))
            first, reference = peaks.setdefault(name, (part.name, peak))
            if (peak <= 1) != (reference <= 1):
                reason = f"pixels go to {peak:g}, those of {first} to {reference:g}"
                yield Fault("normalization", part.name, None, reason, pool.input_label(name))


def _sampling_rates(pool: Pool) -> Iterator[Fault]:
    for part in pool.parts:
        if "audio" not in part.modalities.values():
            continue
        for column in part.instances.columns:
            rates = Counter(part.instances[column].dropna().tolist())
            if (
                _RATE_NAMES.fullmatch(str(column))
                and len(rates) > 1
                and pd.api.types.is_numeric_dtype(part.instances[column])
            ):
                listing = ", ".join(f"{rate:g} ({count:,})" for rate, count in rates.most_common(4))
                yield Fault("normalization", part.name, None, f"sampling rates differ: {listing}", str(column))


_FORMS = {
    "text": _text_forms,
    "image": _image_forms,
    "volume": _image_forms,
    "audio": _sound_forms,
}
