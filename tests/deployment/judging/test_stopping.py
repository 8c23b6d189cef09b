"""When the next judge need not be asked: counts of a hand-made panel, a planted panel, and the calls that are saved."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import polyculture as pc
from polyculture.deployment.judging.asking import Interview
from polyculture.deployment.judging.ledger import CallKey, CallRecord, Ledger
from polyculture.deployment.judging.stopping import StoppingRule, cross_validated
from polyculture.deployment.judging.study import interviewed
from polyculture.deployment.judging.verdicts import plurality
from polyculture.deployment.remote.event_loop import run
from polyculture.rng import stream
from polyculture.stats import upper_limit


def planted(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Nine judges, 88 % right, six of whom share part of their errors; and the truth."""
    rng = stream(seed, "planted panel")
    truth = rng.integers(0, 2, n)
    shared = rng.random(n) < 0.12
    wrong = rng.random((9, n)) < 0.12
    wrong[:6] = np.where(rng.random((6, n)) < 0.5, shared, wrong[:6])
    return np.where(wrong, 1 - truth, truth), truth


def test_chances_are_counted_by_judges_asked_and_lead() -> None:
    votes = np.array([[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 0]])
    rule = StoppingRule.fit(votes, 2, 0.5)
    assert rule.chances == {(1, 1): upper_limit(1, 4, 0.9), (2, 2): upper_limit(0, 3, 0.9)}


def test_a_majority_that_cannot_change_is_enough() -> None:
    rule = StoppingRule(5, 2, 0.01, {})
    assert rule.stops(np.array([3, 0]), 3)
    assert not rule.stops(np.array([2, 0]), 2)
    assert not rule.stops(np.array([2, 1]), 3)


def test_an_even_vote_goes_on() -> None:
    assert not StoppingRule(3, 2, 0.9, {(2, 0): 0.0}).stops(np.array([1, 1]), 2)


def test_a_plurality_is_none_where_two_classes_have_the_most_votes() -> None:
    assert plurality(np.array([[0, 0, -1], [1, 0, -1]]), 2).tolist() == [-1, 0, -1]


def test_too_few_items_are_not_cross_validated() -> None:
    share, _ = cross_validated(np.zeros((3, 4), int), 2, 0.1)
    assert np.isnan(share)


def asked_in_sequence(votes: np.ndarray, folder: Path, rate: float) -> tuple[Interview, int]:
    """The interview of a panel that answers at once, and the calls that were made."""
    judges = [f"j{k}" for k in range(len(votes))]
    ids = [str(k) for k in range(votes.shape[1])]
    calls = []

    async def ask(key: CallKey) -> CallRecord:
        calls.append(key)
        code = int(votes[judges.index(key.judge), int(key.item)])
        return CallRecord(key, tuple(np.eye(2)[code].tolist()), "AB"[code], cost=Decimal("0.1"))

    ledger = Ledger(folder / "calls.jsonl", {"panel": "p", "items": "i"})
    interview = Interview(ledger, ask, judges, ids, (1, 1, 2))
    run(interviewed(interview, dict.fromkeys(judges, 8), pc.JudgeOptions(sequential=rate)))
    ledger.close()
    return interview, len(calls)


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_planted_panel_saves_a_third_of_its_calls_at_equal_accuracy(tmp_path: Path, seed: int, monkeypatch) -> None:
    monkeypatch.setattr("polyculture.deployment.judging.ledger.os.fsync", lambda descriptor: None)
    votes, truth = planted(600, seed)
    interview, calls = asked_in_sequence(votes, tmp_path, 0.01)
    assert calls <= 0.7 * votes.size
    table = np.full_like(votes, -1)
    for key, record in interview.ledger.records.items():
        table[int(key.judge[1:]), int(key.item)] = "AB".index(str(record.verdict))
    every, sequence = plurality(votes, 2), plurality(table, 2)
    assert (every != sequence).mean() <= 0.01
    assert abs((every == truth).mean() - (sequence == truth).mean()) <= 0.01


def test_savings_left_out_are_those_that_come_true() -> None:
    votes, _ = planted(1100, 5)
    share, differ = cross_validated(votes[:, :300], 2, 0.05)
    asked, decided = StoppingRule.fit(votes[:, :300], 2, 0.05).replay(votes[:, 300:])
    assert share == pytest.approx(1 - asked.sum() / votes[:, 300:].size, abs=0.08)
    assert differ / 300 == pytest.approx((decided != plurality(votes[:, 300:], 2)).mean(), abs=0.03)
