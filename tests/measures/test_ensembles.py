"""T13: the identities hold exactly, and the sign of diversity is what it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.measures.ensembles import cross_entropy, majority, squared


def test_the_textbook_cases() -> None:
    """T13."""
    found = squared(np.array([[1.0], [-2.0], [4.0]]), np.zeros(1))
    assert found.diversity == pytest.approx(np.var([1, -2, 4]))
    assert (found.ensemble, found.mean) == pytest.approx((1, 7))
    q = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.6, 0.1, 0.3]])
    mean = np.exp(np.log(q).mean(axis=0))
    ensemble = mean / mean.sum()
    divergence = np.mean((ensemble * np.log(ensemble / q)).sum(axis=1))
    entropy = cross_entropy(q[:, None], np.array([1]))
    assert entropy.diversity == pytest.approx(divergence, abs=1e-12)
    assert entropy.ensemble == pytest.approx(-np.log(ensemble[1]), abs=1e-12)
    votes = majority(np.array([[0, 1, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 1, 0, 1]], bool))
    assert votes.ensemble == pytest.approx(0.6)
    assert votes.mean - votes.good + votes.bad == pytest.approx(votes.ensemble)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 4))
def test_ensemble_is_mean_less_diversity(seed, m, classes) -> None:
    rng = np.random.default_rng(seed)
    p, labels = rng.dirichlet(np.ones(classes + 1), (m, 20)), rng.integers(0, classes + 1, 20)
    truth = np.eye(classes + 1)[labels]
    brier = squared(p, truth)
    assert brier.ensemble == pytest.approx(((p.mean(axis=0) - truth) ** 2).sum(axis=1).mean())
    for found in (brier, cross_entropy(p, labels), majority(rng.random((m, 20)) < 0.5)):
        assert found.ensemble == pytest.approx(found.mean - found.diversity, abs=1e-12)
        assert found.values.mean() == pytest.approx(found.diversity)
    assert brier.diversity >= 0
    assert cross_entropy(p, labels).diversity >= -1e-12


def test_voting_can_hurt() -> None:
    wrong = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]], bool)
    found = majority(wrong)
    assert (found.ensemble, found.good) == (1, 0)
    assert found.diversity == pytest.approx(-1 / 3)
