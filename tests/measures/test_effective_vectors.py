"""Errors that are numbers or vectors: exact designs, brute force, and agreement with the algebra of right and wrong."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from polyculture.measures import effective_vectors as room
from polyculture.measures.effective import NO_PAIRS, NO_VARIATION, TOO_FEW_MODELS, effective
from polyculture.measures.effective_vectors import (
    NOISE_EXPLAINS_ALL,
    covariances,
    effective_residuals,
    effective_vectors,
)
from polyculture.measures.similarity.texts import effective_by_similarity, text_similarity

SIGNS = np.array(list(itertools.product([-1.0, 1.0], repeat=3))).T


def test_orthogonal_residuals_count_and_a_copy_does_not() -> None:
    """T17."""
    assert effective_residuals(SIGNS).n_eff == pytest.approx(3, abs=1e-9)
    assert effective_residuals(np.vstack([SIGNS, SIGNS[:1]])).n_eff == pytest.approx(16 / 6, abs=1e-9)


@pytest.mark.parametrize("strata", [None, np.arange(200) % 4])
def test_right_and_wrong_are_numbers_too(strata) -> None:
    rng = np.random.default_rng(0)
    wrong = rng.random((5, 200)) < rng.beta(1, 3, 200)
    one, other = effective(wrong, strata), effective_vectors(wrong[:, :, None].astype(float), None, strata)
    assert other.design_effect == pytest.approx(one.design_effect, abs=1e-12)
    assert other.n_info == pytest.approx(one.n_info)
    np.testing.assert_allclose(other.influence, one.influence, atol=1e-9)
    np.testing.assert_allclose(other.variation, one.variation, atol=1e-9)


def test_missing_cells_are_taken_as_for_right_and_wrong() -> None:
    rng = np.random.default_rng(1)
    wrong, observed = rng.random((5, 150)) < rng.beta(1, 3, 150), rng.random((5, 150)) < 0.8
    one = effective(wrong, None, observed)
    other = effective_vectors(np.where(observed, wrong, np.nan_to_num(7.0))[:, :, None], None, None, observed)
    assert other.design_effect == pytest.approx(one.design_effect, abs=1e-12)
    np.testing.assert_allclose(other.influence, one.influence, atol=1e-9)
    np.testing.assert_allclose(other.variation, one.variation, atol=1e-9)


def vector_design_effect(z: np.ndarray, w: np.ndarray, observed: np.ndarray, noise: float) -> float:
    m = len(z)
    found = np.zeros((m, m))
    for a, b in itertools.product(range(m), repeat=2):
        at = observed[a] & observed[b]
        v, n = w[at], at.sum()
        x, y = (t[at] - (v[:, None] * t[at]).sum(0) / v.sum() for t in (z[a], z[b]))
        found[a, b] = n / (n - 1) * (v * (x * y).sum(1)).sum() / v.sum() - noise
    off = found[~np.eye(m, dtype=bool)].mean()
    return 1 + (m - 1) * off / np.diag(found).mean()


@pytest.mark.parametrize("missing", [0.0, 0.25])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_vectors_equal_brute_force(missing, noise, monkeypatch) -> None:
    monkeypatch.setattr(room, "CELLS", 16)
    rng = np.random.default_rng(2)
    z = rng.normal(size=(4, 40, 3)) + 0.7 * rng.normal(size=(40, 3))
    observed = rng.random((4, 40)) >= missing
    found = effective_vectors(z, None, None, observed, noise)
    assert found.design_effect == pytest.approx(vector_design_effect(z, np.ones(40), observed, noise), abs=1e-9)
    moves = [
        (
            vector_design_effect(z, 1 + 1e-5 * r, observed, noise)
            - vector_design_effect(z, 1 - 1e-5 * r, observed, noise)
        )
        / 2e-5
        for r in np.eye(40)
    ]
    np.testing.assert_allclose(found.influence / 40, moves, atol=1e-7)


def test_known_noise_in_the_truth_is_taken_off() -> None:
    """11D: ten models with own errors of variance 1, truth with noise of variance 1."""
    rng = np.random.default_rng(3)
    residuals = rng.normal(size=(10, 20_000)) - rng.normal(size=20_000)
    assert effective_residuals(residuals).n_eff == pytest.approx(20 / 11, rel=0.03)
    assert effective_residuals(residuals, noise=1.0).n_eff == pytest.approx(10, rel=0.1)
    assert effective_residuals(residuals, noise=3.0).reason == NOISE_EXPLAINS_ALL
    masked = rng.random((10, 20_000)) < 0.9
    assert effective_residuals(residuals, masked, 3.0).reason == NOISE_EXPLAINS_ALL


def test_brier_residuals_take_the_truth_off() -> None:
    rng = np.random.default_rng(4)
    p, labels = rng.dirichlet(np.ones(3), (4, 60)), rng.integers(0, 3, 60)
    residuals = p - np.eye(3)[labels]
    found = effective_vectors(p.astype(np.float32), labels)
    assert found.design_effect == pytest.approx(effective_vectors(residuals).design_effect, rel=1e-6)
    c = covariances(p, labels)
    assert found.design_effect == pytest.approx(c.sum() / np.trace(c), rel=1e-6)
    within = effective_vectors(p, labels, labels)
    assert within.design_effect == pytest.approx(effective_vectors(p, None, labels).design_effect)


def test_models_that_never_vary_are_left_out() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(3, 50))
    found = effective_residuals(np.vstack([x, np.full((1, 50), 2.0)]))
    assert found.informative.tolist() == [True, True, True, False]
    assert found.design_effect == pytest.approx(effective_residuals(x).design_effect)
    assert effective_residuals(np.ones((3, 5))).reason == NO_VARIATION
    assert effective_residuals(x[:1]).reason == TOO_FEW_MODELS
    hidden = np.ones((3, 50), bool)
    hidden[0] = False
    assert effective_residuals(x[:2], hidden[:2]).reason == TOO_FEW_MODELS
    apart = np.repeat([[True, False], [False, True]], 25, axis=1)
    assert effective_residuals(x[:2], apart).reason == NO_PAIRS


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def texts(samples: int, prompts: int = 300) -> np.ndarray:
    """Models 0 and 1 have the same distribution, 2 their family, 3 another one."""
    rng = np.random.default_rng(6)
    prompt = rng.normal(size=(prompts, 16))
    family, own = rng.normal(0, 0.7, (2, prompts, 16)), rng.normal(0, 0.5, (4, prompts, 16))
    own[1] = own[0]
    centre = prompt + family[[0, 0, 0, 1]] + own
    return unit(centre[:, None] + rng.normal(0, 0.6, (4, samples, prompts, 16)))


def test_texts_of_one_distribution_reach_the_ceiling() -> None:
    found = text_similarity(texts(3))
    assert found.corrected[0, 1] == pytest.approx(1, abs=0.02)
    assert found.corrected[0, 1] > found.corrected[0, 2] > found.corrected[0, 3] > 0.3
    assert np.abs(found.mismatched).max() < 0.02
    np.testing.assert_allclose(np.diag(found.corrected), 1)


def test_text_similarity_equals_all_pairs_of_prompts() -> None:
    u = texts(2, 12)
    found = text_similarity(u)
    cross = np.einsum("sid,tjd->stij", u[0], u[2])
    assert found.matched[0, 2] == pytest.approx(np.einsum("stii->", cross) / 48)
    mismatched = cross.sum() - np.einsum("stii->", cross)
    assert found.mismatched[0, 2] == pytest.approx(mismatched / 4 / 132)
    own = np.einsum("id,id->", u[1, 0], u[1, 1]) / 12
    assert found.matched[1, 1] == pytest.approx(own)
    one = text_similarity(u[:, :1])
    assert np.isnan(np.diag(one.matched)).all()
    assert np.isnan(one.corrected).all()
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(one.adjusted[off], covariances(u[:, 0])[off], atol=1e-12)


def test_any_similarity_gives_the_effective_number_of_embeddings() -> None:
    u = texts(1, 60)[:, 0]
    table = np.empty((4, 60), dtype=object)
    for a, i in itertools.product(range(4), range(60)):
        table[a, i] = u[a, i]

    def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.array([float(x @ y) for x, y in zip(a, b, strict=True)])

    exact = effective_vectors(u)
    found = effective_by_similarity(table, dot, np.random.default_rng(0), shifts=59)
    assert found.design_effect == pytest.approx(exact.design_effect, rel=1e-9)
    assert np.corrcoef(found.influence, exact.influence)[0, 1] > 0.999
    few = effective_by_similarity(table, dot, np.random.default_rng(0), shifts=8)
    assert few.design_effect == pytest.approx(exact.design_effect, rel=0.05)
    assert effective_by_similarity(table[:1], dot, np.random.default_rng(0)).reason == TOO_FEW_MODELS
