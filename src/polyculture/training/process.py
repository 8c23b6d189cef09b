"""How do training's processes behave? Each keeps to one thread, and leaves with the one that started it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread and deterministic kernels inside, so that numbers do not depend on how many cores there are."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        torch = sys.modules.get("torch")
        if torch is None:
            yield
            return
        threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(deterministic)


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
