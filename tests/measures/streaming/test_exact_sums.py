"""Sums that are exact, and with them `effective` in two passes: the same numbers, whatever the cuts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from polyculture.measures.counts import count
from polyculture.measures.effective import COMPLEMENTARY, NO_PAIRS, NO_VARIATION, effective
from polyculture.measures.streaming.effective import CommonCounts, StreamedEstimate, from_complete, from_pairs
from polyculture.measures.streaming.exact_sums import InfluenceSums, InstanceChunk, count_chunk, exact, on_grid
from polyculture.measures.systemic import systemic
from polyculture.stats import standard_error

FLOATS = st.floats(-1e20, 1e20, allow_subnormal=False)


def whole(wrong: np.ndarray, strata: np.ndarray, observed: np.ndarray | None = None) -> InstanceChunk:
    return InstanceChunk(wrong if observed is None else wrong & observed, observed, strata, int(strata.max()) + 1)


def estimate(chunk: InstanceChunk) -> StreamedEstimate:
    """D of some instances, from whatever way of counting their cells need."""
    known = np.ones_like(chunk.wrong) if chunk.observed is None else chunk.observed
    counts = count(None, None, np.where(known, ~chunk.wrong, -1).astype(np.int8), 2)
    errors = np.diag(counts.n00)
    informative = (errors > 0) & (errors < np.diag(counts.n))
    if chunk.observed is None:
        return from_complete(count_chunk(chunk, {2: counts}).strata(chunk.strata > 1), informative)
    return from_pairs(CommonCounts.by_class(chunk), informative)


@given(st.lists(FLOATS, max_size=40), st.data())
def test_exact_sums_are_those_of_all_numbers_however_they_were_grouped(
    values: list[float], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(values))
    at = data.draw(st.integers(0, len(values)))
    parts = exact((*exact(order[:at]), *exact(order[at:])))
    assert math.fsum(parts) == math.fsum(values)


def test_what_rounding_would_lose_is_kept() -> None:
    assert exact([1e16, 1.0, -1e16]) == (1.0,)
    assert exact([]) == exact([3.5, -3.5]) == ()


@given(nps.arrays(float, (7, 7), elements=st.floats(-5, 5, allow_subnormal=False)), st.permutations(range(7)))
def test_sums_on_a_grid_do_not_depend_on_their_order(weights: np.ndarray, order: list[int]) -> None:
    (rounded,) = on_grid(weights)
    assert np.abs(rounded - weights).max() <= np.abs(weights).sum() * 2.0**-51
    assert rounded.sum(axis=0).tolist() == [math.fsum(column) for column in rounded[order].T]
    assert rounded[order].sum() == math.fsum(rounded.ravel())


def test_nothing_has_a_grid_too() -> None:
    assert on_grid(np.zeros(3))[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("clustered", [True, False])
def test_the_standard_error_is_that_of_all_influence_values(clustered: bool) -> None:
    rng = np.random.default_rng(0)
    influence = np.where(rng.random(500) < 0.1, np.nan, rng.standard_normal(500))
    influence -= np.nanmean(influence)
    clusters = rng.integers(0, 30, 500) if clustered else None
    parts = [slice(0, 200), slice(200, 210), slice(210, 500)]
    found = [InfluenceSums.of(influence[at], None if clusters is None else clusters[at]) for at in parts]
    error, draws = (found[0] + found[1] + found[2]).standard_error()
    assert (error, draws) == (
        pytest.approx(standard_error(influence, clusters)[0], rel=1e-12),
        30 if clustered else draws,
    )
    assert (found[2] + found[0] + found[1]).standard_error() == (error, draws)


def test_a_single_draw_has_no_standard_error() -> None:
    assert np.isnan(InfluenceSums.of(np.array([1.0])).standard_error()[0])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from([0.0, 0.3, 0.8]))
def test_two_passes_find_what_one_finds(seed: int, strata: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    m, n = int(rng.integers(2, 7)), int(rng.integers(3, 60))
    wrong = rng.random((m, n)) < rng.choice([0.0, 0.3, 1.0], (m, 1), p=[0.1, 0.8, 0.1])
    code = rng.integers(0, strata, n)
    observed = None if missing == 0 else rng.random((m, n)) >= missing
    if observed is not None and observed.all():
        return
    one, chunk = effective(wrong, code, observed), whole(wrong, code, observed)
    two = estimate(chunk)
    assert two.informative.tolist() == one.informative.tolist()
    assert two.reason == one.reason
    assert (two.design_effect, two.z) == pytest.approx((one.design_effect, one.z), rel=1e-9, abs=1e-9, nan_ok=True)
    if two.influence is None:
        assert np.isnan(one.design_effect)
        return
    influence, centred = two.influence(chunk)
    np.testing.assert_allclose(influence, one.influence, rtol=1e-7, atol=1e-9)
    assert InfluenceSums.of(influence, None, centred).n_info == pytest.approx(one.n_info, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_influence_values_have_the_same_bits_in_any_chunk(seed: int, gaps: bool) -> None:
    rng = np.random.default_rng(seed)
    wrong, code = rng.random((9, 200)) < 0.3, rng.integers(0, 3, 200)
    chunk = whole(wrong, code, rng.random((9, 200)) < 0.8 if gaps else None)
    found = estimate(chunk)
    assert found.influence is not None
    at = np.flatnonzero(rng.random(200) < 0.4)
    part = InstanceChunk(
        chunk.wrong[:, at], None if chunk.observed is None else chunk.observed[:, at], code[at], chunk.strata
    )
    for values, some in zip(found.influence(chunk), found.influence(part), strict=True):
        np.testing.assert_array_equal(values[at], some)


def test_failure_counts_add_up_to_those_of_all_instances() -> None:
    rng = np.random.default_rng(1)
    wrong, code, observed = rng.random((5, 400)) < 0.4, rng.integers(0, 3, 400), rng.random((5, 400)) < 0.95
    chunk = whole(wrong, code, observed)
    parts = [InstanceChunk(chunk.wrong[:, at], observed[:, at], code[at], 3) for at in (slice(0, 30), slice(30, 400))]
    found = sum_of(parts).systemic()
    usual = systemic(wrong & observed, code, observed)
    for name in ("histogram", "expected", "errors", "sizes", "expected_rate", "largest_rate"):
        np.testing.assert_array_equal(getattr(found, name), getattr(usual, name))


def sum_of(parts: list[InstanceChunk]):
    tallies = [
        count_chunk(p, {2: count(None, None, np.where(p.observed, ~p.wrong, -1).astype(np.int8), 2)}) for p in parts
    ]
    return tallies[0] + tallies[1]


def test_no_complete_instance_is_said() -> None:
    observed = np.array([[True, False], [False, True]])
    chunk = whole(np.zeros((2, 2), bool), np.zeros(2, np.int64), observed)
    found = count_chunk(chunk, {2: count(None, None, np.where(observed, 1, -1).astype(np.int8), 2)}).systemic()
    assert found.reason == "no instance was answered by every model"
    assert found.n == 0


def test_reasons_are_those_of_one_pass() -> None:
    apart = np.array([[1, 1, 0, 0], [0, 0, 1, 1]], bool)
    zero = np.zeros(4, np.int64)
    assert estimate(whole(apart, zero)).reason == COMPLEMENTARY
    assert estimate(whole(apart, np.array([0, 0, 1, 1]))).reason == NO_VARIATION
    alone = np.array([[True, True, False, False], [False, False, True, True]])
    assert estimate(whole(np.array([[1, 0, 0, 0], [0, 0, 1, 0]], bool), zero, alone)).reason == NO_PAIRS
