"""Kinds of models beyond difficulty."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from polyculture.measures.structure import FEW_MODELS, structural

QUARTERS = np.array(list(itertools.product(range(4), repeat=3))).T < 1


def kinds(rng: np.random.Generator, n: int, groups: int, copies: int) -> np.ndarray:
    difficulty = rng.beta(0.2 / 0.3 * 0.7, 0.8 / 0.3 * 0.7, n)
    return np.repeat(rng.random((groups, n)) < difficulty, copies, axis=0)


def reference(wrong: np.ndarray) -> float:
    """By whole matrices."""
    e = wrong.T.astype(float)
    z = (e - e.mean(0)) / e.std(0, ddof=1)
    z = z - z.mean(1, keepdims=True)
    n, s = len(z), np.cov(z.T)
    q = ((z**2).sum(1) ** 2).sum() / (n - 1)
    unbiased = (n - 1) / (n * (n - 2) * (n - 3)) * ((n - 1) * (n - 2) * (s**2).sum() + np.trace(s) ** 2 - n * q)
    return 1 + np.trace(s) ** 2 / unbiased


def test_exact_designs_have_their_known_number_of_kinds() -> None:
    """T5: independent models and two copies of each; the estimator is unbiased, so exact only with many instances."""
    many = np.tile(QUARTERS, 400)
    assert structural(many).n_struct == pytest.approx(3, abs=2e-3)
    assert structural(np.repeat(many, 2, axis=0)).n_struct == pytest.approx(3, abs=2e-3)
    assert structural(np.repeat(many[:1], 4, axis=0)).n_struct == 1


def test_the_pass_equals_whole_matrices_and_blocks_add_up() -> None:
    rng = np.random.default_rng(0)
    wrong = kinds(rng, 900, 5, 2) ^ (rng.random((10, 900)) < 0.1)
    block = rng.integers(0, 9, 900)
    found = structural(wrong, block)
    assert found.n_struct == pytest.approx(reference(wrong), rel=1e-6)
    without = [reference(wrong[:, block != g]) for g in range(9)]
    np.testing.assert_allclose(found.leave_outs, without, rtol=2e-3)
    assert structural(wrong).leave_outs.size == 0


def test_it_counts_kinds_under_any_difficulty() -> None:
    found = structural(kinds(np.random.default_rng(1), 3000, 3, 4))
    assert found.n_struct == pytest.approx(3, abs=0.05)


def test_models_with_few_errors_are_left_out() -> None:
    wrong = kinds(np.random.default_rng(2), 2000, 4, 1)
    rare = np.zeros((1, 2000), bool)
    rare[0, :29] = True
    found = structural(np.vstack([wrong, rare]))
    assert found.informative.tolist() == [True] * 4 + [False]
    assert found.n_struct == structural(wrong).n_struct


def test_two_models_have_no_kinds() -> None:
    found = structural(QUARTERS[:2])
    assert np.isnan(found.n_struct)
    assert found.reason == FEW_MODELS == "fewer than three models have 30 right and 30 wrong answers"
