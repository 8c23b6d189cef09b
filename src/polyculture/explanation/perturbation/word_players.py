"""Which words are taken away together? Single ones, or in long texts runs of neighbours; absent words are left out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from polyculture.models import tokenizer

from .players import MOST_PLAYERS, Players

_WORD = re.compile(r"\w+|[^\w\s]")
"""Words and punctuation marks, as `models.tokenizer` reads them."""


@dataclass(frozen=True, eq=False)
class WordPlayers(Players):
    """Players of texts: a coalition is the text without the other words.

    Parameters
    ----------
    texts : the inputs.
    steps : words of a text that models read; the later ones are left out of every coalition, so that they do not move
        into view where earlier ones are absent.
    width : features of an explanation, at least as many as any text has words within `steps`.
    limit : most players of a text.
    run : words of a player, in place of the fewest that `limit` allows; 0 for these.
    """

    texts: Shaped[np.ndarray, " n"]
    steps: int
    width: int
    limit: int = MOST_PLAYERS
    run: int = 0

    @cached_property
    def pieces(self) -> list[list[str]]:
        """Each text cut behind every word; the pieces make the text again."""
        return [_pieces(str(text), self.steps) for text in self.texts]

    @property
    def counts(self) -> Int[np.ndarray, " n"]:  # type: ignore[override]
        """The players of each text: its words, at most `limit`."""
        words = np.array([len(pieces) for pieces in self.pieces], np.int64)
        counts: np.ndarray = -(-words // self.run) if self.run else np.minimum(words, self.limit)
        return counts

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """One feature for each word of the longest text."""
        return (self.width,)

    def groups(self, row: int) -> Int[np.ndarray, " l"]:
        """Player of each word of a text: runs of neighbours of (about) the same length."""
        words = len(self.pieces[row])
        if self.run:
            return np.arange(words) // self.run
        return np.arange(words) * int(min(words, self.limit)) // max(words, 1)

    def compose(
        self,
        rows: Int[np.ndarray, " k"],
        masks: Bool[np.ndarray, "k g"],
        reference: int = 0,  # noqa: ARG002
    ) -> Shaped[np.ndarray, " k"]:
        """The texts of these rows without the words of absent players."""
        texts = np.empty(len(rows), object)
        for place, (row, mask) in enumerate(zip(rows.tolist(), masks, strict=True)):
            present = mask[self.groups(row)].tolist()
            texts[place] = _joined(self.pieces[row], present)
        return texts

    def spread(self, row: int, values: Float[np.ndarray, " g"]) -> Float[np.ndarray, " d"]:
        """Each player's value over the number of its words; 0 after the end of the text."""
        # In a few scripts a word has several tokens once it is in lower case; features are tokens.
        tokens = [len(tokenizer.split(piece)) for piece in self.pieces[row]]
        groups, shares = np.repeat(self.groups(row), tokens), np.zeros(self.width)
        if len(groups):
            parts = (values[: int(groups[-1]) + 1] / np.bincount(groups))[groups]
            shares[: len(parts)] = parts[: self.width]
        return shares


def _pieces(text: str, steps: int) -> list[str]:
    """The text as far as its first `steps` tokens, cut behind every word; the last piece has what follows it."""
    cuts, tokens = [0], 0
    for match in _WORD.finditer(text):
        if tokens >= steps:
            return [text[start:end] for start, end in pairwise(cuts)]
        cuts.append(match.end())
        tokens += len(tokenizer.split(match.group()))
    if len(cuts) > 1:
        cuts[-1] = len(text)
    return [text[start:end] for start, end in pairwise(cuts)]


def _joined(pieces: list[str], present: list[bool]) -> str:
    """The text of the present pieces; a space where an absent one had kept two words from being one (don't)."""
    parts: list[str] = []
    for place, (piece, is_present) in enumerate(zip(pieces, present, strict=True)):
        if is_present:
            gap = parts and not present[place - 1] and not piece[:1].isspace()
            parts.append(f" {piece}" if gap else piece)
    return "".join(parts)
