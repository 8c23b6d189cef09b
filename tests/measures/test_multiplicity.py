"""Predictive multiplicity: textbook cases and brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.measures.multiplicity import competing, multiplicity, position, rashomon_capacity, self_consistency


def test_ambiguity_and_discrepancy_of_a_small_table() -> None:
    answers = np.array([[0, 0, 1, 1, -1], [0, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 0, 0, 1]])
    found = multiplicity(answers, 0, np.array([True, True, True, False]))
    assert (found.ambiguity, found.discrepancy) == (0.75, 0.75)
    np.testing.assert_array_equal(found.conflicts, [np.nan, 0.25, 0.75, np.nan])
    assert found.ambiguous.tolist() == [True, True, False, True, False]


def test_a_missing_answer_conflicts_with_nothing() -> None:
    found = multiplicity(np.array([[0, 1, 1], [-1, 1, 0]]), 0, np.array([True, True]))
    assert (found.ambiguity, found.discrepancy) == (pytest.approx(1 / 3), 0.5)


def test_without_competitors_there_is_no_multiplicity() -> None:
    alone = multiplicity(np.array([[0, 1], [1, 1]]), 0, np.array([True, False]))
    assert np.isnan([alone.ambiguity, alone.discrepancy]).all()


def test_competitors_are_about_as_good() -> None:
    assert competing(np.array([0.10, 0.105, 0.12, 0.02]), 0).tolist() == [True, True, False, True]


def test_two_classes_have_coopers_self_consistency() -> None:
    answers = np.array([[0, 0, 1], [0, 1, 1], [0, 1, -1], [0, 0, -1]])
    np.testing.assert_allclose(self_consistency(answers), [1, 1 - 2 * 4 / 12, 1])
    assert np.isnan(self_consistency(np.array([[0], [-1]]))).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 7), st.integers(1, 5))
def test_self_consistency_equals_brute_force(seed, m, classes) -> None:
    answers = np.random.default_rng(seed).integers(-1, classes, (m, 12))
    for i, found in enumerate(self_consistency(answers)):
        pairs = [x == y for x, y in itertools.combinations(answers[:, i][answers[:, i] >= 0], 2)]
        assert (np.isnan(found) and not pairs) or found == pytest.approx(np.mean(pairs))


def test_capacity_counts_conflicting_certain_answers() -> None:
    sure = np.eye(4)[[[0, 0, 0], [0, 1, 1], [0, 1, 2]]]
    np.testing.assert_allclose(rashomon_capacity(sure), [1, 2, 3], atol=1e-5)


def test_capacity_of_a_binary_symmetric_channel() -> None:
    e = 0.11
    p = np.array([[[1 - e, e]], [[e, 1 - e]]])
    entropy = -(e * np.log2(e) + (1 - e) * np.log2(1 - e))
    assert rashomon_capacity(p)[0] == pytest.approx(2 ** (1 - entropy), abs=1e-6)


def test_capacity_of_a_z_channel_is_the_published_one() -> None:
    """Crossover ½: log2(5/4) bits (Cover and Thomas 2006, exercise 7.8)."""
    assert rashomon_capacity(np.array([[[1.0, 0.0]], [[0.5, 0.5]]]))[0] == pytest.approx(1.25, abs=1e-3)


def test_more_models_never_lower_the_capacity() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(3), (6, 30))
    assert (rashomon_capacity(p) >= rashomon_capacity(p[:4]) - 2e-3).all()
    assert (rashomon_capacity(p) <= 3).all()


def test_a_pair_is_placed_between_independence_and_two_runs_of_one_model() -> None:
    alike = np.array([[1.0, 0.8, 0.4], [0.8, 1.0, 0.0], [0.4, 0.0, 1.0]])
    found = position(alike, np.array([0, 0, 1]))
    np.testing.assert_allclose(found[0], [1.25, 1, 0.5])
    assert found[1, 2] == 0
    assert np.isnan(position(alike, np.arange(3))).all()
