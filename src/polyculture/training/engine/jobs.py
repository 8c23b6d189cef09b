"""What does a worker do? One job: it fits one or several recipes, and writes each model as soon as it is fitted.

alone: one recipe · stacked: nets of one shape, in one batch · jointly: members of a group whose losses depend on all
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from polyculture.dataset import Dataset
from polyculture.errors import PolycultureError
from polyculture.models.fitted import Fitted
from polyculture.models.store import write_model
from polyculture.models.threads import one_thread
from polyculture.recipe import Recipe

from ..architectures import Architecture, Net
from ..context import TrainingContext
from ..data_levels import DataLevel, fit_plainly
from ..learned_level import LearnedFit, LearnedLevel
from ..objectives import member_of
from ..workers import leave_with_parent
from .process import at_most

JobKind = Literal["alone", "stacked", "jointly"]


@dataclass(frozen=True, eq=False)
class RunContext:
    """What all jobs of a run share.

    Parameters
    ----------
    train : the full training set.
    made_for : name and fingerprint of the problem.
    folder : where models are written.
    seconds : time limit of one model; None for no limit.
    started_by : process that started the run; its workers end with it. None where something else ends them.
    """

    train: Dataset
    made_for: Mapping[str, str]
    folder: Path
    seconds: float | None
    started_by: int | None


@dataclass(frozen=True, eq=False)
class Job:
    """Recipes that one worker fits, with the architecture and the level of the data axis of each.

    Parameters
    ----------
    recipes, architectures, levels : of equal length.
    how : how several recipes are fitted together.
    device : where nets are trained.
    cost : expected seconds; shorter jobs are started first.
    """

    recipes: tuple[Recipe, ...]
    architectures: tuple[Any, ...]
    levels: tuple[DataLevel, ...]
    how: JobKind = "alone"
    device: str = "cpu"
    cost: float = 0.0


@dataclass(frozen=True)
class JobReport:
    """What a job came to.

    Parameters
    ----------
    outcomes : id of each model, and why it failed (empty if it did not).
    seconds : how long the job took.
    """

    outcomes: list[tuple[str, str]]
    seconds: float


def do(job: Job, run: RunContext) -> JobReport:
    """Fit the recipes of a job and write them."""
    if run.started_by not in (None, os.getpid()):
        leave_with_parent(run.started_by)
    start = time.perf_counter()
    alone = job.how != "stacked" and not isinstance(job.levels[0], LearnedLevel)
    own_limit = isinstance(job.architectures[0], Net) and alone  # their loop reports the epoch
    try:
        with at_most(None if run.seconds is None or own_limit else run.seconds * len(job.recipes)):
            results: Sequence[Fitted | LearnedFit | Exception] = _fit(job, run)
    except Exception as error:  # one model that cannot be trained must not stop the others
        results = [error] * len(job.recipes)
    cost = {
        "seconds": round((time.perf_counter() - start) / len(job.recipes), 4),
        "fitted": job.how if len(job.recipes) == 1 else f"{job.how}, {len(job.recipes)} at once",
        "device": job.device,
        "host": platform.node(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    outcomes = []
    for recipe, architecture, result in zip(job.recipes, job.architectures, results, strict=True):
        fitted = result.fitted if isinstance(result, LearnedFit) else result
        record = model_record(recipe, architecture, fitted, run.made_for)
        if isinstance(result, LearnedFit):
            record["history"] = [dict(row) for row in result.history]
        write_model(run.folder, recipe.id, record, cost, fitted if isinstance(fitted, Fitted) else None)
        outcomes.append((recipe.id, record["failed"]))
    return JobReport(outcomes, time.perf_counter() - start)


def _fit(job: Job, run: RunContext) -> Sequence[Fitted | LearnedFit | Exception]:
    context = TrainingContext(None, run.train.array, run.seconds, job.device)
    level, recipe = job.levels[0], job.recipes[0]
    if isinstance(level, LearnedLevel):  # never together with others
        return [level.fit(recipe, recipe.data, run.train, context, fit_plainly)]
    levels = [level for level in job.levels if not isinstance(level, LearnedLevel)]
    trains = [level.take(run.train, recipe.seed) for recipe, level in zip(job.recipes, levels, strict=True)]
    contexts = [replace(context, view=level.view) for level in levels]
    if job.how == "stacked":
        from ..batched import fit_stacked

        with one_thread():
            return fit_stacked(job.recipes, job.architectures, trains, contexts)
    if job.how == "jointly":
        group = job.architectures[0].fit_group(job.recipes[0], trains[0], contexts[0])
        return [group[member_of(recipe)] for recipe in job.recipes]
    return [job.architectures[0].fit(job.recipes[0], trains[0], contexts[0])]


def model_record(
    recipe: Recipe, architecture: Architecture, fitted: Fitted | Exception, made_for: Mapping[str, str]
) -> dict[str, Any]:
    """What is written next to the weights: nothing that differs between two runs."""
    record: dict[str, Any] = {"recipe": recipe.to_dict(), "problem": made_for, "failed": ""}
    if isinstance(fitted, Exception):
        message = " ".join(str(fitted).split())
        known_error = isinstance(fitted, PolycultureError)
        record["failed"] = message if known_error else f"{type(fitted).__name__}: {message}"
    else:
        record |= {"parameters": fitted.parameters, **asdict(fitted.cost), "curve": list(fitted.curve)}
    packages = ("polyculture", "numpy", *architecture.packages)
    record["versions"] = {"python": platform.python_version()} | {name: _version(name) for name in packages}
    return record


_version = cache(version)
