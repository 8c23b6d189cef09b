"""How are recordings read? Folders or zip files of WAV, resampled to 8 kHz; class and speaker are in their names."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from jaxtyping import Float32

from polyculture.dataset import SAMPLE_RATE
from polyculture.errors import FileError, InputError

from ..data_options import DataOptions, is_visible, stem_of
from ..raw_data import RawData, instance_table, object_array, require_instances

HIGHEST_PEAK = 16.0
"""Largest floating-point sample that is taken for a loud sound (24 dB over full scale), not for another scale."""


def read_audio(paths: Sequence[Path], options: DataOptions) -> RawData:  # noqa: ARG001
    """The recordings of a folder or zip file.

    In several folders, the folder is the class and the file's name up to the first ``_`` the speaker. In a single
    folder, names are class, speaker and anything: ``7_george_12.wav``.

    Raises FileError for a recording that cannot be read, InputError for names without the class.
    """
    path = paths[0]
    files = dict(_files(path))
    require_instances(len(files), str(path))
    in_folders = len({name.parent for name in files}) > 1
    names = [_class_and_speaker(name, in_folders, path) for name in files]
    waves = [wave_of(content, f"{path}: {name}") for name, content in files.items()]
    speakers = [speaker for _, speaker in names]
    instances = instance_table(len(waves), **({"speaker": speakers} if any(speakers) else {}))
    instances.index = pd.Index([str(name) for name in files], name="instance")
    return RawData(stem_of(path), "audio", object_array(waves), object_array([label for label, _ in names]), instances)


def wave_of(content: bytes, name: str) -> Float32[np.ndarray, " t"]:
    """A WAV file as one channel in [−1, 1] at 8 kHz; FileError for anything else.

    Floating-point samples may pass full scale (±1): such a recording is made quieter as a whole, because cutting its
    peaks off would change its sound. Ones of integers' scale, up to 32,767, or with nan are refused.
    """
    from scipy.io import wavfile
    from scipy.signal import resample_poly

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks that hold no sound
            rate, samples = wavfile.read(io.BytesIO(content))
    except (ValueError, EOFError, OSError, TypeError, AttributeError, struct.error) as error:
        raise FileError(f"cannot read {name}: {error}", "a WAV file") from error
    wave = _level(samples, name)
    if wave.ndim == 2:
        wave = wave.mean(axis=1)
    if rate != SAMPLE_RATE:
        shared = int(np.gcd(rate, SAMPLE_RATE))
        wave = np.clip(resample_poly(wave, SAMPLE_RATE // shared, rate // shared), -1, 1)
    return wave.astype(np.float32)


def _level(samples: np.ndarray, name: str) -> np.ndarray:
    """Samples of any type in [−1, 1]; 8-bit ones are unsigned, 24-bit ones the upper bytes of 32."""
    if samples.dtype == np.uint8:
        return (samples.astype(np.float64) - 128) / 128
    if samples.dtype.kind == "i":
        return samples / float(np.iinfo(samples.dtype).max + 1)
    peak = float(np.abs(samples).max(initial=0))
    if not peak <= HIGHEST_PEAK:  # nan, too
        raise FileError(
            f"the samples of {name} reach {peak:g}",
            "floating-point samples in -1 … 1, full scale",
            "divide samples of integers' scale by 32768; leave recordings with nan or inf out",
        )
    return samples.astype(np.float64) / max(peak, 1.0)


def _files(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Name in the folder or zip file, and content, in the order of the names."""
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.suffix.lower() == ".wav" and is_visible(file.relative_to(path)):
                    yield PurePosixPath(file.relative_to(path).as_posix()), file.read_bytes()
            return
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.lower().endswith(".wav") and is_visible(PurePosixPath(name)):
                    yield PurePosixPath(name), archive.read(name)
    except (OSError, zipfile.BadZipFile, zlib.error) as error:
        raise FileError(f"cannot read {path}: {error}", "a folder or zip file of WAV files") from error


def _class_and_speaker(name: PurePosixPath, in_folders: bool, path: Path) -> tuple[str, str]:
    """Class and speaker of a recording."""
    words = name.stem.split("_")
    if in_folders:
        return name.parent.name, words[0] if len(words) > 1 else ""
    if len(words) < 2:
        raise InputError(
            f"{name.name} in {path} does not say its class", "names such as 7_george_12.wav, or a folder per class"
        )
    return words[0], words[1] if len(words) > 2 else ""
