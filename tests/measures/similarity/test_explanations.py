"""Explanations agree about an instance only beyond what they say of every instance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from polyculture.measures.similarity.explanations import ExplanationAgreement, cosine, sign_agreement, spearman, top_k


def explanations(shared: float, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """A global profile on 8 of 50 features, and parts of each instance of which some are common."""
    rng = np.random.default_rng(0)
    profile = np.where(np.arange(50) < 8, 3.0, 0.0)
    common = rng.normal(size=(n, 50))
    u, v = (profile + np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.normal(size=(n, 50)) for _ in range(2))
    return u, v


@pytest.mark.parametrize("measure", [cosine, spearman, top_k, sign_agreement])
def test_a_shared_profile_is_no_agreement_about_instances(measure) -> None:
    nothing, half = measure(*explanations(0.0)), measure(*explanations(0.5))
    assert nothing.matched > 0.3
    assert nothing.adjusted == pytest.approx(0, abs=0.05)
    assert half.adjusted > 0.15
    same = explanations(0.5)[0]
    assert measure(same, same).adjusted == pytest.approx(1)


def test_agreement_is_adjusted_by_different_instances() -> None:
    """T18."""
    assert ExplanationAgreement(0.689, 0.553).adjusted == pytest.approx(0.3042505592841163, abs=1e-12)
    assert np.isnan(ExplanationAgreement(1.0, 1.0).adjusted)


def test_cosine_takes_all_pairs_of_different_instances() -> None:
    u, v = (x[:9] for x in explanations(0.5))
    table = np.array([[x @ y / np.linalg.norm(x) / np.linalg.norm(y) for y in v] for x in u])
    found = cosine(u, v)
    assert found.matched == pytest.approx(np.diag(table).mean())
    assert found.mismatched == pytest.approx(table[~np.eye(9, dtype=bool)].mean())
    assert cosine(np.zeros((3, 2)), u[:3, :2]).matched == 0


def test_rank_correlation_is_spearmans_also_with_ties() -> None:
    rng = np.random.default_rng(1)
    u, v = rng.integers(-3, 4, (2, 30, 12)).astype(float)
    expected = np.mean([stats.spearmanr(abs(x), abs(y)).statistic for x, y in zip(u, v, strict=True)])
    assert spearman(u, v).matched == pytest.approx(expected)


def test_random_explanations_share_k_of_d_features() -> None:
    """T18: 5 of 50."""
    u, v = np.random.default_rng(2).normal(size=(2, 4000, 50))
    assert top_k(u, v).matched == pytest.approx(0.1, abs=0.01)


def test_signs_are_compared_on_the_features_that_matter_to_either() -> None:
    u, v = np.array([[5.0, -4.0, 0.1, 0.2]]), np.array([[5.0, 0.1, 3.0, 0.2]])
    assert sign_agreement(u, v, 2).matched == pytest.approx(2 / 3)
    assert np.isnan(sign_agreement(u, v, 2).mismatched)
