"""Codes of groups: values, tenths of numbers, missing values; and the crossing with the class."""

from __future__ import annotations

import numpy as np
import pandas as pd

from polyculture.auditing.strata import crossed, group_codes


def test_few_values_are_groups_of_their_own() -> None:
    assert group_codes(pd.Series(["b", "a", "b", "c"])).tolist() == [1, 0, 1, 2]
    assert group_codes(pd.Series([0.5, 0.1, 0.5])).tolist() == [1, 0, 1]
    assert group_codes(pd.Series([True, False, True])).tolist() == [1, 0, 1]


def test_many_numbers_are_cut_into_tenths() -> None:
    values = pd.Series(np.random.default_rng(0).permutation(200) ** 3.0)
    codes = group_codes(values)
    assert np.bincount(codes).tolist() == [20] * 10
    order = np.argsort(values.to_numpy())
    assert (np.diff(codes[order]) >= 0).all()


def test_many_names_are_not_cut() -> None:
    assert len(np.unique(group_codes(pd.Series([f"site {i}" for i in range(50)])))) == 50


def test_missing_values_are_one_group() -> None:
    assert group_codes(pd.Series(["a", None, "b", None])).tolist() == [0, 2, 1, 2]
    tenths = group_codes(pd.Series([*range(30), np.nan, np.nan]))
    assert tenths[30] == tenths[31] == tenths.max()
    assert (tenths == tenths.max()).sum() == 2


def test_crossing_tells_every_combination_apart() -> None:
    a, b = np.array([0, 0, 1, 1, 0]), np.array([0, 1, 0, 1, 0])
    codes = crossed([a, b], None)
    assert codes[0] == codes[4]
    assert len(set(codes[:4].tolist())) == 4


def test_the_class_is_crossed_only_if_five_instances_a_cell_remain() -> None:
    strata, classes = np.repeat([0, 1], 10), np.tile([0, 1], 10)
    assert len(np.unique(crossed([strata], classes))) == 4
    assert len(np.unique(crossed([strata[1:]], classes[1:]))) == 2
