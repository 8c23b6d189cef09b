"""Are copies of one instance put in one group, whatever their labels?"""

from __future__ import annotations

import numpy as np

from polyculture.dataset import Dataset
from polyculture.preparation.duplicates import duplicate_groups


def test_equal_rows_are_one_group_whatever_their_labels() -> None:
    inputs = np.array([[0.0, 1], [1, 1], [-0.0, 1], [1, 2], [1, 1]])
    groups = duplicate_groups(Dataset(inputs, np.array([0, 1, 1, 0, 1]), ("a", "b")))
    np.testing.assert_array_equal(groups, [0, 1, 0, 2, 1])


def test_texts_are_equal_but_for_case_and_white_space() -> None:
    texts = np.array(["A  b", "a b\n", "ab", "a B"])
    groups = duplicate_groups(Dataset(texts, np.zeros(4, np.int64), ("x",), modality="text"))
    np.testing.assert_array_equal(groups, [0, 0, 1, 0])


def test_all_inputs_must_be_equal() -> None:
    inputs = {"left": np.array([[1.0], [1], [1]]), "right": np.array([[1.0], [2], [1]])}
    dataset = Dataset(inputs, np.zeros(3, np.int64), ("x",), modality=dict.fromkeys(inputs, "table"))
    np.testing.assert_array_equal(duplicate_groups(dataset), [0, 1, 0])


def test_groups_that_share_an_instance_become_one() -> None:
    dataset = Dataset(np.array([[1.0], [1], [2], [3], [4]]), np.zeros(5, np.int64), ("x",))
    patients = np.array(["p", "q", "q", "r", "s"])
    np.testing.assert_array_equal(duplicate_groups(dataset, [patients]), [0, 0, 0, 1, 2])
