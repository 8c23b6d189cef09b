"""Answers per second of this server and of others, all in one run: python -m benchmarks.serving

Five members of one bundle, one instance per request, JSON, one worker per server (LitServe and BentoML start further
processes of their own), 1 and 32 connections of wrk on the same machine. Peers are installed into environments of their
own, below --cache, on the first run. Every server has to give the same answer. Prints rows for benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .bundles import expected_answer, make_bundles, request_body
from .servers import Running, Server, install, servers

LUA = Path(__file__).parent / "post.lua"
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Load:
    """What wrk measured: requests per second, latencies in ms, requests that were not answered with success."""

    rate: float
    p50: float
    p99: float
    failed: int


def load(url: str, body: Path, connections: int, seconds: int) -> Load:
    """So many connections that ask for so long."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(LUA), url, "--", str(body)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])  # type: ignore[index]
    latencies = dict(re.findall(r"^\s+(50|99)%\s+(\S+)", text, re.M))
    p50, p99 = (milliseconds(latencies[key]) for key in ("50", "99"))
    failures = re.findall(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    return Load(rate, p50, p99, sum(map(int, failures)) + sum(map(int, errors.groups() if errors else ())))


def milliseconds(text: str) -> float:
    """A time as wrk prints it."""
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()  # type: ignore[union-attr]
    return float(number) * UNITS[unit]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "polyculture-serving"
    parser.add_argument("--cache", type=Path, default=default, help="environments of the peers, and the bundles")
    parser.add_argument("--seconds", type=int, default=7, help="of each measurement")
    parser.add_argument("--only", default="", help="part of a server's name")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed (Debian: apt install wrk)")
    cache = arguments.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    versions = install(cache)
    bundles = make_bundles(cache)
    print(f"load before: {os.getloadavg()[0]:.1f}; {', '.join(f'{k} {v}' for k, v in versions.items())}")
    print("| members | server | start s | MB | req/s, c=1 | p50 ms | p99 ms | req/s, c=32 | p50 ms | p99 ms | failed |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    port = 18200
    for members, bundle in bundles.items():
        for server in servers(cache):
            port += 10
            if arguments.only.lower() in server.name.lower():
                measure(members, bundle, server, port, arguments.seconds)


def measure(members: str, bundle: Path, server: Server, port: int, seconds: int) -> None:
    """One row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        body = request_body(bundle, Path(folder) / "body.json")
        with Running(server, bundle, port, body.read_bytes(), Path(folder) / "log") as running:
            difference = np.abs(np.array(running.probabilities()) - expected_answer(bundle, body)).max()
            if difference > 1e-4:
                raise SystemExit(f"{server.name} answers otherwise, by {difference:.3g}")
            load(running.url, body, 8, 1)  # warm
            one, many = (load(running.url, body, connections, seconds) for connections in (1, 32))
            cells = [f"{running.start_seconds:.1f}", f"{running.megabytes:.0f}"]
            for result in (one, many):
                cells += [f"{result.rate:,.0f}", f"{result.p50:.2f}", f"{result.p99:.1f}"]
            cells.append(str(one.failed + many.failed))
    print(f"| {members} | {server.name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
