"""The difficulty null: textbook values, exactness against enumeration, and what it must not see."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.measures.pair_excess import (
    NOT_CONVERGED,
    TOO_FEW,
    fit,
    joint_rates_given_count,
    pair_excess,
    rates_given_count,
)


def counts_of(wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    e = wrong.astype(np.int64)
    return e @ e.T, np.bincount(e.sum(axis=0), minlength=len(wrong) + 1)


def rasch(rng: np.random.Generator, models: int, n: int, spread: float = 0.5) -> np.ndarray:
    """Models that fail independently given difficulty."""
    logits = rng.normal(0, 1.5, n) + rng.normal(-1.5, spread, models)[:, None]
    return rng.random((models, n)) < 1 / (1 + np.exp(-logits))


def test_rates_given_the_failure_count_are_the_textbook_ones() -> None:
    """T9: ε = 1, 2, 4."""
    ability = np.log([1.0, 2.0, 4.0])
    rates, joint = rates_given_count(ability), joint_rates_given_count(ability)
    np.testing.assert_allclose(rates[:, 1], np.array([1, 2, 4]) / 7, atol=1e-12)
    np.testing.assert_allclose(rates[:, 2], np.array([6, 10, 12]) / 14, atol=1e-12)
    np.testing.assert_allclose(joint[[0, 0, 1], [1, 2, 2], 2], np.array([2, 4, 8]) / 14, atol=1e-12)
    np.testing.assert_allclose(joint[0, 1, 1], 0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_excess_over_all_pairs_is_zero(seed) -> None:
    """T9: a null that keeps the failure counts leaves only which pairs, never how much."""
    wrong = np.random.default_rng(seed).random((6, 400)) < 0.3
    assert np.nansum(np.triu(pair_excess(*counts_of(wrong)).excess, 1)) == pytest.approx(0, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-6, 6), min_size=3, max_size=6), st.floats(0, 1e-3))
def test_rates_equal_enumeration_also_for_nearly_equal_models(values, nudge) -> None:
    ability = np.array([*values, values[0] + nudge])
    m = len(ability)
    outcomes = np.array(list(itertools.product([0, 1], repeat=m)))
    weight, count = np.exp(outcomes @ ability), outcomes.sum(axis=1)
    joint = joint_rates_given_count(ability)
    for k in range(m + 1):
        at = count == k
        expected = (outcomes[at].T * weight[at]) @ outcomes[at] / weight[at].sum()
        np.testing.assert_allclose(joint[:, :, k], expected, atol=2e-8)


def test_a_thousand_models_lose_no_digits() -> None:
    ability = np.random.default_rng(0).normal(0, 2, 1000)
    rates = rates_given_count(ability)
    np.testing.assert_allclose(rates.sum(axis=0), np.arange(1001), atol=1e-8)
    assert ((rates >= 0) & (rates <= 1)).all()


def test_the_estimate_solves_its_equations() -> None:
    wrong = rasch(np.random.default_rng(1), 8, 2000)
    joint, histogram = counts_of(wrong)
    inner = np.append(0, np.append(histogram[1:-1], 0))
    ability = fit(np.diag(joint) - histogram[-1], inner)
    assert ability is not None
    np.testing.assert_allclose(rates_given_count(ability) @ inner, np.diag(joint) - histogram[-1], atol=1e-3)


def test_copies_stand_out_and_the_rest_does_not() -> None:
    rng = np.random.default_rng(2)
    wrong = rasch(rng, 10, 4000)
    wrong[1] = np.where(rng.random(4000) < 0.4, wrong[0], wrong[1])
    found = pair_excess(*counts_of(wrong))
    assert found.z[0, 1] > 8
    others = found.z[np.triu_indices(10, 1)][1:]
    assert np.abs(others).max() < 4.5
    np.testing.assert_array_equal(found.z, found.z.T)
    assert found.scale >= 1
    np.testing.assert_allclose(found.scaled * found.scale, found.z)


def test_models_that_say_nothing_are_left_out_and_change_nothing() -> None:
    wrong = rasch(np.random.default_rng(3), 5, 800)
    alone = pair_excess(*counts_of(wrong))
    everywhere = np.vstack([np.ones((1, 800), bool), wrong, np.zeros((1, 800), bool)])
    found = pair_excess(*counts_of(everywhere))
    np.testing.assert_allclose(found.z[1:-1, 1:-1], alone.z, atol=1e-6)
    assert np.isnan(found.z[[0, -1]]).all()
    assert np.isnan(found.ability[[0, -1]]).all()
    assert found.n == alone.n


def test_a_model_that_fails_only_where_all_fail_is_left_out() -> None:
    wrong = rasch(np.random.default_rng(4), 5, 800)
    found = pair_excess(*counts_of(np.vstack([wrong, wrong.all(axis=0)])))
    np.testing.assert_allclose(found.z[:5, :5], pair_excess(*counts_of(wrong)).z, atol=1e-6)
    assert np.isnan(found.ability[5])


def test_it_says_why_there_is_nothing_to_tell() -> None:
    assert pair_excess(*counts_of(np.random.default_rng(5).random((2, 50)) < 0.5)).reason == TOO_FEW
    assert pair_excess(*counts_of(np.ones((4, 50), bool))).reason == TOO_FEW
    assert pair_excess(np.zeros((3, 3), int), np.zeros(4, int)).reason == TOO_FEW


def test_models_in_strict_order_have_no_finite_estimate_or_no_verdict() -> None:
    wrong = np.arange(100) < np.array([[10], [20], [40], [80]])
    found = pair_excess(*counts_of(wrong))
    assert found.reason == NOT_CONVERGED or np.isnan(found.z).all() or np.nanmax(np.abs(found.z)) < 1
    assert np.nansum(np.triu(found.excess, 1)) == pytest.approx(0, abs=1e-6)
