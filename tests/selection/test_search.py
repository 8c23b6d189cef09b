"""Search finds what there is to find, and the front keeps only what nothing beats."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.errors import InputError
from polyculture.selection import search

WORTH = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0]


def score(members: search.Members) -> float:
    """Additive worth, less what the neighbours among them have in common; lower is better."""
    overlap = sum(abs(a - b) == 1 for a, b in itertools.combinations(members, 2))
    return -sum(WORTH[m] for m in members) + 6.0 * overlap


def test_greedy_adds_whoever_helps_most() -> None:
    assert search.greedy(score, range(6), 3) == [(5,), (5, 2), (5, 2, 0)]


def test_without_a_size_greedy_stops_when_nobody_helps() -> None:
    assert search.greedy(score, range(6))[-1] == (5, 2, 0)
    assert search.greedy(lambda members: 0.0, range(6)) == [(0,)]


def test_exact_search_finds_the_best_set() -> None:
    found = search.exact(score, range(6), 3)
    assert score(found) == min(map(score, itertools.combinations(range(6), 3)))


def test_swapping_leaves_no_better_exchange() -> None:
    found = search.swap(score, range(6), (0, 1, 2))
    assert sorted(found) == [0, 2, 5]
    assert search.swap(score, (0, 1), (0, 1)) == (0, 1)


def test_too_many_sets_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        search.exact(score, range(100), 5)
    assert str(caught.value) == (
        "75,287,520 sets of 5 out of 100 models; expected at most 100,000 for the method 'exact'; "
        "take the method 'greedy' or 'swap'."
    )


LEVELS = st.integers(0, 4).map(float)
ROWS = st.lists(st.tuples(LEVELS, LEVELS), min_size=1, max_size=12)


@given(ROWS)
def test_an_efficient_row_is_beaten_by_none_and_the_others_by_one(rows: list[tuple[float, float]]) -> None:
    kept = search.efficient(rows)
    for row, efficient in zip(rows, kept, strict=True):
        beaten = any(o[0] <= row[0] and o[1] <= row[1] and o != row for o in rows)
        assert efficient is not beaten


def test_a_row_with_an_unknown_value_is_not_efficient() -> None:
    assert search.efficient([(1.0, math.nan), (2.0, 2.0)]) == [False, True]
