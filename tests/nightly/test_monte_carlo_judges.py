"""Condorcet's gap, effective votes and human equivalents cover their truth, whatever makes the judges alike."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from polyculture.measures.panels import condorcet_gap, error_correlation, human_equivalents, kish
from polyculture.stats import influence_interval, n_eff_interval

pytestmark = pytest.mark.nightly

DRAWS = 600
RATES = np.array([0.15, 0.2, 0.2, 0.25, 0.3, 0.3, 0.2])


def judges(kind: str, rng: np.random.Generator, n: int) -> np.ndarray:
    """Seven judges: independent, with one common factor, or in two families."""
    noise = rng.normal(size=(7, n))
    if kind == "independent":
        latent = noise
    elif kind == "one factor":
        latent = np.sqrt(0.4) * rng.normal(size=n) + np.sqrt(0.6) * noise
    else:
        families = rng.normal(size=(2, n))[[0, 0, 0, 0, 1, 1, 1]]
        latent = np.sqrt(0.1) * rng.normal(size=n) + np.sqrt(0.5) * families + np.sqrt(0.4) * noise
    return latent > ndtri(1 - RATES)[:, None]


@pytest.mark.parametrize("n", [200, 1000])
@pytest.mark.parametrize("kind", ["independent", "one factor", "families"])
def test_gap_and_votes_cover(kind: str, n: int) -> None:
    rng = np.random.default_rng(n)
    many = judges(kind, np.random.default_rng(1), 2_000_000)
    true_gap, true_votes = condorcet_gap(many).gap, kish(7, error_correlation(many).mean)
    gap_hits = vote_hits = 0
    for _ in range(DRAWS):
        wrong = judges(kind, rng, n)
        gap = condorcet_gap(wrong)
        limits = influence_interval(gap.gap, gap.influence)
        gap_hits += limits.low <= true_gap <= limits.high
        correlation = error_correlation(wrong)
        votes = n_eff_interval(7, correlation.design_effect, correlation.influence * 6)
        vote_hits += votes.low <= true_votes <= votes.high
    assert 0.92 <= gap_hits / DRAWS <= 0.985
    assert 0.92 <= vote_hits / DRAWS <= 0.985


@pytest.mark.parametrize("k", [1, 2, 4, 8, 16, 32])
def test_k_drawn_humans_are_k_within_the_interval(k: int) -> None:
    rng, hits = np.random.default_rng(k), 0
    for _ in range(300):
        shares = rng.dirichlet([1.0, 1.0, 1.0], 300)
        humans = np.stack([rng.multinomial(100, share) for share in shares])
        verdicts = (rng.random((k, 300, 1)) > shares.cumsum(axis=1)[None]).sum(axis=2).clip(0, 2)
        panel = human_equivalents(verdicts, humans)
        limits = influence_interval(panel.value, panel.influence * panel.value, logarithmic=True)
        hits += bool(limits.low <= k <= limits.high)
    assert 0.91 <= hits / 300 <= 0.99
