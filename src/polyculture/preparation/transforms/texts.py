"""How are texts read anew? Words dropped, swapped, mistyped or replaced by near ones; tokens keep their places."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from polyculture.dataset import Dataset

from .numeric import Transformed
from .transform import View
from .word_substitution import near_words

BLANK = "\ufffd"
"""What stands for a token that was dropped: no word, so it is read as unknown."""
_PIECES = re.compile(r"(\w+)")
Translator = Callable[[Sequence[str]], Sequence[str]]
"""Texts in one language → as many texts in another."""


def drop(train: Dataset, generator: np.random.Generator, share: float = 0.1) -> Transformed:
    """This share of the words left out, one is always kept; tokens to tag are blanked, so that labels keep places.

    Source: random deletion of Wei and Zou 2019.
    """
    if train.modality == "tags":
        blanked = (generator.random(train.inputs.shape) < share) & (train.inputs != "")
        return np.where(blanked, BLANK, train.inputs), None

    def fewer(words: list[str]) -> list[str]:
        kept = generator.random(len(words)) >= share
        return [word if keep else "" for word, keep in zip(words, kept, strict=True)] if kept.any() else words

    return _each(train.inputs, fewer), None


def swap(train: Dataset, generator: np.random.Generator, share: float = 0.1) -> Transformed:
    """This share of the words changed places with the next one (after the random swap of Wei and Zou 2019)."""

    def swapped(words: list[str]) -> list[str]:
        for place in np.flatnonzero(generator.random(len(words) - 1) < share) if len(words) > 1 else ():
            words[place], words[place + 1] = words[place + 1], words[place]
        return words

    return _each(train.inputs, swapped), None


def typo(train: Dataset, generator: np.random.Generator, share: float = 0.1) -> Transformed:
    """This share of the words or tokens mistyped: a letter left out, doubled, replaced, or changed with the next."""

    def mistyped(words: list[str]) -> list[str]:
        for place in np.flatnonzero(generator.random(len(words)) < share):
            words[place] = _mistyped(words[place], generator)
        return words

    if train.modality == "tags":
        return _as([mistyped(row) for row in train.inputs.tolist()], train.inputs), None
    return _each(train.inputs, mistyped), None


def synonym(train: Dataset, generator: np.random.Generator, share: float = 0.1) -> Transformed:
    """This share of the words replaced by one that is near in these very texts (see `near_words`), where there is one.

    Near are words that keep the same company; that may be the opposite, too: good and bad.
    """
    return synonyms(near_words(tuple(train.inputs.tolist())), share)(train, generator)


def synonyms(dictionary: Mapping[str, Sequence[str]], share: float = 0.1) -> View:
    """A view that replaces this share of the words by one of those that the dictionary has for it, each as likely.

    Words are looked up in lower case; those that the dictionary does not have stay.
    """

    def view(train: Dataset, generator: np.random.Generator) -> Transformed:
        def replaced(words: list[str]) -> list[str]:
            for place in np.flatnonzero(generator.random(len(words)) < share):
                choices = dictionary.get(words[place].lower(), ())
                words[place] = choices[int(generator.integers(len(choices)))] if choices else words[place]
            return words

        return _each(train.inputs, replaced), None

    return view


def back_translation(there: Translator, back: Translator, share: float = 0.5) -> View:
    """A view in which this share of the texts has been to another language and back (Sennrich et al. 2016).

    Each text is translated once, when it is first wanted, however many epochs there are.

    Parameters
    ----------
    there, back : any pair of translators, functions from texts to as many texts.
    share : of the texts that are read in their translation, drawn anew in each epoch.
    """
    known: dict[str, str] = {}

    def view(train: Dataset, generator: np.random.Generator) -> Transformed:
        texts = train.inputs.tolist()
        chosen = generator.random(len(texts)) < share
        wanted = {text: "" for text, take in zip(texts, chosen, strict=True) if take and text not in known}
        if wanted:
            known.update(zip(wanted, back(there(list(wanted))), strict=True))
        read = [known[text] if take else text for text, take in zip(texts, chosen, strict=True)]
        return _as(read, train.inputs), None

    return view


def _each(texts: Shaped[np.ndarray, " n"], change: Callable[[list[str]], list[str]]) -> Shaped[np.ndarray, " n"]:
    """Every text with its words changed; what stands between words stays, runs of blanks become one."""
    changed = []
    for text in texts.tolist():
        pieces = _PIECES.split(text)
        pieces[1::2] = change(pieces[1::2])
        changed.append(" ".join("".join(pieces).split()))
    return _as(changed, texts)


def _as(texts: list[Any], like: np.ndarray) -> np.ndarray:
    """An array of the same kind as `like`; its texts may be longer."""
    return np.array(texts, dtype=object if like.dtype == object else str)


def _mistyped(word: str, generator: np.random.Generator) -> str:
    """The word with one mistake; a word of fewer than two letters stays."""
    if len(word) < 2:
        return word
    kind, place = int(generator.integers(4)), int(generator.integers(len(word) - 1))
    before, here, after = word[:place], word[place], word[place + 1 :]
    other = string.ascii_lowercase[generator.integers(26)]
    return (before + after, before + 2 * here + after, before + other + after, before + after[0] + here + after[1:])[
        kind
    ]
