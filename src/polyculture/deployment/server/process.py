"""How does one process of a server begin and end?"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import resource
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from polyculture.errors import visible

from .archive import AnswerArchive
from .colleagues import Colleagues
from .engine import Engine, freeze_memory
from .options import ServerOptions
from .recording import Recorder
from .refusals import sentence
from .rest.application import Application
from .rest.connections import DrainingServer, settings
from .rest.routes import make_routes
from .service import Service
from .shadow import Challenger
from .switching import BundleSwitch, current_bundle

log = logging.getLogger("polyculture.serve")

LABELS, LOOK = 2.0, 1.0
"""Seconds between two looks for labels in the store; with several workers also for what the others have answered."""
FLUSH, REFRESH = 0.5, 10
"""Seconds between two updates of the counters of a worker among others; how many of them until the watch is asked."""


@dataclass(frozen=True)
class ProcessPlace:
    """Which of the processes of a server this one is.

    Parameters
    ----------
    sockets : where it listens; shared by all.
    number, count : of the process, from 1, and of all.
    grpc_port : where gRPC is answered; None for nowhere.
    shared : folder that all share; None where there is one process only.
    parent : process that supervises it; 0 for none.
    """

    sockets: Sequence[socket.socket]
    number: int = 1
    count: int = 1
    grpc_port: int | None = None
    shared: Path | None = None
    parent: int = 0


class OneLineFormatter(logging.Formatter):
    """One line for each event, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            message = f"{message.strip()}: {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        return f"polyculture: {visible(' '.join(message.split()))}"


def log_to_stderr() -> None:
    """Events of the server, warnings of uvicorn and of the store, one line each."""
    channel = logging.StreamHandler(sys.stderr)
    channel.setFormatter(OneLineFormatter())
    logging.getLogger("polyculture").handlers = [channel]
    logging.getLogger("polyculture").setLevel(logging.INFO)
    logging.captureWarnings(True)
    for name in ("uvicorn.error", "asyncio", "grpc", "py.warnings"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [channel], False
        logger.setLevel(logging.WARNING if name == "py.warnings" else logging.ERROR)


def run_process(path: Path, options: ServerOptions, place: ProcessPlace, started: Callable[[str], None]) -> None:
    """Serve until a signal to stop comes.

    Parameters
    ----------
    path : the bundle, or a folder with a pointer.
    started : called with a sentence once requests are answered.

    Raises FileError for a bundle that cannot be served.
    """
    import uvloop

    log_to_stderr()
    _allow_many_files()
    switch = BundleSwitch(path, place.shared)
    engine = Engine.load(switch.first(), options.max_batch)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(engine, options, place, switch, started))


async def _serve(
    engine: Engine, options: ServerOptions, place: ProcessPlace, switch: BundleSwitch, started: Callable[[str], None]
) -> None:
    service = _make_service(engine, options, place)

    async def swap(path: Path) -> str:
        version = await service.swap(current_bundle(path))
        switch.tell(path)
        return version

    application = Application(service, make_routes(service, swap))
    server = DrainingServer(settings(application, service), service)
    application.tasks = server.server_state.tasks
    grpc_server = None
    if place.grpc_port is not None:
        from .grpc_api.server import start_grpc

        grpc_server = await start_grpc(service, place.grpc_port, place.count > 1)
    running = [switch.follow(service.swap), *_chores(service, server, place)]
    chores = [asyncio.create_task(chore) for chore in running]
    freeze_memory()
    started(f"serving {service.name} {service.version}")
    try:
        await server.serve(list(place.sockets))
    finally:
        for chore in chores:
            chore.cancel()
        if grpc_server is not None:
            await grpc_server.stop(options.timeout)
        service.close()


def _make_service(engine: Engine, options: ServerOptions, place: ProcessPlace) -> Service:
    if place.number > 1:  # one worker deletes for all: two that count at the same time would delete too much
        options = replace(options, keep_days=None, keep_rows=None)
    colleagues = None
    if place.count > 1 and place.shared is not None and options.store is not None:
        colleagues = Colleagues(place.shared, place.number)
    archive = AnswerArchive(options, engine.bundle, colleagues)
    challenger = None
    if options.shadow is not None:
        recorder = Recorder(archive.sinks, options.keep_inputs)
        challenger = Challenger.load(current_bundle(options.shadow), options.max_batch, recorder)
        archive.name(challenger.engine.bundle)
    service = Service(engine, options, archive, challenger)
    service.scope = f"worker {place.number} of {place.count}" if place.count > 1 and colleagues is None else ""
    archive.tell(service.report())
    return service


def _chores(service: Service, server: DrainingServer, place: ProcessPlace) -> list[Coroutine[Any, Any, None]]:
    """What is done again and again while the server runs."""
    options, turns = service.options, itertools.count()

    async def follow() -> None:
        await asyncio.to_thread(service.follow)

    async def write_numbers() -> None:
        service.flush_metrics()
        if next(turns) % REFRESH == 0:
            await asyncio.to_thread(service.refresh_metrics)

    async def look_around() -> None:
        server.close_slow_connections(options.timeout)
        if place.parent and os.getppid() != place.parent and not service.draining:
            log.error("the supervisor of worker %d is gone; it stops", place.number)
            server.stop()

    chores = [_repeat(min(1.0, options.timeout / 4), look_around)]
    chores += [_repeat(LOOK if place.count > 1 else LABELS, follow)] if options.store is not None else []
    chores += [_repeat(FLUSH, write_numbers)] if place.count > 1 else []  # another worker may be asked for them
    return chores


async def _repeat(seconds: float, chore: Callable[[], Awaitable[None]]) -> None:
    """Do a chore every so many seconds; one that fails is reported once, and done again all the same."""
    fault = ""
    while True:
        await asyncio.sleep(seconds)
        try:
            await chore()
            fault = ""
        except Exception as error:
            text = f"{type(error).__name__}: {sentence(error)}"
            if text != fault:
                log.error("a chore of the server failed: %s", text)
            fault = text


def _allow_many_files() -> None:
    """Each connection is an open file: take as many as the system gives."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    except (ValueError, OSError):
        log.debug("the number of open files stays as it is")
