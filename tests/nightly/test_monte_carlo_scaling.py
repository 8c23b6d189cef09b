"""Does the break test keep its level on log-loss where exact match breaks all the time? (MC12)"""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.measures.scaling import find_break, push_through
from polyculture.rng import stream

pytestmark = pytest.mark.nightly
REPETITIONS = 200


def world(rng: np.random.Generator, jump: float = 0.0, items: int = 500, tokens: int = 5) -> tuple[np.ndarray, ...]:
    """Ten scales, three seeds: a power law in token loss, and exact match on five tokens."""
    x = np.repeat(np.linspace(7, 11, 10), 3)
    spread = np.exp(rng.normal(0, 0.4, items))
    loss, match, expected = np.empty((3, len(x)))
    for k, size in enumerate(x):
        token = 4.0 * 10 ** (-0.28 * (size - 7)) * np.exp(rng.normal(0, 0.05) - jump * (size > 9.1)) * spread
        right = rng.random((items, tokens)) < np.exp(-token)[:, None]
        loss[k] = token.mean() * np.exp(rng.normal(0, 0.01))
        match[k], expected[k] = right.all(axis=1).mean(), np.exp(-tokens * token).mean()
    return 10**x, loss, match, expected


def breaks(jump: float, seed: int) -> tuple[float, float, float]:
    """Share of repetitions in which log-loss breaks, exact match breaks, and the push-through rejects."""
    rng = stream(seed, "mc12")
    found = []
    for _ in range(REPETITIONS):
        scale, loss, match, expected = world(rng, jump)
        variance = expected * (1 - expected) / 500
        found.append(
            (
                find_break(scale, np.log(loss), rng, draws=199).p < 0.05,
                find_break(scale, match, rng, draws=199).p < 0.05,
                push_through(match, expected, variance) < 0.01,
            )
        )
    return tuple(float(v) for v in np.mean(found, axis=0))


def test_mc12_a_smooth_curve_breaks_in_exact_match_only() -> None:
    log_loss, exact_match, pushed = breaks(0.0, 0)
    print(f"\nMC12 break found: log-loss {log_loss:.2f}, exact match {exact_match:.2f}, push-through {pushed:.2f}")
    assert log_loss <= 0.08
    assert exact_match >= 0.4
    assert pushed <= 0.03


def test_mc12_a_jump_breaks_in_log_loss() -> None:
    assert breaks(0.3, 1)[0] >= 0.94
