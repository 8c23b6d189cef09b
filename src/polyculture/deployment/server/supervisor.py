"""How is a server started? In this process, or in several that share its socket and are started again when they end."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from polyculture.errors import FileError, PolycultureError, need, visible

from .options import ServerOptions

log = logging.getLogger("polyculture.serve")

PACKAGES = ("fastapi", "uvicorn", "uvloop", "httptools", "orjson", "onnxruntime", "prometheus_client")
SHORT_LIFE = 2.0
"""Seconds: a worker that ends sooner has a fault that starting it again does not cure."""
MOST_FAILURES = 3
_FAULT = "-"
"""Before the reason why a worker cannot start; before other news its number."""


def serve(bundle: str | Path, options: ServerOptions | None = None, **changes: object) -> int:
    """Serve a bundle by the Open Inference Protocol until a signal to stop comes.

    Parameters
    ----------
    bundle : folder that `export` wrote, or a folder of such folders with a pointer, ``current``, to one of them.
    options : how it is served.
    changes : options in place of `options`.

    Returns the exit code: 0 after a signal to stop, 1 where workers ended by themselves. Raises InputError for options
    that cannot be used, FileError for a bundle that cannot be served, MissingExtraError without the extra ``serve``.

    Examples
    --------
    >>> try:
    ...     pc.serve("no-such-bundle", port=0)
    ... except pc.FileError as error:
    ...     print(error)
    no such folder: no-such-bundle; expected the folder that export wrote; check the path.
    """
    for package in PACKAGES:
        need(package, extra="serve")
    options = options or ServerOptions(**changes)  # type: ignore[arg-type]
    if options.grpc_port is not None:
        need("grpc", "google.protobuf", extra="grpc")
    path = Path(bundle)
    if not path.is_dir():
        raise FileError(f"no such folder: {bundle}", "the folder that export wrote", "check the path")
    listening = listening_socket(options.host, options.port)
    port = _grpc_port(options)
    if options.workers == 1:
        return _serve_here(path, options, listening, port)
    return _Supervisor(path, options, listening, port).run()


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket at this address; FileError where it cannot be had."""
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, _, _, _, address = min(places, key=lambda place: place[0] != socket.AF_INET)  # localhost is 127.0.0.1
        return socket.create_server((str(address[0]), port), family=family, backlog=2048)
    except OSError as error:
        wrong = f"cannot listen at {host}:{port}: {os.strerror(error.errno) if error.errno else error}"
        raise FileError(wrong, "an address of this machine and a port that is not in use", "give --port") from error


def _grpc_port(options: ServerOptions) -> int | None:
    """The port of gRPC, tried: 0 becomes one that is not in use."""
    if options.grpc_port is None:
        return None
    with listening_socket(options.host, options.grpc_port) as trial:
        return int(trial.getsockname()[1])


def _address(options: ServerOptions, listening: socket.socket, grpc_port: int | None) -> str:
    scheme = "https" if options.tls_cert else "http"
    host, port = listening.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}:{port}" + (f" and gRPC at {host}:{grpc_port}" if grpc_port is not None else "")


def _say(text: str) -> None:
    print("polyculture:", visible(text), file=sys.stderr, flush=True)


def _serve_here(path: Path, options: ServerOptions, listening: socket.socket, grpc_port: int | None) -> int:
    from .process import ProcessPlace, run_process

    address = _address(options, listening, grpc_port)
    place = ProcessPlace([listening], grpc_port=grpc_port)
    run_process(path, options, place, lambda sentence: _say(f"{sentence} at {address}"))
    return 0


