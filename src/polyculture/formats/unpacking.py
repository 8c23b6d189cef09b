"""What are the bytes of a file that is packed, or text in UTF-16? They are read as if it were plain UTF-8.

Packed means gzip, bzip2, xz, Zstandard, or a zip archive of one table. What a file unfolds to is bounded, because a
small one may unfold to more than any disk holds.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from polyculture.errors import FileError, InputError

PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
MAX_EXPANSION = 250
"""How many times its size a packed file may unfold to; tables of one digit per cell reach about a hundred."""
MIN_BOUND = 1 << 28
"""Bytes to which any packed file may unfold."""
_TEXT_SUFFIXES = {".csv", ".tsv", ".txt"}
_JSON_SUFFIXES = {".jsonl", ".ndjson", ".json"}
_PEEK = 6
_BUFFER = 1 << 18
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_BROKEN = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, OSError, pa.ArrowException)


def open_bytes(path: Path) -> io.BufferedReader:
    """The file, opened for reading: unpacked if it is packed, and as UTF-8 if it begins with the mark of UTF-16 or 32.

    Raises FileError if it cannot be read, then or later, and InputError for a zip archive of other content than one
    table, for text that is not what its mark says, and for a file that unfolds to more than the bound.
    """
    try:
        file: io.BufferedReader = io.BufferedReader(io.FileIO(path), _BUFFER)
        start, size = file.peek(_PEEK)[:_PEEK], path.stat().st_size
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
    kind = next((kind for magic, kind in _MAGIC.items() if re.match(magic, start)), None)
    if kind is None and not start.startswith(tuple(_MARKS)):
        return file
    file.close()
    if kind is None:
        return _buffered(_Unpacked(path, path.open("rb"), "", None))
    unpack = _UNPACKERS[kind]
    return _buffered(_Unpacked(path, unpack(path), kind, max(MIN_BOUND, MAX_EXPANSION * size)))


class _Unpacked(io.RawIOBase):
    """The bytes of a file, unpacked and as UTF-8."""

    def __init__(self, path: Path, file: io.BufferedIOBase, kind: str, bound: int | None) -> None:
        super().__init__()
        self._path, self._file, self._kind, self._bound = path, file, kind, bound
        self._size, self._ended = 0, False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._ready = self._next(1 << 16)
        self._encoding = next((name for mark, name in _MARKS.items() if self._ready.startswith(mark)), "")
        if self._encoding:
            self._decoder = codecs.getincrementaldecoder(self._encoding)()
            self._ready = self._decoded(self._ready)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with the next bytes; returns how many there are."""
        while not self._ready and not self._ended:
            block = self._next(len(buffer))
            self._ready = self._decoded(block) if self._decoder else block
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def _next(self, size: int) -> bytes:
        try:
            block = self._file.read(size)
        except _BROKEN as error:
            raise _incomplete(self._path, self._kind, error) from error
        self._ended = not block
        self._size += len(block)
        if self._bound is not None and self._size > self._bound:
            raise InputError(
                f"{self._path} unfolds to more than {self._bound / 2**20:,.0f} MiB",
                f"at most {MAX_EXPANSION} times its own size",
                "if it is what you expect, unpack it and read the result",
            )
        return block

    def _decoded(self, block: bytes) -> bytes:
        assert self._decoder is not None
        try:
            return self._decoder.decode(block, final=self._ended).encode()
        except UnicodeError as error:
            reason = getattr(error, "reason", "it has surrogates")
            raise InputError(
                f"{self._path} begins as text in {self._encoding.upper()} but is not: {reason}",
                "text in UTF-8",
                "write it again as UTF-8",
            ) from error


def member_name(path: Path) -> str:
    """The name of the only table in a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and not _is_hidden(m.filename)]
    except _BROKEN as error:
        raise _incomplete(path, "zip", error) from error
    names = [member.filename for member in members]
    suffixes = _TEXT_SUFFIXES | (_JSON_SUFFIXES & set(path.suffixes))  # JSON is recognised by the name of the archive
    if len(names) != 1 or Path(names[0].lower()).suffix not in suffixes:
        listing = ", ".join(repr(name) for name in names[:3]) + (", …" if len(names) > 3 else "")
        raise InputError(
            f"{path} is a zip archive of {listing or 'nothing'}",
            "one file of text such as .csv or .tsv in it",
            "unpack it and read what it holds",
        )
    if members[0].flag_bits & 1:
        raise InputError(f"{path} is a zip archive with a password", "one without", "unpack it and read the result")
    return names[0]


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def _open_zip(path: Path) -> io.BufferedIOBase:
    name = member_name(path)
    try:
        return cast(io.BufferedIOBase, zipfile.ZipFile(path).open(name))
    except (*_BROKEN, NotImplementedError) as error:
        raise _incomplete(path, "zip", error) from error


def _open_zstandard(path: Path) -> io.BufferedIOBase:
    return io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), "zstd"))


_MAGIC = {
    rb"\x1f\x8b": "gzip",
    rb"BZh[1-9](1A|\x17r)": "bzip2",  # a header, too, may begin with BZh
    rb"\xfd7zXZ\x00": "xz",
    rb"\x28\xb5\x2f\xfd": "Zstandard",
    rb"PK\x03\x04": "zip",
}
_UNPACKERS: Mapping[str, Callable[[Path], io.BufferedIOBase]] = {
    "gzip": gzip.GzipFile,
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "Zstandard": _open_zstandard,
    "zip": _open_zip,
}


def _buffered(file: _Unpacked) -> io.BufferedReader:
    return io.BufferedReader(file, 1 << 20)


def _incomplete(path: Path, kind: str, error: BaseException) -> FileError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return FileError(f"{path} is not a complete {kind} file: {reason}", "", "copy or pack it again")
