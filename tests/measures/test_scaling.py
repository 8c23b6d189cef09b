"""Do curves find what they were drawn from, and does the break test keep its level?"""

from __future__ import annotations

import math

import numpy as np
import pytest

from polyculture.measures.scaling import (
    FAMILIES,
    ScalingCurve,
    at_limit,
    broken_power_law,
    find_break,
    fit_curves,
    power_law,
    push_through,
    redraw_curves,
    shape_limits,
    sigmoid,
)
from polyculture.rng import stream

SCALE = np.repeat(np.geomspace(1e7, 1e11, 12), 3)


def test_a_power_law_is_recovered_and_preferred() -> None:
    noise = stream(0, "power law").normal(0, 1e-6, len(SCALE))
    best = fit_curves(SCALE, 0.3 + 40 * SCALE**-0.25 + noise)[0]
    assert best.family == "power law"
    assert best.shape[0] == pytest.approx(0.25, abs=1e-4)
    assert best.floor == pytest.approx(0.3, abs=1e-3)
    assert best.at(SCALE[:1])[0] == pytest.approx(0.3 + 40 * 1e7**-0.25, rel=1e-4)


def test_a_sigmoid_is_recovered_exactly() -> None:
    x = np.log(SCALE / 1e9)
    best = next(c for c in fit_curves(SCALE, 0.1 + 0.8 / (1 + np.exp(-x / 0.7))) if c.family == "sigmoid")
    assert math.log(best.middle) + best.shape[0] == pytest.approx(math.log(1e9), abs=1e-3)
    assert best.shape[1] == pytest.approx(0.7, abs=1e-3)
    assert (best.floor, best.gain) == pytest.approx((0.1, 0.8), abs=1e-4)


def test_a_broken_power_law_is_preferred_where_there_is_a_bend() -> None:
    x = np.log(SCALE / 1e9)
    noise = stream(0, "bend").normal(0, 0.002, len(x))
    best = fit_curves(SCALE, broken_power_law(x, (0.05, 0.6, 0.0)) + noise)[0]
    assert best.family == "broken power law"
    assert best.shape[2] + math.log(best.middle / 1e9) == pytest.approx(0, abs=0.4)


def test_families_mean_what_they_say() -> None:
    x = np.array([-1.0, 0.0, 1.0])
    assert power_law(x, (2.0,)) == pytest.approx(np.exp(-2 * x))
    assert sigmoid(x, (0.0, 1.0))[1] == 0.5
    steep = broken_power_law(np.array([-5.0, 5.0]), (0.1, 0.5, 0.0))
    assert np.log(steep) == pytest.approx([0.5, -2.5], abs=1e-6)
    assert set(FAMILIES) == {"power law", "broken power law", "sigmoid"}


def test_weights_say_which_points_count() -> None:
    y = 2 * SCALE**-0.1
    y[0] += 1.0
    weights = np.ones(len(y))
    weights[0] = 1e-12
    curves = {c.family: c for c in fit_curves(SCALE, y, weights)}
    assert curves["power law"].shape[0] == pytest.approx(0.1, abs=1e-3)


def test_a_family_with_too_many_parameters_for_the_points_is_never_chosen() -> None:
    scale = np.geomspace(1, 100, 6)
    curves = {c.family: c for c in fit_curves(scale, 1 + scale**-0.5)}
    assert math.isinf(curves["broken power law"].aicc)
    assert math.isfinite(curves["power law"].aicc)


def test_redrawn_curves_cover_the_exponent() -> None:
    rng = stream(1, "redraw")
    y = 0.2 + 5 * SCALE**-0.2 + rng.normal(0, 0.003, len(SCALE))
    curve = next(c for c in fit_curves(SCALE, y) if c.family == "power law")
    draws = redraw_curves(curve, SCALE, None, rng, 200)
    low, high = np.quantile([d.shape[0] for d in draws], [0.005, 0.995])
    assert low < 0.2 < high
    assert high - low < 0.2
    assert {d.family for d in draws} == {"power law"}
    assert redraw_curves(curve, SCALE, np.ones(len(SCALE)), stream(1, "again"), 3)[0].sd > 0


def test_a_jump_is_found_where_it_is_with_its_size() -> None:
    rng = stream(2, "jump")
    y = -0.1 * np.log(SCALE) - 0.5 * (SCALE > 1e9) + rng.normal(0, 0.03, len(SCALE))
    found = find_break(SCALE, y, rng, draws=199)
    assert found.p == 1 / 200
    assert 5e8 < found.at < 2e9
    assert found.low < -0.5 < found.high < 0


def test_smooth_curves_break_no_more_often_than_they_should() -> None:
    rng = stream(3, "smooth")
    p = [find_break(SCALE, -0.1 * np.log(SCALE) + rng.normal(0, 0.05, 36), rng, draws=99).p for _ in range(200)]
    assert np.mean(np.array(p) < 0.05) < 0.1


def test_there_is_no_break_test_with_few_scales_or_without_scatter() -> None:
    few = np.geomspace(1, 100, 7)
    assert math.isnan(find_break(few, np.log(few), stream(0, "few")).p)
    assert math.isnan(find_break(SCALE, np.log(SCALE), stream(0, "flat")).p)


def test_push_through_is_a_chi_square_test() -> None:
    predicted = np.array([0.2, 0.5, 0.8])
    assert push_through(predicted, predicted, np.full(3, 0.01)) == 1.0
    assert push_through(predicted + 0.1, predicted, np.full(3, 0.01)) == pytest.approx(0.3916, abs=1e-4)


def test_curves_are_values() -> None:
    a = ScalingCurve("power law", 1.0, (0.5,), 0.0, 1.0, 0.1, 3.0)
    assert a == ScalingCurve("power law", 1.0, (0.5,), 0.0, 1.0, 0.1, 3.0)
    assert a.at(np.array([4.0])) == pytest.approx([0.5])


def test_the_bootstrap_can_follow_every_fit_as_shapes_stay_where_both_look() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        scale = np.geomspace(1e6, 1e11, 20)
        y = [0.02 * scale**0.15, 0.05 + 0.02 * np.log(scale), 1 / (1 + (1e11 / scale) ** 0.4)][seed % 3]
        for curve in fit_curves(scale, y + 0.01 * rng.standard_normal(20)):
            lowest, highest = shape_limits(curve.family, np.log(scale / curve.middle))
            assert all(a <= value <= b for a, value, b in zip(lowest, curve.shape, highest, strict=True))
    straight = fit_curves(scale, 0.05 + 0.02 * np.log(scale))
    assert at_limit(next(c for c in straight if c.family == "power law"), scale) == (True,)
