"""Errors estimated without labels: identities and known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from polyculture.measures.generalization import agreement_on_the_line, disagreement, error_without_labels


def test_two_draws_from_a_distribution_disagree_as_often_as_one_errs() -> None:
    """T15: 1 − Σq² is the error of a calibrated draw, here by all pairs of draws in exact proportion."""
    q = np.array([0.5, 0.3, 0.2])
    draws = np.repeat([0, 1, 2], (1000 * q).astype(int))[:, None]
    assert disagreement(draws)[0] * 999 / 1000 == pytest.approx(1 - (q**2).sum(), abs=1e-12)


def test_the_estimate_is_scaled_by_what_labels_show_elsewhere() -> None:
    found = error_without_labels(np.array([0.2, 0.4]), np.array([0.1, 0.1, np.nan]), 0.15)
    assert (found.plain, found.factor, found.calibrated) == pytest.approx((0.3, 1.5, 0.45))
    assert np.isnan(error_without_labels(np.ones(2), np.zeros(2), 0.1).calibrated)


def world(seed: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Answers of twenty models on two sets; their probit accuracies lie on a line."""
    rng = np.random.default_rng(seed)
    ability = rng.normal(1, 0.5, 20)
    tables = []
    for level in (ability, 0.8 * ability - shift):
        latent = np.sqrt(0.4) * rng.normal(size=6000) + np.sqrt(0.6) * rng.normal(size=(20, 6000))
        wrong = latent > level[:, None]
        tables.append(np.where(wrong, rng.integers(1, 4, (20, 6000)), 0))
    return tables[0], tables[1]


def agreement(table: np.ndarray) -> np.ndarray:
    return (table[:, None] == table[None]).mean(axis=2)


def test_accuracies_are_found_where_agreement_is_on_the_line() -> None:
    here, there = world(0, 0.3)
    found = agreement_on_the_line(agreement(here), agreement(there), (here == 0).mean(axis=1))
    truth = (there == 0).mean(axis=1)
    assert np.abs(found.simple - truth).mean() < 0.04
    assert np.abs(found.detailed - truth).mean() < 0.04
    assert found.r2 > 0.9


def test_the_detailed_estimate_is_least_squares_on_the_pairs() -> None:
    rng = np.random.default_rng(1)
    raw = rng.uniform(0.3, 0.9, (2, 6, 6))
    here, there = ((x + x.T) / 2 for x in raw)
    accuracy = rng.uniform(0.4, 0.9, 6)
    a, b = np.triu_indices(6, 1)
    x, y, z = norm.ppf(here[a, b]), norm.ppf(there[a, b]), norm.ppf(accuracy)
    slope, bias = np.polyfit(x, y, 1)
    pairs = np.zeros((15, 6))
    pairs[np.arange(15), a] = pairs[np.arange(15), b] = 0.5
    expected = np.linalg.lstsq(pairs, y + slope * ((z[a] + z[b]) / 2 - x))[0]
    found = agreement_on_the_line(here, there, accuracy)
    np.testing.assert_allclose(found.detailed, norm.cdf(expected), atol=1e-12)
    np.testing.assert_allclose(found.simple, norm.cdf(bias + slope * z), atol=1e-12)
    assert (found.slope, found.bias) == pytest.approx((slope, bias))
    assert found.r2 == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)


def test_equal_agreements_draw_no_line() -> None:
    found = agreement_on_the_line(np.full((3, 3), 0.5), np.full((3, 3), 0.5), np.full(3, 0.6))
    assert np.isnan([found.slope, found.r2]).all()
