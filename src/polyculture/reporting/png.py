"""How is a small picture stored inside a page? As a PNG in a data URI, made with the standard library."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from jaxtyping import Int

GREY, COLOUR_AND_ALPHA = 0, 6
"""Colour types of the format."""


def png(levels: Int[np.ndarray, "h w"] | Int[np.ndarray, "h w 4"]) -> bytes:
    """Bytes of an 8-bit PNG, grey or coloured.

    Parameters
    ----------
    levels : h × w levels, 0 (black) … 255 (white), or h × w × 4 of red, green, blue and opacity; levels outside are
        clipped.

    Source: Portable Network Graphics (PNG) Specification (Third Edition), sections 5 and 11.
    """
    kind = COLOUR_AND_ALPHA if levels.ndim == 3 else GREY
    rows = b"".join(b"\0" + row.tobytes() for row in np.clip(levels, 0, 255).astype(np.uint8))
    header = struct.pack(">IIBBBBB", levels.shape[1], levels.shape[0], 8, kind, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def data_uri(levels: Int[np.ndarray, "h w"] | Int[np.ndarray, "h w 4"]) -> str:
    """The picture as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png(levels)).decode("ascii")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
