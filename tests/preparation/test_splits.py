"""Is data cut in proportion and without a leak?"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture import rng
from polyculture.errors import InputError
from polyculture.preparation.splits import folds, grouped, grouped_folds, in_time, sampled, stratified

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60)
SHARES = st.sampled_from([(0.5, 0.5), (0.45, 0.15, 0.40), (0.2, 0.3, 0.1, 0.4)])
SEEDS = st.integers(0, 9)


def assert_a_partition(parts: list[np.ndarray], n: int) -> None:
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(n))
    assert all((np.diff(part) > 0).all() for part in parts)


@given(LABELS, SHARES, SEEDS)
def test_stratified_parts_cover_everything_once_and_keep_every_label_in_proportion(
    labels: list[int], shares: tuple[float, ...], seed: int
) -> None:
    codes = np.array(labels)
    parts = stratified(codes, shares, rng.stream(seed))
    assert_a_partition(parts, len(codes))
    for part, share in zip(parts, shares, strict=True):
        for label in set(labels):
            assert abs((codes[part] == label).sum() - share * labels.count(label)) <= 1


@given(LABELS, st.integers(1, 70), SEEDS)
def test_a_sample_has_exactly_the_size_asked_for_and_every_label_in_proportion(
    labels: list[int], count: int, seed: int
) -> None:
    codes = np.array(labels)
    rows = sampled(codes, count, rng.stream(seed))
    kept = min(count, len(codes))
    assert len(rows) == kept
    assert (np.diff(rows) > 0).all()
    for label in set(labels):
        assert abs((codes[rows] == label).sum() - labels.count(label) * kept / len(codes)) <= 1


@given(st.lists(st.integers(0, 12), min_size=20, max_size=80), SHARES, SEEDS)
def test_grouped_parts_share_no_group_and_exceed_their_share_by_less_than_the_largest_group(
    groups: list[int], shares: tuple[float, ...], seed: int
) -> None:
    names = np.array([f"g{g}" for g in groups])
    if len(set(groups)) < len(shares):
        return
    parts = grouped(names, shares, rng.stream(seed))
    assert_a_partition(parts, len(names))
    owners = [set(names[part]) for part in parts]
    assert sum(map(len, owners)) == len(set.union(*owners))
    largest = max(groups.count(g) for g in groups)
    for part, share in zip(parts, shares, strict=True):
        assert 0 < len(part) < share * len(groups) + largest


def test_one_large_group_and_two_small_ones_leave_no_part_empty() -> None:
    parts = grouped(np.array(["big"] * 10 + ["a", "b"]), (0.45, 0.15, 0.40), rng.stream(0))
    assert sorted(map(len, parts)) == [1, 1, 10]


def test_fewer_groups_than_parts_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        grouped(np.array(["a", "b"]), (0.45, 0.15, 0.40), rng.stream(0))
    assert str(caught.value) == (
        "2 groups to be dealt to 3 parts; expected a group for every part, or more; name a column with more values."
    )


@given(st.lists(st.integers(0, 30), min_size=40, max_size=90), st.integers(0, 3))
def test_every_part_in_time_is_later_than_the_part_before_it(moments: list[int], gap: int) -> None:
    times = np.array(moments)
    try:
        parts = in_time(times, (0.45, 0.15, 0.40), gap)
    except InputError:
        return  # all at a few moments
    assert len(np.unique(np.concatenate(parts))) == sum(map(len, parts)) == len(times) - 2 * gap
    for before, after in pairwise(parts):
        assert times[before].max() < times[after].min() or gap > 0
        assert times[before].max() <= times[after].min()


def test_different_moments_are_cut_exactly_where_the_shares_say() -> None:
    parts = in_time(np.arange(100)[::-1], (0.45, 0.15, 0.40), gap=3)
    assert [len(part) for part in parts] == [45, 12, 37]
    assert set(parts[2]) == set(range(37))


def test_moments_that_are_all_one_cannot_be_cut() -> None:
    with pytest.raises(InputError) as caught:
        in_time(np.zeros(5), (0.5, 0.5), gap=1)
    assert str(caught.value) == (
        "5 instances of 1 times cannot be split in 2 parts; "
        "expected a distinct time for each part, and more than 1 instances."
    )


@given(st.lists(st.integers(0, 4), min_size=5, max_size=60), st.integers(2, 5), SEEDS)
def test_folds_are_as_equal_as_whole_instances_allow(labels: list[int], count: int, seed: int) -> None:
    codes = np.array(labels)
    tests = folds(codes, count, rng.stream(seed))
    assert_a_partition(tests, len(codes))
    assert max(map(len, tests)) - min(map(len, tests)) <= 1
    for label in set(labels):
        numbers = [(codes[test] == label).sum() for test in tests]
        assert max(numbers) - min(numbers) <= 1


@pytest.mark.parametrize("count", [1, 7])
def test_folds_want_an_instance_each(count: int) -> None:
    with pytest.raises(InputError) as caught:
        folds(np.zeros(6, np.int64), count, rng.stream(0))
    assert str(caught.value) == f"{count} folds of 6 instances; expected 2 or more, with an instance in each."


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=20, max_size=80), st.integers(0, 5))
def test_grouped_folds_share_no_group_and_none_is_empty(pairs: list[tuple[int, int]], seed: int) -> None:
    labels, groups = np.array(pairs).T
    count = min(4, len(np.unique(groups)))
    if count < 2:
        return
    tests = grouped_folds(labels, groups, count, rng.stream(seed))
    np.testing.assert_array_equal(np.sort(np.concatenate(tests)), np.arange(len(labels)))
    assert sum(len(np.unique(groups[rows])) for rows in tests) == len(np.unique(groups))
    assert all(len(rows) for rows in tests)


@given(st.lists(st.integers(0, 3), min_size=10, max_size=60), st.integers(2, 5), st.integers(0, 5))
def test_grouped_folds_of_single_instances_are_as_equal_as_folds(labels: list[int], count: int, seed: int) -> None:
    codes = np.array(labels)
    tests = grouped_folds(codes, np.arange(len(codes)), count, rng.stream(seed))
    for label in range(4):
        assert np.ptp([(codes[rows] == label).sum() for rows in tests]) <= 1


def test_grouped_folds_have_every_label_in_proportion() -> None:
    draw = np.random.default_rng(0)
    labels, groups = draw.integers(0, 5, 1000), np.r_[np.arange(800), draw.integers(800, 840, 200)]
    for rows in grouped_folds(labels, groups, 5, rng.stream(0)):
        np.testing.assert_allclose(np.bincount(labels[rows]), np.bincount(labels) / 5, atol=2)


@pytest.mark.parametrize("count", [1, 4])
def test_grouped_folds_want_a_group_each(count: int) -> None:
    with pytest.raises(InputError) as caught:
        grouped_folds(np.zeros(4, np.int64), np.array([0, 0, 1, 2]), count, rng.stream(0))
    assert str(caught.value) == f"{count} folds of 3 groups of instances; expected 2 or more, with a group in each."
