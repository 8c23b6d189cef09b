"""Trouble: malformed requests by the thousand, more work than there is time for, slow clients; never 500, no leak."""

from __future__ import annotations

import copy
import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")
pytest.importorskip("orjson", reason="orjson is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")

from polyculture.rng import stream

from .bundles import make_bundle
from .server_process import DEADLINE, Answer, RunningServer, rows, running, send_raw

pytestmark = pytest.mark.slow
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.5, 1e308, 2**63, "", "x", "\u0000", "é" * 50, [], [[]], [1], {}, {"a": 1}),
    *([[1], [2, 3]], [None], "FP32", "BYTES", [2**70], [0], ["a", 1], {"binary_data_size": 10}, [[[[[[1]]]]]]),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running(make_bundle(tmp_path_factory.mktemp("trouble") / "tiny"), "--timeout", "5") as server:
        yield server
    assert "Traceback" not in server.log


def mutated(generator: np.random.Generator) -> tuple[bytes, dict[str, str]]:
    """A request with one to three faults: values of other kinds, missing and odd fields, cut or changed bytes."""
    document: Any = rows([[1.0, 2.0, 3.0, 4.0]]) | {"parameters": {}, "outputs": [{"name": "combined"}]}
    headers: dict[str, str] = {}
    for _ in range(generator.integers(1, 4)):
        place, key = _place(document, generator)
        fault = generator.integers(3)
        if fault == 0 and isinstance(place, dict):
            place.pop(key, None)
        else:
            place[key] = copy.deepcopy(ODD[generator.integers(len(ODD))])
    body = json.dumps(document).encode()
    if generator.random() < 0.3:
        position = int(generator.integers(len(body)))
        body = body[:position] if generator.random() < 0.5 else body[:position] + generator.bytes(3) + body[position:]
    if generator.random() < 0.3:
        lengths = ("-1", "x", str(len(body) // 2), str(len(body)), "99999999999", "0", "")
        headers["Inference-Header-Content-Length"] = lengths[generator.integers(len(lengths))]
    if generator.random() < 0.1:
        headers["Content-Encoding"] = ("gzip", "deflate", "br", "identity")[generator.integers(4)]
    return body, headers


def _place(document: Any, generator: np.random.Generator) -> tuple[Any, Any]:
    """A container inside of the document, and a key of it."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in list(pairs):
            places.append((value, key))
            walk(inner)

    walk(document)
    return places[generator.integers(len(places))] if places else (document, "inputs")


def fuzz(server: RunningServer, count: int, seed: int) -> set[int]:
    """Statuses of so many malformed requests."""
    generator = stream(seed, "malformed requests")
    requests = [mutated(generator) for _ in range(count)]
    statuses = set()
    with ThreadPoolExecutor(8) as pool:
        for (body, headers), answer in zip(requests, pool.map(lambda r: server.infer(*r), requests), strict=True):
            assert answer.status < 500 or answer.status == 503, (body, headers, answer.body)
            assert answer.status == 200 or len(answer.error.splitlines()) == 1
            statuses.add(answer.status)
    return statuses


def test_malformed_requests_are_refused_one_by_one(server: RunningServer) -> None:
    assert 400 in fuzz(server, 300, 0)
    assert server.get("/v2/health/ready").status == 200


@pytest.mark.nightly
def test_thousands_of_malformed_requests_leave_no_trace(server: RunningServer) -> None:
    psutil = pytest.importorskip("psutil", reason="psutil is not installed")
    process = psutil.Process(server.process.pid)
    fuzz(server, 500, 1)
    before = process.memory_info().rss
    fuzz(server, 5_000, 2)
    assert process.memory_info().rss < before * 1.2
    assert "Traceback" not in server.log


def test_bytes_that_are_no_http_are_refused(server: RunningServer) -> None:
    generator = stream(0, "bytes")
    for _ in range(30):
        content = generator.bytes(int(generator.integers(1, 200)))
        send_raw(server.port, content)
        send_raw(server.port, b"POST /v2/models/tiny/infer HTTP/1.1\r\n" + content + b"\r\n\r\n")
    assert server.infer(rows([[1.0] * 4])).status == 200


def test_a_slow_client_is_refused_and_holds_up_nobody(server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as slow_head:
        slow_head.sendall(b"POST /v2/models/tiny/infer HTTP/1.1\r\nHost:")
        with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as slow_body:
            head = b"POST /v2/models/tiny/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
            slow_body.sendall(head + b'{"inputs"')
            assert server.infer(rows([[1.0] * 4])).status == 200
            assert slow_body.recv(65_536).startswith(b"HTTP/1.1 408")
        assert slow_head.recv(65_536) == b""  # closed


def test_clients_of_one_byte_a_second_hold_up_nobody(server: RunningServer) -> None:
    """Of their head, and of their body: they are closed in time, however busy they look."""
    head = b"POST /v2/models/tiny/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    clients = [socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) for _ in range(100)]
    try:
        for client in clients[::2]:
            client.sendall(head)
        open_clients, durations = list(clients), []
        deadline = time.monotonic() + DEADLINE
        while open_clients:
            assert time.monotonic() < deadline, f"{len(open_clients)} clients are still served"
            open_clients = [client for client in open_clients if trickled(client)]
            start = time.monotonic()
            assert server.infer(rows([[1.0] * 4])).status == 200
            durations.append(time.monotonic() - start)
            time.sleep(max(0.0, 1.0 - durations[-1]))
        assert sorted(durations)[len(durations) // 2] < 1.0
    finally:
        for client in clients:
            client.close()


def trickled(client: socket.socket) -> bool:
    """Whether a client is still connected, after another byte."""
    client.setblocking(False)
    try:
        client.sendall(b"P")
        client.recv(65_536)
        return False  # refused, or closed
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_overload_is_refused_and_passes(tmp_path: Path) -> None:
    """Far more requests than the queue takes: each gets its answers or a 503, and afterwards all is as before."""
    psutil = pytest.importorskip("psutil", reason="psutil is not installed")
    body = json.dumps(rows([[0.1] * 4] * 2_000)).encode()
    with running(make_bundle(tmp_path / "tiny", members=9), "--queue", "2", "--max-batch", "2000") as server:
        answers: list[Answer] = []
        before = psutil.Process(server.process.pid).memory_info().rss

        def send() -> None:
            for _ in range(6):
                answers.append(server.infer(body))  # noqa: PERF401

        threads = [threading.Thread(target=send) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        statuses = {answer.status for answer in answers}
        assert len(answers) == 96
        assert statuses <= {200, 503}
        assert 200 in statuses
        for answer in answers:
            if answer.status == 503:
                assert answer.headers["retry-after"] == "1"
        assert psutil.Process(server.process.pid).memory_info().rss < before + 400 * 2**20
        deadline = time.monotonic() + DEADLINE
        while server.infer(rows([[0.1] * 4])).status != 200:
            assert time.monotonic() < deadline
        refused = server.get("/status").json["requests"]["refused"]
        assert refused == sum(answer.status == 503 for answer in answers)


@pytest.mark.nightly
def test_a_million_requests_leave_the_memory_as_it_was(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil", reason="psutil is not installed")
    program = shutil.which("wrk")
    if program is None:
        pytest.skip("wrk is not installed")
    script = tmp_path / "request.lua"
    script.write_text(f"wrk.method = 'POST'\nwrk.body = '{json.dumps(rows([[0.1] * 4]))}'\n")

    def send(server: RunningServer, seconds: int) -> int:
        url = f"http://127.0.0.1:{server.port}/v2/models/tiny/infer"
        words = [program, "-t1", "-c32", f"-d{seconds}", "-s", str(script), url]
        report = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        assert "Non-2xx" not in report
        assert "Socket errors" not in report
        return int(re.findall(r"(\d+) requests in", report)[0])

    with running(make_bundle(tmp_path / "tiny"), "--store", f"sqlite:///{tmp_path}/answers.sqlite") as server:
        process = psutil.Process(server.process.pid)
        count = send(server, 10)
        while count < 100_000:  # the watch fills its window, the allocator its pools
            count += send(server, 10)
        before, count = process.memory_info().rss, 0
        while count < 1_000_000:
            count += send(server, 30)
        assert process.memory_info().rss < 1.1 * before
