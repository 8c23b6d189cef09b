"""rho without each model, and design effects of clustered pairs."""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.measures.cluster_design_effects import kappa_design_effect
from polyculture.measures.counts import count
from polyculture.measures.effective import effective
from polyculture.measures.leave_one_out import rho_without_each
from polyculture.measures.pairs import kappa


@pytest.mark.parametrize("strata", [None, np.arange(200) % 3])
def test_leaving_a_model_out_is_measuring_the_others(strata) -> None:
    rng = np.random.default_rng(0)
    wrong = rng.random((6, 200)) < rng.beta(1, 3, 200)
    expected = [effective(np.delete(wrong, a, axis=0), strata).rho for a in range(6)]
    np.testing.assert_allclose(rho_without_each(wrong, strata), expected, atol=1e-12)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_the_design_effect_of_a_pair_equals_brute_force(missing) -> None:
    rng = np.random.default_rng(1)
    n, clusters = 240, np.repeat(np.arange(24), 10)
    wrong = rng.random((3, n)) < np.repeat(rng.beta(1, 2, 24), 10)
    observed = rng.random((3, n)) >= missing
    correct = np.where(observed, ~wrong, -1).astype(np.int8)
    found = kappa_design_effect(wrong, count(None, None, correct, 2), clusters, observed if missing else None)
    a, b = 0, 2

    def statistic(weights: np.ndarray) -> float:
        w = weights * (observed[a] & observed[b])
        w = w / w.sum()
        both, one, other = w @ (wrong[a] & wrong[b]), w @ wrong[a], w @ wrong[b]
        return 2 * (both - one * other) / (one + other - 2 * one * other)

    moves = np.array([(statistic(1 + 1e-5 * r) - statistic(1 - 1e-5 * r)) / 2e-5 for r in np.eye(n)])
    together = np.bincount(clusters, weights=moves)
    expected = (together @ together * 24 / 23) / (moves @ moves * n / (n - 1))
    assert found[a, b] == pytest.approx(max(1, expected), rel=1e-3)
    np.testing.assert_allclose(found, found.T)


def test_copies_and_constant_models_have_no_uncertainty_to_inflate() -> None:
    wrong = np.array([[True, False] * 10, [True, False] * 10, [False] * 20])
    counts = count(None, None, (~wrong).astype(np.int8), 2)
    found = kappa_design_effect(wrong, counts, np.arange(20) // 2)
    assert kappa(counts)[0, 1] == 1
    assert found[0, 1] == 1
    assert np.isnan(found[2]).all()
    assert np.isnan(kappa_design_effect(wrong, counts, np.zeros(20))).all()
