"""A real Prometheus scrapes a server, loads the alert rules of its bundle, and reads the alarm that is up."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")
pytest.importorskip("orjson", reason="orjson is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")

from polyculture.deployment.bundle import open_bundle
from polyculture.deployment.watch.alerting.rules import alert_rules

from .bundles import make_bundle
from .server_process import DEADLINE, rows, running

pytestmark = pytest.mark.slow
PROGRAM = shutil.which("prometheus")
SETTINGS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: polyculture
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Prometheus:
    """A Prometheus that runs on a port of its own."""

    def __init__(self, port: int) -> None:
        self._port = port

    def get(self, path: str, **query: str) -> Any:
        """The data of an answer of its HTTP API."""
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=DEADLINE) as response:
            document = json.load(response)
        assert document["status"] == "success"
        return document["data"]

    def value(self, query: str) -> float | None:
        """The one value of a query; None where there is none yet."""
        results = self.get("query", query=query)["result"]
        assert len(results) <= 1
        return float(results[0]["value"][1]) if results else None


@contextlib.contextmanager
def scraping(folder: Path, port: int, rules: str) -> Iterator[Prometheus]:
    """A Prometheus that scrapes the server on this port every second."""
    assert PROGRAM is not None
    (folder / "rules.yml").write_text(rules, encoding="utf-8")
    settings = folder / "prometheus.yml"
    settings.write_text(SETTINGS.format(rules=folder / "rules.yml", port=port), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as trial:
        own = trial.getsockname()[1]
    words = [f"--config.file={settings}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    command = [PROGRAM, *words, f"--web.listen-address=127.0.0.1:{own}"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            prometheus = Prometheus(own)
            until(lambda: _answers(prometheus, process, folder / "prometheus.log"))
            yield prometheus
        finally:
            process.terminate()
            process.wait(DEADLINE)


def _answers(prometheus: Prometheus, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return bool(prometheus.get("targets")["activeTargets"])
    except OSError:
        return False


def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.skipif(PROGRAM is None, reason="prometheus is not installed")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_real_prometheus_scrapes_it(tmp_path: Path, workers: str) -> None:
    bundle = make_bundle(tmp_path / "tiny")
    rules = alert_rules(open_bundle(bundle).manifest)
    store = ("--store", f"sqlite:///{tmp_path}/answers.sqlite")
    with running(bundle, "--workers", workers, *store) as server, scraping(tmp_path, server.port, rules) as prometheus:
        server.infer(rows([[9.0, -9.0, 9.0, 9.0]] * 500))  # on which the members differ
        until(lambda: prometheus.value('polyculture_instances_total{model="tiny"}') == 500)
        until(lambda: prometheus.value('polyculture_requests_total{code="200"}') == 1)
        until(lambda: prometheus.value('polyculture_disagreement_share{model="tiny"}') == 1)
        (target,) = prometheus.get("targets")["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")
        (group,) = prometheus.get("rules")["groups"]
        assert len(group["rules"]) == rules.count("- alert:")
        until(lambda: {rule["health"] for rule in prometheus.get("rules")["groups"][0]["rules"]} == {"ok"})
        assert all("lastError" not in rule for rule in prometheus.get("rules")["groups"][0]["rules"])
        until(lambda: "PolycultureAlarmDisagreement" in _firing(prometheus))


def _firing(prometheus: Prometheus) -> set[str]:
    """Names of the alerts that fire."""
    return {alert["labels"]["alertname"] for alert in prometheus.get("alerts")["alerts"] if alert["state"] == "firing"}
