"""MC15: panels of judges chosen on 150 verdicts and tested on 20,000: fewest co-failures beats the rest."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from polyculture.selection import co_failure, panel

pytestmark = pytest.mark.nightly

JUDGES, FAMILIES, SIZE, WORLDS = 15, 5, 3, 60


def judges(rng: np.random.Generator, n: int, error: np.ndarray, share: float = 0.5) -> np.ndarray:
    """Errors of judges that share .15 of the latent variance of a threshold model, and half within a family."""
    family = np.repeat(np.arange(FAMILIES), JUDGES // FAMILIES)
    together = rng.standard_normal((FAMILIES, n))[family]
    common, own = np.sqrt(0.15) * rng.standard_normal(n), rng.standard_normal((JUDGES, n))
    latent = np.sqrt(share) * together + common + np.sqrt(1 - share - 0.15) * own
    wrong: np.ndarray = latent < stats.norm.ppf(error)[:, None]
    return wrong


def majority_error(wrong: np.ndarray, members: tuple[int, ...]) -> float:
    return float((wrong[list(members)].mean(axis=0) > 0.5).mean())


def test_mc15_least_co_failure_beats_least_majority_error_beats_best_accuracies() -> None:
    rng = np.random.default_rng(15)
    rows = []
    for _ in range(WORLDS):
        error = np.clip(rng.normal(0.2, 0.04, JUDGES) - 0.03 * (np.arange(JUDGES) < 3), 0.05, 0.45)
        seen, unseen = judges(rng, 150, error), judges(rng, 20_000, error)
        by_majority = min(itertools.combinations(range(JUDGES), SIZE), key=lambda s: majority_error(seen, s))
        by_accuracy = tuple(np.argsort(seen.mean(axis=1))[:SIZE])
        chosen = (panel(co_failure(seen), SIZE).models, by_majority, by_accuracy)
        rows.append([majority_error(unseen, members) for members in chosen])
    co, direct, top = np.mean(rows, axis=0)
    print(f"\nMC15 test majority error: co-failure {co:.4f}, direct majority {direct:.4f}, top accuracy {top:.4f}")
    assert co <= direct <= top
