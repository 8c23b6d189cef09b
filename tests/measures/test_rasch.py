"""Abilities at equal difficulty: textbook values and exactness against enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.measures.rasch import NOT_CONVERGED, TOO_FEW, ability, fit, rates_given_count


def counts_of(wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    e = wrong.astype(np.int64)
    return e @ e.T, np.bincount(e.sum(axis=0), minlength=len(wrong) + 1)


def worlds(rng: np.random.Generator, models: int, n: int) -> np.ndarray:
    """Models that fail independently given difficulty."""
    logits = rng.normal(0, 1.5, n) + rng.normal(-1.5, 0.5, models)[:, None]
    return rng.random((models, n)) < 1 / (1 + np.exp(-logits))


def test_rates_given_the_failure_count_are_the_textbook_ones() -> None:
    """T9: ε = 1, 2, 4."""
    rates = rates_given_count(np.log([1.0, 2.0, 4.0]))
    np.testing.assert_allclose(rates[:, 1], np.array([1, 2, 4]) / 7, atol=1e-12)
    np.testing.assert_allclose(rates[:, 2], np.array([6, 10, 12]) / 14, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-6, 6), min_size=3, max_size=6), st.floats(0, 1e-3))
def test_rates_equal_enumeration_also_for_nearly_equal_models(values, nudge) -> None:
    abilities = np.array([*values, values[0] + nudge])
    m = len(abilities)
    outcomes = np.array(list(itertools.product([0, 1], repeat=m)))
    weight, count = np.exp(outcomes @ abilities), outcomes.sum(axis=1)
    rates = rates_given_count(abilities)
    for k in range(m + 1):
        expected = weight[count == k] @ outcomes[count == k] / weight[count == k].sum()
        np.testing.assert_allclose(rates[:, k], expected, atol=2e-8)


def test_a_thousand_models_lose_no_digits() -> None:
    rates = rates_given_count(np.random.default_rng(0).normal(0, 2, 1000))
    np.testing.assert_allclose(rates.sum(axis=0), np.arange(1001), atol=1e-8)
    assert ((rates >= 0) & (rates <= 1)).all()


def test_the_estimate_solves_its_equations() -> None:
    joint, histogram = counts_of(worlds(np.random.default_rng(1), 8, 2000))
    inner = np.append(0, np.append(histogram[1:-1], 0))
    abilities = fit(np.diag(joint) - histogram[-1], inner)
    assert abilities is not None
    np.testing.assert_allclose(rates_given_count(abilities) @ inner, np.diag(joint) - histogram[-1], atol=1e-3)
    np.testing.assert_allclose(ability(joint, histogram)[0], abilities)


def test_two_models_have_no_ability_given_difficulty() -> None:
    abilities, reason = ability(*counts_of(worlds(np.random.default_rng(2), 2, 100)))
    assert reason == TOO_FEW
    assert np.isnan(abilities).all()


def test_models_that_always_or_never_fail_are_left_out() -> None:
    wrong = worlds(np.random.default_rng(3), 6, 500)
    wrong[2], wrong[4] = True, False
    abilities, reason = ability(*counts_of(wrong))
    assert reason == ""
    assert np.isnan(abilities).tolist() == [False, False, True, False, True, False]


def test_models_of_which_each_fails_wherever_a_better_one_does_have_no_ability() -> None:
    abilities, reason = ability(*counts_of(np.arange(100) < np.array([[10], [20], [40], [80]])))
    assert reason in (TOO_FEW, NOT_CONVERGED)
    assert np.isnan(abilities).all()


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_a_constant_added_to_all_abilities_changes_nothing(shift) -> None:
    abilities = np.array([-1.0, 0.0, 0.5, 2.0])
    np.testing.assert_allclose(rates_given_count(abilities + shift), rates_given_count(abilities), atol=1e-12)
