"""Where is the work done? In this process, or on many machines with Ray: a map over shards, and a sum.

The sums that travel are whole numbers or exact, so the number of workers and the order of their answers change nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

from polyculture.errors import InputError, MissingExtraError, near
from polyculture.predictions import Predictions

Shards = Sequence[Iterable[Predictions]]
"""Parts of one table, each of which can be iterated repeatedly and sent to another process (pickle)."""

ShardSum = Callable[[Callable[[Predictions], Any]], Any]
"""The sum of a job over all chunks of all shards; a job is a module-level function or a `functools.partial` of one."""

ENGINES = ("local", "ray")
WORKERS = 2
"""Processes of a Ray cluster that this process starts."""


@contextmanager
def summing(shards: Shards, engine: str = "local", workers: int | None = None) -> Iterator[ShardSum]:
    """A function that adds up a job over all chunks, while the engine runs.

    Parameters
    ----------
    engine : ``"local"``, shard after shard (each step uses all cores), or ``"ray"``: the cluster that this process is
        connected to, whose machines must all see the files; else one that is started and stopped at the end.
    workers : parallel tasks with Ray (default: the cores of the cluster, or two processes of a new one).

    Raises InputError for another engine and MissingExtraError where Ray is not installed.
    """
    if engine not in ENGINES:
        raise InputError(f"no engine {engine!r}", f"one of {', '.join(ENGINES)}", near(engine, ENGINES))
    if workers is not None and workers < 1:
        raise InputError(f"{workers} workers", "one or more")
    if engine == "local":
        yield lambda job: _total(job, shards)
        return
    try:
        import ray
    except ModuleNotFoundError:
        raise MissingExtraError("ray", "ray") from None
    started = not ray.is_initialized()
    if started:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(num_cpus=workers or WORKERS, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        tasks = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        ends = [len(shards) * k // tasks for k in range(tasks + 1)]
        groups = [list(shards[i:j]) for i, j in pairwise(ends) if i < j]
        task = ray.remote(_total)
        yield lambda job: reduce(add, map(ray.get, [task.remote(job, group) for group in groups]))
    finally:
        if started:
            ray.shutdown()


def _total(job: Callable[[Predictions], Any], shards: Shards) -> Any:
    return reduce(add, (job(chunk) for shard in shards for chunk in shard))
