"""MC4, MC5, MC5b, MC8: pairs beyond difficulty, kinds of models, fail@k and limits of kappa."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import betaln

from polyculture.measures.pair_excess import pair_excess
from polyculture.measures.structure import structural
from polyculture.measures.systemic import fail_at_k_curve
from polyculture.stats import co_failure, fail_at_k_interval, kappa_limits
from polyculture.stats.shares import ENOUGH

pytestmark = pytest.mark.nightly


def rasch(rng: np.random.Generator, m: int, n: int) -> np.ndarray:
    logits = rng.normal(0, 1.5, n) + rng.normal(-1.5, 0.5, m)[:, None]
    wrong: np.ndarray = rng.random((m, n)) < 1 / (1 + np.exp(-logits))
    return wrong


def counts_of(wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    e = wrong.astype(np.int64)
    return e @ e.T, np.bincount(e.sum(axis=0), minlength=len(wrong) + 1)


def test_mc4_difficulty_alone_makes_no_pair_stand_out_and_copies_do() -> None:
    rng = np.random.default_rng(4)
    a, b = np.triu_indices(12, 1)
    level, fisher, power = [], [], []
    for _ in range(200):
        wrong = rasch(rng, 12, 1000)
        joint, histogram = counts_of(wrong)
        level.append((pair_excess(joint, histogram).z[a, b] > 1.645).mean())
        errors = np.diag(joint)
        fisher.append((co_failure(np.full(66, 1000), errors[a], errors[b], joint[a, b]) < 0.05).mean())
        wrong[1] = np.where(rng.random(1000) < 0.3, wrong[0], wrong[1])
        power.append(pair_excess(*counts_of(wrong)).z[0, 1] > 1.645)
    print(f"\nMC4 rejects {np.mean(level):.3f}; without difficulty {np.mean(fisher):.3f}; power {np.mean(power):.3f}")
    assert 0.03 <= np.mean(level) <= 0.07
    assert np.mean(fisher) >= 0.95
    assert np.mean(power) >= 0.95


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
