"""Which processes train? A pool of this package's own, which other users of joblib in the same program cannot end.

joblib keeps one pool per program: a call with other settings than the last one's ends its workers, and the next one has
to start new ones, which load their libraries again.
"""

from __future__ import annotations

import os
import sys
import threading
from multiprocessing import resource_tracker
from typing import Any

from joblib._memmapping_reducer import TemporaryResourcesManager, get_memmapping_reducers
from joblib._parallel_backends import LokyBackend
from joblib.executor import MemmappingExecutor
from joblib.externals.loky.backend import resource_tracker as loky_tracker

IDLE_SECONDS = 7 * 24 * 3600
"""Seconds that idle workers stay. With loky's own 300 one may leave while new work arrives, and both then wait forever;
workers end with this process anyway."""

_lock = threading.RLock()
_pools: dict[int, Any] = {}
"""The pool of each process that has one: a fork knows the pool of its parent, and cannot use it."""


class WorkerPool(LokyBackend):  # type: ignore[misc]
    """Backend for `joblib.Parallel`: workers with one thread each, which stay for the next call of this package.

    Large arrays are shared with workers through memory-mapped files, as joblib does.
    """

    def __init__(self, limit: int | None = None, nesting_level: int | None = None) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=1)
        self.limit = limit
        """Most workers that may be alive; None for as many as there are jobs at a time."""

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_: object) -> int:
        """Take the workers; they are started where the pool has too few."""
        self.parallel = parallel
        self._workers = _pool(n_jobs, self.limit or n_jobs, self._prepare_worker_env(n_jobs=n_jobs))
        self._workers._temp_folder_manager.register_new_context(parallel._id)
        return n_jobs


def start_trackers() -> None:
    """Start what watches the files and semaphores of workers, if it does not run.

    Whoever starts it unblocks Ctrl-C for itself, so it is started before that is blocked for workers.
    """
    loky_tracker.ensure_running()
    if sys.platform != "win32":
        resource_tracker.ensure_running()


def end_pool() -> None:
    """End the workers of this process, which frees their memory; the next call starts new ones."""
    with _lock:
        pool = _pools.pop(os.getpid(), None)
        if pool is not None:
            pool.shutdown(wait=True)


def _pool(workers: int, limit: int, environment: dict[str, str]) -> Any:
    """The pool with at least so many workers, and at most the limit."""
    with _lock:
        pool = _pools.pop(os.getpid(), None)
        if pool is not None and not (pool._flags.broken or pool._flags.shutdown):
            if pool.queue_size >= workers:
                pool._resize(min(max(workers, pool._max_workers), limit))
                _pools[os.getpid()] = pool
                return pool
            pool.shutdown(wait=True)
        pool = _pools[os.getpid()] = _started(workers, environment)
        return pool


def _started(workers: int, environment: dict[str, str]) -> Any:
    files = TemporaryResourcesManager()
    to_workers, from_workers = get_memmapping_reducers(
        unlink_on_gc_collect=True, temp_folder_resolver=files.resolve_temp_folder_name
    )
    pool = MemmappingExecutor(
        _lock,
        max_workers=workers,
        timeout=IDLE_SECONDS,
        env=environment,
        job_reducers=to_workers,
        result_reducers=from_workers,
    )
    pool._temp_folder_manager = files
    return pool
