"""One small problem for the tests of the training room."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from polyculture.dataset import Split
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
