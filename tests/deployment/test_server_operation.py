"""A server lives: it drains, changes its bundle, follows a pointer, restarts workers, keeps answers, and says why."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")
pytest.importorskip("orjson", reason="orjson is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")

from polyculture.deployment.bundle import open_bundle, write_bundle
from polyculture.deployment.store import open_store

from .bundles import make_bundle, make_inputs
from .server_process import DEADLINE, RunningServer, rows, running, send_raw

pytestmark = pytest.mark.slow
ONE = rows([[1.0, 2.0, 3.0, 4.0]])


def version(path: Path) -> str:
    """Version of a bundle."""
    return open_bundle(path).manifest.version


def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Traffic:
    """Requests without a pause, from several connections, until it is stopped."""

    def __init__(self, server: RunningServer, connections: int = 3) -> None:
        self._server, self._stop = server, threading.Event()
        self.versions: list[str] = []
        self.faults: list[str] = []
        self._threads = [threading.Thread(target=self._send) for _ in range(connections)]

    def _send(self) -> None:
        while not self._stop.is_set():
            try:
                answer = self._server.infer(ONE)
                if answer.status == 200:
                    self.versions.append(answer.json["model_version"])
                else:
                    self.faults.append(f"{answer.status}: {answer.body!r}")
            except (OSError, ValueError) as error:
                self.faults.append(repr(error))

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        until(lambda: len(self.versions) > 5)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(DEADLINE)


def test_a_signal_drains_and_what_is_under_way_is_answered(tmp_path: Path) -> None:
    with running(make_bundle(tmp_path / "tiny")) as server:
        body = json.dumps(ONE).encode()
        head = f"POST /v2/models/tiny/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as connection:
            connection.sendall(head + body[:20])
            assert server.get("/v2/health/ready").status == 200
            server.process.send_signal(signal.SIGTERM)
            until(lambda: server.get("/v2/health/ready").status == 503)
            assert server.get("/v2/health/live").status == 200
            connection.sendall(body[20:])
            response = connection.recv(65_536)
            assert response.startswith(b"HTTP/1.1 200")
            assert b"\r\nconnection: close\r\n" in response
        assert server.process.wait(DEADLINE) == 0


def test_another_bundle_takes_over_without_a_lost_request(tmp_path: Path) -> None:
    first, second = make_bundle(tmp_path / "a"), make_bundle(tmp_path / "b", seed=1)
    with running(first) as server:
        with Traffic(server) as traffic:
            answer = server.ask("POST", "/admin/bundle", json.dumps({"path": str(second)}))
            assert (answer.status, answer.json) == (200, {"version": version(second)})
            count = len(traffic.versions)
            until(lambda: len(traffic.versions) > count + 10)
        assert traffic.faults == []
        assert set(traffic.versions) == {version(first), version(second)}
        assert server.infer(ONE).json["model_version"] == version(second)
        assert server.get(f"/v2/models/tiny/versions/{version(first)}").status == 404


def test_a_bundle_that_cannot_be_served_changes_nothing(tmp_path: Path) -> None:
    first, broken = make_bundle(tmp_path / "a"), make_bundle(tmp_path / "b", seed=1)
    graph = broken / "members" / "m0.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
    with running(first) as server:
        faults = {broken: "was changed after", tmp_path / "nobody": "no such folder", tmp_path: "is no bundle"}
        faults[make_bundle(tmp_path / "c", "text")] = "is a classification of text; expected a classification of table"
        for path, reason in faults.items():
            answer = server.ask("POST", "/admin/bundle", json.dumps({"path": str(path)}))
            assert answer.status == 400
            assert reason in answer.error
        for body in ("{", "[]", '{"path": 3}', '{"path": ""}', "{}"):
            assert server.ask("POST", "/admin/bundle", body).status == 400
        assert server.infer(ONE).json["model_version"] == version(first)
        assert server.ask("POST", "/admin/bundle", "{}", {"Origin": "http://elsewhere"}).status == 403
        assert server.ask("POST", "/admin/bundle", "{}", {"X-Forwarded-For": "1.2.3.4"}).status == 403


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_pointer_is_followed_and_rolled_back(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "bundles"
    folder.mkdir()
    first, second = make_bundle(folder / "a"), make_bundle(folder / "b", seed=1)
    pointer = folder / "current"

    def point(name: str) -> None:
        half = folder / "half"
        if kind == "file":
            half.write_text(f"{name}\n")
        else:
            half.symlink_to(name)
        half.replace(pointer)

    def served() -> str:
        return str(server.infer(ONE).json["model_version"])

    point("a")
    with running(folder) as server:
        assert served() == version(first)
        with Traffic(server, 1) as traffic:
            point("b")
            until(lambda: served() == version(second))
            point("a")
            until(lambda: served() == version(first))
            point("nobody")
            assert "leads to" in server.wait_for("still serving the bundle before")
            assert served() == version(first)
        assert traffic.faults == []


def test_workers_share_the_work_the_bundle_and_the_numbers(tmp_path: Path) -> None:
    first, second = make_bundle(tmp_path / "a"), make_bundle(tmp_path / "b", seed=1)
    with running(first, "--workers", "2") as server:
        for _ in range(20):
            assert server.infer(ONE).status == 200
        until(lambda: b'polyculture_instances_total{model="tiny"} 20.0' in server.get("/metrics").body)
        assert b'polyculture_ready{model="tiny"} 1.0' in server.get("/metrics").body
        assert server.ask("POST", "/admin/bundle", json.dumps({"path": str(second)})).status == 200
        until(lambda: {server.infer(ONE).json["model_version"] for _ in range(10)} == {version(second)})
        scopes = set()
        until(lambda: bool(scopes.add(server.get("/status").json["scope"]) or len(scopes) == 2))
        assert scopes == {"worker 1 of 2", "worker 2 of 2"}
        assert server.stop() == 0


def test_it_starts_within_two_seconds_of_the_processor(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil", reason="psutil is not installed")
    with running(make_bundle(tmp_path / "a"), "--store", f"sqlite:///{tmp_path}/answers.sqlite") as server:
        used = psutil.Process(server.process.pid).cpu_times()
        assert used.user + used.system < 2


def test_a_worker_that_is_killed_is_started_again(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil", reason="psutil is not installed")
    with running(make_bundle(tmp_path / "a"), "--workers", "2") as server:
        workers = psutil.Process(server.process.pid).children()
        assert len(workers) == 2
        workers[0].send_signal(signal.SIGKILL)
        server.wait_for("ended by signal 9; it is started again")
        until(lambda: len(psutil.Process(server.process.pid).children()) == 2)
        assert server.infer(ONE).status == 200
        workers = psutil.Process(server.process.pid).children()
        server.process.kill()
        server.process.wait(DEADLINE)
        _, alive = psutil.wait_procs(workers, DEADLINE)
        assert alive == []  # workers do not outlive who supervises them


def test_answers_are_kept_and_labels_find_them(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "tiny")
    url = f"sqlite:///{tmp_path}/answers.sqlite"
    with running(bundle, "--store", url, "--keep-inputs") as server:
        document = rows(make_inputs("table", 2).tolist()) | {"parameters": {"groups": {"site": ["A", "B"]}}}
        parameters = server.infer(document).json["parameters"]
        server.infer(ONE | {"parameters": {"ids": ["mine"], "groups": {"site": "C"}}})
        ids = [*parameters["ids"], "mine"]
        until(lambda: server.get("/status").json["store"]["written"] == 3)
        labels = [{"id": name, "label": label} for name, label in zip(ids, ("c0", "c1", "c2"), strict=True)]
        answer = server.ask("POST", "/v2/models/tiny/labels", json.dumps({"labels": labels}))
        assert (answer.status, answer.json["matched"], answer.json["pending"]) == (200, 3, 0)
        assert server.get("/status").json["labelled"] == 3
        for body, sentence in (
            ('{"labels": [{"id": "mine", "label": "c9"}]}', "c9"),
            ('{"labels": [{"id": 3, "label": "c0"}]}', "an id or a label is 3"),
            ('{"labels": [], "ids": []}', "there are 0 labels"),
            ("[]", "the request is []"),
            ("{", "the request is no JSON"),
        ):
            refusal = server.ask("POST", "/v2/models/tiny/labels", body)
            assert refusal.status == 400
            assert sentence in refusal.error
        assert server.stop() == 0
    store = open_store(url, create=False)
    (answers,) = store.since(0.0)
    store.close()
    assert list(answers.ids) == ids
    assert list(answers.labels) == [0, 1, 2]
    assert list(answers.groups["site"]) == ["A", "B", "C"]


@pytest.mark.parametrize("victim", ["server", "worker"])
def test_no_answer_is_lost_when_a_process_is_killed(tmp_path: Path, victim: str) -> None:
    """But for those of the last moment: the window in which answers wait to be written together, and the writing."""
    psutil = pytest.importorskip("psutil", reason="psutil is not installed")
    url = f"sqlite:///{tmp_path}/answers.sqlite"
    given: list[tuple[float, str]] = []
    workers = ("--workers", "2") if victim == "worker" else ()
    with running(make_bundle(tmp_path / "tiny"), "--store", url, *workers) as server:
        stop = threading.Event()

        def send() -> None:
            while not stop.is_set():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    (name,) = server.infer(ONE).json["parameters"]["ids"]
                    given.append((time.monotonic(), name))

        threads = [threading.Thread(target=send) for _ in range(3)]
        for thread in threads:
            thread.start()
        until(lambda: len(given) > 200 and given[-1][0] - given[0][0] > 3)
        moment = time.monotonic()
        if victim == "server":
            server.process.kill()
            server.process.wait(DEADLINE)
        else:
            psutil.Process(server.process.pid).children()[0].kill()
            server.wait_for("ended by signal 9; it is started again")
            until(lambda: given[-1][0] > moment + 3)
        stop.set()
        for thread in threads:
            thread.join(DEADLINE)
        if victim == "worker":
            assert server.stop() == 0
    store = open_store(url, create=False)
    kept = [str(name) for part in store.since(0.0) for name in part.ids]
    store.close()
    assert len(set(kept)) == len(kept)
    settled = {name for at, name in given if not moment - 2.0 < at < moment + 2.0}
    assert settled
    assert settled <= set(kept)


def test_tls_is_spoken(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    words = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run([openssl, *words, *subject], check=True, capture_output=True)
    options = ("--tls-cert", str(certificate), "--tls-key", str(key))
    with running(make_bundle(tmp_path / "tiny"), *options) as server:
        context = ssl.create_default_context(cafile=str(certificate))
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=DEADLINE, context=context)
        connection.request("POST", "/v2/models/tiny/infer", json.dumps(ONE))
        assert connection.getresponse().status == 200
        connection.close()
        assert send_raw(server.port, b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        assert "Traceback" not in server.log


def test_alarms_are_sent_and_noted(tmp_path: Path) -> None:
    received: list[Any] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as hook:
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        url = f"sqlite:///{tmp_path}/answers.sqlite"
        options = ("--store", url, "--webhook", f"http://127.0.0.1:{hook.server_address[1]}/hook")
        with running(make_bundle(tmp_path / "tiny"), *options) as server:
            server.infer(rows([[9.0, -9.0, 9.0, 9.0]] * 500))  # on which the members differ
            server.wait_for("alarm disagreement is up")
            until(lambda: bool(received))
            assert server.get("/status").json["alarms"][0]["up"]
            text = server.get("/metrics").body
            assert b'polyculture_alarm{alarm="disagreement",model="tiny"} 1.0' in text
            assert b'polyculture_disagreement_share{model="tiny"} 1.0' in text
            assert server.stop() == 0
        hook.shutdown()
    assert received[0]["alarms"][0]["name"] == "disagreement"
    store = open_store(url, create=False)
    assert ("alarm", "disagreement") in [(event.kind, event.name) for event in store.events()]
    store.close()


def test_a_store_that_is_away_stops_nobody(tmp_path: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:9/nowhere"
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with running(make_bundle(tmp_path / "tiny"), "--store", url) as server:
        assert server.infer(ONE).status == 200
        until(lambda: server.get("/status").json["store"]["state"] == "gone")
        assert server.get("/status").json["store"]["queued"] == 1
        body = json.dumps({"labels": [{"id": "a", "label": "c0"}]})
        assert server.ask("POST", "/v2/models/tiny/labels", body).status == 503


def test_a_challenger_answers_in_the_shadow(tmp_path: Path) -> None:
    first, second = make_bundle(tmp_path / "a"), make_bundle(tmp_path / "b", seed=1)
    url = f"sqlite:///{tmp_path}/answers.sqlite"
    with running(first, "--store", url, "--shadow", str(second)) as server:
        ids = {i for _ in range(5) for i in server.infer(ONE).json["parameters"]["ids"]}
        assert server.get("/status").json["challenger"] == version(second)
        until(lambda: server.get("/status").json["store"]["written"] == 10)
        assert server.get("/status").json["answers"] == 5
        assert server.stop() == 0
    store = open_store(url, create=False)
    parts = list(store.since(0.0))
    store.close()
    by_version = {part.names.version: part for part in parts}
    assert set(by_version) == {version(first), version(second)}
    assert not by_version[version(first)].shadow.any()
    assert by_version[version(second)].shadow.all()
    assert set(by_version[version(second)].ids) == ids


def test_keys_are_asked_for(tmp_path: Path) -> None:
    with running(make_bundle(tmp_path / "a"), "--api-key-env", "KEYS", environment={"KEYS": "one,two"}) as server:
        assert server.infer(ONE).status == 401
        assert server.infer(ONE, {"Authorization": "Bearer wrong"}).status == 401
        assert server.infer(ONE, {"Authorization": "Basic one"}).status == 401
        assert server.infer(ONE, {"X-API-Key": "ONE"}).status == 401
        assert server.infer(ONE, {"Authorization": "Bearer one"}).status == 200
        assert server.infer(ONE, {"X-API-Key": "two"}).status == 200
        for path in ("/v2", "/status", "/docs", "/v2/models/tiny", "/nobody"):
            assert server.get(path).status == 401
            assert server.get(path, {"X-API-Key": "one"}).status in (200, 404)
        for path in ("/v2/health/live", "/v2/health/ready", "/metrics"):
            assert server.get(path).status == 200
        assert server.ask("POST", "/admin/bundle", "{}").status == 401
        assert server.ask("POST", "/admin/bundle", "{}", {"X-API-Key": "one"}).status == 400
        assert "one" not in server.log.replace("one line", "")


def test_members_that_are_elsewhere_are_asked_and_may_fail(tmp_path: Path) -> None:
    with running(make_bundle(tmp_path / "far", name="far", seed=5)) as far:
        spec = {"kind": "v2", "url": f"http://127.0.0.1:{far.port}", "model": "far", "output": "combined", "retries": 0}
        with running(with_remote_member(tmp_path, spec)) as near:
            answer = near.infer(ONE | {"outputs": [{"name": "members"}]})
            assert answer.status == 200, answer.body
            assert answer.json["parameters"]["quorum"] == [3]
            direct = far.infer(ONE, model="far").json["outputs"][0]["data"]
            assert answer.json["outputs"][0]["data"][6:] == pytest.approx(direct, abs=1e-5)
            assert far.stop() == 0
            answer = near.infer(ONE | {"outputs": [{"name": "members"}]})
            assert answer.status == 200
            assert answer.json["parameters"]["quorum"] == [2]
            assert answer.json["outputs"][0]["data"][6:] == [None] * 3
            near.wait_for("the member m2 does not answer")
            text = near.get("/metrics").body
            assert b'polyculture_member_failed_total{member="m2",model="tiny"} 1.0' in text
            assert b'polyculture_member_answered_total{member="m1",model="tiny"} 2.0' in text
            member = near.get("/status").json["members"][2]
            assert (member["remote"], member["failed"]) == (True, 1)
            assert member["reason"]


def with_remote_member(folder: Path, spec: dict[str, Any]) -> Path:
    """A bundle of two members of its own and one that answers elsewhere."""
    bundle = open_bundle(make_bundle(folder / "draft", remote=1))
    contents = {name: bundle.content(name) for name in bundle.manifest.files}
    members = tuple(replace(m, remote=spec) if m.remote else m for m in bundle.manifest.members)
    return write_bundle(folder / "near", replace(bundle.manifest, members=members), contents).path


def test_what_members_elsewhere_cost_is_counted(tmp_path: Path) -> None:
    """In the status and for Prometheus, exactly, and over the change of a bundle."""
    with running(make_bundle(tmp_path / "far", name="far", seed=5)) as far:
        spec = {"kind": "v2", "url": f"http://127.0.0.1:{far.port}", "model": "far", "output": "combined"}
        bundle = with_remote_member(tmp_path, spec | {"price_per_call": 0.25})
        (tmp_path / "other").mkdir()
        other = with_remote_member(tmp_path / "other", spec | {"price_per_call": 1.5})
        with running(bundle) as near:
            for _ in range(3):
                assert near.infer(ONE).json["parameters"]["quorum"] == [3]
            members = near.get("/status").json["members"]
            assert [member.get("cost") for member in members] == [None, None, 0.75]
            assert costs(near) == {version(bundle): 0.75}
            assert costs(near) == {version(bundle): 0.75}  # looking costs nothing
            assert near.ask("POST", "/admin/bundle", json.dumps({"path": str(other)})).status == 200
            near.infer(ONE)
            assert costs(near) == {version(bundle): 0.75, version(other): 1.5}
            assert far.stop() == 0
            near.infer(ONE)
            assert costs(near) == {version(bundle): 0.75, version(other): 1.5}  # no answer, no price


def test_members_elsewhere_of_a_challenger_are_asked_and_paid(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/answers.sqlite"
    with running(make_bundle(tmp_path / "far", name="far", seed=5)) as far:
        spec = {"kind": "v2", "url": f"http://127.0.0.1:{far.port}", "model": "far", "output": "combined"}
        challenger = with_remote_member(tmp_path, spec | {"price_per_call": 0.25})
        with running(make_bundle(tmp_path / "tiny"), "--store", url, "--shadow", str(challenger)) as server:
            for _ in range(3):
                server.infer(ONE)
            until(lambda: server.get("/status").json["store"]["written"] == 6)
            assert 0.25 <= costs(server)[version(challenger)] <= 0.75  # requests that wait are asked about together
            assert server.stop() == 0
    with open_store(url, create=False) as store:
        parts = [part for part in store.since(0.0) if part.shadow.all()]
    assert [quorum for part in parts for quorum in part.quorum] == [3, 3, 3]


def costs(server: RunningServer) -> dict[str, float]:
    """What the remote member has cost, by version of the bundle, as Prometheus reads it."""
    pattern = r'^polyculture_member_cost_total\{member="m2",model="tiny",version="(\w+)"\} (\S+)$'
    text = server.get("/metrics").body.decode()
    return {version: float(cost) for version, cost in re.findall(pattern, text, re.MULTILINE)}


def test_a_member_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        spec = {"kind": "v2", "url": url, "model": "far", "retries": 0, "timeout_s": 0.2}
        with running(with_remote_member(tmp_path, spec)) as near:
            for _ in range(3):
                answer = near.infer(ONE)
                assert (answer.status, answer.json["parameters"]["quorum"]) == (200, [2])
            assert near.get("/status").json["members"][2]["failed"] == 3


def test_one_line_says_why_a_server_does_not_start(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "tiny")

    def refused(*words: str) -> str:
        command = [sys.executable, "-m", "polyculture.cli", "serve", *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=DEADLINE)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        return done.stderr

    assert "no such folder: nobody" in refused("nobody")
    assert "is no bundle" in refused(str(tmp_path))
    assert "workers is 0" in refused(str(bundle), "--workers", "0")
    assert "the environment variable NOBODY is empty" in refused(str(bundle), "--api-key-env", "NOBODY")
    assert "cannot listen at 192.0.2.1:0" in refused(str(bundle), "--host", "192.0.2.1", "--port", "0", "--no-store")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"cannot listen at 127.0.0.1:{port}" in refused(str(bundle), "--port", port, "--no-store")
    graph = bundle / "portfolio.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    assert "was changed after the bundle was written" in refused(str(bundle), "--port", "0", "--no-store")
    assert "was changed after the bundle was written" in refused(
        str(bundle), "--port", "0", "--no-store", "--workers", "2"
    )
