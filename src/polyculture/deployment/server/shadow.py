"""What would a challenger have answered? Asked after the answer is given, by a thread; its answers are kept."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from pathlib import Path

from .engine import Engine
from .recording import RecordedRequest, Recorder
from .refusals import sentence

log = logging.getLogger("polyculture.serve")

MOST_BATCHES = 64
"""Batches that wait for the challenger; more are left out, so that it never holds anybody up."""


class Challenger:
    """A bundle whose answers are kept, and not given out.

    Parameters
    ----------
    engine : the bundle, loaded.
    recorder : who gets its records.
    """

    def __init__(self, engine: Engine, recorder: Recorder) -> None:
        self.engine, self._recorder = engine, recorder
        self.answered = self.omitted = 0
        self._batches: queue.Queue[Sequence[RecordedRequest] | None] = queue.Queue(MOST_BATCHES)
        threading.Thread(target=self._work, name="challenger", daemon=True).start()

    @classmethod
    def load(cls, path: Path, max_rows: int, recorder: Recorder) -> Challenger:
        """The challenger in a folder; FileError says why it cannot be served."""
        return cls(Engine.load(path, max_rows), recorder)

    @property
    def version(self) -> str:
        """Of the bundle."""
        return self.engine.manifest.version

    def submit(self, requests: Sequence[RecordedRequest]) -> None:
        """Ask it, too, unless it is far behind."""
        try:
            self._batches.put_nowait(requests)
        except queue.Full:
            self.omitted += sum(request.rows for request in requests)

    def _work(self) -> None:
        with asyncio.Runner() as runner:
            while (requests := self._batches.get()) is not None:
                try:
                    tensors = [request.tensors for request in requests]
                    scattered = self.engine.scattered is not None
                    results = runner.run(self.engine.gather(tensors)) if scattered else self.engine.compute(tensors)
                    self._recorder.record(requests, results, shadow=True)
                    self.answered += sum(request.rows for request in requests)
                except Exception as error:  # the thread must go on
                    log.error("the challenger cannot answer: %s: %s", type(error).__name__, sentence(error))

    def close(self) -> None:
        """Let the thread go."""
        try:
            self._batches.put_nowait(None)
        except queue.Full:
            log.info("the challenger leaves %d batches unanswered", self._batches.qsize())
