"""Several workers with one store say the same: what all of them answered, each answer once, whoever is asked."""

from __future__ import annotations

import http.server
import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")
pytest.importorskip("orjson", reason="orjson is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")

from polyculture.deployment.server.colleagues import Colleagues, stores_together
from polyculture.deployment.store import open_store

from .bundles import make_bundle, make_inputs
from .server_process import DEADLINE, RunningServer, rows, running

ONE = rows([[1.0, 2.0, 3.0, 4.0]])
LOOKS = 12
"""Statuses that are asked for, each on a connection of its own, so that several workers give them."""


def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def numbers(server: RunningServer) -> set[tuple[Any, ...]]:
    """What the workers say."""
    statuses = [server.get("/status").json for _ in range(LOOKS)]
    return {
        (s["scope"], s["answers"], s["labelled"], s["requests"]["answered"], s["store"]["written"]) for s in statuses
    }


@pytest.mark.slow
def test_all_workers_have_one_status(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil", reason="psutil is not installed")
    url = f"sqlite:///{tmp_path}/answers.sqlite"
    with running(make_bundle(tmp_path / "tiny"), "--store", url, "--workers", "2") as server:
        inputs = make_inputs("table", 40)
        ids = [server.infer(rows([row])).json["parameters"]["ids"][0] for row in inputs.tolist()]
        until(lambda: numbers(server) == {("", 40, 0, 40, 40)})
        disagreements = {json.dumps(server.get("/status").json["disagreement"]) for _ in range(LOOKS)}
        assert len(disagreements) == 1
        body = {"labels": [{"id": name, "label": "c0"} for name in ids[:25]]}
        assert server.ask("POST", "/v2/models/tiny/labels", json.dumps(body)).json["matched"] == 25
        with open_store(url, create=False) as store:  # as polyculture label does
            store.label(ids[25:], ["c1"] * 15)
        until(lambda: numbers(server) == {("", 40, 40, 40, 40)})
        workers = psutil.Process(server.process.pid).children()
        for count, worker in enumerate(workers, 41):  # one by one, the one that watches as well
            os.kill(worker.pid, signal.SIGKILL)
            server.wait_for(r"ended by signal 9; it is started again")
            server.lines.clear()
            until(lambda: len(psutil.Process(server.process.pid).children()) == 2)
            assert server.infer(ONE).status == 200
            expected = {("", count, 40, count, count)}
            until(lambda expected=expected: numbers(server) == expected)


@pytest.mark.slow
def test_an_alarm_of_several_workers_is_told_once(tmp_path: Path) -> None:
    received: list[Any] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    url = f"sqlite:///{tmp_path}/answers.sqlite"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as hook:
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        options = ("--store", url, "--workers", "2", "--webhook", f"http://127.0.0.1:{hook.server_address[1]}/hook")
        with running(make_bundle(tmp_path / "tiny"), *options) as server:
            for _ in range(50):  # both workers get some of them
                server.infer(rows([[9.0, -9.0, 9.0, 9.0]] * 10))  # on which the members differ
            until(lambda: numbers(server) == {("", 500, 0, 500, 500)})
            until(lambda: bool(received))
            until(lambda: b'polyculture_alarm{alarm="disagreement",model="tiny"} 1.0' in server.get("/metrics").body)
            assert {server.get("/status").json["alarms"][0]["up"] for _ in range(LOOKS)} == {True}
            assert server.stop() == 0
        hook.shutdown()
    assert len(received) == 1
    with open_store(url, create=False) as store:
        alarms = [event for event in store.events() if event.kind == "alarm"]
        assert store.counts().answers == 500
    assert len(alarms) == 1


def test_what_workers_that_ended_wrote_goes_on_counting(tmp_path: Path) -> None:
    health = {"state": "ok", "url": "x", "queued": 1, "written": 10, "dropped": 0, "refused": 0, "reason": ""}
    away = health | {"state": "gone", "queued": 5, "written": 20, "dropped": 2, "reason": "the disk is full"}
    now = time.time()
    recent = stores_together(health, [{"store": away, "time": now}])
    assert (recent["state"], recent["reason"]) == ("gone", "the disk is full")
    assert (recent["queued"], recent["written"], recent["dropped"]) == (6, 30, 2)
    ended = stores_together(health, [{"store": away, "time": now - 60}])
    assert (ended["state"], ended["queued"], ended["written"], ended["dropped"]) == ("ok", 1, 30, 2)


def test_a_worker_hears_of_the_others_only(tmp_path: Path) -> None:
    colleagues = Colleagues(tmp_path, 2)
    assert not colleagues.watches
    assert (colleagues.others(), colleagues.watched()) == ([], {})
    colleagues.say({"writer": 1})
    assert colleagues.others() == []
    (tmp_path / "worker-1.json").write_text('{"writer": 2, "time": 0.0}')
    assert colleagues.others() == [{"writer": 2, "time": 0.0}]
    colleagues.publish({"answers": 3, "n_eff": math.nan})
    assert Colleagues(tmp_path, 1).watched() == {"answers": 3, "n_eff": None}
