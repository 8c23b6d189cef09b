"""MC20–MC22: alarms keep their promise and find changes soon; confidence sequences hold at every time of looking."""

from __future__ import annotations

import math

import numpy as np
import pytest

from polyculture.deployment.watch.detection.alarms import CusumBank, RateAlarm, shared_promise
from polyculture.deployment.watch.detection.sequences import difference_evidence, rate_evidence
from polyculture.rng import stream

pytestmark = pytest.mark.nightly

SIMULATIONS, STREAMS = 200, 1000
CASES = [
    RateAlarm("5 to 10 %", 0.05, 0.1),
    RateAlarm("20 to 40 %", 0.2, 0.4),
    RateAlarm("1 to 2 %", 0.01, 0.02),
    RateAlarm("50 to 75 %", 0.5, 0.75),
    RateAlarm("15 to 7.5 %, down", 0.15, 0.075, "down"),
    RateAlarm("0.1 to 2 %", 0.001, 0.02),
]

OF_MANY = RateAlarm("5 to 10 %, one of ten", 0.05, 0.1, false_alarms_per=100_000)
"""Its part of a promise of one false alarm per 10,000 requests for ten alarms together."""


def first_signals(alarm: RateAlarm, rate: float, limit: int, rng: np.random.Generator) -> np.ndarray:
    """Requests until the first signal of each simulation; the limit where there is none."""
    bank, first = CusumBank([alarm] * SIMULATIONS), np.full(SIMULATIONS, limit)
    for start in range(0, limit, 5000):
        events = (rng.random((min(5000, limit - start), SIMULATIONS)) < rate).astype(np.int8)
        for signal in bank.update(events):
            if signal.up:
                first[signal.alarm] = min(first[signal.alarm], signal.request)
        if (first < limit).all():
            break
    return first


@pytest.mark.parametrize("alarm", CASES, ids=lambda alarm: alarm.name)
def test_mc20_false_alarms_come_at_the_promised_rate(alarm: RateAlarm) -> None:
    """At the reference rate: how often an alarm goes up in 50,000 requests; and the time to the first, as computed."""
    rng, n = stream(20, "false alarms", alarm.name), 50_000
    bank = CusumBank([alarm] * SIMULATIONS)
    for _ in range(n // 5000):
        bank.update((rng.random((5000, SIMULATIONS)) < alarm.reference).astype(np.int8))
    rate, error = bank.signals.mean() / n * 1e4, bank.signals.std(ddof=1) / math.sqrt(SIMULATIONS) / n * 1e4
    first = first_signals(alarm, alarm.reference, 150_000, rng)
    mean, spread, exact = first.mean(), first.std(ddof=1) / math.sqrt(SIMULATIONS), alarm.requests_per_false_alarm
    words = f"{rate:.3f} ± {error:.3f} false alarms per 10,000 requests; to the first {mean:,.0f} ± {spread:,.0f}"
    print(f"\nMC20 {alarm.name}: {words}, computed {exact:,.0f}")
    assert rate <= 1 + 2 * error
    assert exact >= alarm.false_alarms_per
    assert abs(mean - exact) < 3 * exact / math.sqrt(SIMULATIONS)


def test_mc20_several_alarms_keep_one_promise_together() -> None:
    """Ten alarms on dependent events: at most one false alarm of any of them per 10,000 requests."""
    alarms = shared_promise([RateAlarm(f"a{k}", 0.05, 0.1) for k in range(10)], 10_000)
    rng, n = stream(20, "together"), 50_000
    counts = []
    for _ in range(SIMULATIONS // 4):
        common, own = rng.random((n, 1)) < 0.5, rng.random((n, 10)) < 0.05
        shared = rng.random((n, 1)) < 0.05
        bank = CusumBank(alarms)
        bank.update(np.where(common, shared, own).astype(np.int8))
        counts.append(int(bank.signals.sum()))
    rate, error = np.mean(counts) / n, np.std(counts, ddof=1) / math.sqrt(len(counts)) / n
    print(f"\nMC20 ten dependent alarms: {rate * 1e4:.2f} ± {error * 1e4:.2f} false alarms per 10,000 requests")
    assert rate <= 1e-4 + 2 * error


@pytest.mark.parametrize("alarm", [*CASES, OF_MANY], ids=lambda alarm: alarm.name)
def test_mc21_changes_are_found_soon(alarm: RateAlarm) -> None:
    """Requests from a change after 2,000 stable requests to the alarm; 5 to 10 %: a median of 300 at most."""
    rng, stable = stream(21, "delay", alarm.name), 2000
    bank, delays = CusumBank([alarm] * SIMULATIONS), np.full(SIMULATIONS, math.inf)
    bank.update((rng.random((stable, SIMULATIONS)) < alarm.reference).astype(np.int8))
    early = bank.signals > 0
    for signal in bank.update((rng.random((5000, SIMULATIONS)) < alarm.shifted).astype(np.int8)):
        if signal.up:
            delays[signal.alarm] = min(delays[signal.alarm], signal.request - stable)
    delays = delays[~early]
    median, late = np.median(delays), np.quantile(delays, 0.95)
    mean = alarm.mean_delay
    print(f"\nMC21 {alarm.name}: median delay {median:.0f} requests, 95 % within {late:.0f}, mean computed {mean:.0f}")
    assert np.isfinite(delays).all()
    assert delays.mean() <= mean * 1.1
    if alarm.name.startswith("5 to 10 %"):
        assert median <= 300


@pytest.mark.parametrize("rate", [0.001, 0.05, 0.3, 0.5])
def test_mc22_rates_are_covered_at_every_time(rate: float) -> None:
    rng, n = stream(22, "rates", str(rate)), 5000
    covered = 0
    for _ in range(STREAMS // 100):
        events = np.cumsum(rng.random((100, n)) < rate, axis=1)
        covered += int((rate_evidence(events, np.arange(1, n + 1), rate).max(axis=1) < math.log(20)).sum())
    print(f"\nMC22 rate {rate:g}: covered at all {n:,} times in {covered / STREAMS:.1%} of {STREAMS:,} streams")
    assert covered / STREAMS >= 0.95


@pytest.mark.parametrize("shares", [(0.02, 0.02), (0.03, 0.01), (0.3, 0.1), (0.001, 0.0)])
def test_mc22_gains_are_covered_at_every_time(shares: tuple[float, float]) -> None:
    """Differences of outcomes, +1 and −1 with these shares."""
    rng, n = stream(22, "gains", str(shares)), 2000
    mean, covered, times = shares[0] - shares[1], 0, np.arange(1, n + 1)
    for _ in range(STREAMS // 100):
        draw = rng.random((100, n))
        gains = np.cumsum(draw < shares[0], axis=1)
        losses = np.cumsum((draw >= shares[0]) & (draw < sum(shares)), axis=1)
        above = difference_evidence(gains, losses, times, mean).max(axis=1)
        below = difference_evidence(losses, gains, times, -mean).max(axis=1)
        covered += int((np.maximum(above, below) < math.log(40)).sum())
    print(
        f"\nMC22 gain {mean:g} {shares}: covered at all {n:,} times in {covered / STREAMS:.1%} of {STREAMS:,} streams"
    )
    assert covered / STREAMS >= 0.95
