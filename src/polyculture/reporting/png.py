"""How is a small grey picture stored inside a page? As a PNG in a data URI, made with the standard library."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from jaxtyping import Int


def png(grey: Int[np.ndarray, "h w"]) -> bytes:
    """Bytes of an 8-bit greyscale PNG.

    Parameters
    ----------
    grey : h × w levels, 0 (black) … 255 (white); levels outside are clipped.

    Source: Portable Network Graphics (PNG) Specification (Third Edition), sections 5 and 11.
    """
    levels = np.clip(grey, 0, 255).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in levels)
    header = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def data_uri(grey: Int[np.ndarray, "h w"]) -> str:
    """The picture as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png(grey)).decode("ascii")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
