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


def test_distances_and_all_pairs_at_once() -> None:
    """(SI12) and (SI13), and CKA as an inner product of U-centred tables."""
    from polyculture.explanation.layers import representation_similarity
    from polyculture.measures.similarity import rsa

    rng = np.random.default_rng(2)
    X, Y = rng.normal(size=(40, 3)), rng.normal(size=(40, 4))
    Y[:, :3] += X
    pairs = np.triu_indices(40, 1)
    ranks = [np.linalg.norm(Z[:, None] - Z, axis=2)[pairs].argsort().argsort() for Z in (X, Y)]
    assert rsa(X, Y) == pytest.approx(np.corrcoef(ranks)[0, 1])
    tables = []
    for Z in (X, Y):
        K = (Z - Z.mean(axis=0)) @ (Z - Z.mean(axis=0)).T
        np.fill_diagonal(K, 0)
        U = K - K.sum(axis=0) / 38 - K.sum(axis=1)[:, None] / 38 + K.sum() / (39 * 38)
        np.fill_diagonal(U, 0)
        tables.append(U / np.linalg.norm(U))
    value = (tables[0] * tables[1]).sum()
    result = representation_similarity({"x": X, "y": Y}, permutations=1)
    assert result.values[0, 1] == pytest.approx(value)
    assert result.effective_number.estimate == pytest.approx(2 / (1 + value))
