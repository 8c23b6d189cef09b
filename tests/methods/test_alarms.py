"""docs/methods/alarms.md against the functions and against the formulas in plain numpy."""

import math

import numpy as np
import pytest
from scipy.special import betaln

from polyculture.deployment.watch.detection.alarms import CusumBank, RateAlarm, shared_promise
from polyculture.deployment.watch.detection.drift import stability_index
from polyculture.deployment.watch.detection.run_length import Lattice, run_length
from polyculture.deployment.watch.detection.sequences import (
    difference_evidence,
    difference_sequence,
    rate_evidence,
    rate_sequence,
)

ALARM = RateAlarm("disagreement", 0.05, 0.1).calibrated()


def score(events):
    """(AL1)."""
    total = 0.0
    for event in events:
        total = max(0.0, total + (math.log(2) if event else -math.log(0.95 / 0.90)))
    return total


def test_the_numbers_of_the_page(stated):
    lattice, bank = Lattice.of(0.05, 0.1), CusumBank([ALARM])
    bank.update(np.array([[1]]))
    after_one = float(bank.score[0]) * lattice.unit
    bank.update(np.array([[0], [0], [1], [1]]))
    after_all = float(bank.score[0]) * lattice.unit
    assert after_one == pytest.approx(score([1]), rel=0.001)
    assert after_all == pytest.approx(score([1, 0, 0, 1, 1]), rel=0.005)
    error, gain = rate_sequence(5, 100), difference_sequence(12, 4, 100)
    stated.agree(
        {
            "score after one event": after_one,
            "score after the events 1 0 0 1 1": after_all,
            "threshold": ALARM.threshold,
            "requests per false alarm": ALARM.requests_per_false_alarm,
            "mean delay": ALARM.mean_delay,
            "lower limit of the error": error.low,
            "upper limit of the error": error.high,
            "lower limit of the gain": gain.low,
            "upper limit of the gain": gain.high,
            "PSI": stability_index(np.array([50, 30, 20]), np.array([40, 40, 20])),
        }
    )


def test_run_lengths_solve_the_linear_system():
    """(AL2)."""
    lattice, limit = Lattice.of(0.05, 0.1), Lattice.of(0.05, 0.1).steps(ALARM.threshold)
    chain = np.zeros((limit, limit))
    for state in range(limit):
        if state + lattice.rise < limit:
            chain[state, state + lattice.rise] += 0.05
        chain[state, max(0, state - lattice.fall)] += 0.95
    lengths = np.linalg.solve(np.eye(limit) - chain, np.ones(limit))
    assert run_length(0.05, lattice, limit) == pytest.approx(lengths[0], rel=1e-8)


def test_rates_of_false_alarms_add_up():
    """(AL3)."""
    alarms = shared_promise([ALARM] * 10, 10_000)
    assert sum(1 / alarm.requests_per_false_alarm for alarm in alarms) <= 1e-4


def test_the_stability_index_is_the_symmetric_divergence():
    """(AL4)."""
    q, p = np.array([50.5, 30.5, 20.5]) / 101.5, np.array([40.5, 40.5, 20.5]) / 101.5
    value = stability_index(np.array([50, 30, 20]), np.array([40, 40, 20]))
    assert value == pytest.approx((q * np.log(q / p)).sum() + (p * np.log(p / q)).sum())


def test_the_evidence_against_a_rate_is_the_mixture():
    """(AL5)."""
    mixture = betaln(5.5, 95.5) - betaln(0.5, 0.5)
    golden = mixture - 5 * math.log(0.1) - 95 * math.log(0.9)
    assert rate_evidence(5, 100, 0.1) == pytest.approx(golden)


def test_the_evidence_on_a_gain_is_a_mixture_of_bets():
    """(AL6)."""
    differences, mean = np.repeat([1, -1, 0], [12, 4, 84]), 0.02
    stakes = np.geomspace(0.002, 0.98, 20)
    wealth = np.mean([np.prod(1 + k * ((1 + differences) / (1 + mean) - 1)) for k in stakes])
    assert difference_evidence(12, 4, 100, mean) == pytest.approx(math.log(wealth))
