"""One small problem for the tests of the training room."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from polyculture.dataset import Dataset, Split
from polyculture.training import Problem, load_problem


@cache
def _digits() -> Problem:
    return load_problem("digits")


@pytest.fixture(scope="session")
def digits() -> Problem:
    """The digits as users get them."""
    return _digits()


@pytest.fixture(scope="session")
def small() -> Problem:
    """64 digits to learn from and 100 to be tested on."""
    split = _digits().split
    train, test = split.train.take(np.arange(64)), split.test.take(np.arange(100))
    return replace(_digits(), split=Split(train, split.selection, test))


CLASSES = ("a", "b", "c")


@pytest.fixture(scope="session")
def sets() -> dict[str, Dataset]:
    """By name: one dataset per modality with three classes, and one with numbers to be predicted."""
    n = 90
    draw = np.random.default_rng(0)
    labels = np.arange(n) % 3
    wide = labels.astype(np.float32)
    times = np.arange(2000) / 8000
    tones = np.sin(2 * np.pi * (300 + 500 * labels[:, None]) * times) * 0.5 + draw.normal(0, 0.02, (n, 2000))
    images = draw.random((n, 6, 5)).astype(np.float32) * 0.5
    images[np.arange(n), labels * 2] += 0.5
    numbers = draw.normal(size=(n, 5)).astype(np.float32)
    return {
        "table": Dataset(draw.normal(size=(n, 5)).astype(np.float32) + 2 * wide[:, None], labels, CLASSES),
        "image": Dataset(images, labels, CLASSES, modality="image"),
        "colour": Dataset(np.repeat(images[..., None], 3, axis=3), labels, CLASSES, modality="image"),
        "volume": Dataset(np.repeat(images[:, None], 4, axis=1), labels, CLASSES, modality="volume"),
        "series": Dataset(
            draw.normal(size=(n, 8, 2)).astype(np.float32) + 2 * wide[:, None, None], labels, CLASSES, modality="series"
        ),
        "audio": Dataset(tones.astype(np.float32), labels, CLASSES, modality="audio"),
        "text": Dataset(_texts(labels, draw), labels, CLASSES, modality="text"),
        "tags": _sentences(n // 2, draw),
        "numbers": Dataset(numbers, (numbers @ [1, -2, 0, 0, 1] + 10).astype(np.float64), ()),
    }


def _texts(labels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    telling = (("great", "lovely"), ("dull", "poor"), ("long", "slow"))
    filling = ("the", "film", "is", "a", "story", "and", ".")
    return np.array(
        [" ".join(draw.permutation([*draw.choice(telling[k], 2), *draw.choice(filling, 5)])) for k in labels]
    )


def _sentences(n: int, draw: np.random.Generator) -> Dataset:
    """Words in lower case, in capitals, and figures: three classes of token; up to six tokens each."""
    words = (("dog", "cat", "runs"), ("Paris", "Rome"), ("42", "7"))
    tokens, labels = np.full((n, 6), "", dtype="U10"), np.full((n, 6), -1)
    for row in range(n):
        for place in range(int(draw.integers(2, 7))):
            kind = int(draw.integers(3))
            tokens[row, place], labels[row, place] = draw.choice(words[kind]), kind
    return Dataset(tokens, labels, CLASSES, modality="tags")
