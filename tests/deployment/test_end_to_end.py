"""From a run to production and back, as a user does it: processes, sockets and stores as they are."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for package in ("torch", "sklearn", "skops", "onnx", "onnxruntime", "skl2onnx", "fastapi", "uvicorn", "sqlalchemy"):
    pytest.importorskip(package, reason=f"{package} is not installed")

from polyculture.deployment.retraining.pointer import target_of  # noqa: E402
from polyculture.deployment.store import open_store  # noqa: E402
from polyculture.preparation import load_problem  # noqa: E402
from polyculture.preparation.problems import DataOptions  # noqa: E402
from polyculture.rng import stream  # noqa: E402

from .server_process import SOURCE, RunningServer, running  # noqa: E402

pytestmark = pytest.mark.slow
RECIPES = "".join(f'[[recipe]]\narchitecture = "{name}"\n' for name in ("logistic", "knn", "naive-bayes", "forest"))
STABLE, DRIFTED = 6000, 4000
DEADLINE = 120.0


def command(*words: object, cwd: Path, codes: tuple[int, ...] = (0,)) -> str:
    """Run polyculture in a process of its own; what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "COLUMNS": "400"}
    line = [sys.executable, "-m", "polyculture.cli", *map(str, words)]
    done = subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode in codes, (
        f"{words} ended with {done.returncode}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
    )
    assert "Traceback" not in done.stderr
    return done.stdout


@dataclass
class Traffic:
    """Instances that are sent one by one on a few connections, and what came back."""

    port: int
    answers: dict[str, str] = field(default_factory=dict)
    truth: dict[str, str] = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def send(self, images: np.ndarray, labels: np.ndarray, n: int, phase: str, connections: int = 4) -> None:
        """As many requests, of instances drawn from these."""
        rows = stream(0, "traffic", phase).integers(len(images), size=n)
        parts = np.array_split(np.arange(n), connections)

        def converse(part: np.ndarray) -> None:
            client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
            for number in part.tolist():
                name = f"{phase}-{number}"
                self.ask(client, name, images[rows[number]], str(labels[rows[number]]))
            client.close()

        with ThreadPoolExecutor(connections) as pool:
            list(pool.map(converse, parts))

    def ask(self, client: http.client.HTTPConnection, name: str, image: np.ndarray, label: str) -> None:
        """One instance."""
        tensor = {"name": "input", "shape": [1, *image.shape], "datatype": "FP32", "data": image.ravel().tolist()}
        body = json.dumps({"inputs": [tensor], "parameters": {"ids": [name]}})
        client.request("POST", "/v2/models/digits/infer", body, {"Content-Type": "application/json"})
        response = client.getresponse()
        content = response.read()
        if response.status != 200:
            self.failures.append(f"{response.status} {content[:200]!r}")
            return
        parameters = json.loads(content)["parameters"]
        self.answers[name], self.truth[name] = parameters["answer"][0], label
        self.versions.append(parameters["bundle_version"])


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run on digits, what was selected of it, and the bundle, a link to it next to it."""
    folder = tmp_path_factory.mktemp("shipped")
    (folder / "recipes.toml").write_text(RECIPES, encoding="utf-8")
    command("run", "digits", "--recipes", "recipes.toml", "--shifts", "noise", "--workers", 1, cwd=folder)
    command("select", "polyculture-run", "--members", 4, "--rule", "mean", cwd=folder)
    command(
        *("export", "polyculture-portfolio", "--out", "bundles/first", "--requests", 1_000_000),
        *("--run", "polyculture-run"),
        cwd=folder,
    )
    (folder / "bundles" / "current").symlink_to("first")
    return folder


def drifted(images: np.ndarray) -> np.ndarray:
    """The digits lying on their side."""
    return np.ascontiguousarray(np.rot90(images, axes=(1, 2)))


def wait_for(what: str, condition: Any) -> Any:
    """The first value of the condition that is true."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"{what} took more than {DEADLINE:g} s")


def alarms_up(server: RunningServer) -> list[str]:
    """Names of the alarms that are up, as the server says."""
    return [alarm["name"] for alarm in server.get("/status").json["alarms"] if alarm["up"]]


