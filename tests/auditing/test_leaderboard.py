"""Two models share a letter exactly when no test tells them apart."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from polyculture.auditing.leaderboard import letters_display


def symmetric(m: int, pairs: list[tuple[int, int]]) -> np.ndarray:
    apart = np.zeros((m, m), dtype=bool)
    for i, j in pairs:
        apart[i, j] = apart[j, i] = True
    return apart


def test_models_that_cannot_be_told_apart_all_share_one_letter() -> None:
    assert letters_display(symmetric(4, [])) == ["a", "a", "a", "a"]


def test_models_that_are_all_apart_have_a_letter_each() -> None:
    assert letters_display(symmetric(3, [(0, 1), (0, 2), (1, 2)])) == ["a", "b", "c"]


def test_a_middle_model_bridges_two_that_are_apart() -> None:
    assert letters_display(symmetric(3, [(0, 2)])) == ["a", "ab", "b"]


def test_after_z_the_letters_are_doubled_and_set_apart() -> None:
    m = 30
    display = letters_display(~np.eye(m, dtype=bool))
    assert display[0] == "a"
    assert display[26:28] == ["aa", "ab"]


@given(
    st.integers(2, 9).flatmap(
        lambda m: st.tuples(st.just(m), st.lists(st.tuples(st.integers(0, m - 1), st.integers(0, m - 1))))
    )
)
def test_sharing_a_letter_means_exactly_not_apart(design: tuple[int, list[tuple[int, int]]]) -> None:
    m, pairs = design
    apart = symmetric(m, [(i, j) for i, j in pairs if i != j])
    words = [set(w.split()) if " " in w else set(w) for w in letters_display(apart)]
    assert all(bool(words[i] & words[j]) != apart[i, j] for i in range(m) for j in range(m) if i != j)
