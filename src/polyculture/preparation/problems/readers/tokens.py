"""How are tagged tokens read? A token and its tag per line, a blank line after each sequence; or CoNLL-U."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from polyculture.errors import InputError

from ..data_options import DataOptions, stem_of
from ..raw_data import RawData, sequence_data
from .tables import text_lines

UNIVERSAL_COLUMNS = 10
DOCUMENT = "-DOCSTART-"


def read_tokens(paths: Sequence[Path], options: DataOptions) -> RawData:  # noqa: ARG001
    """The sequences of one file or several; ``file`` is then the file of each sequence.

    The first column is the token and the last its tag; in CoNLL-U the second and the universal part of speech.

    Raises InputError for a line with a token and no tag.
    """
    tokens, tags, sources = [], [], []
    for path in paths:
        for sequence in _sequences(path):
            tokens.append(tuple(token for token, _ in sequence))
            tags.append(tuple(tag for _, tag in sequence))
            sources.append(path)
    name = paths[0].parent.name if len(paths) > 1 else stem_of(paths[0])
    return sequence_data(name, "tags", tokens, tags, sources)


def _sequences(path: Path) -> Iterator[list[tuple[str, str]]]:
    sequence: list[tuple[str, str]] = []
    for number, line in enumerate([*text_lines(path), ""], start=1):
        if not line.strip():
            if sequence:
                yield sequence
            sequence = []
            continue
        pair = _pair(line)
        if pair is None:
            continue
        if not all(pair):
            raise InputError(
                f"line {number} of {path} is {line[:40]!r}", "a token and its tag, a tab or blanks between"
            )
        sequence.append(pair)


def _pair(line: str) -> tuple[str, str] | None:
    """Token and tag; None for a line without a token."""
    cells = line.split("\t") if "\t" in line else line.split()
    if len(cells) == UNIVERSAL_COLUMNS:
        return (cells[1], cells[3]) if cells[0].isdigit() else None  # 1-2 and 1.1 are no tokens of the text
    if cells[0] == DOCUMENT or line.startswith("# "):
        return None
    return cells[0].strip(), cells[-1].strip() if len(cells) > 1 else ""