class _Supervisor:
    """Keeps workers running. It loads no model and answers nothing, so that nothing can happen to it."""

    def __init__(self, path: Path, options: ServerOptions, listening: socket.socket, grpc_port: int | None) -> None:
        self._path, self._options, self._socket, self._grpc_port = path, options, listening, grpc_port
        self._workers: dict[int, tuple[int, float]] = {}
        self._started: set[int] = set()
        self._failures = 0
        self._stopping = False
        self._fault = ""
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._shared = Path(tempfile.mkdtemp(prefix="polyculture-serve-"))

    def run(self) -> int:
        """Start the workers, and start them again, until a signal to stop comes."""
        numbers = self._shared / "metrics"
        numbers.mkdir()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(numbers)
        handlers = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            for number in range(1, self._options.workers + 1):
                self._start(number)
            return self._watch()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
            shutil.rmtree(self._shared, ignore_errors=True)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        for worker in list(self._workers):
            _signal(worker, signal.SIGTERM)

    def _start(self, number: int) -> None:
        parent = os.getpid()
        worker = os.fork()
        if worker == 0:
            os._exit(self._work(number, parent))
        self._workers[worker] = (number, time.monotonic())

    def _work(self, number: int, parent: int) -> int:
        """What a worker does; its exit code."""
        for received in (signal.SIGTERM, signal.SIGINT):
            signal.signal(received, signal.SIG_DFL)
        try:
            from .process import ProcessPlace, run_process

            place = ProcessPlace([self._socket], number, self._options.workers, self._grpc_port, self._shared, parent)
            run_process(self._path, self._options, place, self._announce(number))
        except PolycultureError as error:
            os.write(self._writer, f"{_FAULT} {visible(str(error))}\n".encode())
            return 2
        except Exception as error:
            _say(f"worker {number}: {type(error).__name__}: {error}")
            return 1
        return 0

    def _announce(self, number: int) -> Callable[[str], None]:
        def announce(sentence: str) -> None:
            os.write(self._writer, f"{number} {sentence}\n".encode())

        return announce

    def _watch(self) -> int:
        """Wait for workers to start and to end; the exit code of the server."""
        code = 0
        while self._workers:
            time.sleep(0.05)
            self._hear()
            try:
                worker, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if worker in self._workers:
                code = max(code, self._ended(worker, status))
        return code

    def _hear(self) -> None:
        """Say once that all workers answer."""
        try:
            lines = os.read(self._reader, 65_536).decode().splitlines()
        except BlockingIOError:
            return
        complete = len(self._started) == self._options.workers
        for line in dict.fromkeys(line for line in lines if line.startswith(_FAULT)):
            if line != self._fault:
                _say(line.split(" ", 1)[1])
            self._fault = line
        lines = [line for line in lines if not line.startswith(_FAULT)]
        self._started |= {int(line.split(" ", 1)[0]) for line in lines}
        if lines and len(self._started) == self._options.workers and not complete:
            sentence = lines[-1].split(" ", 1)[1]
            address = _address(self._options, self._socket, self._grpc_port)
            _say(f"{sentence} at {address}, {self._options.workers} workers")

    def _ended(self, worker: int, status: int) -> int:
        """Start a worker again that has ended by itself; the exit code that the server owes to it."""
        self._hear()
        number, start = self._workers.pop(worker)
        _forget_metrics(self._shared / "metrics", worker)
        if self._stopping:
            return 0
        code = os.waitstatus_to_exitcode(status)
        reason = f"by signal {-code}" if code < 0 else f"with code {code}"
        if code == 2 and number not in self._started:  # the bundle or an option cannot be used
            self._stop()
            return 2
        self._failures = self._failures + 1 if time.monotonic() - start < SHORT_LIFE else 0
        if self._failures > MOST_FAILURES:
            _say(f"worker {number} ended {reason}, again and again; the server stops")
            self._stop()
            return 1
        _say(f"worker {number} ended {reason}; it is started again")
        self._start(number)
        return 0


def _signal(worker: int, number: int) -> None:
    try:
        os.kill(worker, number)
    except ProcessLookupError:
        return


def _forget_metrics(folder: Path, worker: int) -> None:
    """Remove the gauges of a worker that has ended; its counters stay."""
    for path in folder.glob(f"gauge_live*_{worker}.db"):
        path.unlink(missing_ok=True)
