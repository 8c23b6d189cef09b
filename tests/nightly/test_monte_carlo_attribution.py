"""Do attribution tests keep their level in zoos with overlapping factors, and do shares come back? (MC9, MC10)"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import multivariate_normal

from polyculture.measures.attribution.covariance_split import Factor, accuracy_controls, by_level, correlation, split
from polyculture.measures.attribution.hypothesis_tests import (
    PairRegression,
    arrangements,
    conditional_permutation,
    node_jackknife,
)
from polyculture.measures.attribution.per_instance import StratifiedErrors, error_covariance, instance_parts
from polyculture.rng import stream

pytestmark = pytest.mark.nightly
COMMON = 0.15


def factorial() -> dict[str, np.ndarray]:
    data, arch, opt = np.unravel_index(np.arange(32), (4, 4, 2))
    return {"data": data, "arch": arch, "opt": opt}


def zoo(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """32 models in which six of ten get the architecture and the optimizer that go with their data."""
    data = rng.choice(5, 32, p=[0.35, 0.25, 0.2, 0.12, 0.08])
    arch = np.where(rng.random(32) < 0.6, data, rng.integers(0, 5, 32))
    opt = np.where(rng.random(32) < 0.6, data % 3, rng.integers(0, 3, 32))
    return {"data": data, "arch": arch, "opt": opt}


def errors(
    rng: np.random.Generator, made_of: dict[str, np.ndarray], shares: dict[str, float], rates: np.ndarray, n: int
) -> np.ndarray:
    """Gaussian latents that share a part with all models and with those of the same level."""
    m = len(rates)
    latent = np.sqrt(COMMON) * rng.standard_normal(n) + np.zeros((m, n))
    for name, share in shares.items():
        latent += np.sqrt(share) * rng.standard_normal((int(made_of[name].max()) + 1, n))[made_of[name]]
    latent += np.sqrt(1 - COMMON - sum(shares.values())) * rng.standard_normal((m, n))
    return latent < ndtri(rates)[:, None]


def p_of(rng: np.random.Generator, wrong: np.ndarray, made_of: dict[str, np.ndarray], name: str) -> float:
    factors = {k: by_level(v) for k, v in made_of.items()}
    C = error_covariance(StratifiedErrors(wrong, np.zeros(wrong.shape[1], dtype=np.int64)))
    pairs = PairRegression.of(correlation(C), list(factors.values()), accuracy_controls(wrong.mean(axis=1)))
    column = 1 + list(factors).index(name)
    others = np.stack([v for k, v in made_of.items() if k != name])
    strata = np.unique(others, axis=1, return_inverse=True)[1].ravel()
    if arrangements(factors[name].levels, strata) >= 200:
        return conditional_permutation(pairs, column, factors[name], strata, rng, 199).p
    return node_jackknife(pairs, column).p


def rejections(name: str, shares: dict[str, float], repetitions: int, seed: int) -> float:
    rng = stream(seed, "mc9", name)
    found = []
    for _ in range(repetitions):
        made_of = zoo(rng)
        rates = np.clip(rng.normal(0.25, 0.06, 32), 0.05, 0.6)
        found.append(p_of(rng, errors(rng, made_of, shares, rates, 500), made_of, name) < 0.05)
    return float(np.mean(found))


def test_mc9_a_null_factor_of_a_zoo_is_rejected_at_its_level() -> None:
    rate = rejections("opt", {"data": 0.3, "arch": 0.1}, 400, 0)
    print(f"\nMC9 null rejected {rate:.3f}")
    assert rate <= 0.08


def test_mc9_a_third_as_strong_cause_is_found() -> None:
    rate = rejections("arch", {"data": 0.3, "arch": 0.1}, 150, 1)
    print(f"\nMC9 cause found {rate:.3f}")
    assert rate >= 0.95


def population_coefficients(factors: list[Factor], shares: list[float]) -> np.ndarray:
    """Of the covariances that the latents imply at an error rate of ¼."""
    latent = COMMON + sum(share * f.alike for share, f in zip(shares, factors, strict=False))
    t = float(ndtri(0.25))
    C = np.full(latent.shape, 0.1875)
    for r in np.unique(latent[~np.eye(32, dtype=bool)]):
        joint = multivariate_normal.cdf([t, t], mean=[0, 0], cov=[[1, r], [r, 1]]) - 0.0625
        C[np.isclose(latent, r) & ~np.eye(32, dtype=bool)] = joint
    return split(C, factors).coefficients


def test_mc10_the_ratio_of_two_causes_and_the_coverage_of_their_intervals() -> None:
    rng = stream(0, "mc10")
    made_of = factorial()
    factors = [by_level(v) for v in made_of.values()]
    truth = population_coefficients(factors, [0.3, 0.1])
    ratios, covered = [], []
    for _ in range(200):
        wrong = errors(rng, made_of, {"data": 0.3, "arch": 0.1}, np.full(32, 0.25), 1000)
        table = StratifiedErrors(wrong, np.zeros(1000, dtype=np.int64))
        C = error_covariance(table)
        parted = split(C, factors)
        parts = instance_parts(table, C, np.concatenate([parted.weights, 2 * np.eye(32)[None] / np.trace(C)]))
        influence = parts[:-1] - parted.coefficients[:, None] * parts[-1]
        reach = 1.96 * influence.std(axis=1, ddof=1) / np.sqrt(1000)
        ratios.append(parted.coefficients[1] / parted.coefficients[2])
        covered.append(np.abs(parted.coefficients - truth) < reach)
    print(f"\nMC10 median ratio {np.median(ratios):.2f}, coverage {np.mean(covered):.3f}")
    assert 2.8 <= np.median(ratios) <= 3.4
    assert np.mean(covered) >= 0.92
    assert np.mean(covered, axis=0).min() >= 0.89
