"""Association of two similarities of models: Spearman's correlation, with p-values that hold under the null."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from polyculture.measures.similarity import mantel
from polyculture.rng import stream


def symmetric(seed: int, m: int = 9) -> np.ndarray:
    matrix = stream(seed, "matrix").normal(size=(m, m))
    return (matrix + matrix.T) / 2


def test_the_correlation_is_spearmans_over_pairs() -> None:
    A, B, pairs = symmetric(0), symmetric(1), np.triu_indices(9, 1)
    result = mantel(A, B, stream(0, "mantel"))
    assert result.correlation == pytest.approx(spearmanr(A[pairs], B[pairs]).statistic)
    assert result.pairs == 36
    A[2, 3] = A[3, 2] = math.nan
    defined = np.isfinite(A[pairs])
    result = mantel(A, B, stream(0, "mantel"))
    assert result.correlation == pytest.approx(spearmanr(A[pairs][defined], B[pairs][defined]).statistic)
    assert result.pairs == 35


def test_equal_and_opposite_similarities_are_found() -> None:
    A = symmetric(2)
    for sign in (1, -1):
        result = mantel(A, sign * np.exp(A), stream(0, "mantel"))
        assert result.correlation == pytest.approx(sign if sign > 0 else -1)
        assert result.p == pytest.approx(1 / 1000)


def test_p_values_of_unrelated_similarities_are_even() -> None:
    ps = [mantel(symmetric(2 * k, 7), symmetric(2 * k + 1, 7), stream(k, "even"), 99).p for k in range(200)]
    assert 0.02 <= np.mean(np.array(ps) <= 0.1) <= 0.18
    assert 0.42 <= np.mean(ps) <= 0.58


def test_without_variation_or_with_few_models_there_is_none_and_a_reason() -> None:
    flat = mantel(np.ones((6, 6)), symmetric(0, 6), stream(0, "mantel"))
    assert math.isnan(flat.correlation)
    assert flat.reason == "one of the similarities is the same for all pairs"
    assert mantel(symmetric(0, 4), symmetric(1, 4), stream(0, "mantel")).reason == "4 models are fewer than 5"
