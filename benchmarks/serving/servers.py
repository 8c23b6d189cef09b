"""The servers that are compared: how each is installed, started and asked."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
PACKAGES = {
    "mlserver": ["mlserver==1.7.1", "onnxruntime"],
    "litserve": ["litserve", "onnxruntime"],
    "bentoml": ["bentoml", "onnxruntime"],
}
"""What goes into the environment of each peer."""


@dataclass(frozen=True)
class Server:
    """A server to measure.

    Parameters
    ----------
    name : in the table.
    command : from port and bundle to what is started.
    path : of inference.
    package : whose version the table names, and whose environment it runs in; empty for this one.
    """

    name: str
    command: Callable[[int, Path], list[str]]
    path: str
    package: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


def servers(cache: Path) -> list[Server]:
    """Ours, with and without a store, and the peers."""

    def ours(port: int, bundle: Path, *options: str) -> list[str]:
        return [sys.executable, "-m", "polyculture.cli", "serve", str(bundle), "--port", str(port), *options]

    def python(package: str) -> str:
        return str(cache / package / "bin" / "python")

    def mlserver(port: int, _bundle: Path) -> list[str]:
        folder = cache / "mlserver-settings"
        folder.mkdir(exist_ok=True)
        ports = {"host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
        settings = {**ports, "parallel_workers": 0, "debug": False, "logging_settings": None}
        (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        model = {"name": "portfolio", "implementation": "mlserver_runtime.Portfolio"}
        (folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
        return [str(cache / "mlserver" / "bin" / "mlserver"), "start", str(folder)]

    def bentoml(port: int, _bundle: Path) -> list[str]:
        words = ["bentoml_service:Portfolio", "--port", str(port), "--host", "127.0.0.1"]
        return [python("bentoml"), "-m", "bentoml", "serve", *words]

    def kept(port: int, bundle: Path) -> list[str]:
        database = cache / "answers.db"
        for path in cache.glob("answers.db*"):
            path.unlink()
        return ours(port, bundle, "--store", f"sqlite:///{database}")

    def fastapi(port: int, _bundle: Path) -> list[str]:
        return [sys.executable, str(PEERS / "fastapi_server.py"), str(port)]

    def litserve(port: int, _bundle: Path) -> list[str]:
        return [python("litserve"), str(PEERS / "litserve_server.py"), str(port)]

    def unkept(port: int, bundle: Path) -> list[str]:
        return ours(port, bundle, "--no-store")

    infer = "/v2/models/portfolio/infer"
    no_log = "api_server.logging.access.enabled=false"
    quiet = {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_CONFIG_OPTIONS": no_log}
    return [
        Server("polyculture, answers kept in SQLite", kept, infer),
        Server("polyculture, `--no-store`", unkept, infer),
        Server("FastAPI, textbook", fastapi, "/infer"),
        Server("MLServer, `parallel_workers=0`", mlserver, infer, "mlserver"),
        Server(
            "LitServe",
            litserve,
            "/infer",
            "litserve",
        ),
        Server("BentoML", bentoml, "/infer", "bentoml", quiet),
    ]


def install(cache: Path) -> dict[str, str]:
    """The peers' environments, made on the first call; the version of each."""
    versions = {}
    for package, requirements in PACKAGES.items():
        folder = cache / package
        if not (folder / "bin" / "python").exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *requirements], check=True)
        code = f"import importlib.metadata as m; print(m.version({package!r}))"
        done = subprocess.run([str(folder / "bin" / "python"), "-c", code], capture_output=True, text=True, check=True)
        versions[package] = done.stdout.strip()
    return versions


class Running:
    """A server that runs, in a session of its own, until the block ends."""

    def __init__(self, server: Server, bundle: Path, port: int, body: bytes, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}{server.path}"
        self._body, self._log = body, log
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH" or not server.package},
            **{"BENCHMARK_BUNDLE": str(bundle), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            **server.environment,
        }
        if server.package:
            environment["PYTHONPATH"] = str(PEERS)
        self._command, self._environment = server.command(port, bundle), environment
        self.start_seconds = float("nan")

    def __enter__(self) -> Running:
        start = time.perf_counter()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=PEERS,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        while not self._answers():
            if self._process.poll() is not None or time.perf_counter() - start > 90:
                self.__exit__()
                raise SystemExit(f"{' '.join(self._command)} does not answer:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.02)
        self.start_seconds = time.perf_counter() - start
        return self

    def __exit__(self, *_: object) -> None:
        family = descendants(self._process.pid)
        for kind, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            try:
                os.killpg(self._process.pid, kind)
                self._process.wait(patience)
                break
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        for process in family:  # what a server left behind
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _answers(self) -> bool:
        request = urllib.request.Request(self.url, self._body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def probabilities(self) -> list[float]:
        """What it answers."""
        request = urllib.request.Request(self.url, self._body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as response:
            outputs = json.loads(response.read())["outputs"]
        return list(next(output["data"] for output in outputs if output["name"] in ("combined", "probabilities")))

    @property
    def megabytes(self) -> float:
        """Proportional memory of all its processes."""
        total = 0
        for process in [self._process.pid, *descendants(self._process.pid)]:
            with contextlib.suppress(OSError, StopIteration):
                rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
                total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        return total / 1024


def descendants(process: int) -> list[int]:
    """Processes that this one started, and those that they started."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    tree, level = [], [process]
    while level:
        level = [child for parent in level for child in children.get(parent, [])]
        tree += level
    return tree
