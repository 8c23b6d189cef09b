"""What does a worker do? One job: it fits a recipe, or some together, and keeps each model as soon as it is there.

alone: one learner by itself · stacked: nets of one shape, all at once · jointly: members of a group that see each other
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from polyculture.dataset import Dataset
from polyculture.errors import PolycultureError
from polyculture.preparation.transforms import Transform
from polyculture.recipe import Recipe

from ..architectures import Architecture, Fitted, Net
from ..context import TrainingContext
from ..objectives import member_of
from ..store import write_model
from .process import at_most, leave_with_parent, one_thread

How = Literal["alone", "stacked", "jointly"]


@dataclass(frozen=True, eq=False)
class RunContext:
    """What all jobs of a run share.

    Parameters
    ----------
    train : the whole training set.
    made_for : name and fingerprint of the problem.
    folder : where models are kept.
    seconds : how long a member may take; None for as long as it does.
    started_by : process that started the run; its workers leave with it. None where something else ends them.
    """

    train: Dataset
    made_for: Mapping[str, str]
    folder: Path
    seconds: float | None
    started_by: int | None


@dataclass(frozen=True, eq=False)
class Job:
    """Recipes that one worker fits together, with the learner and the level of the data axis of each.

    Parameters
    ----------
    recipes, learners, levels : as many of each.
    how : whether and how they are fitted together.
    device : where nets learn.
    cost : seconds that it is expected to take; longer jobs are begun first.
    """

    recipes: tuple[Recipe, ...]
    learners: tuple[Any, ...]
    levels: tuple[Transform, ...]
    how: How = "alone"
    device: str = "cpu"
    cost: float = 0.0


def do(job: Job, workshop: RunContext) -> list[tuple[str, str]]:
    """Fit the recipes of a job and keep them; of each its id, and why it failed or an empty text."""
    if workshop.started_by not in (None, os.getpid()):
        leave_with_parent(workshop.started_by)
    start = time.perf_counter()
    own_limit = isinstance(job.learners[0], Net) and job.how != "stacked"  # the loop says in which epoch time was up
    try:
        with at_most(None if workshop.seconds is None or own_limit else workshop.seconds * len(job.recipes)):
            found: Sequence[Fitted | Exception] = _fitted(job, workshop)
    except Exception as error:  # one model that cannot be trained must not cost the others
        found = [error] * len(job.recipes)
    cost = {
        "seconds": round((time.perf_counter() - start) / len(job.recipes), 4),
        "fitted": job.how if len(job.recipes) == 1 else f"{job.how}, {len(job.recipes)} at once",
        "device": job.device,
        "host": platform.node(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    said = []
    for recipe, learner, fitted in zip(job.recipes, job.learners, found, strict=True):
        record = _record(recipe, learner, fitted, workshop)
        write_model(workshop.folder, recipe.id, record, cost, fitted if isinstance(fitted, Fitted) else None)
        said.append((recipe.id, record["failed"]))
    return said


def _fitted(job: Job, workshop: RunContext) -> Sequence[Fitted | Exception]:
    trains = [level.take(workshop.train, recipe.seed) for recipe, level in zip(job.recipes, job.levels, strict=True)]
    settings = [
        TrainingContext(level.view, workshop.train.array, workshop.seconds, job.device) for level in job.levels
    ]
    if job.how == "stacked":
        from ..batched import fit_stacked

        with one_thread():
            return fit_stacked(job.recipes, job.learners, trains, settings)
    if job.how == "jointly":
        group = job.learners[0].fit_group(job.recipes[0], trains[0], settings[0])
        return [group[member_of(recipe)] for recipe in job.recipes]
    return [job.learners[0].fit(job.recipes[0], trains[0], settings[0])]


def _record(recipe: Recipe, learner: Architecture, fitted: Fitted | Exception, workshop: RunContext) -> dict[str, Any]:
    """What is written beside the weights: nothing that differs between two runs."""
    record: dict[str, Any] = {"recipe": recipe.to_dict(), "problem": workshop.made_for, "failed": ""}
    if isinstance(fitted, Exception):
        record["failed"] = _one_line(fitted)
    else:
        record |= {"parameters": fitted.parameters, **asdict(fitted.effort), "curve": list(fitted.curve)}
    packages = ("polyculture", "numpy", *learner.packages)
    record["versions"] = {"python": platform.python_version()} | {name: _version(name) for name in packages}
    return record


_version = cache(version)


def _one_line(error: Exception) -> str:
    said = " ".join(str(error).split())
    return said if isinstance(error, PolycultureError) else f"{type(error).__name__}: {said}"
