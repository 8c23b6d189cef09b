"""Bootstrap-t and delete-a-block jackknife."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
from scipy import stats

from polyculture.measures.effective import effective
from polyculture.rng import stream
from polyculture.stats import block_of, jackknife, n_eff_bootstrap, n_eff_interval, rho_bootstrap


def test_with_many_instances_the_bootstrap_agrees_with_the_formula() -> None:
    wrong = np.random.default_rng(0).random((12, 4000)) < 0.2
    found = effective(wrong)
    parts = (found.influence, found.variation)
    slow = n_eff_bootstrap(12, found.design_effect, parts, stream(0, "t"))
    fast = n_eff_interval(12, found.design_effect, found.influence)
    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high), rel=0.01)
    assert slow.method == "bootstrap-t, log scale, 1999 resamples"
    assert slow == n_eff_bootstrap(12, found.design_effect, parts, stream(0, "t"))
    rho = rho_bootstrap(12, found.design_effect, parts, stream(0, "t"))
    assert [12 / (1 + 11 * rho.high), 12 / (1 + 11 * rho.low)] == pytest.approx([slow.low, slow.high])


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("strata", [1, 3])
def test_the_parts_of_each_instance_say_what_a_reweighted_sample_gives(missing, strata) -> None:
    """D of duplicated instances, up to the recentring that the bootstrap leaves out."""
    rng = np.random.default_rng(1)
    n = 3000
    wrong, code = rng.random((5, n)) < rng.beta(1, 4, n), rng.integers(0, strata, n)
    observed = rng.random((5, n)) >= missing
    found = effective(wrong, code, observed)
    take = rng.integers(0, n, n)
    again = effective(wrong[:, take], code[take], observed[:, take])
    predicted = found.design_effect + found.influence[take].sum() / found.variation[take].sum()
    assert predicted == pytest.approx(again.design_effect, abs=5e-3)
    assert found.variation.mean() == pytest.approx(1)


def test_few_informative_instances_make_the_bootstrap_lopsided_towards_more_alikeness() -> None:
    rng = np.random.default_rng(2)
    latent = np.sqrt(0.5) * rng.normal(size=1000) + np.sqrt(0.5) * rng.normal(size=(12, 1000))
    found = effective(latent < stats.norm.ppf(0.01))
    fast = n_eff_interval(found.n_models, found.design_effect, found.influence)
    slow = n_eff_bootstrap(found.n_models, found.design_effect, (found.influence, found.variation), stream(1))
    assert found.n_info < 100
    assert slow.low < fast.low


def test_clusters_are_resampled_whole() -> None:
    rng = np.random.default_rng(3)
    wrong = rng.random((6, 400)) < np.repeat(rng.beta(1, 4, 40), 10)
    found = effective(wrong)
    parts, clusters = (found.influence, found.variation), np.repeat(np.arange(40), 10)
    alone = n_eff_bootstrap(6, found.design_effect, parts, stream(0))
    together = n_eff_bootstrap(6, found.design_effect, parts, stream(0), clusters)
    assert together.high - together.low > 1.3 * (alone.high - alone.low)
    assert together.method.endswith(", 40 clusters")


def test_the_bootstrap_says_why_it_gives_no_limits() -> None:
    flat = (np.zeros(5), np.ones(5))
    assert n_eff_bootstrap(3, nan, (np.full(5, nan),) * 2, stream(0)).reason == "no design effect"
    assert n_eff_bootstrap(3, 0.0, flat, stream(0)).estimate == inf
    assert n_eff_bootstrap(3, 0.0, flat, stream(0)).reason == "errors are perfectly complementary"
    assert n_eff_bootstrap(3, 1.5, flat, stream(0)).reason == "too few different instances to resample"
    one = n_eff_bootstrap(3, 1.5, flat, stream(0), np.zeros(5))
    assert one.reason == "fewer than two independent clusters"
    assert rho_bootstrap(3, 1.5, flat, stream(0)).reason == "too few different instances to resample"
    assert not rho_bootstrap(3, nan, (np.full(5, nan),) * 2, stream(0)).defined


def test_blocks_depend_on_the_names_of_the_clusters_alone() -> None:
    names = np.array([f"patient-{i}" for i in range(5000)])
    block = block_of(names)
    order = np.random.default_rng(0).permutation(5000)
    np.testing.assert_array_equal(block_of(names[order]), block[order])
    assert block[:5].tolist() == block_of(names[:5]).tolist()
    sizes = np.bincount(block, minlength=50)
    assert len(sizes) == 50
    assert 60 < sizes.min() <= sizes.max() < 140
    assert set(block_of(np.repeat([1, 2], 9), 7)[:9]) == {block_of(np.array([1]), 7)[0]}


def test_the_jackknife_of_a_mean_is_its_textbook_interval() -> None:
    values = np.random.default_rng(0).normal(5, 1, 25)
    without = (values.sum() - values) / 24
    found = jackknife(values.mean(), without, 25)
    low, high = stats.t.interval(0.95, 24, values.mean(), values.std(ddof=1) / 5)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)
    assert found.method == "delete-a-block jackknife, 25 blocks"
    bounded = jackknife(values.mean(), without, 25, bound=1.0)
    assert (bounded.high - 1) / (bounded.estimate - 1) == pytest.approx((bounded.estimate - 1) / (bounded.low - 1))


def test_the_jackknife_says_why_it_gives_no_limits() -> None:
    assert jackknife(nan, np.ones(3), 9).reason == "undefined on all instances"
    assert jackknife(1.0, np.ones(1), 9).reason == "fewer than two blocks of instances"
    assert jackknife(2.0, np.array([2.0, inf, 3.0]), 9).reason == "undefined without some block of instances"
    assert jackknife(2.0, np.array([2.0, 1.0, 3.0]), 9, bound=1.0).reason == "undefined without some block of instances"
