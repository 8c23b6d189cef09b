"""Why do numbers not depend on the number of cores? Training and prediction run in one thread, deterministically."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


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
