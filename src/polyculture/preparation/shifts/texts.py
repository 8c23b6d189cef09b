"""How are texts shifted? Typing errors, dropped and swapped words, capitals, a missing end.

Inputs are n strings. Words are separated by blanks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Shaped

from polyculture.dataset import Dataset

from .suite import Shift

LETTERS = "abcdefghijklmnopqrstuvwxyz"

Rewrite = Callable[[list[str], int, np.random.Generator], list[str]]
"""A text's words, a severity and a generator → the remaining words, at least one."""


def misspelled(word: str, draws: Float[np.ndarray, " 3"]) -> str:
    """The word with one typing error: letters swapped, one dropped, doubled or wrong; draws are uniform."""
    position, kind, letter_code = int(draws[0] * (len(word) - 1)), int(draws[1] * 4), int(draws[2] * 25)
    prefix, letter, suffix = word[:position], word[position], word[position + 1 :]
    if kind == 0:
        return prefix + suffix[0] + letter + suffix[1:]
    if kind == 1:
        return prefix + suffix
    if kind == 2:
        return prefix + letter + letter + suffix
    return prefix + LETTERS.replace(letter, "")[letter_code] + suffix


def typos(words: list[str], severity: int, generator: np.random.Generator) -> list[str]:
    """A typing error in 8 % of the words of three letters or more, per step of severity."""
    chances, error_draws = generator.random(len(words)), generator.random((len(words), 3))
    return [
        misspelled(word, draws) if chances[k] < 0.08 * severity and len(word) > 2 else word
        for k, (word, draws) in enumerate(zip(words, error_draws, strict=True))
    ]


def drop(words: list[str], severity: int, generator: np.random.Generator) -> list[str]:
    """8 % of the words dropped per step of severity."""
    selected = generator.random(len(words)) >= 0.08 * severity
    return [word for word, select in zip(words, selected, strict=True) if select] or words[:1]


def swap(words: list[str], severity: int, generator: np.random.Generator) -> list[str]:
    """Words swapped with the next one: 8 % per step of severity, from left to right."""
    swaps = generator.random(len(words)) < 0.08 * severity
    swapped = list(words)
    for k in np.flatnonzero(swaps[:-1]):
        swapped[k], swapped[k + 1] = swapped[k + 1], swapped[k]
    return swapped


def run_together(words: list[str], severity: int, generator: np.random.Generator) -> list[str]:
    """Missing blanks: 6 % of them per step of severity."""
    joins = generator.random(len(words)) < 0.06 * severity
    joined = words[:1]
    for word, join in zip(words[1:], joins[1:], strict=True):
        if join:
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def truncation(words: list[str], severity: int, generator: np.random.Generator) -> list[str]:  # noqa: ARG001
    """The last 15 % of the words missing per step of severity."""
    return words[: max(1, round(len(words) * (1 - 0.15 * severity)))]


def casing(words: list[str], severity: int, generator: np.random.Generator) -> list[str]:
    """A fifth of the words in capitals per step of severity. Learners that ignore case are unaffected."""
    mask = generator.random(len(words)) < 0.2 * severity
    return [word.upper() if upper else word for word, upper in zip(words, mask, strict=True)]


def _of_texts(rewrite: Rewrite) -> Shift:
    def shift(test: Dataset, severity: int, generator: np.random.Generator) -> Dataset:
        texts: Shaped[np.ndarray, " n"] = np.empty(len(test), object)
        texts[:] = [" ".join(rewrite(str(text).split(), severity, generator)) for text in test.array]
        return test.with_inputs(texts)

    return shift


SUITE: dict[str, Shift] = {
    rewrite.__name__.replace("_", "-"): _of_texts(rewrite)
    for rewrite in (typos, drop, swap, run_together, truncation, casing)
}
