"""The benchmark of ensembles itself: a class that is absent from the rows learned from is no reason to stop."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_wine

from polyculture.dataset import Dataset


def test_a_class_without_a_row_to_learn_from_has_probability_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[3])
    benchmark = importlib.import_module("benchmarks.ensembles.__main__")
    sets = importlib.import_module("benchmarks.ensembles.sets")
    X, y = load_wine(return_X_y=True)
    parts = (np.flatnonzero(y != 1)[::2], np.arange(1, len(y), 2))
    develop, test = (Dataset(X[rows], y[rows], ("a", "b", "c"), modality="table") for rows in parts)
    cut = sets.Cut(develop, test, {"again": test})
    learners = [pair for pair in benchmark.tried(cut, 0) if pair[0] in ("naive bayes", "logistic", "discriminant")]
    monkeypatch.setattr(benchmark, "tried", lambda *_: learners)
    told = benchmark.one(cut, 0, None, ("voting", "stacking"))
    assert set(told) == {"polyculture", "best single", "uniform, all", "voting", "stacking"}
    known = float((test.labels != 1).mean())
    for found in told.values():
        assert 0.5 * known < found["accuracy"] <= known  # nobody can say the class that it never saw
        assert found["all wrong"] >= 1 - known
