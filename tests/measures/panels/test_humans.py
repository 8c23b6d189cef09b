"""Human equivalents: k drawn humans come out as k; conventions; the ceiling of humans among themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from polyculture.measures.panels import human_equivalents, noise_ceiling
from polyculture.measures.panels.humans import AS_HUMANS, TOO_FEW, UNANIMOUS
from polyculture.stats.influence import influence_interval


def drawn(rng: np.random.Generator, k: int, n: int, humans: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Verdicts of k humans, and the counts of others, from the same distributions over three classes."""
    shares = rng.dirichlet([1.0, 1.0, 1.0], n)
    counts = np.stack([rng.multinomial(humans, share) for share in shares])
    uniform = rng.random((k, n, 1))
    return (uniform > shares.cumsum(axis=1)[None]).sum(axis=2).clip(0, 2), counts


@pytest.mark.parametrize("k", [1, 2, 4, 8, 16, 32])
def test_k_drawn_humans_are_worth_k(k: int) -> None:
    values, hits = [], 0
    for seed in range(40):
        verdicts, counts = drawn(np.random.default_rng(seed), k, 400)
        panel = human_equivalents(verdicts, counts)
        interval = influence_interval(panel.value, panel.influence * panel.value, logarithmic=True)
        values.append(panel.value)
        hits += interval.low <= k <= interval.high
    assert np.median(values) == pytest.approx(k, rel=0.05)
    assert hits >= 34  # of 40; the 95 % interval is checked with more draws by the nightly tests


def test_copies_of_one_human_are_worth_one() -> None:
    verdicts, counts = drawn(np.random.default_rng(3), 1, 3000)
    panel = human_equivalents(np.repeat(verdicts, 6, axis=0), counts)
    assert panel.value == pytest.approx(1, abs=0.06)
    assert panel.participation == pytest.approx(1)


def test_degenerate_cases() -> None:
    humans = np.array([[4, 0], [0, 4]])
    assert human_equivalents(np.array([[0, 1]]), humans).reason == UNANIMOUS
    assert human_equivalents(np.array([[-1, -1]]), humans).reason == TOO_FEW
    split = np.array([[3, 3], [3, 3]])
    panel = human_equivalents(np.array([[0, 0], [1, 1]]), split)
    assert panel.reason == AS_HUMANS
    assert panel.value == math.inf


def test_the_noise_ceiling_counts_a_human_against_the_others() -> None:
    assert noise_ceiling(np.array([[3, 0], [2, 1], [1, 1]])) == pytest.approx([1, (2 * 0.5 + 0) / 3, 0])
    assert np.isnan(noise_ceiling(np.array([[1, 0]]))[0])
