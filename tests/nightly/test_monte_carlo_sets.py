"""MC1-MC3, MC6, MC7, MC11, MC16-MC18: what is said of a set of models is right as often as it claims."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

import polyculture.stats as room
from polyculture.auditing import AuditOptions
from polyculture.auditing.context import AuditContext
from polyculture.auditing.sections.joint_failures import tipping_point
from polyculture.measures.effective import EffectiveNumber, effective
from polyculture.measures.leave_one_out import rho_without_each
from polyculture.measures.streaming.exact_sums import InstanceChunk, count_chunk
from polyculture.measures.systemic import common_shock
from polyculture.predictions import Predictions
from polyculture.stats import n_eff_bootstrap, n_eff_interval, paired_difference, rho_population_interval
from polyculture.testing import copying_errors

pytestmark = pytest.mark.nightly

BOOTSTRAP_BELOW = 100
"""Informative instances below which bootstrap-t takes over, as in an audit."""


def independent(rng: np.random.Generator, m: int, n: int, error: float) -> np.ndarray:
    wrong: np.ndarray = rng.random((m, n)) < error
    return wrong


def copies(rng: np.random.Generator, m: int, n: int, error: float, copying: float) -> np.ndarray:
    """Each model takes the common error with probability √copying."""
    common, own = rng.random(n) < error, rng.random((m, n)) < error
    wrong: np.ndarray = np.where(rng.random((m, n)) < np.sqrt(copying), common, own)
    return wrong


def difficult(rng: np.random.Generator, m: int, n: int, error: float, icc: float) -> np.ndarray:
    """Independent given a beta-distributed difficulty."""
    s = 1 / icc - 1
    wrong: np.ndarray = rng.random((m, n)) < rng.beta(error * s, (1 - error) * s, n)
    return wrong


SETTINGS = {
    "independent": (lambda rng: independent(rng, 12, 300, 0.2), 12.0, 12.1, 0.3),
    "copy .3": (lambda rng: copies(rng, 12, 300, 0.2, 0.3), 12 / 4.3, 2.80, 0.06),
    "difficulty ICC .3": (lambda rng: difficult(rng, 12, 300, 0.2, 0.3), 12 / 4.3, 2.81, 0.06),
}


def covers(found: EffectiveNumber, truth: float, rng: np.random.Generator | None = None) -> bool:
    if rng is None:
        interval = n_eff_interval(found.n_models, found.design_effect, found.influence)
    else:
        parts = (found.influence, found.variation)
        interval = n_eff_bootstrap(found.n_models, found.design_effect, parts, rng)
    return interval.low <= truth <= interval.high


@pytest.mark.parametrize("name", SETTINGS)
def test_mc1_the_effective_number_is_unbiased_and_its_interval_covers(name) -> None:
    draw, truth, mean, within = SETTINGS[name]
    rng = np.random.default_rng(1)
    estimates, hits = [], []
    for _ in range(400):
        found = effective(draw(rng))
        estimates.append(found.n_eff)
        hits.append(covers(found, truth))
    print(f"\nMC1 {name}: mean {np.mean(estimates):.2f}, coverage {np.mean(hits):.3f}")
    assert np.mean(estimates) == pytest.approx(mean, abs=within)
    assert 0.92 <= np.mean(hits) <= 0.98


def test_mc1b_bootstrap_t_repairs_few_informative_instances() -> None:
    """Table 3B: latent common factor .5, errors .05, 300 instances; about 20 informative ones."""

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        latent = np.sqrt(0.5) * rng.standard_normal(n) + np.sqrt(0.5) * rng.standard_normal((12, n))
        wrong: np.ndarray = latent < ndtri(0.05)
        return wrong

    rng = np.random.default_rng(11)
    rho = effective(draw(rng, 2_000_000)).rho
    hits = []
    for _ in range(300):
        found = effective(draw(rng, 300))
        truth = found.n_models / (1 + (found.n_models - 1) * rho)
        hits.append([covers(found, truth), covers(found, truth, rng)])
    formula, bootstrap = np.mean(hits, axis=0)
    print(f"\nMC1b few informative instances: influence function {formula:.3f}, bootstrap-t {bootstrap:.3f}")
    assert bootstrap >= 0.90
    assert bootstrap > formula


def test_mc2_the_test_of_independence_keeps_its_level() -> None:
    rng = np.random.default_rng(2)
    rejected = np.mean([effective(independent(rng, 12, 300, 0.2)).p_value < 0.05 for _ in range(1000)])
    print(f"\nMC2 rejects {rejected:.3f}")
    assert 0.02 <= rejected <= 0.09


def test_mc3_classes_of_different_difficulty_do_not_look_alike_within_classes() -> None:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(400):
        labels = rng.integers(0, 3, 300)
        wrong = rng.random((12, 300)) < np.array([0.05, 0.15, 0.5])[labels]
        found.append([effective(wrong, labels).n_eff, effective(wrong).n_eff])
    within, raw = np.mean(found, axis=0)
    print(f"\nMC3 n_eff within classes {within:.2f}, raw {raw:.2f}")
    assert 11.9 <= within <= 12.4
    assert 3.4 <= raw <= 3.9


FAMILY = np.array([0.35, 0.25, 0.15, 0.1, 0.1, 0.05])


def population(rng: np.random.Generator, m: int, n: int) -> np.ndarray:
    """Models of random families and error rates, on random instances."""
    family, error = rng.choice(6, m, p=FAMILY), np.clip(rng.normal(0.25, 0.07, m), 0.05, 0.5)
    shared = np.sqrt(0.2) * rng.standard_normal(n) + np.sqrt(0.4) * rng.standard_normal((6, n))[family]
    wrong: np.ndarray = shared + np.sqrt(0.4) * rng.standard_normal((m, n)) < ndtri(error)[:, None]
    return wrong


def test_mc6_an_interval_for_a_population_of_models_covers_and_self_pairs_are_not_offered() -> None:
    rng = np.random.default_rng(6)
    above, below = [], []
    for _ in range(200):
        wrong = population(rng, 60, 4000)
        covariance = np.cov(wrong)
        above.append((covariance.sum() - np.trace(covariance)) / (60 * 59))
        below.append(np.trace(covariance) / 60)
    truth = np.mean(above) / np.mean(below)
    hits = []
    for _ in range(300):
        wrong = population(rng, 20, 300)
        found = effective(wrong)
        without = rho_without_each(wrong[found.informative])
        interval = rho_population_interval(found.rho, found.influence / (found.n_models - 1), without)
        hits.append(interval.low <= truth <= interval.high)
    print(f"\nMC6 truth {truth:.4f}, coverage {np.mean(hits):.3f}")
    assert np.mean(hits) >= 0.93
    assert not [name for name in room.__all__ if "resample_models" in name or "bootstrap_models" in name]


def test_mc7_clusters_have_to_be_known() -> None:
    rng = np.random.default_rng(7)
    clusters = np.repeat(np.arange(100), 10)
    truth, hits = 12 / (1 + 11 * 0.2), []
    for _ in range(400):
        found = effective(rng.random((12, 1000)) < np.repeat(rng.beta(0.8, 3.2, 100), 10))
        kinds = (n_eff_interval(12, found.design_effect, found.influence, c) for c in (clusters, None))
        hits.append([i.low <= truth <= i.high for i in kinds])
    aware, naive = np.mean(hits, axis=0)
    print(f"\nMC7 coverage: cluster-aware {aware:.3f}, naive {naive:.3f}")
    assert aware >= 0.90
    assert naive <= 0.70


def test_mc11_label_noise_alone_makes_models_alike_and_a_planted_shock_is_found() -> None:
    rng = np.random.default_rng(11)
    found, classes, n = [], 10, 50_000
    for _ in range(10):
        truth = rng.integers(0, classes, n)
        answers = np.where(rng.random((12, n)) < 0.05, (truth + rng.integers(1, classes, (12, n))) % classes, truth)
        labels = np.where(rng.random(n) < 0.02, (truth + rng.integers(1, classes, n)) % classes, truth)
        found.append(effective(answers != labels).n_eff)
    wrong = (rng.random((12, 1_000_000)) < 0.05) | (rng.random(1_000_000) < 0.02)
    rate = common_shock(wrong).rate
    print(f"\nMC11 n_eff {np.mean(found):.2f}, planted .02 found {rate:.4f}")
    assert np.mean(found) == pytest.approx(3.04, abs=0.15)
    assert rate == pytest.approx(0.020, abs=0.001)


def test_mc3d_two_sets_on_the_same_instances_are_compared_paired() -> None:
    """Table 3D: 8 against 20 models of the same rho that share the instances' difficulty."""
    rng = np.random.default_rng(34)
    hits = []
    for _ in range(600):
        difficulty = rng.beta(0.8, 3.2, 600)
        first, second = (effective(rng.random((m, 600)) < difficulty) for m in (8, 20))
        influences = (first.influence / 7, second.influence / 19)
        interval = paired_difference((first.rho, second.rho), influences)
        hits.append(interval.low <= 0 <= interval.high)
    print(f"\nMC3D paired comparison: coverage {np.mean(hits):.3f}")
    assert 0.92 <= np.mean(hits) <= 0.98


