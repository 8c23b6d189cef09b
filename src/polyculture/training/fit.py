"""How are many recipes trained? In a pool of processes, longest first, each model kept as soon as it is there."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from polyculture.dataset import Dataset
from polyculture.errors import InputError, PolycultureError, TrainingError, near
from polyculture.population import Population
from polyculture.recipe import Recipe

from .architectures import ARCHITECTURES, Architecture
from .data import DATA
from .extra import need
from .folder import load_population, open_folder, read_records, write_model
from .problems import Problem
from .process import leave_with_parent

OBJECTIVES = ("cross-entropy",)
PRETRAINING = ("none",)

SLOWEST_FIRST = ("lstm", "transformer", "lenet", "mlp", "boosting", "forest", "svm", "logistic", "knn")
"""Architectures by how long one takes, so that no long job is left for the end; unlisted ones go before all."""

Progress = Callable[[int, int, str], None]
"""Called with models done, models in all, and what was done last."""


def train(
    recipes: Sequence[Recipe],
    problem: Problem,
    folder: Path | None = None,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Population:
    """The trained models, in the order of the recipes; those that could not be trained are in `Population.failed`.

    Numbers depend on the recipes and the problem only, not on the number of workers nor on what was interrupted.

    Parameters
    ----------
    recipes : what to train, each once.
    problem : what to learn; only its training set is looked at.
    folder : where models are kept, one subfolder each. Those already there are not fitted again, so an interrupted
        run is resumed by the same call. None keeps nothing.
    workers : processes, each with one thread; None for one per core, 1 for none besides this one.
    progress : called when a model is done.

    Raises InputError for unknown names or a folder made for another problem, before anything is trained; FileError
    for a folder that cannot be written; TrainingError if no model could be trained or a worker died.
    """
    _check(recipes, workers)
    need("torch", "sklearn", "safetensors", "skops")
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="polyculture-") as temporary:
            return _train(recipes, problem, Path(temporary), workers, progress)
    return _train(recipes, problem, folder, workers, progress)


def _train(
    recipes: Sequence[Recipe], problem: Problem, folder: Path, workers: int | None, progress: Progress | None
) -> Population:
    open_folder(folder)
    records = read_records(folder, problem)
    pending = [recipe for recipe in recipes if records.get(recipe.id, {"failed": "new"})["failed"]]
    done = len(recipes) - len(pending)
    if progress:
        progress(done, len(recipes), f"{done} found in {folder}" if done else "starting")
    reasons = []
    for name, reason in _fit_all(pending, problem, folder, workers):
        done += 1
        reasons += [f"{name}: {reason}"] if reason else []
        if progress:
            progress(done, len(recipes), f"{name} failed: {reason}" if reason else name)
    if len(reasons) == len(recipes):
        raise TrainingError("no model could be trained", "one or more", f"the first failed so: {reasons[0]}")
    return load_population(folder, problem, recipes)


def _fit_all(
    recipes: Sequence[Recipe], problem: Problem, folder: Path, workers: int | None
) -> Iterator[tuple[str, str]]:
    """Id of each recipe and the reason why it failed (empty if it did not), as they are done."""
    from joblib import Parallel, cpu_count, delayed, parallel_config

    made_for = {"name": problem.name, "fingerprint": problem.fingerprint}
    jobs = [
        _Job(recipe, ARCHITECTURES[recipe.architecture], problem.split.train, made_for, folder, os.getpid())
        for recipe in sorted(recipes, key=_slowness)
    ]
    count = min(workers or cpu_count(), len(jobs))
    if count <= 1:
        yield from map(_fit, jobs)
        return
    with parallel_config(backend="loky", inner_max_num_threads=1):
        pool = Parallel(n_jobs=count, batch_size=1, pre_dispatch="all", return_as="generator_unordered")
        try:
            yield from pool(delayed(_fit)(job) for job in jobs)
        except BrokenProcessPool as error:
            raise TrainingError(
                "a worker process died", "memory enough for all of them", "use fewer workers; what is done is kept"
            ) from error


@dataclass(frozen=True)
class _Job:
    """All that a worker needs to know."""

    recipe: Recipe
    architecture: Architecture
    train: Dataset
    made_for: Mapping[str, str]
    folder: Path
    started_by: int


def _fit(job: _Job) -> tuple[str, str]:
    """Fit one recipe and keep it; its id, and why it failed or an empty text."""
    if job.started_by != os.getpid():
        leave_with_parent(job.started_by)
    record: dict[str, Any] = {"recipe": job.recipe.to_dict(), "problem": job.made_for, "failed": ""}
    start = time.perf_counter()
    fitted = None
    try:
        fitted = job.architecture.fit(job.recipe, DATA[job.recipe.data](job.train, job.recipe.seed))
        record |= {"seconds": round(time.perf_counter() - start, 3)}
        record |= {"parameters": fitted.parameters, "curve": list(fitted.curve)}
    except Exception as error:  # one model that cannot be trained must not cost the others
        record["failed"] = _one_line(error)
    packages = ("polyculture", "numpy", *job.architecture.packages)
    record["versions"] = {"python": platform.python_version()} | {name: version(name) for name in packages}
    write_model(job.folder, job.recipe.id, record, fitted)
    return job.recipe.id, record["failed"]


def _one_line(error: Exception) -> str:
    said = " ".join(str(error).split())
    return said if isinstance(error, PolycultureError) else f"{type(error).__name__}: {said}"


def _check(recipes: Sequence[Recipe], workers: int | None) -> None:
    if workers is not None and workers < 1:
        raise InputError(f"{workers} workers", "1 or more")
    if not recipes:
        raise InputError("no recipe", "one or more")
    seen: set[str] = set()
    for recipe in recipes:
        if recipe.id in seen:
            raise InputError(f"the recipe {recipe.id} stands twice", "each recipe once", "give one another seed")
        seen.add(recipe.id)
        _known("architecture", recipe.architecture, ARCHITECTURES)
        _known("data", recipe.data, DATA)
        _known("objective", recipe.objective, OBJECTIVES)
        _known("pretraining", recipe.pretraining, PRETRAINING)
        ARCHITECTURES[recipe.architecture].check(recipe)


def _known(axis: str, level: str, levels: Iterable[str]) -> None:
    if level not in levels:
        raise InputError(f"no {axis} {level!r}", "", near(level, levels))


def _slowness(recipe: Recipe) -> int:
    return SLOWEST_FIRST.index(recipe.architecture) if recipe.architecture in SLOWEST_FIRST else -1
