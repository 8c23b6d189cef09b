"""What does each line of a JSON Lines file hold? One line is in memory at a time; every error names its line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from polyculture.errors import InputError

from .unpacking import open_bytes

CURE = "mend the line, or leave such lines out with skip_bad=True (--skip-bad)"
MAX_EXAMPLES = 100
"""Number of bad lines whose place and reason are recorded."""


@dataclass
class BadLines:
    """Lines that cannot be read: the first raises an error, unless they may be skipped; then they are counted.

    Parameters
    ----------
    skip : whether they may be skipped.
    cure : what the error advises.
    count, examples : their number, and place and reason of the first hundred.
    """

    skip: bool = False
    cure: str = CURE
    count: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)

    def add(self, place: str, reason: str, expected: str = "") -> None:
        """Record a bad line, or raise InputError where they may not be skipped."""
        if not self.skip:
            self.refuse(place, reason, expected)
        self.count += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append((place, reason))

    def refuse(self, place: str, reason: str, expected: str = "") -> NoReturn:
        """Raise InputError about this line."""
        raise InputError(f"{place} {reason}", expected, self.cure)


class RepeatedKeyError(ValueError):
    """A JSON object that has a key twice, of which Python would take the last one."""


def distinct_keys(raw: bytes) -> Any:
    """The value of a JSON text; RepeatedKeyError where an object has a key twice."""
    return _whole(json.loads(raw, object_pairs_hook=_distinct), raw)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        keys = [key for key, _ in pairs]
        raise RepeatedKeyError(f"has the key {next(key for key in keys if keys.count(key) > 1)!r} twice")
    return members


def json_lines(
    path: Path,
    bad: BadLines,
    parse: Callable[[bytes], Any] | None = None,
    unread: Callable[[Iterator[tuple[int, bytes]]], Iterator[tuple[int, bytes]]] | None = None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers (from 1) and objects of a JSON Lines file, also packed; without blank lines.

    Parameters
    ----------
    path, bad : the file, and what records lines that cannot be read.
    parse : gives the value of a line.
    unread : takes the numbers and texts of all lines, and gives those that are to be parsed.
    """
    parse = parse or parsed_line
    with open_bytes(path) as file:
        lines = iter(enumerate(file, 1))
        for number, raw in unread(lines) if unread else lines:
            if raw.isspace():
                continue
            try:
                value = parse(raw)
            except (ValueError, RecursionError) as error:
                bad.add(f"line {number} of {path}", _why(raw, error))
                continue
            if isinstance(value, dict):
                yield number, value
            else:
                bad.add(
                    f"line {number} of {path}",
                    f"holds {shorten(json.dumps(value, ensure_ascii=False))}",
                    "a JSON object per line",
                )


def parsed_line(raw: bytes) -> Any:
    """The value of a JSON text."""
    return _whole(json.loads(raw), raw)


def _whole(value: Any, raw: bytes) -> Any:
    has_halves = b"\\u" in raw and (b"\\ud" in raw or b"\\uD" in raw)
    return whole_characters(value) if has_halves else value


def first_object(path: Path) -> dict[str, Any]:
    """The first readable object of a JSON Lines file; empty if there is none."""
    lines = json_lines(path, BadLines(skip=True))
    return next((value for _, value in lines), {})


def load_json(path: Path, parse: Callable[[bytes], Any] = json.loads) -> Any:
    """The value of a JSON file."""
    try:
        with open_bytes(path) as file:
            raw = file.read()
        value = parse(raw)
        return whole_characters(value) if b"\\ud" in raw.lower() else value
    except RepeatedKeyError as error:
        raise InputError(f"{path} {error}", "a name of its own for every column", "rename one of them") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}", "a complete JSON file", "copy or write it again") from error


def whole_characters(value: Any) -> Any:
    """The value with U+FFFD for halves of characters (\\ud800), which tools write that cut texts by UTF-16 units."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [whole_characters(member) for member in value]
    if isinstance(value, dict):
        return {whole_characters(name): whole_characters(member) for name, member in value.items()}
    return value


def _why(raw: bytes, error: Exception) -> str:
    if isinstance(error, RepeatedKeyError):
        return str(error)
    if not raw.endswith(b"\n"):
        return "is cut off: the file ends in the middle of it"
    if isinstance(error, json.JSONDecodeError):
        return f"is not JSON: {error.msg} at column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"is not UTF-8 text: it has the byte 0x{raw[error.start]:02x}"
    return "is not JSON: it is nested too deeply"


def shorten(text: str, length: int = 40) -> str:
    """The text, cut to this length."""
    return text if len(text) <= length else text[: length - 1] + "…"
