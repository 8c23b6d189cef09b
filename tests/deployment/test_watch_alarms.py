"""Alarms keep their promise of few false alarms, find changes, and do not depend on how requests are cut."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.deployment.watch.detection.alarms import CusumBank, RateAlarm, shared_promise
from polyculture.deployment.watch.detection.run_length import Lattice, run_length, threshold_for
from polyculture.errors import InputError
from polyculture.rng import stream


def dense_run_length(rate: float, lattice: Lattice, limit: int) -> float:
    """The same linear system, written out state by state."""
    moves = np.zeros((limit, limit))
    for state in range(limit):
        moves[state, max(0, state - lattice.fall)] += 1 - rate
        if state + lattice.rise < limit:
            moves[state, state + lattice.rise] += rate
    return float(np.linalg.solve(np.eye(limit) - moves, np.ones(limit))[0])


@pytest.mark.parametrize(
    ("reference", "shifted"), [(0.05, 0.1), (0.5, 0.75), (0.3, 0.6), (0.01, 0.02), (0.9, 0.95), (0.004, 0.1)]
)
def test_the_average_run_length_is_that_of_the_markov_chain(reference: float, shifted: float) -> None:
    lattice = Lattice.of(reference, shifted)
    for limit in (1, 2, lattice.rise, lattice.rise + 1, 3 * lattice.rise + 2):
        for rate in (reference, shifted):
            dense = dense_run_length(rate, lattice, limit)
            assert run_length(rate, lattice, limit) == pytest.approx(dense, rel=1e-7)


@pytest.mark.parametrize(("reference", "shifted"), [(0.05, 0.1), (0.5, 0.75), (0.01, 0.02), (0.9, 0.95)])
@pytest.mark.parametrize("requests", [100, 10_000, 1_000_000])
def test_a_threshold_is_the_smallest_that_keeps_the_promise(reference: float, shifted: float, requests: int) -> None:
    lattice, threshold = Lattice.of(reference, shifted), threshold_for(reference, shifted, float(requests))
    steps = lattice.steps(threshold)
    assert run_length(reference, lattice, steps) >= requests
    assert steps == 1 or run_length(reference, lattice, steps - 1) < requests


def test_the_lattice_aims_at_the_shifted_rate() -> None:
    """Its drift is 0 between the two rates where that of the log likelihood ratio is."""
    for reference, shifted in ((0.05, 0.1), (0.3, 0.5), (0.001, 0.02), (0.8, 0.9)):
        lattice = Lattice.of(reference, shifted)
        up, down = math.log(shifted / reference), math.log((1 - shifted) / (1 - reference))
        assert lattice.fall / (lattice.rise + lattice.fall) == pytest.approx(-down / (up - down), rel=0.03)
        assert lattice.unit * (lattice.rise + lattice.fall) == pytest.approx(up - down)


def test_a_rise_from_5_to_10_percent_is_found_within_300_requests_on_average() -> None:
    alarm = RateAlarm("disagreement", 0.05, 0.1)
    assert 10_000 <= alarm.requests_per_false_alarm <= 10_600
    assert alarm.mean_delay <= 300


@given(
    events=st.lists(st.tuples(*[st.sampled_from([-1, 0, 0, 1])] * 3), max_size=120),
    cuts=st.lists(st.integers(0, 120), max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_signals_and_scores_do_not_depend_on_how_requests_are_cut(
    events: list[tuple[int, ...]], cuts: list[int]
) -> None:
    alarms = [
        RateAlarm("a", 0.2, 0.5, false_alarms_per=20),
        RateAlarm("b", 0.5, 0.2, "down", 30),
        RateAlarm("c", 0.1, 0.3, false_alarms_per=10),
    ]
    table = np.array(events, int).reshape(-1, 3)
    together, apart, singly = CusumBank(alarms), CusumBank(alarms), CusumBank(alarms)
    signals = together.update(table)
    parts = np.split(table, sorted(min(cut, len(table)) for cut in cuts))
    assert [signal for part in parts for signal in apart.update(part)] == signals
    assert sorted(signal for row in table for signal in singly.update(row[None])) == sorted(signals)
    assert together.state() == apart.state() == singly.state()


def test_a_score_is_the_log_likelihood_ratio_held_at_zero() -> None:
    alarm = RateAlarm("a", 0.1, 0.3, false_alarms_per=10**6)
    bank, score = CusumBank([alarm]), 0.0
    lattice = Lattice.of(0.1, 0.3)
    for event in stream(0, "events").random(300) < 0.12:
        assert bank.update(np.array([[int(event)]])) == []
        score = max(0.0, score + (math.log(3) if event else math.log(0.7 / 0.9)))
        assert bank.score[0] * lattice.unit == pytest.approx(score, abs=0.05 + 0.02 * score)


def test_an_alarm_goes_up_when_the_rate_rises_and_down_when_it_is_back() -> None:
    rng = stream(1, "events")
    rates = np.repeat([0.05, 0.2, 0.05], 3000)
    bank = CusumBank([RateAlarm("disagreement", 0.05, 0.1, false_alarms_per=10**6)])
    signals = bank.update((rng.random(9000) < rates).astype(int)[:, None])
    assert [signal.up for signal in signals] == [True, False]
    assert 3000 < signals[0].request < 3300
    assert 6000 < signals[1].request < 7000
    assert not bank.up[0]


def test_an_alarm_does_not_flicker_where_the_rate_is_between_the_two() -> None:
    """At a rate nearer to the shifted one than to the reference the alarm stays up for thousands of requests."""
    rng = stream(5, "events")
    changes = [
        len(CusumBank([RateAlarm("a", 0.05, 0.1)]).update((rng.random((5000, 1)) < 0.085).astype(int)))
        for _ in range(20)
    ]
    assert np.median(changes) == 1


def test_the_change_is_dated_before_the_alarm() -> None:
    rng = stream(2, "events")
    bank = CusumBank([RateAlarm("disagreement", 0.05, 0.1, false_alarms_per=10**5)])
    events = (rng.random(4000) < np.repeat([0.05, 0.3], 2000)).astype(int)[:, None]
    signals = bank.update(events)
    assert signals[0].up
    assert 1900 < bank.changed[0] < signals[0].request


def test_a_fall_is_found_by_an_alarm_that_looks_down() -> None:
    rng = stream(3, "events")
    bank = CusumBank([RateAlarm("disagreement_low", 0.3, 0.15, "down")])
    assert bank.update((rng.random(2000) < 0.05).astype(int)[:, None])[0].up
    bank = CusumBank([RateAlarm("disagreement_low", 0.3, 0.15, "down")])
    assert bank.update((rng.random(2000) < 0.6).astype(int)[:, None]) == []


def test_requests_without_an_event_leave_the_score_as_it_is() -> None:
    bank = CusumBank([RateAlarm("a", 0.1, 0.3)])
    bank.update(np.array([[1], [1]]))
    score = bank.score.copy()
    bank.update(np.full((50, 1), -1))
    assert bank.score == score
    assert bank.requests == 52


def test_several_alarms_keep_one_promise_together() -> None:
    alarms = shared_promise(
        [RateAlarm("a", 0.05, 0.1), RateAlarm("b", 0.2, 0.3), RateAlarm("c", 0.3, 0.1, "down")], 5000
    )
    assert [alarm.false_alarms_per for alarm in alarms] == [15_000] * 3
    assert sum(1 / alarm.requests_per_false_alarm for alarm in alarms) <= 1 / 5000


def test_a_bank_goes_on_from_its_state_as_json() -> None:
    alarms = [RateAlarm("a", 0.1, 0.3, false_alarms_per=50), RateAlarm("b", 0.3, 0.1, "down", 50)]
    events = (stream(4, "events").random((400, 2)) < 0.25).astype(int)
    whole, first, second = CusumBank(alarms), CusumBank(alarms), CusumBank(alarms)
    signals = whole.update(events)
    first_signals = first.update(events[:150])
    second.restore(json.loads(json.dumps(first.state())))
    assert first_signals + second.update(events[150:]) == signals
    assert second.state() == whole.state()


def test_a_reset_takes_an_alarm_down() -> None:
    bank = CusumBank([RateAlarm("a", 0.1, 0.3), RateAlarm("b", 0.1, 0.3)])
    bank.update(np.ones((50, 2), int))
    assert bank.up.all()
    bank.reset("a")
    assert bank.up.tolist() == [False, True]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"reference": 0.2, "shifted": 0.1},
            "rates 0.2 and 0.1 of the alarm 'x'; expected rates between 0 and 1, the second above the first.",
        ),
        (
            {"reference": 0.1, "shifted": 0.2, "direction": "down"},
            "rates 0.1 and 0.2 of the alarm 'x'; expected rates between 0 and 1, the second below the first.",
        ),
        (
            {"reference": 0.0, "shifted": 0.2},
            "rates 0 and 0.2 of the alarm 'x'; expected rates between 0 and 1, the second above the first.",
        ),
        (
            {"reference": math.nan, "shifted": 0.2},
            "rates nan and 0.2 of the alarm 'x'; expected rates between 0 and 1, the second above the first.",
        ),
        (
            {"reference": 0.1, "shifted": 0.2, "direction": "sideways"},
            "direction 'sideways' of the alarm 'x'; expected 'up' or 'down'.",
        ),
        (
            {"reference": 0.1, "shifted": 0.2, "threshold": -1.0},
            "threshold -1.0 of the alarm 'x'; expected a positive number, or 0.",
        ),
    ],
)
def test_an_alarm_on_impossible_rates_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        RateAlarm("x", **fields)  # type: ignore[arg-type]
    assert str(error.value) == message


def test_an_impossible_promise_is_refused() -> None:
    with pytest.raises(InputError, match="one false alarm per 0 requests; expected a number from 1 to 1e\\+09"):
        RateAlarm("x", 0.1, 0.2, false_alarms_per=0).calibrated()
    with pytest.raises(InputError, match="one false alarm per 0 requests; expected at least 1"):
        shared_promise([], 0)
    with pytest.raises(InputError, match=r"rates 0\.2 and 0\.1; expected 0 < reference < shifted < 1"):
        Lattice.of(0.2, 0.1)
