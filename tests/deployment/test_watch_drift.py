"""Tests of drift agree with SciPy, corrections with their definitions; a classifier finds what columns cannot show."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from polyculture.deployment.watch.detection.domain_classifier import auc_interval, domain_auc
from polyculture.deployment.watch.detection.drift import (
    DriftTest,
    bin_counts,
    chi2_test,
    corrected,
    holm,
    ks_test,
    stability_index,
)
from polyculture.errors import InputError
from polyculture.rng import stream


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("decimals", [0, 8])
def test_ks_is_that_of_scipy(shift: float, decimals: int) -> None:
    rng = stream(0, "ks")
    live, reference = (np.round(rng.standard_normal(n) + s, decimals) for n, s in ((400, shift), (700, 0.0)))
    test, golden = ks_test(live, reference), stats.ks_2samp(live, reference, method="asymp")
    assert test.statistic == pytest.approx(golden.statistic, abs=1e-12)
    effective = 400 * 700 / 1100
    assert test.p == pytest.approx(stats.kstwobign.sf(math.sqrt(effective) * golden.statistic), abs=1e-9)


def test_chi2_is_that_of_scipy_where_no_category_is_rare() -> None:
    counts = np.array([[30, 50, 20, 100], [80, 90, 60, 170]])
    test, golden = chi2_test(*counts), stats.chi2_contingency(counts, correction=False)
    assert test.statistic == pytest.approx(golden.statistic)
    assert test.p == pytest.approx(golden.pvalue)
    assert test.effect == pytest.approx(stats.contingency.association(counts, "cramer"))


def test_rare_categories_are_put_together() -> None:
    rare = chi2_test(np.array([100, 2, 1, 3]), np.array([300, 1, 2, 0]))
    assert rare.p == pytest.approx(chi2_test(np.array([100, 6]), np.array([300, 3])).p)


def test_the_stability_index_by_hand() -> None:
    p, q = np.array([100.5, 300.5]) / 401, np.array([200.5, 200.5]) / 401
    golden = ((q - p) * np.log(q / p)).sum()
    assert stability_index(np.array([200, 200]), np.array([100, 300])) == pytest.approx(golden)
    assert stability_index(np.array([10, 30]), np.array([100, 300])) == pytest.approx(0, abs=0.001)
    assert math.isnan(stability_index(np.array([0, 0]), np.array([1, 1])))
    with pytest.raises(InputError, match="2 and 3 bins; expected counts of the same bins"):
        stability_index(np.array([1, 2]), np.array([1, 2, 3]))


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_its_definition(p: list[float]) -> None:
    adjusted = holm(np.array(p, float))
    order = np.argsort(p, kind="stable")
    golden = np.zeros(len(p))
    for rank, k in enumerate(order):
        golden[k] = min(1.0, max((len(p) - j) * p[order[j]] for j in range(rank + 1)))
    np.testing.assert_allclose(adjusted, golden)


def test_tests_that_were_not_done_do_not_count() -> None:
    tests = [DriftTest("a", "ks", p=0.01), DriftTest("b", "ks"), DriftTest("c", "ks", p=0.02)]
    assert [t.adjusted for t in corrected(tests)][::2] == pytest.approx([0.02, 0.02])
    assert math.isnan(corrected(tests)[1].adjusted)
    assert [t.adjusted for t in corrected(tests, "bh")][::2] == pytest.approx([0.02, 0.02])
    with pytest.raises(InputError, match="correction 'none'; expected 'holm' or 'bh'"):
        corrected(tests, "none")


def test_few_values_are_not_tested() -> None:
    assert ks_test(np.arange(5.0), np.arange(500.0)).reason == "fewer than 20 values"
    assert chi2_test(np.array([3, 4]), np.array([300, 400])).reason == "fewer than 20 values"
    assert ks_test(np.full(50, np.nan), np.arange(500.0)).reason == "fewer than 20 values"


def test_sizes_of_effects_have_names() -> None:
    sizes = [DriftTest("x", "ks", effect=effect).size for effect in (0.05, 0.15, 0.3, math.nan)]
    assert sizes == ["none", "small", "large", "none"]


def test_bins_hold_what_lies_between_their_edges() -> None:
    assert bin_counts(np.array([-1.0, 0.0, 0.5, 1.0, 7.0, np.nan]), [0.0, 1.0]).tolist() == [1, 2, 2]


def test_auc_and_its_limits_by_the_formula_of_delong() -> None:
    rng = stream(0, "auc")
    label = np.repeat([0, 1], [60, 40])
    score = np.round(rng.standard_normal(100) + 0.8 * label, 1)
    positive, negative = score[label == 1], score[label == 0]
    psi = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    variance = psi.mean(axis=1).var(ddof=1) / 40 + psi.mean(axis=0).var(ddof=1) / 60
    interval = auc_interval(score, label)
    assert interval.estimate == pytest.approx(psi.mean())
    assert interval.high - interval.estimate == pytest.approx(1.959964 * math.sqrt(variance), rel=1e-6)


def test_a_change_that_no_single_column_shows_is_found_by_the_classifier() -> None:
    rng = stream(1, "domain")
    reference, live = rng.standard_normal((800, 2)), rng.standard_normal((800, 2))
    live[:, 1] = 0.8 * live[:, 0] + 0.6 * live[:, 1]
    assert all(ks_test(live[:, j], reference[:, j]).p > 0.01 for j in range(2))
    assert domain_auc(live, reference).low > 0.65
    assert domain_auc(rng.standard_normal((800, 2)), reference).low < 0.5


def test_missing_cells_and_categories_tell_rows_apart() -> None:
    rng = stream(2, "domain")
    reference, live = rng.standard_normal((600, 2)), rng.standard_normal((600, 2))
    live[rng.random(600) < 0.5, 0] = np.nan
    assert domain_auc(live, reference).low > 0.6
    codes = [rng.choice(3, 600, p=p).astype(float)[:, None] for p in ((0.8, 0.1, 0.1), (0.1, 0.8, 0.1))]
    assert domain_auc(codes[0], codes[1], categories=[3]).low > 0.7


def test_few_rows_and_constant_columns_leave_the_auc_undefined_or_at_one_half() -> None:
    assert domain_auc(np.zeros((10, 2)), np.zeros((500, 2))).reason == "fewer than 50 rows"
    assert domain_auc(np.zeros((100, 2)), np.zeros((100, 2))).estimate == pytest.approx(0.5)
