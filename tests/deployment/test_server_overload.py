"""Ten times the load that a server can carry: memory stays bounded, the rest is refused, and nothing given is lost."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")
pytest.importorskip("orjson", reason="orjson is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")

from polyculture.deployment.bundle import open_bundle, write_bundle
from polyculture.deployment.store import open_store

from .bundles import make_bundle
from .server_process import DEADLINE, RunningServer, rows, running

pytestmark = pytest.mark.slow
LATE = 1.0
"""Seconds for which every batch waits for a member that never answers: so few requests can be answered at all."""
CLIENTS = 64
ROWS = 50


def with_silent_member(folder: Path, port: int) -> Path:
    """A bundle of two members of its own and one that takes requests and never answers."""
    bundle = open_bundle(make_bundle(folder / "draft", remote=1))
    contents = {name: bundle.content(name) for name in bundle.manifest.files}
    spec = {"kind": "v2", "url": f"http://127.0.0.1:{port}", "model": "far", "retries": 0, "timeout_s": LATE}
    remote = spec | {"break_after": 10_000}
    members = tuple(replace(m, remote=remote) if m.remote else m for m in bundle.manifest.members)
    return write_bundle(folder / "slow", replace(bundle.manifest, members=members), contents).path


@dataclass
class Load:
    """Clients that send again as soon as they are refused, each on a connection of its own."""

    port: int
    answered: list[str] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def send(self, client: int) -> None:
        """What one client does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        for number in itertools.count():
            if self.stop.is_set():
                break
            ids = [f"{client}-{number}-{row}" for row in range(ROWS)]
            document = rows([[0.1, 0.2, 0.3, 0.4]] * ROWS) | {"parameters": {"ids": ids}}
            try:
                connection.request("POST", "/v2/models/tiny/infer", json.dumps(document))
                response = connection.getresponse()
                body = response.read()
            except (OSError, http.client.HTTPException) as error:
                self.faults.append(repr(error))
                connection.close()
                continue
            if response.status == 200:
                self.answered += json.loads(body)["parameters"]["ids"]
            else:
                self.refused.append((response.status, response.getheader("Retry-After", "")))
        connection.close()


def seconds_of(server: RunningServer) -> float:
    """Median seconds of a request when there is no other."""
    durations = []
    for _ in range(3):
        start = time.perf_counter()
        assert server.infer(rows([[0.1, 0.2, 0.3, 0.4]])).status == 200
        durations.append(time.perf_counter() - start)
    return median(durations)


@pytest.mark.parametrize(
    "seconds", [pytest.param(6, id="short"), pytest.param(30, id="long", marks=pytest.mark.nightly)]
)
def test_ten_times_the_load_is_refused_and_passes(tmp_path: Path, seconds: int) -> None:
    psutil = pytest.importorskip("psutil", reason="psutil is not installed")
    url = f"sqlite:///{tmp_path}/answers.sqlite"
    with socket.create_server(("127.0.0.1", 0), backlog=512) as silent:
        bundle = with_silent_member(tmp_path, silent.getsockname()[1])
        options = ("--store", url, "--queue", "4", "--max-batch", str(ROWS))
        with running(bundle, *options) as server:
            process = psutil.Process(server.process.pid)
            calm = seconds_of(server)
            before = process.memory_info().rss
            load = Load(server.port)
            clients = [threading.Thread(target=load.send, args=(client,)) for client in range(CLIENTS)]
            for client in clients:
                client.start()
            most, end = before, time.monotonic() + seconds
            while time.monotonic() < end:
                most = max(most, process.memory_info().rss)
                time.sleep(0.1)
            load.stop.set()
            for client in clients:
                client.join(DEADLINE)
            assert load.faults == []
            assert set(load.refused) == {(503, "1")}
            assert len(load.refused) + len(load.answered) / ROWS > 10 * len(load.answered) / ROWS > 0
            assert most < before + 100 * 2**20
            assert seconds_of(server) < 2 * calm + 0.5
            requests = server.get("/status").json["requests"]
            assert requests["refused"] == len(load.refused)
            assert requests["answered"] == len(load.answered) + 6
            assert server.stop() == 0
    with open_store(url, create=False) as store:
        kept = [str(name) for part in store.since(0.0) for name in part.ids if name.count("-") == 2]
    assert sorted(kept) == sorted(load.answered)  # each once
