"""Pair excess: sharp models are no relatives, copies are found, and what the numbers are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

import polyculture as pc
from polyculture.measures.pair_excess import TOO_FEW, PairExcess, pair_excess
from polyculture.stats import benjamini_hochberg


def logistic(rng: np.random.Generator, slopes: np.ndarray, n: int, level: float = -0.9) -> np.ndarray:
    """Failures of models with these slopes, independent given a normal difficulty."""
    levels = rng.uniform(level - 0.7, level + 0.7, len(slopes))
    return rng.random((len(slopes), n)) < expit(slopes[:, None] * rng.normal(size=n) + levels[:, None])


def copying(rng: np.random.Generator, wrong: np.ndarray, share: float) -> np.ndarray:
    """Model 1 repeats model 0 on a share of the instances."""
    wrong = wrong.copy()
    wrong[1] = np.where(rng.random(wrong.shape[1]) < share, wrong[0], wrong[1])
    return wrong


def excess(wrong: np.ndarray) -> PairExcess:
    return pair_excess((~wrong).astype(np.int8))


def outstanding(estimates: PairExcess) -> set[tuple[int, int]]:
    """Pairs that an audit names."""
    a, b = np.triu_indices(len(estimates.z), 1)
    z = estimates.scaled[a, b]
    named = (benjamini_hochberg(norm.sf(z)) <= 0.05) & (z > 0)
    return set(zip(a[named].tolist(), b[named].tolist(), strict=True))


WORLDS = {
    "8 equal": (np.ones(8), 2000),
    "2 of 12 sharper": (np.r_[2.5, 2.5, np.ones(10)], 2000),
    "2 of 12 a little sharper": (np.r_[1.4, 1.4, np.ones(10)], 10_000),
    "4 of 20 sharper": (np.r_[np.full(4, 1.5), np.ones(16)], 4000),
    "5 of 30 sharper": (np.r_[np.full(5, 2.0), np.full(25, 0.8)], 2000),
    "drawn": (np.geomspace(0.5, 2, 8), 2000),
}


@pytest.mark.parametrize("world", WORLDS)
def test_models_that_discriminate_unequally_are_no_relatives(world) -> None:
    """A short version of MC4: of eight audits at most one (5 % each) names a pair; z is standard normal."""
    slopes, n = WORLDS[world]
    audits = [excess(logistic(np.random.default_rng([1, k]), slopes, n)) for k in range(8)]
    assert sum(bool(outstanding(a)) for a in audits) <= 1
    upper = np.triu_indices(len(slopes), 1)
    z = np.concatenate([a.z[upper] for a in audits])
    assert abs(z.mean()) < 0.15
    assert 0.85 < z.std() < 1.15
    assert all(1 <= a.scale <= a.largest_scale for a in audits)


@pytest.mark.parametrize(("m", "n", "share"), [(8, 2000, 0.3), (8, 2000, 1.0), (12, 2000, 0.3), (5, 2000, 1.0)])
def test_copies_are_named_whatever_the_slopes(m, n, share) -> None:
    for k in range(4):
        rng = np.random.default_rng([2, k])
        estimates = excess(copying(rng, logistic(rng, rng.uniform(0.7, 1.5, m), n), share))
        assert (0, 1) in outstanding(estimates)
        assert len(outstanding(estimates)) <= 2


@pytest.mark.parametrize(("family", "m", "share"), [(5, 30, 0.5), (10, 20, 0.6), (12, 20, 0.6), (3, 8, 1.0)])
def test_a_family_is_named_and_not_the_models_that_it_is_not(family, m, share) -> None:
    """Half of the models in one family: low slopes of all others would explain the table as well."""
    rng = np.random.default_rng(family)
    slopes = rng.uniform(0.7, 1.5, m + 1)
    *models, base = logistic(rng, slopes, 4000)
    wrong = np.array(models)
    wrong[:family] = np.where(rng.random((family, 4000)) < share, base, wrong[:family])
    named = outstanding(excess(wrong))
    inner = {(a, b) for a in range(family) for b in range(a + 1, family)}
    assert len(named & inner) >= 0.9 * len(inner)
    assert len(named - inner) <= 0.1 * len(inner) + 1


def test_the_slopes_are_those_of_the_models_even_next_to_copies() -> None:
    rng = np.random.default_rng(3)
    slopes = np.linspace(0.6, 2, 15)
    estimates = excess(copying(rng, logistic(rng, slopes, 20_000), 0.5))
    np.testing.assert_allclose(estimates.slope[2:], slopes[2:], rtol=0.15)


def test_the_order_of_models_and_instances_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    wrong = copying(rng, logistic(rng, rng.uniform(0.5, 2, 9), 1500), 0.4)
    models, instances = rng.permutation(9), rng.permutation(1500)
    estimates, permuted = excess(wrong), excess(wrong[models][:, instances])
    np.testing.assert_allclose(permuted.z, estimates.z[np.ix_(models, models)], atol=0.02)
    np.testing.assert_array_equal(estimates.z, estimates.z.T)
    np.testing.assert_allclose(estimates.scaled * estimates.scale, estimates.z)
    assert np.isnan(np.diag(estimates.z)).all()


def test_rare_failures_that_coincide_once_are_no_evidence() -> None:
    """One joint failure where a hundredth is expected has z = 10 by the normal distribution."""
    audits = [excess(logistic(np.random.default_rng([5, k]), np.ones(10), 1000, level=-5.0)) for k in range(10)]
    assert sum(bool(outstanding(a)) for a in audits) <= 1


def holes(rng: np.random.Generator, wrong: np.ndarray, share: float) -> np.ndarray:
    outcomes = (~wrong).astype(np.int8)
    outcomes[rng.random(wrong.shape) < share] = -1
    return outcomes


def test_answers_that_are_missing_by_chance_cost_instances_and_not_the_level() -> None:
    named = 0
    for k in range(8):
        rng = np.random.default_rng([6, k])
        wrong = logistic(rng, rng.uniform(0.5, 2, 12), 3000)
        estimates = pair_excess(holes(rng, wrong, 0.3))
        assert not estimates.complete
        assert estimates.n == 3000
        named += bool(outstanding(estimates))
        assert (0, 1) in outstanding(pair_excess(holes(rng, copying(rng, wrong, 0.5), 0.3)))
    assert named <= 1


def test_where_the_hard_instances_are_missing_only_complete_ones_are_compared() -> None:
    rng = np.random.default_rng(7)
    difficulty = rng.normal(size=4000)
    wrong = rng.random((12, 4000)) < expit(difficulty - 0.9)
    outcomes = (~wrong).astype(np.int8)
    outcomes[:4, (difficulty > 0) & (rng.random(4000) < 0.9)] = -1
    outcomes[4:6, (difficulty < 0) & (rng.random(4000) < 0.7)] = -1
    estimates = pair_excess(outcomes)
    assert estimates.complete
    assert estimates.n == (outcomes >= 0).all(axis=0).sum() < 2000
    assert outstanding(estimates) == set()


def test_two_models_are_too_few() -> None:
    estimates = excess(logistic(np.random.default_rng(8), np.ones(2), 500))
    assert estimates.reason == TOO_FEW
    assert np.isnan(estimates.z).all()


def test_models_without_failures_or_successes_are_left_out() -> None:
    wrong = logistic(np.random.default_rng(9), np.ones(8), 1000)
    wrong[3], wrong[5] = True, False
    estimates = excess(wrong)
    assert np.isnan(estimates.slope).tolist() == [k in (3, 5) for k in range(8)]
    assert np.isnan(estimates.z[3]).all()
    assert np.isfinite(estimates.z[0, [1, 2, 4, 6, 7]]).all()


def test_below_five_models_slopes_are_equal() -> None:
    estimates = excess(logistic(np.random.default_rng(10), np.array([0.5, 1.0, 1.5, 2.0]), 2000))
    assert estimates.equal_slopes
    assert np.ptp(estimates.slope) == 0


@pytest.mark.parametrize("wrong", [np.ones((6, 40), bool), np.tile(np.arange(50) < 20, (7, 1)), np.eye(9, dtype=bool)])
def test_tables_without_chance_end_in_numbers_or_a_reason(wrong) -> None:
    estimates = excess(wrong)
    finite = estimates.z[~np.isnan(estimates.z)]
    assert estimates.reason or np.isfinite(finite).all()


def test_two_kinds_of_difficulty_spread_wider_than_one_allows() -> None:
    """Half of the models find words hard, half numbers, the middle ones both: no single difficulty describes them."""
    rng = np.random.default_rng(11)
    angle = np.linspace(0, np.pi / 2, 24)
    kinds = rng.normal(size=(2, 40_000))
    logits = 2.5 * (np.cos(angle)[:, None] * kinds[0] + np.sin(angle)[:, None] * kinds[1]) - 1
    estimates = excess(rng.random((24, 40_000)) < expit(logits))
    assert estimates.scale > estimates.largest_scale


PORTS = [
    ("cafferesnet101", "resnet_v1_101_tf"),
    ("inception_v3", "inceptionv3"),
    ("inception_v4_tf", "inceptionv4"),
    ("inception_resnet_v2_tf", "inceptionresnetv2"),
    ("nasnet_large_tf", "nasnetalarge"),
    ("nasnet_mobile_tf", "nasnetamobile"),
    ("pnasnet5large", "pnasnet_large_tf"),
]
"""One set of weights each, converted from one library to another."""


@pytest.mark.slow
def test_weights_that_were_ported_rank_on_top(shared_data: Path) -> None:
    predictions = pc.read(shared_data / "predictions" / "imagenet_val.parquet")
    estimates = excess(predictions.wrong)
    ids = predictions.model_ids
    a, b = np.triu_indices(len(ids), 1)
    top = np.argsort(-estimates.scaled[a, b])[:12]
    best = {(ids[a[k]], ids[b[k]]) for k in top}
    assert set(PORTS) <= best
