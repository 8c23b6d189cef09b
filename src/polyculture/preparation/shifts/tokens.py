"""What happens to sequences of tokens? The same slips as in texts, each token keeping its tag.

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
    """6 % of the tokens lost per step of severity, and their tags with them; of every sequence one is left."""
    there = test.labels >= 0
    luck = np.where(there, generator.random(there.shape), -1.0)
    kept = there & ((luck >= 0.06 * severity) | (luck == luck.max(axis=1, keepdims=True)))
    first = np.argsort(~kept, axis=1, kind="stable")  # kept tokens to the front, in their order
    still = np.take_along_axis(kept, first, axis=1)
    return replace(
        test,
        inputs=np.where(still, np.take_along_axis(test.inputs, first, axis=1), ""),
        labels=np.where(still, np.take_along_axis(test.labels, first, axis=1), -1),
    )


def lower(words: list[str], severity: int, generator: np.random.Generator) -> list[str]:
    """A fifth of the tokens without capitals per step of severity."""
    soft = generator.random(len(words)) < 0.2 * severity
    return [word.lower() if small else word for word, small in zip(words, soft, strict=True)]


def _of_tokens(rewrite: Callable[[list[str], int, np.random.Generator], list[str]]) -> Shift:
    """A shift that changes tokens one by one, as many as there were."""

    def shift(test: Dataset, severity: int, generator: np.random.Generator) -> Dataset:
        there = test.labels >= 0
        tokens = test.inputs.astype(object)
        tokens[there] = rewrite([str(token) for token in tokens[there]], severity, generator)
        return test.with_inputs(tokens.astype(str))

    return shift


SUITE: dict[str, Shift] = {
    "typos": _of_tokens(texts.typos),
    "drop": drop,
    "capitals": _of_tokens(texts.casing),
    "lower-case": _of_tokens(lower),
}