def test_the_testing_room_copies_as_here() -> None:
    wrong = copying_errors((12,), 200_000, copying=0.3)
    assert effective(wrong).n_eff == pytest.approx(12 / 4.3, rel=0.02)


def class_world(rng: np.random.Generator, kind: str, m: int, size: int, classes: int) -> tuple[np.ndarray, ...]:
    """Classes of unequal difficulty: independent models, ones that share the instances' difficulty, or copies."""
    rates = np.clip(rng.beta(4, 8, (classes, 1)) * np.exp(0.2 * rng.standard_normal((classes, m))), 0.02, 0.95)
    labels = np.repeat(np.arange(classes), size)
    n, u = len(labels), rng.random((m, classes * size))
    if kind == "copies":
        u = np.where(rng.random((m, n)) < 0.5**0.5, rng.random(n), u)
    if kind == "difficulty":
        u = ndtr(np.sqrt(0.3) * rng.standard_normal(n) + np.sqrt(0.7) * rng.standard_normal((m, n)))
    return u < rates[labels].T, labels, rates


@pytest.mark.parametrize("kind", ["independent", "difficulty", "copies"])
@pytest.mark.parametrize("m", [3, 12, 30])
def test_mc16_an_expectation_given_the_class_is_right_within_a_factor_of_two_or_not_given(kind: str, m: int) -> None:
    rng = np.random.default_rng(16)
    for size, classes in ((2, 200), (5, 200), (20, 50), (50, 20), (200, 10), (1000, 10)):
        given, within = [], []
        for _ in range(60):
            wrong, labels, rates = class_world(rng, kind, m, size, classes)
            table = count_chunk(InstanceChunk(wrong, None, labels, classes), {})
            ratio = table.systemic().expected_rate / rates.prod(axis=1).mean()
            given.append(table.expectation_error() <= np.log(2))
            within.append(0.5 < ratio < 2)
        shown = np.array(within)[np.array(given)]
        shares = f"given {np.mean(given):.2f}, within {shown.mean() if len(shown) else np.nan:.2f}"
        print(f"\nMC16 {kind}, {m} models, {classes} classes of {size}: {shares}")
        assert len(shown) < 6 or shown.mean() >= 0.85


