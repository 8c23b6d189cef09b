"""A server in a process of its own, on ports of the system's choice, and a client that hides nothing."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEADLINE = 60.0
"""Seconds that anything may take on a busy machine."""
SOURCE = Path(__file__).resolve().parents[2] / "src"


@dataclass
class Answer:
    """A response: status, headers with lower-case names, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The sentence of a refusal."""
        return str(self.json["error"])


@dataclass
class RunningServer:
    """A server process and what it wrote."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    port: int = 0
    grpc_port: int = 0

    def ask(self, method: str, path: str, body: bytes | str = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            pairs = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, pairs, response.read())
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """A GET request."""
        return self.ask("GET", path, headers=headers)

    def infer(self, document: Any, headers: Mapping[str, str] | None = None, model: str = "tiny") -> Answer:
        """An inference request; a document is written as JSON, bytes go as they are."""
        body = document if isinstance(document, (bytes, str)) else json.dumps(document)
        return self.ask("POST", f"/v2/models/{model}/infer", body, headers)

    def wait_for(self, pattern: str) -> str:
        """The first line of its log in which the pattern is found."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            for line in list(self.lines):
                if re.search(pattern, line):
                    return line
            time.sleep(0.02)
        raise AssertionError(f"no line with {pattern!r} in {self.lines}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop it; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    @property
    def log(self) -> str:
        """All that it wrote."""
        return "\n".join(self.lines)


@contextlib.contextmanager
def running(bundle: Path, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[RunningServer]:
    """A server of this bundle; without a store unless the options name one."""
    store = () if any(option.startswith(("--store", "--no-store")) for option in options) else ("--no-store",)
    command = [sys.executable, "-m", "polyculture.cli", "serve", str(bundle), "--port", "0", *store, *options]
    variables = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", **(environment or {})}
    process = subprocess.Popen(
        command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=bundle.parent
    )
    server = RunningServer(process)
    assert process.stderr is not None
    reader = threading.Thread(target=_read, args=(process.stderr, server.lines), daemon=True)
    reader.start()
    try:
        match = re.search(r"https?://[^ ]*?:(\d+)(?: and gRPC at .*?:(\d+))?", server.wait_for(r"https?://"))
        assert match is not None
        server.port, server.grpc_port = int(match[1]), int(match[2] or 0)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(DEADLINE)
        reader.join(DEADLINE)
        process.stderr.close()


def _read(stream: Any, lines: list[str]) -> None:
    lines.extend(line.rstrip("\n") for line in stream)


def rows(values: Any, datatype: str = "FP32", name: str = "input") -> dict[str, Any]:
    """A request with one tensor, flat, from nested rows."""
    shape: list[int] = []
    cells = values
    while isinstance(cells, Sequence) and not isinstance(cells, (str, bytes)):
        shape.append(len(cells))
        cells = cells[0] if cells else None
    flat = values
    for _ in shape[1:]:
        flat = [cell for row in flat for cell in row]
    return {"inputs": [{"name": name, "shape": shape, "datatype": datatype, "data": list(flat)}]}


def send_raw(port: int, content: bytes) -> bytes:
    """What a server answers to bytes that may be no HTTP at all."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
        chunks = []
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65_536):
                chunks.append(chunk)
    return b"".join(chunks)
