"""What are the lines of a text file of any size? They are checked a block at a time; broken ones refused or skipped."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np

from polyculture.errors import FileError, InputError

from .json_lines import BadLines
from .unpacking import open_bytes

KINDS = ".csv, .csv.gz, .tsv, .parquet, .jsonl, .arrow or .feather"
CUT_OFF = "is cut off: the file ends in the middle of it"
_UTF8 = "text in UTF-8"
_MAX_LINE = 1 << 24
"""Bytes of a line that are read beyond the end of a block; without line feeds a file is one line."""
_HINT = re.compile(r'(?i)"?sep=(.)"?')


class TextLines(io.RawIOBase):
    """The lines below the header, as a file of UTF-8 text with ``\\n`` at line ends, regardless of those of the file.

    Parameters
    ----------
    path : the file, packed or not.
    bad : records lines that are not text.
    block : bytes in memory at a time.
    """

    def __init__(self, path: Path, bad: BadLines, block: int) -> None:
        super().__init__()
        self.path, self.bad, self.block = path, bad, block
        self.dropped: list[int] = []
        self.tail = b""
        self._file = open_bytes(path)
        self._number, self._quotes = 1, 0
        self._carry, self._ready, self._ended = b"", b"", False
        self.header = self._header()
        hint = _HINT.fullmatch(self.header.rstrip(" "))
        self.separator = hint[1] if hint else None
        """The separator that a first line names, as Excel writes and reads it; the header is then the line below."""
        if hint:
            self.header = self._header()

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes; fewer only at the end, because a short read would be taken for a full block."""
        while (size < 0 or len(self._ready) < size) and self._fill():
            pass
        size = len(self._ready) if size < 0 else size
        block, self._ready = self._ready[:size], self._ready[size:]
        return block

    def next_lines(self) -> bytes:
        """The next block of whole lines; empty at the end."""
        while not self._ready and self._fill():
            pass
        block, self._ready = self._ready, b""
        return block

    def push_back(self, text: bytes) -> None:
        """Make this text, which `next_lines` gave, the next one to be read."""
        self._ready = text + self._ready

    def next_block(self) -> bytes:
        """The next whole lines as the file has them, not checked; empty at the end.

        Only where no line is ready. What follows counts on `accept` or `refuse` for every block.
        """
        block = self._carry + self._file.read(self.block)
        self._carry = b""
        if block and not block.endswith(b"\n"):
            block += self._file.readline(_MAX_LINE)
        return block

    def accept(self, lines: int) -> None:
        """Count the lines of a block that is text, with quotation marks in pairs."""
        self._number += lines

    def refuse(self, block: bytes) -> None:
        """Make this block, which has not been checked, the next one to be read."""
        self._carry, self._ended = block + self._carry, False

    def has_more(self) -> bool:
        """Whether any text is left."""
        while not self._ready.strip():
            if not self._fill():
                return False
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def _header(self) -> str:
        """The first line that is not empty; empty if there is none."""
        if not self.has_more():
            return ""
        line, _, self._ready = self._ready.lstrip(b"\n").partition(b"\n")
        return line.decode()

    def _fill(self) -> bool:
        """Make more lines ready; False at the end."""
        if self._ended:
            return False
        raw = self._file.read(max(self.block, len(self._carry)))  # a long line is not copied too often
        self._ended = not raw
        text = self._carry + raw
        if self._number == 1:
            text = text.removeprefix(b"\xef\xbb\xbf")
        carriage_return = b"\r" if text.endswith(b"\r") and raw else b""  # it may be the first half of \r\n
        text = text.removesuffix(carriage_return)
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = text.rfind(b"\n") + 1 if raw else len(text)
        self._carry = text[end:] + carriage_return
        self._ready += self._whole(self._checked(text[:end]))
        return True

    def _checked(self, text: bytes) -> bytes:
        """The lines without those that are not text."""
        first = self._number
        self._number += _times(b"\n", text)
        if b"\0" not in text and _not_text(text) is None:
            return text
        lines = []
        for number, line in enumerate(text.splitlines(keepends=True), first):
            if b"\0" in line and number == 1:
                raise InputError(f"{self.path} holds binary data, not a table", f"{KINDS}, {_UTF8}")
            byte = 0 if b"\0" in line else _not_text(line)
            if byte is None:
                lines.append(line)
                continue
            if number == 1 or not self.bad.skip:
                raise InputError(
                    f"{self.path} is not UTF-8 text (line {number} has the byte 0x{byte:02x})",
                    _UTF8,
                    f"convert it: iconv -f latin1 -t utf-8 {self.path.name}"
                    if byte
                    else "write it again, or leave such lines out with skip_bad=True (--skip-bad)",
                )
            self.bad.add(f"line {number} of {self.path}", f"is not UTF-8 text: it has the byte 0x{byte:02x}")
            self.dropped.append(number)
        return b"".join(lines)

    def _whole(self, text: bytes) -> bytes:
        """The lines without a last one that ends within quotes."""
        self._quotes += _times(b'"', text)
        if not self._ended or text.endswith(b"\n"):
            return text
        start = text.rfind(b"\n") + 1
        self.tail = text[start:]
        if self._quotes % 2 and self.tail.count(b'"') % 2:
            self.bad.add(f"line {self._number} of {self.path}", CUT_OFF)
            self.dropped.append(self._number)
            return text[:start]
        return text


def plain_lines(block: bytes) -> bytes | None:
    """The block with ``\\n`` at line ends; None if it is no UTF-8 text."""
    if b"\0" in block or _not_text(block) is not None:
        return None
    return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in block else block


def _times(byte: bytes, text: bytes) -> int:
    """How often a byte occurs; faster than bytes.count where it often does."""
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord(byte))) if byte in text else 0


def _not_text(line: bytes) -> int | None:
    """The first byte that is not UTF-8."""
    if line.isascii():
        return None
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return line[error.start]
    return None


def read_lines(path: Path) -> list[str | None]:
    """The lines of a text file, regardless of how they end; None for an empty one.

    Raises FileError if it cannot be read, and InputError if it is empty or no text.
    """
    try:
        with open_bytes(path) as file:
            raw = file.read()
    except OSError as error:
        raise FileError(f"cannot read {path}: {error}") from error
    byte = 0 if b"\0" in raw else _not_text(raw)
    if byte is not None:
        raise InputError(f"{path} is not UTF-8 text (it has the byte 0x{byte:02x})", _UTF8, "convert it with iconv")
    text = raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
    if not text:
        raise InputError(f"{path} is empty", "an answer per line")
    return [line.strip() or None for line in text.split("\n")]
