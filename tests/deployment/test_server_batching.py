"""The batcher takes what is queued, never waits, and refuses what it cannot take."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

pytest.importorskip("orjson", reason="orjson is not installed")

from polyculture.deployment.remote.event_loop import run
from polyculture.deployment.server.batching import HEAVY, SLOW, Batcher, Pace
from polyculture.deployment.server.refusals import RefusedRequestError


class Recorded:
    """A computation that doubles numbers and records its batches."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[str] = set()
        self._gate = gate

    def __call__(self, numbers: Sequence[int]) -> list[Any]:
        if self._gate is not None:
            self._gate.wait(60)
        self.batches.append(list(numbers))
        self.threads.add(threading.current_thread().name)
        return [ValueError("odd one out") if number < 0 else 2 * number for number in numbers]


class Steady(Pace):
    """Every batch is fast, however busy the machine is."""

    def expected(self, rows: int) -> float:
        return SLOW / 2


def batcher(compute: Callable[[Sequence[Any]], Sequence[Any]], seconds: float = 1e-6, **options: Any) -> Batcher:
    """A batcher that believes one call to take so many seconds."""
    limits = {"max_rows": 8, "limit": 100, "timeout": 60.0} | options
    made = Batcher(compute, lambda _: None, observe=lambda *_: None, **limits)
    for size in range(6):
        made.pace.record(2**size, seconds)
    return made


def test_what_is_queued_goes_together_and_the_rest_next() -> None:
    compute = Recorded()

    async def scenario() -> tuple[list[Any], str]:
        made = batcher(compute)
        made.pace = Steady()
        answers = await asyncio.gather(*(made.submit(number, 3, time.perf_counter()) for number in range(5)))
        return answers, threading.current_thread().name

    answers, loop_thread = run(scenario())
    assert answers == [0, 2, 4, 6, 8]
    assert compute.batches == [[0, 1], [2, 3], [4]]  # 3 instances each, 8 at most
    assert compute.threads == {loop_thread}


def test_a_request_larger_than_a_batch_is_one() -> None:
    compute = Recorded()

    async def scenario() -> Any:
        return await batcher(compute).submit(1, 50, time.perf_counter())

    assert run(scenario()) == 2
    assert compute.batches == [[1]]


def test_slow_calls_leave_the_loop_and_gather_what_comes_meanwhile() -> None:
    gate = threading.Event()
    compute = Recorded(gate)

    async def scenario() -> list[Any]:
        made = batcher(compute, seconds=1.0)
        first = made.submit(0, 1, time.perf_counter())
        await asyncio.sleep(0)  # the loop goes on: the call waits on its thread
        others = [made.submit(number, 1, time.perf_counter()) for number in range(1, 5)]
        assert made.waiting == 4
        gate.set()
        return await asyncio.gather(first, *others)

    assert run(scenario()) == [0, 2, 4, 6, 8]
    assert compute.batches == [[0], [1, 2, 3, 4]]
    assert compute.threads == {"graphs"}


def test_who_is_alone_is_answered_at_once() -> None:
    compute = Recorded()

    async def scenario() -> bool:
        return batcher(compute).submit(1, 1, time.perf_counter(), is_last=True).done()

    assert run(scenario())
    assert compute.batches == [[1]]


def test_heavy_requests_leave_the_loop_as_well() -> None:
    compute = Recorded()

    async def scenario() -> Any:
        return await batcher(compute).submit(1, 1, time.perf_counter(), HEAVY)

    assert run(scenario()) == 2
    assert compute.threads == {"graphs"}


def test_one_error_is_the_error_of_one_request() -> None:
    async def scenario() -> list[Any]:
        made = batcher(Recorded())
        futures = [made.submit(number, 1, time.perf_counter()) for number in (1, -1, 2)]
        return await asyncio.gather(*futures, return_exceptions=True)

    first, second, third = run(scenario())
    assert (first, third) == (2, 4)
    assert isinstance(second, ValueError)


def test_a_computation_that_fails_fails_its_batch_and_no_other() -> None:
    calls = []

    def compute(numbers: Sequence[int]) -> list[int]:
        calls.append(numbers)
        if len(calls) == 1:
            raise RuntimeError("broken")
        return list(numbers)

    async def scenario() -> tuple[Any, Any]:
        made = batcher(compute)
        first = await asyncio.gather(made.submit(1, 1, time.perf_counter()), return_exceptions=True)
        return first[0], await made.submit(2, 1, time.perf_counter())

    first, second = run(scenario())
    assert isinstance(first, RuntimeError)
    assert second == 2


def test_a_full_queue_refuses() -> None:
    gate = threading.Event()

    async def scenario() -> RefusedRequestError:
        made = batcher(Recorded(gate), seconds=1.0, limit=3)
        futures = [made.submit(0, 1, time.perf_counter())]
        await asyncio.sleep(0)
        futures += [made.submit(number, 1, time.perf_counter()) for number in range(3)]
        with pytest.raises(RefusedRequestError) as caught:
            made.submit(9, 1, time.perf_counter())
        gate.set()
        await asyncio.gather(*futures)
        return caught.value

    refusal = run(scenario())
    assert (refusal.status, refusal.retry_after) == (503, 1)
    assert str(refusal) == "3 requests are waiting; expected at most 3; send it again later."


def test_what_waits_too_long_is_refused_and_not_computed() -> None:
    gate = threading.Event()
    compute = Recorded(gate)

    async def scenario() -> list[Any]:
        made = batcher(compute, seconds=1.0, timeout=0.05)
        futures = [made.submit(0, 1, time.perf_counter())]
        await asyncio.sleep(0)
        futures.append(made.submit(1, 1, time.perf_counter()))
        refusals = await asyncio.gather(*futures, return_exceptions=True)
        gate.set()
        while made.pending or made.waiting:
            await asyncio.sleep(0.01)
        return refusals

    for refusal in run(scenario()):
        assert isinstance(refusal, RefusedRequestError)
        assert refusal.status == 504
    assert [1] not in compute.batches


def test_computations_that_wait_for_others_run_next_to_each_other() -> None:
    running = 0
    most = 0

    async def gathered(numbers: Sequence[int]) -> list[int]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        return [2 * number for number in numbers]

    async def scenario() -> list[int]:
        made = Batcher(Recorded(), gathered, max_rows=1, limit=100, timeout=60.0, observe=lambda *_: None)
        return await asyncio.gather(*(made.submit(number, 1, time.perf_counter()) for number in range(10)))

    assert run(scenario()) == [2 * number for number in range(10)]
    assert most > 1


def test_pace_follows_the_durations_of_batches_of_a_size() -> None:
    pace = Pace()
    assert pace.expected(1) > SLOW  # unknown: not on the loop
    pace.record(4, 0.001)
    assert pace.expected(5) == pytest.approx(0.001)
    assert pace.expected(32) == pytest.approx(0.008)
    for _ in range(100):
        pace.record(4, 0.01)
    assert pace.expected(4) == pytest.approx(0.01, rel=0.01)
    pace.forget()
    assert pace.expected(4) > SLOW
