"""How are tagged tokens read? A token and its tag per line, a blank line after each sequence; or CoNLL-U."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from polyculture.errors import InputError

from ..data_options import DataOptions, stem_of
from ..raw_data import RawData, sequence_data
from .tables import text_lines

UNIVERSAL_COLUMNS = 10
DOCUMENT = "-DOCSTART-"
_TAG = re.compile(r"[BIOESLUMS]-.+|[A-Z$#.,:]+")
"""Tags of spans, and capitals as most tags of parts of speech are: not words of a comment."""


def read_tokens(paths: Sequence[Path], options: DataOptions) -> RawData:  # noqa: ARG001
    """The sequences of one file or several; ``file`` is then the file of each sequence.

    The first column is the token and the last its tag; in CoNLL-U the second and the universal part of speech. A
    line that starts with # is a comment before the first token of a sequence only, and there only in CoNLL-U or if
    it has no tag in the column of tags.

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
    lines = text_lines(path)
    columns = _Columns.of(lines)
    sequence: list[tuple[str, str]] = []
    for number, line in enumerate([*lines, ""], start=1):
        if not line.strip():
            if sequence:
                yield sequence
            sequence = []
            continue
        cells = cells_of(line)
        if columns.is_no_token(cells) or (not sequence and columns.is_no_sequence(cells)):
            continue
        pair = columns.pair(cells)
        if not all(pair):
            raise InputError(
                f"line {number} of {path} is {line[:40]!r}", "a token and its tag, a tab or blanks between"
            )
        sequence.append(pair)


def cells_of(line: str) -> list[str]:
    """The cells between tabs, or between blanks where there is no tab; other white space may be a token."""
    return line.split("\t") if "\t" in line else re.split(" +", line.strip(" "))


def token_rows(lines: Sequence[str]) -> list[list[str]]:
    """The cells of the lines that are tokens for sure; of all if none is: # before the first one may be a comment."""
    certain: list[list[str]] = []
    doubtful: list[list[str]] = []
    start = True
    for line in lines:
        start = not line.strip() or (start and line.startswith(("#", DOCUMENT)))
        if line.strip():
            (doubtful if start else certain).append(cells_of(line))
    return certain or doubtful


@dataclass(frozen=True)
class _Columns:
    """What the columns of a file hold: how many there are, which tags, and whether it is CoNLL-U."""

    count: int
    tags: frozenset[str]
    universal: bool

    @classmethod
    def of(cls, lines: Sequence[str]) -> _Columns:
        rows = token_rows(lines)
        count = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
        universal = count == UNIVERSAL_COLUMNS and all(row[0][:1].isdigit() for row in rows)
        return cls(count, frozenset(row[-1].strip(" ") for row in rows if len(row) == count), universal)

    def is_no_token(self, cells: list[str]) -> bool:
        """Whether a line of CoNLL-U is no token of the text: 1-2, 1.1."""
        return self.universal and len(cells) == UNIVERSAL_COLUMNS and not cells[0].isdigit() and cells[0][:1].isdigit()

    def is_no_sequence(self, cells: list[str]) -> bool:
        """Whether a line before the first token of a sequence is a comment or begins a document."""
        if cells[0] == DOCUMENT or not cells[0].startswith("#"):
            return cells[0] == DOCUMENT
        tag = cells[-1].strip(" ")
        return self.universal or len(cells) != self.count or not (tag in self.tags or _TAG.fullmatch(tag))

    def pair(self, cells: list[str]) -> tuple[str, str]:
        """Token and tag; one of them is empty where the line has none."""
        if self.universal:
            return (cells[1], cells[3]) if len(cells) == UNIVERSAL_COLUMNS else ("", "")
        return cells[0].strip(" "), cells[-1].strip(" ") if len(cells) > 1 else ""
