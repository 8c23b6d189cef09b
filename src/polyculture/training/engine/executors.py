"""Where are the jobs run? In this process, in a pool of processes with one thread each, or on many machines.

The choice changes no number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..workers import check_engine as check_engine
from ..workers import count_workers as count_workers
from ..workers import run_tasks
from .jobs import Job, JobReport, RunContext, do


def run_jobs(jobs: Sequence[Job], run: RunContext, engine: str, workers: int) -> Iterator[JobReport]:
    """The report of each job as soon as it is finished; jobs are started in this order.

    TrainingError if a worker dies. A Ray that this process is connected to is used and left running; its machines must
    all see the folder.
    """
    return run_tasks(do, jobs, replace(run, started_by=None) if engine == "ray" else run, engine, workers)
