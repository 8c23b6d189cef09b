"""Do the levels of the data axis give what their names say?"""

from __future__ import annotations

import numpy as np

from polyculture.dataset import Dataset
from polyculture.training import DATA, Problem


def test_the_halves_are_disjoint_cover_everything_and_keep_the_labels_in_proportion(digits: Problem) -> None:
    train = digits.split.train
    a, b = (DATA[half](train, 0) for half in ("half-a", "half-b"))
    assert not set(a.instances.index) & set(b.instances.index)
    assert set(a.instances.index) | set(b.instances.index) == set(train.instances.index)
    assert np.abs(np.bincount(a.labels) - np.bincount(b.labels)).max() <= 1


def test_the_halves_are_the_same_for_every_seed(digits: Problem) -> None:
    train = digits.split.train
    assert list(DATA["half-a"](train, 0).instances.index) == list(DATA["half-a"](train, 7).instances.index)


def test_a_bootstrap_repeats_some_instances_and_depends_on_the_seed_only(digits: Problem) -> None:
    train = digits.split.train
    first, again, other = (DATA["bootstrap"](train, seed) for seed in (0, 0, 1))
    assert len(first) == len(train)
    assert 0.55 < first.instances.index.nunique() / len(train) < 0.70
    np.testing.assert_array_equal(first.inputs, again.inputs)
    assert not np.array_equal(first.inputs, other.inputs)


def test_augmented_adds_one_slightly_changed_copy_of_every_image(digits: Problem) -> None:
    train = digits.split.train
    augmented = DATA["augmented"](train, 0)
    n = len(train)
    assert len(augmented) == 2 * n
    np.testing.assert_array_equal(augmented.inputs[:n], train.inputs)
    np.testing.assert_array_equal(augmented.labels[n:], train.labels)
    changed = np.abs(augmented.inputs[n:] - train.inputs).mean(axis=(1, 2))
    strangers = np.abs(train.inputs[1:] - train.inputs[:-1]).mean(axis=(1, 2))
    assert changed.min() > 0
    assert changed.mean() < 0.6 * strangers.mean()
    assert augmented.inputs.dtype == np.float32


def test_augmented_tables_get_noise_in_proportion_to_each_feature() -> None:
    inputs = np.stack([np.arange(50.0), np.full(50, 3.0)], axis=1)
    table = Dataset(inputs, np.zeros(50, np.int64), ("only",))
    added = DATA["augmented"](table, 0).inputs[50:] - inputs
    assert np.abs(added[:, 0]).max() > 0
    assert np.abs(added[:, 1]).max() == 0
