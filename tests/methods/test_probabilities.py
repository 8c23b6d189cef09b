"""docs/methods/probabilities.md against the functions and against the formulas in plain numpy."""

import numpy as np
import pytest

from polyculture.measures.effective_vectors import effective_vectors
from polyculture.measures.similarity.probabilities import capa, capa_of, hellinger_squared, probability_sums

P = np.array([[[0.7, 0.2, 0.1], [0.5, 0.5, 0.0]], [[0.6, 0.1, 0.3], [0.2, 0.8, 0.0]]])
LABELS, OPTIONS = np.array([0, 0]), np.array([3, 2])


def test_the_numbers_of_the_page(stated):
    observed = np.einsum("nc,nc->n", P[0], P[1]).mean()
    p, q = P[:, [0, 1], LABELS].mean(axis=1)
    chance = p * q + (1 - p) * (1 - q) * (1 / (OPTIONS - 1)).mean()
    value = capa(P, LABELS, OPTIONS)[0, 1]
    assert value == pytest.approx((observed - chance) / (1 - chance))
    chunks = [probability_sums(P[:, [i]], LABELS[[i]], OPTIONS[[i]]) for i in range(2)]
    assert capa_of(chunks)[0, 1] == pytest.approx(value)
    overlap = np.sqrt(P[0] * P[1]).sum(axis=1).mean()
    distance = hellinger_squared(P)[0, 1]
    assert distance == pytest.approx(1 - overlap)
    stated.agree(
        {"$c_{\\text{obs}}$": observed, "$c_{\\text{exp}}$": chance, "CAPA": value, "$H^2$": distance},
    )


def test_the_effective_number_of_brier_residuals_is_a_ratio_of_sums():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), (4, 60))
    labels = rng.integers(0, 3, 60)
    residual = probabilities - np.eye(3)[labels]
    centred = residual - residual.mean(axis=1, keepdims=True)
    C = np.einsum("and,bnd->ab", centred, centred)
    assert effective_vectors(probabilities, labels).n_eff == pytest.approx(4 * np.trace(C) / C.sum())


def test_hellinger_brackets_the_jensen_shannon_divergence():
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.full(4, 0.5), (2, 2000))
    middle = (p + q) / 2
    js = ((p * np.log(p / middle)).sum(axis=1) + (q * np.log(q / middle)).sum(axis=1)) / 2
    h = 1 - np.sqrt(p * q).sum(axis=1)
    assert (np.log(2) * h <= js + 1e-12).all()
    assert (js <= h + 1e-12).all()
