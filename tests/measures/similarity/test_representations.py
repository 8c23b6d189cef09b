"""T12: one pass equals Gram matrices; unrelated representations are at 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.measures.similarity.representations import (
    calibrate,
    cka,
    cka_matrix,
    hsic_sums,
    mutual_knn,
    procrustes,
    rsa,
)

I = np.arange(12)[:, None]
X = np.sin(I * (np.arange(5)[None] + 1.3))
Y = np.cos(I * (np.arange(3)[None] * 0.7 + 0.4)) + X[:, :3]


def gram(x: np.ndarray, y: np.ndarray) -> float:
    """HSIC₁ from n × n matrices."""
    n = len(x)
    k, l = (z @ z.T - np.diag((z**2).sum(axis=1)) for z in (x, y))
    one = np.ones(n)
    parts = (k * l).sum() + one @ k @ one * (one @ l @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ l @ one)
    return parts / (n * (n - 3))


def test_one_pass_is_the_gram_form() -> None:
    """T12."""
    found = hsic_sums(X[:5], Y[:5]) + hsic_sums(X[5:10], Y[5:10]) + hsic_sums(X[10:], Y[10:])
    assert found.hsic == pytest.approx(gram(X, Y), abs=1e-12)
    assert hsic_sums(X * 3 + 7, Y * -2 + 1).hsic == pytest.approx(36 * found.hsic, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 30), st.integers(1, 6))
def test_alignment_is_one_for_rotations_and_does_not_mind_order(seed, n, d) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(n, d + 1))
    rotation = np.linalg.qr(rng.normal(size=(d, d)))[0]
    own = gram(x, x)
    if own > 1e-9:
        assert cka(x, 3 * x @ rotation + 5) == pytest.approx(1, abs=1e-6)
    order = rng.permutation(n)
    np.testing.assert_allclose(cka(x[order], y[order]), cka(x, y), atol=1e-9)
    np.testing.assert_allclose(cka(y, x), cka(x, y), atol=1e-9)


def test_all_pairs_in_one_pass() -> None:
    layers = [X, Y, np.hstack([X, Y])]
    found = cka_matrix([[z[:7] for z in layers], [z[7:] for z in layers]])
    expected = [[cka(a, b) for b in layers] for a in layers]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_what_does_not_vary_has_no_alignment() -> None:
    assert np.isnan(cka(np.ones((10, 2)), X[:10]))
    assert np.isnan(hsic_sums(X[:3], Y[:3]).hsic)
    assert np.isnan(procrustes(np.ones((10, 2)), X[:10]))


def test_neighbours_in_common_are_counted_beyond_chance() -> None:
    """T12: chance is k/(n − 1)."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(101, 4)), rng.normal(size=(101, 6))
    assert mutual_knn(x, -2 * x) == 1
    found = mutual_knn(x, y)
    assert abs(found) < 0.03
    near = [set(np.argsort(((z - z[i]) ** 2).sum(1))[1:11]) for z in (x, y) for i in range(101)]
    share = np.mean([len(near[i] & near[101 + i]) / 10 for i in range(101)])
    assert found == pytest.approx((share - 0.1) / 0.9)


def test_procrustes_is_calibrated_against_permuted_instances() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 100, 50))
    unrelated = calibrate(x, y, procrustes, rng, 19)
    assert unrelated.value > 0.5
    assert abs(unrelated.adjusted) < 0.05
    assert unrelated.p > 0.05
    related = calibrate(x, x + 0.5 * y, procrustes, rng, 19)
    assert related.p == 0.05
    assert related.adjusted > 0.5


def test_representational_similarity_is_spearmans_correlation_of_distances() -> None:
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr

    assert rsa(X, Y) == pytest.approx(spearmanr(pdist(X), pdist(Y)).statistic)
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    assert rsa(X, 1e-9 * X @ rotation + 1) == pytest.approx(1, abs=1e-6)
    assert np.isnan(rsa(np.ones((12, 2)), Y))
    rng = np.random.default_rng(1)
    null = [rsa(rng.normal(size=(20, 3)), rng.normal(size=(20, 4))) for _ in range(200)]
    assert abs(np.mean(null)) < 0.02
