"""Levels of the data axis that train on the labels that a strategy buys, and read no other label."""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.recipe import Recipe
from polyculture.rng import stream

pytest.importorskip("torch")
from polyculture.training.active.purchase import LEVELS, purchase
from polyculture.training.context import TrainingContext
from polyculture.training.data_levels import check_level, fit_at_level, training_set


def blobs(n: int = 150) -> Dataset:
    generator = stream(0, "blobs")
    labels = np.arange(n) % 3
    inputs = generator.normal(size=(n, 4)) + 2 * np.eye(4)[labels]
    return Dataset(inputs.astype(np.float32), labels.astype(np.int64), tuple("abc"))


@pytest.mark.parametrize("strategy", ["random", "margin-of-mean"])
def test_a_purchase_spends_its_budget_and_no_label_twice(strategy: str) -> None:
    batches = purchase(blobs(), 45, strategy, 0)
    assert [len(batch) for batch in batches] == [10, 20, 15]
    assert len(set(np.concatenate(batches).tolist())) == 45


def test_labels_that_are_not_bought_change_nothing() -> None:
    data = blobs()
    bought = np.concatenate(purchase(data, 30, "margin-of-mean", 0))
    labels = data.labels.copy()
    others = np.setdiff1d(np.arange(150), bought)
    labels[others] = (labels[others] + 1) % 3
    scrambled = Dataset(data.array, labels, data.classes)
    assert np.concatenate(purchase(scrambled, 30, "margin-of-mean", 0)).tolist() == bought.tolist()


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_trains_on_what_is_bought(level: str) -> None:
    data, recipe = blobs(), Recipe("logistic", data=f"{level}:40", seed=1)
    check_level(recipe, data)
    learned = fit_at_level(recipe, data, TrainingContext())
    assert learned.history[-1]["labels"] == 40
    assert len(training_set(recipe, data)) == 40
    accuracy = (learned.fitted(data.array).argmax(axis=1) == data.labels).mean()
    assert accuracy > 0.7


def test_a_budget_of_all_labels_is_refused() -> None:
    with pytest.raises(InputError, match="150 labels of 150 training instances leave no pool"):
        check_level(Recipe("logistic", data="active-margin:150"), blobs())
