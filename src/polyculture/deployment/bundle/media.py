"""How do the bytes of an image or a recording become numbers? By pillow, and by the wave module of Python."""

from __future__ import annotations

import io
import wave

import numpy as np
from jaxtyping import Float32

from polyculture.errors import InputError, need
from polyculture.models.spectrogram import SAMPLE_RATE

MOST_BYTES = 32 * 2**20
PNG_START = b"\x89PNG"


def decode_image(content: bytes, shape: tuple[int, ...], row: int) -> Float32[np.ndarray, ...]:
    """Grey levels in [0, 1] of a PNG or JPEG file, in the shape of the inputs (h × w, or h × w × 3).

    Raises InputError for another size, for colours where grey levels are read, and for damaged or other files.
    """
    need("PIL", extra="images")
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    _check_size(content, f"image {row}")
    colour = len(shape) == 3 and shape[2] == 3
    expected = f"{'colour' if colour else 'grey'} of {shape[1]} × {shape[0]} pixels"
    # not Image.open, which warns of large images; their size is refused before anything is unpacked
    reader = PngImageFile if content.startswith(PNG_START) else JpegImageFile
    try:
        with reader(io.BytesIO(content)) as image:
            if image.size != (shape[1], shape[0]):
                raise InputError(f"image {row} has {image.size[0]} × {image.size[1]} pixels", expected)
            if not colour and image.mode not in ("L", "1", "I;16"):
                raise InputError(f"image {row} has the colour mode {image.mode!r}", expected)
            has_16_bits = image.mode == "I;16"
            pixels = np.asarray(image if has_16_bits else image.convert("RGB" if colour else "L"))
    except InputError:
        raise
    except Exception as error:  # readers of damaged bytes raise anything
        raise InputError(f"image {row} cannot be read", f"a PNG or JPEG file, {expected}") from error
    return (pixels / (65535 if has_16_bits else 255)).astype(np.float32).reshape(shape)


def decode_sound(content: bytes, shape: tuple[int, ...], row: int) -> Float32[np.ndarray, " t"]:
    """Samples in [−1, 1] of a WAV file with one channel of 8 or 16 bits at 8 kHz, as long as the inputs.

    As in training a shorter recording is followed by silence, and a longer one loses its end. Raises InputError for
    another rate or format.
    """
    _check_size(content, f"recording {row}")
    expected = f"a WAV file with 1 channel of 8 or 16 bits at {SAMPLE_RATE:,} samples per second"
    try:
        with wave.open(io.BytesIO(content)) as sound:
            channels, width, rate = sound.getnchannels(), sound.getsampwidth(), sound.getframerate()
            frames = min(sound.getnframes(), shape[0])
            samples = sound.readframes(frames)
    except (wave.Error, EOFError, ValueError) as error:
        raise InputError(f"recording {row} cannot be read", expected) from error
    if (channels, rate) != (1, SAMPLE_RATE):
        count = f"{channels} channel{'' if channels == 1 else 's'}"
        raise InputError(f"recording {row} has {count} at {rate:,} samples per second", expected)
    if width not in (1, 2):
        raise InputError(f"recording {row} has {8 * width} bits", expected)
    if len(samples) != frames * width:
        raise InputError(f"recording {row} ends early", expected)
    if width == 1:
        numbers = (np.frombuffer(samples, np.uint8).astype(np.float32) - 128) / 128
    else:
        numbers = np.frombuffer(samples, "<i2").astype(np.float32) / 32768
    return np.pad(numbers, (0, shape[0] - len(numbers)))


def _check_size(content: bytes, name: str) -> None:
    if len(content) > MOST_BYTES:
        raise InputError(f"{name} has {len(content):,} bytes", f"at most {MOST_BYTES:,}")
