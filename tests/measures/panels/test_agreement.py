"""Agreement without a truth: equal to two independent packages, and the conventions."""

from __future__ import annotations

import math

import krippendorff
import numpy as np
import pandas as pd
import pytest
from irrCAC.raw import CAC

from polyculture.measures.panels import fleiss_kappa, gwet_ac, krippendorff_alpha, verdict_counts
from polyculture.measures.panels.agreement import NO_PAIR, ONE_VALUE


def ratings(seed: int, missing: float, judges: int = 5, items: int = 60, levels: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    truth = rng.integers(1, levels + 1, items)
    noise = rng.integers(1, levels + 1, (judges, items))
    verdicts = np.where(rng.random((judges, items)) < 0.6, truth, noise).astype(float)
    verdicts[(rng.random((judges, items)) < missing) & (np.arange(judges)[:, None] > 0)] = np.nan
    return verdicts


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_alpha_equals_the_krippendorff_package(scale: str, missing: float) -> None:
    for seed in range(3):
        verdicts = ratings(seed, missing)
        counts, values = verdict_counts(verdicts)
        expected = krippendorff.alpha(reliability_data=verdicts, level_of_measurement=scale)
        assert krippendorff_alpha(counts, values, scale).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize(
    ("scale", "weights"), [("nominal", "identity"), ("ordinal", "ordinal"), ("interval", "quadratic")]
)
def test_ac_equals_the_irrcac_package(missing: float, scale: str, weights: str) -> None:
    for seed in range(3):
        verdicts = ratings(seed, missing)
        counts, values = verdict_counts(verdicts)
        oracle = CAC(pd.DataFrame(verdicts.T), weights=weights, categories=[1.0, 2, 3, 4], digits=12).gwet()["est"][
            "coefficient_value"
        ]
        assert gwet_ac(counts, values, scale).value == pytest.approx(oracle, abs=1e-10)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_fleiss_equals_the_irrcac_package(missing: float) -> None:
    verdicts = ratings(4, missing)
    oracle = CAC(pd.DataFrame(verdicts.T), categories=[1.0, 2, 3, 4], digits=12).fleiss()["est"]["coefficient_value"]
    assert fleiss_kappa(verdict_counts(verdicts)[0]).value == pytest.approx(oracle, abs=1e-10)


def test_alpha_of_krippendorffs_own_example() -> None:
    """Krippendorff 2011, section B: two observers, ten items of two values, α = .095."""
    verdicts = np.array([[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]], dtype=float)
    assert krippendorff_alpha(verdict_counts(verdicts)[0]).value == pytest.approx(0.095, abs=5e-4)


def test_copies_agree_perfectly_right_or_wrong() -> None:
    verdicts = np.repeat(ratings(1, 0)[:1], 3, axis=0)
    counts, values = verdict_counts(verdicts)
    coefficients = (krippendorff_alpha(counts, values, "ordinal"), fleiss_kappa(counts), gwet_ac(counts))
    assert [coefficient.value for coefficient in coefficients] == pytest.approx([1, 1, 1])


def test_nothing_to_compare_is_undefined_with_a_reason() -> None:
    alone = verdict_counts(np.array([[1.0, 2, np.nan], [np.nan, np.nan, 1]]))[0]
    same = verdict_counts(np.ones((3, 4)))[0]
    for coefficient in (krippendorff_alpha, fleiss_kappa, gwet_ac):
        assert math.isnan(coefficient(alone).value)
        assert coefficient(alone).reason == NO_PAIR
        assert math.isnan(coefficient(same).value)
        assert coefficient(same).reason == ONE_VALUE
