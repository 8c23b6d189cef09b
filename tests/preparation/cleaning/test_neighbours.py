"""The search for correlated rows against all correlations, and its memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.preparation.cleaning import neighbours
from polyculture.preparation.cleaning.neighbours import correlated_rows, unit_vectors


def pairs(vectors: np.ndarray, least: float) -> set[tuple[int, int]]:
    """Row and earlier row of every pair."""
    hits = correlated_rows(len(vectors), lambda rows: vectors[rows], least)
    return {(row, other) for row, others in hits for other in others}


def all_pairs(vectors: np.ndarray, least: float) -> set[tuple[int, int]]:
    """The same from the whole matrix of correlations."""
    matrix = np.corrcoef(vectors)
    rows, others = np.nonzero(np.tril(matrix >= least, -1))
    return set(zip(rows.tolist(), others.tolist(), strict=True))


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.9, 0.99, 0.998]), st.integers(2, 40))
def test_no_pair_is_missed_and_none_is_added(seed: int, least: float, d: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(6, d))
    vectors = centres[rng.integers(0, 6, 60)] + rng.choice([0.01, 0.1, 0.5]) * rng.normal(size=(60, d))
    matrix = np.corrcoef(vectors)
    if np.abs(matrix - least).min() > 1e-5:  # on the bound itself rounding decides
        assert pairs(vectors, least) == all_pairs(vectors, least)


def test_pieces_of_few_candidates_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(1).normal(size=(1, 30)) + 0.02 * np.random.default_rng(2).normal(size=(200, 30))
    expected = pairs(vectors, 0.99)
    monkeypatch.setattr(neighbours, "PAIRS", 100)
    monkeypatch.setattr(neighbours, "BLOCK", 16)
    assert pairs(vectors, 0.99) == expected
    assert len(expected) > 10_000


def test_scale_and_level_make_no_difference() -> None:
    vector = np.random.default_rng(0).normal(size=20)
    assert pairs(np.stack([vector, 3 * vector + 7, -vector]), 0.999) == {(1, 0)}


def test_rows_without_a_correlation_are_left_out() -> None:
    vector = np.random.default_rng(0).normal(size=20)
    vectors = np.stack([vector, np.ones(20), np.full(20, np.nan), np.ones(20), vector])
    assert pairs(vectors, 0.99) == {(4, 0)}
    assert np.isnan(unit_vectors(vectors[1:2])).all()
    assert pairs(np.ones((5, 20)), 0.99) == set()
    assert pairs(vectors[:1], 0.99) == set()
    assert pairs(vectors[:0], 0.99) == set()
