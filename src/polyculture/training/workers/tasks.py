"""Where are tasks run? In this process, in a pool of processes with one thread each, or on many machines.

The choice changes no number.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from polyculture.errors import InputError, TrainingError, near, need

ENGINES = ("auto", "ray")
RAY_WORKERS = 2
"""Default number of processes of a Ray that is started here."""

Result = TypeVar("Result")


def check_engine(engine: str, workers: int | None, seconds: float | None = None) -> None:
    """Refuse an unknown engine, one that is not installed, fewer workers than one, and a time limit of 0."""
    if engine not in ENGINES:
        raise InputError(f"no engine {engine!r}", f"one of {', '.join(ENGINES)}", near(engine, ENGINES))
    if workers is not None and workers < 1:
        raise InputError(f"{workers} workers", "1 or more")
    if seconds is not None and not seconds > 0:
        raise InputError(f"{seconds} seconds", "more than 0")
    if engine == "ray":
        need("ray", extra="ray")


def count_workers(engine: str, workers: int | None) -> int:
    """Number of jobs run at a time; by default the number of cores, here or in the cluster."""
    if engine == "ray":
        import ray

        if ray.is_initialized():
            return workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        return workers or RAY_WORKERS
    from joblib import cpu_count

    return workers or int(cpu_count())


def run_tasks(
    function: Callable[[Any, Any], Result], tasks: Sequence[Any], shared: Any, engine: str, workers: int
) -> Iterator[Result]:
    """The result of a function of each task and of what all tasks share, as soon as it is finished."""
    if engine == "ray":
        return _on_ray(function, tasks, shared, workers)
    return _on_this_machine(function, tasks, shared, workers)


def _on_this_machine(
    function: Callable[[Any, Any], Result], tasks: Sequence[Any], shared: Any, workers: int
) -> Iterator[Result]:
    jobs = min(workers, len(tasks))
    if jobs <= 1:
        yield from (function(task, shared) for task in tasks)
        return
    from joblib import Parallel, delayed

    from .pool import WorkerPool, start_trackers

    pool = Parallel(
        n_jobs=jobs, backend=WorkerPool(workers), batch_size=1, pre_dispatch="all", return_as="generator_unordered"
    )
    start_trackers()
    try:
        with _without_interrupts():
            results = pool(delayed(function)(task, shared) for task in tasks)
        yield from results
    except BrokenProcessPool as error:
        raise _worker_died() from error


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes that start in here never see Ctrl-C, which would end them with a traceback: their parent ends them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextlib.contextmanager
def engine_session(engine: str, workers: int) -> Iterator[None]:
    """Inside, a Ray that has to be started is started once, not for each list of tasks."""
    if engine != "ray":
        yield
        return
    import ray

    started = not ray.is_initialized()
    if started:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        yield
    finally:
        if started:
            ray.shutdown()


def _on_ray(
    function: Callable[[Any, Any], Result], tasks: Sequence[Any], shared: Any, workers: int
) -> Iterator[Result]:
    import ray

    with engine_session("ray", workers):
        try:
            task, reference = ray.remote(max_retries=0)(function), ray.put(shared)
            waiting = [task.remote(job, reference) for job in tasks]
            while waiting:
                finished, waiting = ray.wait(waiting)
                yield ray.get(finished[0])
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            raise _worker_died() from error


def _worker_died() -> TrainingError:
    return TrainingError(
        "a worker process died", "memory enough for all of them", "use fewer workers; finished models are kept"
    )
