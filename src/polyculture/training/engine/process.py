"""How do training's processes behave? Each keeps to one thread and to its time, and leaves with who started it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from polyculture.errors import TrainingError

TOO_LATE = ("a fit within the limit", "allow more seconds or train for fewer epochs")


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread and deterministic kernels inside, so that numbers do not depend on how many cores there are."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        torch = sys.modules.get("torch")
        if torch is None:
            yield
            return
        if gpu := torch.cuda.is_available():
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # so that cuBLAS has deterministic kernels
        threads, deterministic = torch.get_num_threads(), torch.get_deterministic_debug_mode()
        fills = torch.utils.deterministic.fill_uninitialized_memory
        torch.set_num_threads(1)
        # not torch.use_deterministic_algorithms, which loads torch's compiler: a second, even where no net learns
        torch.set_deterministic_debug_mode("warn" if gpu else "error")
        torch.utils.deterministic.fill_uninitialized_memory = False  # costs a tenth of the time and changes no number
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.set_deterministic_debug_mode(deterministic)
            torch.utils.deterministic.fill_uninitialized_memory = fills


@contextmanager
def at_most(seconds: float | None) -> Iterator[None]:
    """A TrainingError as soon as more seconds have passed inside than that; None for no limit.

    It comes between two steps of Python: one long call into compiled code is waited for. Outside the main thread, and
    where the system has no timers, there is no limit here, and nets alone keep theirs.
    """
    timers = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if seconds is None or not timers:
        yield
        return

    def late(*_: object) -> None:
        raise TrainingError(f"not done after {seconds:g} seconds", *TOO_LATE)

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@cache
def leave_with_parent(parent: int) -> None:
    """End this process within a second of the death of the one that started it.

    A worker whose parent was killed would otherwise wait for work for ever.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
