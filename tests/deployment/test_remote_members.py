"""Members that are somebody else's, asked over real sockets: what they answer, what it costs, and every way to fail."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("httpx", reason="httpx is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")

from polyculture.deployment.remote import CircuitBreaker, RemoteMember, RemoteMembers
from polyculture.deployment.remote.answer import REASONS, price
from polyculture.deployment.remote.event_loop import run
from polyculture.deployment.remote.exchange import seconds_until

from .remote_services import Service, completion, services, status

CLASSES = ("no", "yes")
TEXTS = ["first", "second", "third"]


@pytest.fixture
def serve() -> Iterator[Callable[..., Service]]:
    """Starts services; all are stopped at the end."""
    with services() as start:
        yield start


def judge(service: Service, **options: Any) -> RemoteMember:
    """A chat member that asks this service."""
    spec = {"kind": "chat", "url": f"{service.url}/v1/chat/completions", "model": "judge", "prompt": "Good? {text}"}
    return RemoteMember({**spec, "backoff_s": 0.001, **options}, CLASSES)


def remote_model(service: Service, classes: tuple[str, ...] = CLASSES, **options: Any) -> RemoteMember:
    """A member on a server with the Open Inference Protocol."""
    spec = {"kind": "v2", "url": service.url, "model": "their model", "input": "x", "backoff_s": 0.001, **options}
    return RemoteMember(spec, classes)


def tensor(values: Any, shape: list[int], name: str = "probabilities") -> tuple[int, dict[str, str], bytes]:
    output = {"name": name, "shape": shape, "datatype": "FP32", "data": values}
    return 200, {}, json.dumps({"model_name": "m", "outputs": [output]}).encode()


def test_a_judge_answers_each_instance_and_costs_what_its_service_charges(serve: Any) -> None:
    service = serve(lambda number, request: completion("Yes." if "second" in str(request) else "no", (21, 3)))
    prices = {"price_per_call": 0.1, "price_per_1k_input": 0.15, "price_per_1k_output": 0.6}
    member = judge(service, system="Judge {classes}", extra={"seed": 4}, **prices)
    answer = member.ask(TEXTS)
    assert answer.probabilities.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert answer.probabilities.dtype == np.float32
    assert (answer.calls, answer.tokens, answer.attempts, answer.reason) == (3, (63, 9), 3, "")
    assert answer.cost == 0.31485  # 3 × .1 + 63 × .15 / 1000 + 9 × .6 / 1000
    member.ask(TEXTS)
    assert str(member.spent).rstrip("0") == "0.6297"
    first = next(r for r in service.requests if "first" in str(r))
    assert first["messages"] == [
        {"role": "system", "content": "Judge no, yes"},
        {"role": "user", "content": "Good? first"},
    ]
    assert (first["model"], first["temperature"], first["seed"]) == ("judge", 0, 4)
    assert {h["accept-encoding"] for h in service.headers} == {"identity"}


def test_prices_add_up_exactly() -> None:
    assert float(price(3, (0, 0), 0.1, (0.0, 0.0))) == 0.3
    assert float(price(0, (1, 1), 0.0, (0.1, 0.2))) == 0.0003


def test_the_key_comes_from_the_environment_and_nothing_is_sent_without_it(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = serve(lambda *_: completion("yes"))
    member = judge(service, key_env="JUDGE_KEY")
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    answer = member.ask(TEXTS)
    assert answer.reasons == ("no_key",) * 3
    assert "JUDGE_KEY" in answer.details[0]
    assert service.requests == []
    monkeypatch.setenv("JUDGE_KEY", "sk-1\r\nx: y")
    assert member.ask(TEXTS).reason == "no_key"
    assert service.requests == []
    monkeypatch.setenv("JUDGE_KEY", "sk-123")
    assert member.ask(TEXTS).answered.all()
    assert {h["authorization"] for h in service.headers} == {"Bearer sk-123"}


def test_refusals_and_unreadable_answers_are_reasons_of_their_own_and_cost(serve: Any) -> None:
    replies = {
        "a": completion(None, (5, 1), message={"role": "assistant", "content": None, "refusal": "I can't."}),
        "b": completion("I'm sorry, but I can't help with that.", (5, 1)),
        "c": completion("It could be yes, it could be no", (5, 1)),
        "d": completion("yes", (5, 1), finish_reason="content_filter"),
        "e": completion([{"type": "text", "text": "**Yes**"}], (5, 1)),
    }
    service = serve(lambda _, request: replies[request["messages"][0]["content"][-1]])
    answer = judge(service, price_per_call=0.2).ask(list("abcde"))
    assert answer.reasons == ("refused", "refused", "unparsable", "refused", "")
    assert answer.counts == {"refused": 3, "unparsable": 1, "": 1}
    assert np.isnan(answer.probabilities[:4]).all()
    assert (answer.cost, answer.calls, answer.tokens) == (1.0, 5, (25, 5))


@pytest.mark.parametrize(
    ("code", "reason", "attempts"),
    [
        *[(401, "status", 1), (404, "status", 1), (302, "status", 1), (400, "rejected", 1), (422, "rejected", 1)],
        *[(429, "rate_limited", 3), (500, "status", 3), (503, "status", 3)],
    ],
)
def test_only_what_may_succeed_later_is_asked_again(serve: Any, code: int, reason: str, attempts: int) -> None:
    service = serve(lambda *_: status(code, location="http://127.0.0.1:1/"))
    answer = judge(service, price_per_call=1.0).ask(["a"])
    assert (answer.reason, answer.attempts, len(service.requests)) == (reason, attempts, attempts)
    assert (answer.cost, answer.calls) == (0.0, 0)


def test_a_retry_that_succeeds_counts_its_answer_once(serve: Any) -> None:
    service = serve(lambda number, _: completion("yes", (7, 2)) if number == 2 else status(503))
    answer = judge(service, price_per_call=0.5).ask(["a"])
    assert answer.answered.all()
    assert (answer.attempts, answer.calls, answer.cost, answer.tokens) == (3, 1, 0.5, (7, 2))


def test_retry_after_is_waited_for_and_not_beyond_the_deadline(serve: Any) -> None:
    service = serve(lambda number, _: completion("yes") if number else status(429, retry_after="1"))
    start = time.monotonic()
    assert judge(service).ask(["a"]).answered.all()
    assert time.monotonic() - start >= 1
    patient = serve(lambda *_: status(429, retry_after="3600"))
    answer = judge(patient).ask(["a"])
    assert (answer.reason, answer.attempts) == ("rate_limited", 1)


def test_retry_after_has_a_number_or_a_date() -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert seconds_until("7") == 7
    assert seconds_until("Thu, 01 Jan 2026 00:01:30 GMT", now) == 90
    assert seconds_until("Wed, 31 Dec 2025 00:00:00 GMT", now) == 0
    assert [seconds_until(text) for text in ("", "soon", "-3", "1.5", "٣", "9" * 30)] == [None] * 6


@pytest.mark.parametrize("parts", [1, 50])
def test_a_service_that_hangs_or_drips_is_left_after_the_timeout(serve: Any, parts: int) -> None:
    service = serve(lambda *_: completion("yes"), seconds=20 if parts == 1 else 0.1, parts=parts)
    start = time.monotonic()
    answer = judge(service, timeout_s=0.3, retries=1).ask(["a", "b"])
    assert answer.reasons == ("timeout", "timeout")
    assert answer.attempts == 4
    assert time.monotonic() - start < 15


def test_all_attempts_end_before_the_deadline(serve: Any) -> None:
    service = serve(lambda *_: completion("yes"), seconds=30)
    start = time.monotonic()
    answer = judge(service, timeout_s=20, deadline_s=0.4, retries=9).ask(["a"])
    assert answer.reason == "timeout"
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"", b"\xff\xfe", b"[" * 100_000, b"null", b"[]", b'{"choices": []}', b'{"choices": [{"message": 3}]}'],
)
def test_an_answer_that_is_not_of_the_protocol_is_no_answer(serve: Any, body: bytes) -> None:
    service = serve(lambda *_: (200, {}, body))
    answer = judge(service).ask(["a"])
    assert (answer.reason, answer.attempts) == ("bad_response", 1)
    assert np.isnan(answer.probabilities).all()
    assert remote_model(service).ask([[1.0]]).reason == "bad_response"


def test_long_and_compressed_answers_are_refused(serve: Any) -> None:
    long = serve(lambda *_: (200, {}, b" " * 100_000 + completion("yes")[2]))
    assert judge(long, max_response_bytes=5000).ask(["a"]).details == ("127.0.0.1 answered with more than 5,000 bytes",)
    compressed = serve(lambda *_: (200, {"content-encoding": "gzip"}, b"\x1f\x8b"))
    assert judge(compressed).ask(["a"]).details == ("127.0.0.1 compressed its answer",)


def test_a_service_that_is_not_there_leaves_the_answers_to_others() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        service = Service(lambda *_: completion("yes"), url=f"http://127.0.0.1:{free.getsockname()[1]}")
        answer = judge(service, retries=1).ask(["a"])
    assert (answer.reason, answer.attempts, answer.cost) == ("unreachable", 2, 0.0)


def test_a_connection_cut_in_the_middle_of_an_answer_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def cut() -> None:
            for _ in range(2):
                try:
                    connection, _ = listener.accept()
                except OSError:  # the test has ended
                    return
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")
                connection.close()

        thread = threading.Thread(target=cut, daemon=True)
        thread.start()
        service = Service(lambda *_: completion("yes"), url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        answer = judge(service, retries=1).ask(["a"])
        thread.join(20)
    assert (answer.reason, answer.attempts) == ("unreachable", 2)


def test_no_more_requests_at_a_time_than_allowed(serve: Any) -> None:
    service = serve(lambda *_: completion("yes"), seconds=0.02)
    assert judge(service, concurrency=3).ask([str(i) for i in range(12)]).answered.all()
    assert service.busiest <= 3
    assert len(service.requests) == 12


def test_the_breaker_opens_after_failures_and_closes_after_a_trial(serve: Any) -> None:
    seconds = [0.0]
    healthy = [False]
    service = serve(lambda *_: completion("yes") if healthy[0] else status(500))
    member = judge(service, retries=0, concurrency=1, break_after=2, break_s=10)
    member.breaker = CircuitBreaker(2, 10.0, clock=lambda: seconds[0])
    assert member.ask(list("abcd")).reasons == ("status", "status", "breaker_open", "breaker_open")
    assert len(service.requests) == 2
    assert member.breaker.state == "open"
    seconds[0] = 10.0
    assert member.breaker.state == "half_open"
    assert member.ask(["a", "b"]).reasons == ("status", "breaker_open")  # the trial fails: 10 more seconds
    seconds[0] = 19.9
    assert member.ask(["a"]).reasons == ("breaker_open",)
    seconds[0], healthy[0] = 20.0, True
    assert member.ask(list("abc")).answered.all()
    assert member.breaker.state == "closed"


def test_half_open_lets_one_trial_through_at_a_time() -> None:
    seconds = [0.0]
    breaker = CircuitBreaker(1, 5.0, clock=lambda: seconds[0])
    assert breaker.acquire()
    breaker.fail()
    assert not breaker.acquire()
    seconds[0] = 5
    assert [breaker.acquire(), breaker.acquire()] == [True, False]
    breaker.release()  # the trial was cancelled: another may be made
    assert breaker.acquire()
    breaker.succeed()
    assert [breaker.acquire(), breaker.acquire()] == [True, True]


def test_answers_that_cannot_be_read_do_not_open_the_breaker(serve: Any) -> None:
    service = serve(lambda *_: completion("perhaps"))
    member = judge(service, break_after=1)
    assert member.ask(list("abc")).reasons == ("unparsable",) * 3
    assert member.breaker.state == "closed"


def test_a_cancelled_request_leaves_no_trace_in_the_breaker(serve: Any) -> None:
    service = serve(lambda *_: completion("yes"), seconds=30)
    member = judge(service)

    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(member(["a"]), 0.2)
        await member.aclose()

    run(impatient())
    assert member.breaker.state == "closed"


def test_a_model_server_gets_one_request_for_all_instances(serve: Any) -> None:
    service = serve(lambda *_: tensor([0.25, 0.75, 1.0, 0.0], [2, 2]))
    answer = remote_model(service, price_per_call=0.5).ask(np.array([[1, 2], [3, 4]], np.float32))
    assert answer.probabilities.tolist() == [[0.25, 0.75], [1, 0]]
    assert (answer.calls, answer.cost, answer.attempts) == (1, 0.5, 1)
    assert service.paths == ["/v2/models/their model/infer"]
    assert service.requests[0]["inputs"] == [
        {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1.0, 2.0, 3.0, 4.0]}
    ]
    assert service.requests[0]["outputs"] == [{"name": "probabilities"}]


def test_columns_go_as_tensors_of_their_own_or_together(serve: Any) -> None:
    service = serve(lambda *_: tensor([[0.5, 0.5]], [1, 2]))
    columns = {"age": np.array([41.5]), "sex": np.array(["f"], object), "visits": np.array([3])}
    assert remote_model(service, input="").ask(columns).answered.all()
    assert [(t["name"], t["datatype"], t["data"]) for t in service.requests[0]["inputs"]] == [
        *[("age", "FP64", [41.5]), ("sex", "BYTES", ["f"]), ("visits", "INT64", [3])],
    ]
    assert remote_model(service).ask([{"age": 41.5, "visits": 3}]).answered.all()
    assert service.requests[1]["inputs"][0]["data"] == [41.5, 3.0]
    answer = remote_model(service).ask(columns)
    assert (answer.reason, len(service.requests)) == ("bad_input", 2)


@pytest.mark.parametrize(
    ("values", "reasons"),
    [
        ([0.5, 0.5, 0.9, 0.9], ("", "unparsable")),
        ([0.5, 0.5, -0.2, 1.2], ("", "unparsable")),
        ([0.5, 0.5, float("nan"), 1.0], ("", "unparsable")),
        ([0.5, 0.5], ("unparsable", "unparsable")),
        ([0.5, 0.5, 0.5], ("bad_response",) * 2),
        ([0.5, 0.5, "a", True], ("bad_response",) * 2),
        ("AAAA", ("bad_response",) * 2),
        ([1, "no"], ("", "")),
        ([7, "maybe"], ("unparsable", "unparsable")),
    ],
)
def test_numbers_that_are_no_probabilities_are_no_answer(serve: Any, values: Any, reasons: tuple[str, ...]) -> None:
    service = serve(lambda *_: tensor(values, [2, 2]))
    answer = remote_model(service).ask([[1.0], [2.0]])
    assert answer.reasons == reasons
    assert np.isnan(answer.probabilities).all(axis=1).tolist() == [bool(reason) for reason in reasons]
    assert set(answer.reasons) <= {"", *REASONS}


def test_an_instance_with_a_missing_number_is_left_out_of_the_request(serve: Any) -> None:
    service = serve(lambda *_: tensor([0.25, 0.75], [1, 2]))
    answer = remote_model(service).ask(np.array([[math.nan, 1.0], [2.0, 3.0]]))
    assert answer.reasons == ("bad_input", "")
    assert answer.probabilities[1].tolist() == [0.25, 0.75]
    assert service.requests[0]["inputs"][0]["shape"] == [1, 2]
    assert remote_model(service).ask(np.array([[math.nan]])).reasons == ("bad_input",)
    assert len(service.requests) == 1


def test_values_of_regression(serve: Any) -> None:
    service = serve(lambda *_: tensor([2.5, -1e9], [2, 1], "value"))
    answer = remote_model(service, (), output="value").ask([[1.0], [2.0]])
    assert answer.probabilities.tolist() == [[2.5], [-1e9]]


def test_no_instances_cost_nothing(serve: Any) -> None:
    service = serve(lambda *_: completion("yes"))
    for member, raw in ((judge(service), []), (remote_model(service), np.empty((0, 2)))):
        answer = member.ask(raw)
        assert (answer.probabilities.shape, answer.cost, answer.reason) == ((0, 2), 0.0, "")
    assert service.requests == []


def test_an_instance_without_a_column_of_the_prompt_is_not_sent(serve: Any) -> None:
    service = serve(lambda *_: completion("yes"))
    answer = judge(service, prompt="{age} {columns}").ask([{"age": 3.0, "sex": None}, {"sex": "f"}])
    assert answer.reasons == ("", "")
    prompts = {request["messages"][0]["content"] for request in service.requests}  # asked at the same time
    assert prompts == {"3 age: 3\nsex: missing", "missing age: missing\nsex: f"}
    answer = judge(service, prompt="{height}").ask([{"age": 3.0}])
    assert answer.reasons == ("bad_input",)
    assert answer.details == ("the prompt has {height}, which the instance lacks; known: age, classes, columns.",)


@dataclass(frozen=True)
class TableColumn:
    name: str
    kind: str = "number"
    categories: tuple[str, ...] = ()


def test_positions_of_categories_get_their_names_back(serve: Any) -> None:
    service = serve(lambda *_: completion("yes"))
    table = (TableColumn("age"), TableColumn("sex", "category", ("f", "m")))
    spec = {"kind": "chat", "url": service.url, "model": "j", "prompt": "{columns}", "concurrency": 1}
    raw = np.array([[41.5, 1.0], [3.0, -1.0], [math.nan, 0.0]])
    assert RemoteMember(spec, CLASSES, table).ask(raw).answered.all()
    contents = [request["messages"][0]["content"] for request in service.requests]
    assert contents == ["age: 41.5\nsex: m", "age: 3\nsex: missing", "age: missing\nsex: f"]


def test_a_member_that_hangs_holds_up_no_other(serve: Any) -> None:
    hanging = serve(lambda *_: completion("yes"), seconds=30)
    quick = serve(lambda *_: completion("no"))
    chat = {"kind": "chat", "model": "j", "prompt": "{text}", "retries": 0, "timeout_s": 0.3}
    members = RemoteMembers({"a": {**chat, "url": hanging.url}, "b": {**chat, "url": quick.url}}, CLASSES)
    members.members["b"].spec = replace(members.members["b"].spec, price_per_call=0.1)
    answers = members.ask(np.array(["x", "y"], object))
    assert members.costs == {"a": 0.0, "b": 0.2}
    assert answers["a"].reasons == ("timeout", "timeout")
    assert answers["b"].probabilities.tolist() == [[1, 0], [1, 0]]


def test_a_notebook_in_which_a_loop_runs_can_ask_as_well() -> None:
    async def cell() -> int:
        return run(answer())

    async def answer() -> int:
        return 42

    assert asyncio.run(cell()) == 42 if not _loop_runs() else run(answer()) == 42


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
