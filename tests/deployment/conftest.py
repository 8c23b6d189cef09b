"""Databases for the tests of a store: SQLite files, and a PostgreSQL server that the tests start."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

DEADLINE_S = 60.0


def _program(name: str) -> str | None:
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(versions[-1]) if versions else shutil.which(name)


class PostgresServer:
    """A PostgreSQL server of its own, on a port of the system's choice; as an unprivileged user where we are root."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="polyculture-postgres-", dir="/tmp"))
        self.user = "nobody" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://polyculture@127.0.0.1:{self.port}/postgres"
        self.process: subprocess.Popen[bytes] | None = None
        initdb = [str(_program("initdb")), "-D", str(self.folder / "data"), "-U", "polyculture", "-A", "trust", "-N"]
        subprocess.run([*initdb, "--no-locale", "-E", "UTF8"], check=True, capture_output=True, **self._as_user())

    def _as_user(self) -> dict[str, object]:
        return {"user": self.user, "cwd": self.folder} | ({"group": "nogroup"} if self.user else {})

    def start(self) -> None:
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder}
        options |= {"fsync": "off", "shared_buffers": "16MB", "max_connections": 40}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        command = [str(_program("postgres")), "-D", str(self.folder / "data"), *words]
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, **self._as_user())  # type: ignore[call-overload]
        log.close()
        import psycopg

        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """A fast shutdown: connections are cut."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(DEADLINE_S)
            self.process = None

    def new_url(self, name: str) -> str:
        """The URL of a new, empty database."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
        return self.url.replace("/postgres", f"/{name}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL server; tests that need it are skipped where it is not there."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    if _program("initdb") is None or _program("postgres") is None:
        pytest.skip("no PostgreSQL server on this machine")
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new store: once in SQLite, once in PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/answers.sqlite"
    server = request.getfixturevalue("postgres")
    return str(server.new_url(f"store_{time.monotonic_ns()}"))
