"""How are texts augmented? Words dropped, swapped, misspelled or replaced; tokens keep their positions."""

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
from .word_substitution import nearest_words

BLANK = "\ufffd"
"""Replaces a dropped token: no word, so it is read as unknown."""
_PIECES = re.compile(r"(\w+)")
Translator = Callable[[Sequence[str]], Sequence[str]]
"""Texts in one language → the same texts in another."""


def drop(train: Dataset, generator: np.random.Generator, share: float = 0.1) -> Transformed:
    """This share of the words dropped, never all of them; tokens are blanked, so that tags keep their positions.

    Source: random deletion of Wei and Zou 2019.
    """
    if train.modality == "tags":
        blanked = (generator.random(train.array.shape) < share) & (train.array != "")
        return np.where(blanked, BLANK, train.array), None

    def fewer(words: list[str]) -> list[str]:
        selected = generator.random(len(words)) >= share
        if not selected.any():
            return words
        return [word if select else "" for word, select in zip(words, selected, strict=True)]

    return _rewritten(train.array, fewer), None


def swap(train: Dataset, generator: np.random.Generator, share: float = 0.1) -> Transformed:
    """This share of the words swapped with the next one (after the random swap of Wei and Zou 2019)."""

    def swapped(words: list[str]) -> list[str]:
        for position in np.flatnonzero(generator.random(len(words) - 1) < share) if len(words) > 1 else ():
            words[position], words[position + 1] = words[position + 1], words[position]
        return words

    return _rewritten(train.array, swapped), None


def typo(train: Dataset, generator: np.random.Generator, share: float = 0.1) -> Transformed:
    """This share of the words or tokens misspelled: a letter dropped, doubled, replaced, or swapped with the next."""

    def misspelled(words: list[str]) -> list[str]:
        for position in np.flatnonzero(generator.random(len(words)) < share):
            words[position] = _misspelled(words[position], generator)
        return words

    if train.modality == "tags":
        return _text_array([misspelled(row) for row in train.array.tolist()], train.array), None
    return _rewritten(train.array, misspelled), None


def synonym(train: Dataset, generator: np.random.Generator, share: float = 0.1) -> Transformed:
    """This share of the words replaced by a near one in these texts (see `nearest_words`), where there is one.

    Near words occur in the same contexts; they may be opposites, such as good and bad.
    """
    return synonyms(nearest_words(tuple(train.array.tolist())), share)(train, generator)


def synonyms(dictionary: Mapping[str, Sequence[str]], share: float = 0.1) -> View:
    """A view that replaces this share of the words by one of their entries in the dictionary, drawn uniformly.

    Words are looked up in lower case; those without an entry stay.
    """

    def view(train: Dataset, generator: np.random.Generator) -> Transformed:
        def replaced(words: list[str]) -> list[str]:
            for position in np.flatnonzero(generator.random(len(words)) < share):
                choices = dictionary.get(words[position].lower(), ())
                words[position] = choices[int(generator.integers(len(choices)))] if choices else words[position]
            return words

        return _rewritten(train.array, replaced), None

    return view


def back_translation(forward: Translator, backward: Translator, share: float = 0.5) -> View:
    """A view in which this share of the texts is translated to another language and back (Sennrich et al. 2016).

    Each text is translated once, when it is first drawn, not once per epoch.

    Parameters
    ----------
    forward, backward : a pair of translators, functions from texts to the same number of texts.
    share : of the texts that are replaced by their translation, drawn anew in each epoch.
    """
    translations: dict[str, str] = {}

    def view(train: Dataset, generator: np.random.Generator) -> Transformed:
        texts = train.array.tolist()
        translated = generator.random(len(texts)) < share
        new_texts = {
            text: "" for text, take in zip(texts, translated, strict=True) if take and text not in translations
        }
        if new_texts:
            translations.update(zip(new_texts, backward(forward(list(new_texts))), strict=True))
        rewritten = [translations[text] if take else text for text, take in zip(texts, translated, strict=True)]
        return _text_array(rewritten, train.array), None

    return view


def _rewritten(texts: Shaped[np.ndarray, " n"], change: Callable[[list[str]], list[str]]) -> Shaped[np.ndarray, " n"]:
    """Every text with its words changed; punctuation stays, runs of blanks become one blank."""
    changed = []
    for text in texts.tolist():
        pieces = _PIECES.split(text)
        pieces[1::2] = change(pieces[1::2])
        changed.append(" ".join("".join(pieces).split()))
    return _text_array(changed, texts)


def _text_array(texts: list[Any], original: np.ndarray) -> np.ndarray:
    """An array of the same kind as the original; its texts may be longer."""
    return np.array(texts, dtype=object if original.dtype == object else str)


def _misspelled(word: str, generator: np.random.Generator) -> str:
    """The word with one mistake; a word of fewer than two letters stays."""
    if len(word) < 2:
        return word
    kind, position = int(generator.integers(4)), int(generator.integers(len(word) - 1))
    prefix, letter, suffix = word[:position], word[position], word[position + 1 :]
    replacement = string.ascii_lowercase[generator.integers(26)]
    return prefix + (suffix, 2 * letter + suffix, replacement + suffix, suffix[0] + letter + suffix[1:])[kind]
