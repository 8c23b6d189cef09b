"""Are the workers ours alone: do they stay whatever else the program does, and do they end when they must?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("joblib")

from joblib import Parallel, delayed

from polyculture.errors import TrainingError
from polyculture.training.workers import run_tasks
from polyculture.training.workers.pool import end_pool


def process_id(task: float, shared: object) -> int:
    """The worker that was given this task, which takes so many seconds."""
    time.sleep(task)
    return os.getpid()


def workers(count: int = 2, limit: int = 2) -> set[int]:
    return set(run_tasks(process_id, [0.2] * count, None, "auto", limit))


def test_a_call_of_joblib_by_others_costs_no_new_worker() -> None:
    before = workers()
    assert len(before) == 2
    others = set(Parallel(n_jobs=2)(delayed(os.getpid)() for _ in range(4)))
    assert workers() == before
    assert not others & before


def test_a_call_of_ours_ends_no_worker_of_others() -> None:
    others = Parallel(n_jobs=2)
    before = set(others(delayed(process_id)(0.2, None) for _ in range(2)))
    workers()
    assert set(others(delayed(process_id)(0.2, None) for _ in range(2))) == before


def test_a_list_of_fewer_tasks_ends_no_worker_and_a_lower_limit_does() -> None:
    three = workers(3, 3)
    assert len(three) == 3
    assert workers(2, 3) <= three
    assert workers(3, 3) == three
    two = workers(3, 2)
    assert len(two) == 2
    assert two < three


def test_a_pool_that_was_ended_is_started_anew() -> None:
    before = workers()
    end_pool()
    end_pool()
    assert not workers() & before


def test_a_worker_has_one_thread_and_large_arrays_are_shared_with_it() -> None:
    shared = np.zeros(300_000)
    kinds = list(run_tasks(_kind_and_threads, [0, 1], shared, "auto", 2))
    assert kinds == [("memmap", "1")] * 2


def _kind_and_threads(task: int, shared: object) -> tuple[str, str]:
    return type(shared).__name__, os.environ["OMP_NUM_THREADS"]


def _dies(task: int, shared: object) -> None:
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def test_after_a_worker_was_killed_the_next_call_has_new_workers() -> None:
    before = workers()
    with pytest.raises(TrainingError, match="a worker process died; expected memory enough"):
        list(run_tasks(_dies, [0, 1], None, "auto", 2))
    after = workers()
    assert len(after) == 2
    assert not after & before


def _fails(task: int, shared: object) -> None:
    raise KeyError(task)


def test_the_error_of_a_task_is_raised_and_the_next_call_works() -> None:
    with pytest.raises(KeyError):
        list(run_tasks(_fails, [0, 1], None, "auto", 2))
    assert len(workers()) == 2


def test_results_that_nobody_waits_for_do_not_hold_the_next_call_up() -> None:
    results = run_tasks(process_id, [0.0, 60.0, 60.0], None, "auto", 2)
    next(results)
    start = time.monotonic()
    with pytest.warns(UserWarning, match="2 tasks which were still being processed"):
        results.close()  # type: ignore[attr-defined]
    assert len(workers()) == 2
    assert time.monotonic() - start < 50


SCRIPT = """
import sys
sys.path.insert(0, {here!r})
from test_pool import {function}
from polyculture.training.workers import run_tasks
if __name__ == "__main__":
    print(*set(run_tasks({function}, [.2, .2], None, "auto", 2)))
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no list of processes")
def test_no_worker_is_left_when_the_program_ends() -> None:
    script = SCRIPT.format(here=str(Path(__file__).parent), function="process_id")
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert process.stderr == ""
    pids = process.stdout.split()
    assert len(pids) == 2
    assert not [pid for pid in pids if Path("/proc", pid).exists()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
def test_a_fork_has_workers_of_its_own() -> None:
    script = SCRIPT.format(here=str(Path(__file__).parent), function="process_id") + (
        "    import os, signal\n"
        "    child = os.fork()\n"
        '    pids = set(run_tasks(process_id, [.2, .2], None, "auto", 2))\n'
        "    print(*pids, flush=True)\n"
        "    [os.kill(pid, signal.SIGKILL) for pid in pids if not child]\n"  # os._exit would leave them
        "    os._exit(0) if not child else os.waitpid(child, 0)\n"
    )
    process = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60)
    before, *after = (set(line.split()) for line in process.stdout.splitlines())
    assert before in after
    assert len(set.union(*after)) == 4


def interrupts_blocked(task: float, shared: object) -> bool:
    """Whether the worker that was given this task ignores Ctrl-C for now."""
    time.sleep(task)
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no signal masks")
def test_workers_never_see_ctrl_c_even_the_first_ones_of_a_program() -> None:
    script = SCRIPT.format(here=str(Path(__file__).parent), function="interrupts_blocked")
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert process.stdout == "True\n"
