"""Limits from influence values: closed forms, clusters, pairs of sets, populations of models."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest
from scipy import stats

from polyculture.measures.effective import effective
from polyculture.measures.leave_one_out import rho_without_each
from polyculture.stats import (
    independent_difference,
    influence_interval,
    n_eff_interval,
    paired_difference,
    rho_interval,
    rho_population_interval,
    standard_error,
)


def test_the_mean_has_the_textbook_interval() -> None:
    values = np.random.default_rng(0).normal(3, 1, 40)
    found = influence_interval(values.mean(), values - values.mean())
    low, high = stats.t.interval(0.95, 39, values.mean(), values.std(ddof=1) / np.sqrt(40))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert (found.n, found.method) == (40, "influence function")


def test_logarithmic_limits_are_symmetric_in_the_logarithm() -> None:
    values = np.array([1.0, 2.0, 3.0, 2.0])
    found = influence_interval(2.0, values - 2, logarithmic=True)
    assert found.high / 2 == pytest.approx(2 / found.low)
    assert influence_interval(0.0, values * 0, logarithmic=True).reason == "the logarithm of zero is undefined"


def test_without_two_draws_there_are_no_limits() -> None:
    assert influence_interval(1.0, np.array([nan, 0.0])).reason == "fewer than two independent clusters"
    assert influence_interval(nan, np.zeros(3)).reason == "undefined"
    assert np.isnan(standard_error(np.zeros(1))[0])


def test_clusters_that_go_together_widen_the_interval() -> None:
    influence = np.repeat(np.random.default_rng(0).normal(size=30), 4)
    alone, together = standard_error(influence)[0], standard_error(influence, np.repeat(np.arange(30), 4))[0]
    assert together == pytest.approx(2 * alone, rel=0.03)


def sets(seed: int, shared: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    difficulty = rng.beta(0.8, 3.2, 500)
    other = difficulty if shared else rng.beta(0.8, 3.2, 500)
    return rng.random((8, 500)) < difficulty, rng.random((20, 500)) < other


def test_what_hits_two_sets_alike_cancels() -> None:
    found = [effective(wrong) for wrong in sets(1, shared=True)]
    estimates = (found[0].rho, found[1].rho)
    influences = (found[0].influence / 7, found[1].influence / 19)
    paired = paired_difference(estimates, influences)
    apart = independent_difference(estimates, influences)
    assert paired.estimate == apart.estimate == found[0].rho - found[1].rho
    assert (paired.high - paired.low) / (apart.high - apart.low) < 0.85
    assert paired.method == "paired influence function"
    assert paired.low < 0 < paired.high


def test_a_set_does_not_differ_from_itself() -> None:
    found = effective(sets(1, shared=True)[0])
    paired = paired_difference((found.rho, found.rho), (found.influence, found.influence))
    assert (paired.estimate, paired.low, paired.high) == (0, 0, 0)


def test_instances_used_by_one_set_alone_still_count() -> None:
    first, second = np.array([1.0, -1.0, nan, nan]), np.array([nan, nan, 2.0, -2.0])
    found = paired_difference((0.0, 0.0), (first, second))
    assert found.n == 4
    assert found.high == pytest.approx(stats.t.ppf(0.975, 3) * np.sqrt(4 / 3 * 2.5))


def test_independent_sets_have_welch_limits() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(0, 1, 12), rng.normal(0, 5, 20)
    found = independent_difference((x.mean(), y.mean()), (x - x.mean(), y - y.mean()))
    expected = stats.ttest_ind(x, y, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert independent_difference((nan, 0.0), (x, y)).reason == "undefined"
    assert independent_difference((0.0, 0.0), (x[:1], y)).reason == "fewer than two independent clusters"


def test_a_population_of_models_adds_the_variance_of_the_models() -> None:
    rng = np.random.default_rng(4)
    wrong = rng.random((12, 300)) < rng.beta(0.8, 3.2, 300)
    found = effective(wrong)
    without = rho_without_each(wrong)
    interval = rho_population_interval(found.rho, found.influence / 11, without)
    items = rho_interval(12, found.design_effect, found.influence)
    by_model = np.sqrt(11 / 12 * ((without - without.mean()) ** 2).sum())
    by_item = standard_error(found.influence / 11)[0]
    reach = stats.t.ppf(0.975, 11) * np.hypot(by_model, by_item)
    assert (interval.low, interval.high) == pytest.approx((found.rho - reach, found.rho + reach), abs=1e-12)
    assert interval.high - interval.low > items.high - items.low
    assert interval.method == "influence function + jackknife of 12 models"


def test_nine_models_do_not_speak_for_a_population() -> None:
    found = rho_population_interval(0.2, np.ones(50), np.full(9, 0.2))
    assert (found.estimate, found.reason) == (0.2, "9 models are too few to speak of a population; 10 are needed")
    assert rho_population_interval(nan, np.ones(5), np.ones(12)).reason == "no design effect"
    assert rho_population_interval(0.1, np.ones(1), np.ones(12)).reason == "fewer than two independent clusters"


def test_an_interval_that_says_nothing_is_wide_and_does_not_overflow() -> None:
    influence = np.array([1.0, -1.0])
    for found in (
        n_eff_interval(5, 1e-6, influence),
        rho_interval(5, 1e-6, influence),
        influence_interval(1e-6, influence, logarithmic=True),
    ):
        assert np.isfinite([found.low, found.high]).all()
        assert found.high / max(found.low, 1e-300) > 1e100 or found.high - found.low > 1e100
