"""How do texts become codes? By a vocabulary of words; for tags also by the ending, beginning and shape of a token."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Int64, Shaped

MOST_WORDS = 20_000
FEWEST_USES = 2
"""Rarer words are unknown, so that training includes unknown words."""
MOST_STEPS = 128
MARKS = ("word", "ending", "beginning", "shape")
_WORD = re.compile(r"\w+|[^\w\s]")


def split(text: str) -> list[str]:
    """Lower-case words and punctuation marks."""
    return _WORD.findall(text.lower())


def spans(text: str) -> list[tuple[int, int]]:
    """Where each word of `split` begins and ends in the text."""
    return [match.span() for match in _WORD.finditer(text.lower())]


def vocabulary(texts: Iterable[str]) -> tuple[str, ...]:
    """The words used at least twice, most frequent first, at most 20,000."""
    return _frequent(Counter(word for text in texts for word in split(text)))


def usual_length(texts: Iterable[str]) -> int:
    """Number of words that are read: the 98th percentile of the lengths, 4 to 128."""
    lengths = [len(split(text)) for text in texts]
    return int(np.clip(np.quantile(lengths, 0.98), 4, MOST_STEPS))


def codes(
    texts: Sequence[str] | Shaped[np.ndarray, " n"], code_of_word: Mapping[str, int], steps: int
) -> Int64[np.ndarray, "n l"]:
    """Code of each of the first `steps` words: 0 after the end, 1 unknown, 2 and more known."""
    table = np.zeros((len(texts), steps), np.int64)
    for row, text in zip(table, texts, strict=True):
        numbers = [code_of_word.get(word, 1) for word in split(text)[:steps]] or [1]
        row[: len(numbers)] = numbers
    return table


def marks(token: str) -> tuple[str, str, str, str]:
    """The token in lower case, its last three letters, its first three, and its shape (``"Xx"``, ``"d-d"``)."""
    lower = token.lower()
    shape = re.sub(
        r"(.)\1+",
        r"\1",
        "".join("X" if c.isupper() else "x" if c.islower() else "d" if c.isdigit() else c for c in token),
    )
    return lower, lower[-3:], lower[:3], shape


def mark_vocabularies(tokens: Shaped[np.ndarray, "n l"]) -> tuple[tuple[str, ...], ...]:
    """The marks of each kind that are used at least twice, most frequent first."""
    counts = Counter(tokens[tokens != ""].tolist())
    kinds: list[Counter[str]] = [Counter() for _ in MARKS]
    for token, count in counts.items():
        for kind, mark in zip(kinds, marks(token), strict=True):
            kind[mark] += count
    return tuple(_frequent(kind) for kind in kinds)


def mark_codes(
    tokens: Shaped[np.ndarray, "n l"], code_of_mark: Sequence[Mapping[str, int]]
) -> Int64[np.ndarray, "n l k"]:
    """Code of each mark of each token: 0 after the end, 1 unknown, 2 and more known."""
    unique, positions = np.unique(tokens, return_inverse=True)
    rows = [
        [0] * len(code_of_mark) if not t else [k.get(m, 1) for k, m in zip(code_of_mark, marks(t), strict=True)]
        for t in unique.tolist()
    ]
    return np.array(rows, np.int64).reshape(-1, len(code_of_mark))[positions.reshape(tokens.shape)]


def _frequent(counts: Counter[str]) -> tuple[str, ...]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(word for word, count in ordered[:MOST_WORDS] if count >= FEWEST_USES)
