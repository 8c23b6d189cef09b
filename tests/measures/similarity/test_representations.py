"""T12: one pass equals Gram matrices; unrelated representations are at 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.measures.similarity.representations import calibrate, cka, hsic_sums, procrustes

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


def test_what_does_not_vary_has_no_alignment() -> None:
    assert np.isnan(cka(np.ones((10, 2)), X[:10]))
    assert np.isnan(hsic_sums(X[:3], Y[:3]).hsic)
    assert np.isnan(procrustes(np.ones((10, 2)), X[:10]))


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