@pytest.mark.parametrize(("clusters", "least"), [(20, 0.87), (40, 0.89), (60, 0.91), (100, 0.91)])
def test_mc17_with_few_clusters_the_bootstrap_covers_better(clusters: int, least: float) -> None:
    rng = np.random.default_rng(17)
    names, truth, hits = np.repeat(np.arange(clusters), 10), 12 / (1 + 11 * 0.2), []
    for _ in range(400):
        estimate = effective(rng.random((12, 10 * clusters)) < np.repeat(rng.beta(0.8, 3.2, clusters), 10))
        m, d, parts = estimate.n_models, estimate.design_effect, (estimate.influence, estimate.variation)
        linear, bootstrap = n_eff_interval(m, d, parts[0], names), n_eff_bootstrap(m, d, parts, rng, names)
        hits.append([interval.low <= truth <= interval.high for interval in (linear, bootstrap)])
    linear, bootstrap = np.mean(hits, axis=0)
    print(f"\nMC17 {clusters} clusters: influence function {linear:.3f}, bootstrap-t {bootstrap:.3f}")
    assert bootstrap >= max(least, linear - 0.01)


def test_mc18_label_errors_are_offered_as_an_explanation_only_where_there_is_something_to_explain() -> None:
    rng = np.random.default_rng(18)
    warned = []
    for _ in range(400):
        wrong = independent(rng, 8, 600, 0.2)
        table = Predictions.from_correct({f"m{i}": ~row for i, row in enumerate(wrong)})
        warned.append(not tipping_point(AuditContext.gather(table, AuditOptions())).reason)
    print(f"\nMC18 independent models: warned {np.mean(warned):.3f}")
    assert np.mean(warned) <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / 400)
