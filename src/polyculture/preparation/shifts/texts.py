"""What happens to words when people type? Slips, lost and swapped words, capitals, an end that is missing.

Inputs are n strings. Words are what stands between blanks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Shaped

from polyculture.dataset import Dataset

from .suite import Shift

LETTERS = "abcdefghijklmnopqrstuvwxyz"

Rewrite = Callable[[list[str], int, np.random.Generator], list[str]]
"""A text's words, a severity and a generator → the words that are left, one at least."""


def slip(word: str, drawn: Float[np.ndarray, " 3"]) -> str:
    """The word with one typing error: two letters swapped, one lost, one twice, or one wrong; three uniform draws."""
    where, kind, other = int(drawn[0] * (len(word) - 1)), int(drawn[1] * 4), int(drawn[2] * 25)
    before, letter, after = word[:where], word[where], word[where + 1 :]
    if kind == 0:
        return before + after[0] + letter + after[1:]
    if kind == 1:
        return before + after
    if kind == 2:
        return before + letter + letter + after
    return before + LETTERS.replace(letter, "")[other] + after


def typos(words: list[str], severity: int, generator: np.random.Generator) -> list[str]:
    """A slip in 8 % of the words of three letters or more, per step of severity."""
    hit, how = generator.random(len(words)), generator.random((len(words), 3))
    return [
        slip(word, draws) if hit[k] < 0.08 * severity and len(word) > 2 else word
        for k, (word, draws) in enumerate(zip(words, how, strict=True))
    ]


def drop(words: list[str], severity: int, generator: np.random.Generator) -> list[str]:
    """8 % of the words lost per step of severity."""
    kept = generator.random(len(words)) >= 0.08 * severity
    return [word for word, stays in zip(words, kept, strict=True) if stays] or words[:1]


def swap(words: list[str], severity: int, generator: np.random.Generator) -> list[str]:
    """Words that change places with the next one: 8 % per step of severity, from left to right."""
    hit = generator.random(len(words)) < 0.08 * severity
    swapped = list(words)
    for k in np.flatnonzero(hit[:-1]):
        swapped[k], swapped[k + 1] = swapped[k + 1], swapped[k]
    return swapped


def run_together(words: list[str], severity: int, generator: np.random.Generator) -> list[str]:
    """Blanks forgotten: 6 % of them per step of severity."""
    forgotten = generator.random(len(words)) < 0.06 * severity
    joined = words[:1]
    for word, without in zip(words[1:], forgotten[1:], strict=True):
        if without:
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def truncation(words: list[str], severity: int, generator: np.random.Generator) -> list[str]:  # noqa: ARG001
    """The last 15 % of the words missing per step of severity."""
    return words[: max(1, round(len(words) * (1 - 0.15 * severity)))]


def casing(words: list[str], severity: int, generator: np.random.Generator) -> list[str]:
    """A fifth of the words in capitals per step of severity. Learners that read lower case only do not notice."""
    loud = generator.random(len(words)) < 0.2 * severity
    return [word.upper() if shouted else word for word, shouted in zip(words, loud, strict=True)]


def _of_texts(rewrite: Rewrite) -> Shift:
    def shift(test: Dataset, severity: int, generator: np.random.Generator) -> Dataset:
        texts: Shaped[np.ndarray, " n"] = np.empty(len(test), object)
        texts[:] = [" ".join(rewrite(str(text).split(), severity, generator)) for text in test.inputs]
        return test.with_inputs(texts)

    return shift


SUITE: dict[str, Shift] = {
    "typos": _of_texts(typos),
    "drop": _of_texts(drop),
    "swap": _of_texts(swap),
    "run-together": _of_texts(run_together),
    "truncation": _of_texts(truncation),
    "casing": _of_texts(casing),
}