def test_a_portfolio_is_shipped_watched_and_succeeded(shipped: Path, store_url: str, tmp_path: Path) -> None:
    bundles = shutil.copytree(shipped / "bundles", tmp_path / "bundles", symlinks=True)
    test = load_problem("digits", 0, DataOptions(shifts=())).split.test
    images, labels = np.asarray(test.array), np.array(test.classes)[np.asarray(test.labels)]
    with running(bundles, f"--store={store_url}") as server:
        traffic = Traffic(server.port)
        traffic.send(images, labels, STABLE, "stable")
        assert traffic.failures == []
        _hand_in_labels(server, traffic, store_url, tmp_path)
        _nothing_is_up(server, store_url, bundles, tmp_path)
        traffic.send(drifted(images), labels, DRIFTED, "drifted")
        assert traffic.failures == []
        assert len(traffic.answers) == STABLE + DRIFTED == 10_000
        with open_store(store_url) as store:
            wait_for("keeping the answers", lambda: store.counts().answers == 10_000)
        wait_for("the alarm", lambda: "disagreement" in alarms_up(server))
        page = _audit_with_alarm(store_url, bundles, tmp_path)
        assert "disagreement" in page.lower()
        _succeed_while_serving(server, bundles, images, labels, traffic, tmp_path)


def _hand_in_labels(server: RunningServer, traffic: Traffic, store_url: str, folder: Path) -> None:
    """The first labels by the server, all others by a file."""
    names = list(traffic.truth)
    entries = [{"id": name, "label": traffic.truth[name]} for name in names[:1000]]
    answer = server.ask("POST", "/v2/models/digits/labels", json.dumps({"labels": entries}))
    assert answer.status == 200, answer.body
    lines = ["id,label", *(f"{name},{traffic.truth[name]}" for name in names[1000:])]
    (folder / "truth.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    command("label", "truth.csv", "--store", store_url, cwd=folder)
    with open_store(store_url) as store:
        assert store.counts().labels == len(names)


def _nothing_is_up(server: RunningServer, store_url: str, bundles: Path, folder: Path) -> None:
    """Before the drift neither the server nor the watch has an alarm."""
    assert alarms_up(server) == []
    bundle = target_of(bundles / "current")
    command("watch", store_url, "--bundle", bundle, "--out", "calm", cwd=folder)


def _audit_with_alarm(store_url: str, bundles: Path, folder: Path) -> str:
    """The watch ends with 1 and leaves the page of an audit."""
    bundle = target_of(bundles / "current")
    command("watch", store_url, "--bundle", bundle, "--out", "watched", cwd=folder, codes=(1,))
    return (folder / "watched" / "page.html").read_text(encoding="utf-8")


def _succeed_while_serving(
    server: RunningServer, bundles: Path, images: np.ndarray, labels: np.ndarray, traffic: Traffic, folder: Path
) -> None:
    """A successor is trained and takes over while requests come, none of which is dropped; and goes back."""
    before = set(traffic.versions)
    assert len(before) == 1
    pixels = (255 * drifted(images)).round().astype(np.uint8)
    np.savez(folder / "labeled.npz", x=pixels, y=labels.astype(int))
    stop = threading.Event()

    def keep_asking() -> None:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
        sideways, number = drifted(images), 0
        while not stop.is_set():
            row = number % len(images)
            traffic.ask(client, f"meanwhile-{number}", sideways[row], str(labels[row]))
            number += 1
            time.sleep(0.01)
        client.close()

    thread = threading.Thread(target=keep_asking)
    thread.start()
    try:
        said = command("retrain", bundles, "--data", "labeled.npz", "--alarm", "--workers", 1, cwd=folder)
        assert "Promoted: the challenger is better" in said
        successor = target_of(bundles / "current")
        assert successor is not None
        version = json.loads((successor / "manifest.json").read_text(encoding="utf-8"))["version"]
        wait_for("the swap", lambda: traffic.versions[-1] == version)
        command("retrain", bundles, "--rollback", cwd=folder)
        wait_for("the way back", lambda: {traffic.versions[-1]} == before)
    finally:
        stop.set()
        thread.join(DEADLINE)
    assert traffic.failures == []
    assert set(traffic.versions) == {*before, version}
