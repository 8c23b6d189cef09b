"""Where are the jobs done? In this process, in a warm pool of processes with one thread each, or on many machines.

Which of them does a job changes no number of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

from polyculture.errors import InputError, MissingExtraError, TrainingError, near

from .jobs import Job, RunContext, do

ENGINES = ("auto", "ray")
WARM = 7 * 24 * 3600
"""Seconds that idle workers stay. With loky's own 300 one may leave while new work comes, and both then wait for ever;
workers end with this process anyway."""
RAY_WORKERS = 2
"""Processes of a Ray that is started here, if nobody says how many."""

Said = list[tuple[str, str]]
"""Id of each model of a job, and the reason why it failed (empty if it did not)."""


def check_engine(engine: str, workers: int | None, seconds: float | None = None) -> None:
    """Refuse an unknown engine, one that is not installed, fewer workers than one, and no time for a model."""
    if engine not in ENGINES:
        raise InputError(f"no engine {engine!r}", f"one of {', '.join(ENGINES)}", near(engine, ENGINES))
    if workers is not None and workers < 1:
        raise InputError(f"{workers} workers", "1 or more")
    if seconds is not None and not seconds > 0:
        raise InputError(f"{seconds} seconds", "more than 0")
    if engine == "ray":
        try:
            import ray  # noqa: F401
        except ModuleNotFoundError:
            raise MissingExtraError("ray", "ray") from None


def count_workers(engine: str, workers: int | None) -> int:
    """How many jobs are done at a time: as many as there are cores, here or in the cluster, if nobody says."""
    if engine == "ray":
        import ray

        if ray.is_initialized():
            return workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        return workers or RAY_WORKERS
    from joblib import cpu_count

    return workers or int(cpu_count())


def done(jobs: Sequence[Job], workshop: RunContext, engine: str, workers: int) -> Iterator[Said]:
    """What each job says, as they are done; they are begun in the order given.

    TrainingError if a worker dies. A Ray that this process is connected to is used and left running; its machines must
    all see the folder.
    """
    if engine == "ray":
        return _on_ray(jobs, replace(workshop, started_by=None), workers)
    return _here(jobs, workshop, min(workers, len(jobs)))


def _here(jobs: Sequence[Job], workshop: RunContext, workers: int) -> Iterator[Said]:
    if workers <= 1:
        yield from (do(job, workshop) for job in jobs)
        return
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(backend="loky", inner_max_num_threads=1, idle_worker_timeout=WARM):
        pool = Parallel(n_jobs=workers, batch_size=1, pre_dispatch="all", return_as="generator_unordered")
        try:
            yield from pool(delayed(do)(job, workshop) for job in jobs)
        except BrokenProcessPool as error:
            raise _died() from error


def _on_ray(jobs: Sequence[Job], workshop: RunContext, workers: int) -> Iterator[Said]:
    import ray

    started = not ray.is_initialized()
    if started:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        task, shared = ray.remote(max_retries=0)(do), ray.put(workshop)
        waiting = [task.remote(job, shared) for job in jobs]
        while waiting:
            ready, waiting = ray.wait(waiting)
            yield ray.get(ready[0])
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise _died() from error
    finally:
        if started:
            ray.shutdown()


def _died() -> TrainingError:
    return TrainingError(
        "a worker process died", "memory enough for all of them", "use fewer workers; what is done is kept"
    )
