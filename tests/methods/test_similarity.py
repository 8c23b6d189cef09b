"""docs/methods/similarity.md against the functions and against the formulas in plain numpy."""

import numpy as np
import pytest

from polyculture.measures.similarity.explanations import cosine, top_k
from polyculture.measures.similarity.representations import cka, hsic_sums, mutual_knn, procrustes
from polyculture.measures.similarity.texts import text_similarity

X = np.array([[0.0], [1.0], [2.5], [4.5], [7.0]])
Y = np.array([[0.0], [1.0], [4.0], [16.0], [9.0]])


def hsic(X, Y):
    """(SI1) from the Gram matrices."""
    n = len(X)
    K, L = X @ X.T, Y @ Y.T
    np.fill_diagonal(K, 0)
    np.fill_diagonal(L, 0)
    one = np.ones(n)
    cross = one @ K @ L @ one
    return (np.trace(K @ L) + one @ K @ one * (one @ L @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * cross) / (
        n * (n - 3)
    )


def test_the_numbers_of_the_page(stated):
    assert hsic_sums(X, Y).hsic == pytest.approx(hsic(X, Y))
    parts = hsic_sums(X[:2], Y[:2]) + hsic_sums(X[2:], Y[2:])
    assert parts.hsic == pytest.approx(hsic(X, Y))
    value = cka(X, Y)
    assert value == pytest.approx(hsic(X, Y) / np.sqrt(hsic(X, X) * hsic(Y, Y)))
    x, y = X - X.mean(), Y - Y.mean()
    assert procrustes(X, Y) == pytest.approx(abs(float((x.T @ y)[0, 0])) / np.linalg.norm(x) / np.linalg.norm(y))

    U, V = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [0.6, 0.8]])
    agreement = cosine(U, V)
    assert agreement.mismatched == pytest.approx(np.mean([U[0] @ V[1], U[1] @ V[0]]))

    E = np.zeros((2, 2, 2, 2))
    E[:, :, 0], E[:, :, 1] = [1, 0], [0, 1]
    E[1, 1, 0] = [0.6, 0.8]
    texts = text_similarity(E)
    stated.agree(
        {
            "HSIC": hsic(X, Y),
            "CKA": value,
            "Procrustes": procrustes(X, Y),
            "mutual 1-NN": mutual_knn(X, Y, 1),
            "matched cosine": agreement.matched,
            "mismatched cosine": agreement.mismatched,
            "adjusted cosine": agreement.adjusted,
            "matched texts": texts.matched[0, 1],
            "mismatched texts": texts.mismatched[0, 1],
            "corrected": texts.corrected[0, 1],
        }
    )


def test_a_shared_profile_gives_overlap_without_any_agreement_on_instances():
    rng = np.random.default_rng(0)
    profile = 3 * rng.random(20)
    U, V = (profile + 0.3 * rng.normal(size=(400, 20)) for _ in range(2))
    agreement = top_k(U, V)
    assert agreement.matched > 0.5
    assert abs(agreement.adjusted) < 0.05
