"""MC4, MC5, MC5b, MC8: pairs beyond difficulty, kinds of models, fail@k and limits of kappa."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import betaln, expit
from scipy.stats import norm

from polyculture.measures.pair_excess import pair_excess
from polyculture.measures.structure import structural
from polyculture.measures.systemic import fail_at_k_curve
from polyculture.stats import benjamini_hochberg, fail_at_k_interval, kappa_limits
from polyculture.stats.shares import ENOUGH

pytestmark = pytest.mark.nightly


def logistic(rng: np.random.Generator, slopes: np.ndarray, n: int) -> np.ndarray:
    """Failures of models with these slopes, independent given a normal difficulty."""
    levels = rng.uniform(-1.6, -0.2, len(slopes))
    wrong: np.ndarray = rng.random((len(slopes), n)) < expit(slopes[:, None] * rng.normal(size=n) + levels[:, None])
    return wrong


def steep(first: float, k: int, m: int, others: float = 1.0) -> np.ndarray:
    """Slopes of m models of which k are sharper than the rest."""
    return np.r_[np.full(k, first), np.full(m - k, others)]


LEVEL = {
    "8 equal, 2,000": lambda rng: logistic(rng, np.ones(8), 2000),
    "8 drawn from .5 to 2, 2,000": lambda rng: logistic(rng, rng.uniform(0.5, 2, 8), 2000),
    "12 drawn from .5 to 2, 10,000": lambda rng: logistic(rng, rng.uniform(0.5, 2, 12), 10_000),
    "2 of 12 sharper (1.4), 2,000": lambda rng: logistic(rng, steep(1.4, 2, 12), 2000),
    "2 of 12 sharper (1.4), 10,000": lambda rng: logistic(rng, steep(1.4, 2, 12), 10_000),
    "2 of 12 sharper (2.5), 2,000": lambda rng: logistic(rng, steep(2.5, 2, 12), 2000),
    "2 of 12 sharper (2.5), 10,000": lambda rng: logistic(rng, steep(2.5, 2, 12), 10_000),
    "4 of 20 sharper (1.5), 2,000": lambda rng: logistic(rng, steep(1.5, 4, 20), 2000),
    "4 of 20 sharper (1.5), 10,000": lambda rng: logistic(rng, steep(1.5, 4, 20), 10_000),
    "5 of 30 sharper (2 against .8), 2,000": lambda rng: logistic(rng, steep(2, 5, 30, 0.8), 2000),
    "5 of 30 sharper (2 against .8), 10,000": lambda rng: logistic(rng, steep(2, 5, 30, 0.8), 10_000),
}
"""MC4: worlds in which no pair shares anything, by what the page on pair excess calls them."""

FOUND = {
    "30 %, 5 models, 1,000": (5, 1000, 0.3, 0.5),
    "30 %, 8 models, 2,000": (8, 2000, 0.3, 0.95),
    "50 %, 8 models, 2,000": (8, 2000, 0.5, 0.95),
    "100 %, 8 models, 2,000": (8, 2000, 1.0, 0.95),
    "30 %, 12 models, 300": (12, 300, 0.3, 0.6),
}
"""MC4b: models, instances and share of the instances on which one model repeats another; least power."""


def outstanding(wrong: np.ndarray) -> np.ndarray:
    """Pairs (upper triangle) that an audit names: at a false discovery rate of 5 %."""
    z = pair_excess((~wrong).astype(np.int8)).scaled[np.triu_indices(len(wrong), 1)]
    return (benjamini_hochberg(norm.sf(z)) <= 0.05) & (z > 0)


@pytest.mark.parametrize("world", LEVEL)
def test_mc4_models_that_share_only_difficulty_are_not_named_however_sharp_they_are(world) -> None:
    repeats = 100
    false = np.mean([outstanding(LEVEL[world](np.random.default_rng([4, k]))).any() for k in range(repeats)])
    print(f"\nMC4 {world}: audits with a false flag {false:.3f}")
    assert false <= 0.05 + 2.33 * np.sqrt(0.05 * 0.95 / repeats)


@pytest.mark.parametrize("world", FOUND)
def test_mc4b_copies_are_named(world) -> None:
    m, n, share, least = FOUND[world]
    named, false, repeats = [], [], 100
    for k in range(repeats):
        rng = np.random.default_rng([5, k])
        wrong = logistic(rng, rng.uniform(0.7, 1.5, m), n)
        wrong[1] = np.where(rng.random(n) < share, wrong[0], wrong[1])
        first, *others = outstanding(wrong)
        named.append(first)
        false.append(any(others))
    print(f"\nMC4b {world}: named {np.mean(named):.3f}, audits with another pair {np.mean(false):.3f}")
    assert np.mean(named) >= least
    assert np.mean(false) <= 0.1


@pytest.mark.parametrize(
    ("families", "members", "singles", "n"), [(18, 5, 0, 5000), (4, 10, 50, 5000), (1, 10, 10, 5000)]
)
def test_mc4c_runs_with_many_checkpoints_are_named_at_their_false_discovery_rate(families, members, singles, n) -> None:
    """Members follow their run on half of the instances; of (1, 10, 10) half of the models are one run."""
    m, repeats = families * members + singles, 10
    run = np.r_[np.repeat(np.arange(families), members), families + np.arange(singles)]
    a, b = np.triu_indices(m, 1)
    shares, false = [], []
    for k in range(repeats):
        rng = np.random.default_rng([6, k])
        slopes, difficulty = rng.uniform(0.7, 1.5, (2, m)), rng.normal(size=n)
        levels = rng.uniform(-1.6, -0.2, (2, m))
        own, base = rng.random((2, m, n)) < expit(slopes[:, :, None] * difficulty + levels[:, :, None])
        following = (rng.random((m, n)) < 0.5) & (run < families)[:, None]
        pairs = outstanding(np.where(following, base[run], own))
        shares.append(pairs[run[a] == run[b]].mean())
        false.append((pairs & (run[a] != run[b])).sum() / max(1, pairs.sum()))
    print(f"\nMC4c {families} x {members} + {singles}: named {np.mean(shares):.3f}, false share {np.mean(false):.3f}")
    assert np.mean(shares) >= 0.9
    assert np.mean(false) <= 0.08


def difficult(rng: np.random.Generator, m: int, n: int, error: float, icc: float) -> np.ndarray:
    s = 1 / icc - 1
    wrong: np.ndarray = rng.random((m, n)) < rng.beta(error * s, (1 - error) * s, n)
    return wrong


def test_mc5_difficulty_makes_no_kinds_and_kinds_are_counted_under_difficulty() -> None:
    rng = np.random.default_rng(5)
    none = [structural(difficult(rng, 12, 1000, 0.2, 0.3)).n_struct for _ in range(200)]
    three = [structural(np.repeat(difficult(rng, 3, 1000, 0.2, 0.3), 4, axis=0)).n_struct for _ in range(200)]
    print(f"\nMC5 n_struct: difficulty alone {np.mean(none):.2f}, three kinds {np.mean(three):.2f}")
    assert np.mean(none) == pytest.approx(12, abs=0.1)
    assert np.mean(three) == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize(
    ("error", "icc", "m", "n"), [(0.2, 0.1, 20, 500), (0.2, 0.3, 20, 500), (0.1, 0.1, 10, 2000), (0.05, 0.3, 10, 2000)]
)
def test_mc5b_fail_at_k_covers_in_settings_that_pass_the_gate(error, icc, m, n) -> None:
    """Table 2B: rows whose median Kish count passes the gate."""
    rng = np.random.default_rng(52)
    s, sets = 1 / icc - 1, 600
    truth = np.exp([betaln(error * s + k, (1 - error) * s) - betaln(error * s, (1 - error) * s) for k in range(1, m)])
    hits, kish = np.zeros((sets, m - 1), bool), np.zeros((sets, m - 1))
    for row in range(sets):
        curve = fail_at_k_curve(difficult(rng, m, n, error, icc))
        kish[row] = curve.kish[:-1]
        for k in np.flatnonzero(kish[row] > ENOUGH / 2).tolist():
            found = fail_at_k_interval(curve.values(k + 1), float(ENOUGH), int(curve.reached[k]))
            hits[row, k] = found.low <= truth[k] <= found.high
    open_ = np.median(kish, axis=0) >= ENOUGH
    coverage = hits[:, open_].mean(axis=0)
    shown = [hits[kish[:, k] >= ENOUGH, k].mean() for k in np.flatnonzero(open_)]
    print(f"\nMC5b e={error} ICC={icc} M={m} N={n}: coverage {coverage.round(3)}, of those shown {np.round(shown, 3)}")
    assert (coverage >= 0.90).all()
    assert (coverage <= 0.98).all()


@pytest.mark.parametrize("kappa", [0.0, 0.3, 0.7])
def test_mc8_kappa_limits_cover_with_ten_errors(kappa) -> None:
    rng = np.random.default_rng(8)
    e, n = 0.01, 1000
    covariance = kappa * e * (1 - e)
    cells = np.array([(1 - e) ** 2, e * (1 - e), e * (1 - e), e**2]) + covariance * np.array([1, -1, -1, 1])
    found = kappa_limits(rng.multinomial(n, cells, 4000))
    defined = ~np.isnan(found.low)
    coverage = np.mean((found.low <= kappa) & (kappa <= found.high), where=defined)
    print(f"\nMC8 kappa {kappa}: coverage {coverage:.3f}")
    assert 0.92 <= coverage <= 0.99
