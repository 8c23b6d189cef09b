"""Worlds in which it is known who covers for whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from polyculture.predictions import Predictions
from polyculture.testing import copying_errors

World = Callable[..., Predictions]


def probabilistic(
    m: int = 9, n: int = 600, classes: int = 3, families: int = 3, seed: int = 0, **more: Any
) -> Predictions:
    """Models of a few families; those of one family share most of their noise, and later ones are less skilled."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    shared = rng.normal(size=(families, n, classes))
    probabilities = np.empty((m, n, classes))
    for model in range(m):
        noise = shared[model % families] + 0.4 * rng.normal(size=(n, classes))
        scores = 1.5 * ((1.6 - 0.03 * model) * np.eye(classes)[labels] + noise)
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities[model] = e / e.sum(axis=1, keepdims=True)
    return Predictions(
        models=pd.DataFrame(
            {"family": np.arange(m) % families, "seconds": np.linspace(2, 1, m)}, index=[f"m{i}" for i in range(m)]
        ),
        instances=pd.DataFrame(
            {"group": np.where(np.arange(n) % 4 == 0, "few", "many"), "patient": np.arange(n) // 2},
            index=[f"i{seed}-{i}" for i in range(n)],
        ),
        answers=probabilities.argmax(axis=2),
        labels=labels,
        classes=tuple("abcdefghij"[:classes]),
        probabilities=probabilities,
        **more,
    )


@pytest.fixture(scope="session")
def world() -> World:
    return probabilistic


@pytest.fixture(scope="session")
def verdicts() -> Predictions:
    """Right or wrong only: three families of three judges that copy one another, 1,200 instances."""
    wrong = copying_errors((3, 3, 3), 1200, error_rate=0.25, copying=0.7, seed=4)
    return Predictions.from_correct({f"j{i}": ~row for i, row in enumerate(wrong)})
