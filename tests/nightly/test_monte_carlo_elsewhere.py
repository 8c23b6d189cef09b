"""MC13, MC14: errors estimated without labels, and representations that have nothing to do with one another."""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.measures.similarity.representations import cka
from polyculture.measures.generalization import disagreement

pytestmark = pytest.mark.nightly


def answers_of(rng: np.random.Generator, n: int, common: float) -> tuple[np.ndarray, np.ndarray]:
    """Eight calibrated models that draw their answers from the truth's distribution, some draws in common."""
    q = rng.gamma(0.25, size=(n, 10))
    edges = np.cumsum(q / q.sum(axis=1, keepdims=True), axis=1)

    def draw() -> np.ndarray:
        found: np.ndarray = np.minimum((rng.random(n)[:, None] > edges).sum(axis=1), 9)
        return found

    labels, shared, alike = draw(), draw(), rng.random(n) < common
    return np.stack([np.where(alike, shared, draw()) for _ in range(8)]), labels


@pytest.mark.parametrize(("common", "expected"), [(0.0, 1.0), (0.3, 0.7)])
def test_mc13_disagreement_estimates_error_less_what_is_shared(common, expected) -> None:
    answers, labels = answers_of(np.random.default_rng(13), 100_000, common)
    ratio = disagreement(answers).mean() / (answers != labels).mean()
    print(f"\nMC13 share in common {common}: disagreement / error {ratio:.3f}")
    assert ratio == pytest.approx(expected, abs=0.02)


def test_mc14_unrelated_representations_are_at_zero_only_when_debiased() -> None:
    rng = np.random.default_rng(14)
    plain, debiased = [], []
    for _ in range(20):
        x, y = rng.standard_normal((2, 100, 1000))
        k, l = ((z - z.mean(axis=0)) @ (z - z.mean(axis=0)).T for z in (x, y))
        plain.append((k * l).sum() / np.sqrt((k * k).sum() * (l * l).sum()))
        debiased.append(cka(x, y))
    print(f"\nMC14 CKA of unrelated representations: plain {np.mean(plain):.3f}, debiased {np.mean(debiased):+.4f}")
    assert np.mean(plain) == pytest.approx(0.909, abs=0.01)
    assert np.mean(debiased) == pytest.approx(0, abs=0.01)
