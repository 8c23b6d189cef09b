"""How are token sequences shifted? As texts are, each token with its tag.

Inputs are n × l strings, empty after the end of a sequence; labels are n × l codes, −1 there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from polyculture.dataset import Dataset

from . import texts
from .suite import Shift


def drop(test: Dataset, severity: int, generator: np.random.Generator) -> Dataset:
    """6 % of the tokens dropped per step of severity, with their tags; of every sequence at least one remains."""
    present = test.labels >= 0
    draws = np.where(present, generator.random(present.shape), -1.0)
    selected = present & ((draws >= 0.06 * severity) | (draws == draws.max(axis=1, keepdims=True)))
    order = np.argsort(~selected, axis=1, kind="stable")  # remaining tokens first, in their order
    remaining = np.take_along_axis(selected, order, axis=1)
    tokens = np.where(remaining, np.take_along_axis(test.array, order, axis=1), "")
    labels = np.where(remaining, np.take_along_axis(test.labels, order, axis=1), -1)
    return replace(test.with_inputs(tokens), labels=labels)


def lower(words: list[str], severity: int, generator: np.random.Generator) -> list[str]:
    """A fifth of the tokens without capitals per step of severity."""
    mask = generator.random(len(words)) < 0.2 * severity
    return [word.lower() if small else word for word, small in zip(words, mask, strict=True)]


def _of_tokens(rewrite: Callable[[list[str], int, np.random.Generator], list[str]]) -> Shift:
    """A shift that changes single tokens, not their number."""

    def shift(test: Dataset, severity: int, generator: np.random.Generator) -> Dataset:
        present = test.labels >= 0
        tokens = test.array.astype(object)
        tokens[present] = rewrite([str(token) for token in tokens[present]], severity, generator)
        return test.with_inputs(tokens.astype(str))

    return shift


SUITE: dict[str, Shift] = {
    "typos": _of_tokens(texts.typos),
    "drop": drop,
    "capitals": _of_tokens(texts.casing),
    "lower-case": _of_tokens(lower),
}
