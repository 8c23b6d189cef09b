"""How are many recipes trained? Grouped into jobs, longest first, each model kept as soon as it is there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from polyculture.dataset import Dataset
from polyculture.errors import InputError, TrainingError, need
from polyculture.population import Population
from polyculture.preparation.problems import Problem
from polyculture.preparation.transforms import find_transform
from polyculture.recipe import Recipe

from .architectures import find_architecture
from .engine.executors import check_engine, count_workers, done
from .engine.jobs import RunContext
from .engine.planning import plan
from .objectives import find_objective
from .pretraining import find_pretraining
from .store import load_population, open_folder, read_records

Progress = Callable[[int, int, str], None]
"""Called with models done, models in all, and what was done last."""


def train(
    recipes: Sequence[Recipe],
    problem: Problem,
    folder: Path | None = None,
    *,
    workers: int | None = None,
    engine: str = "auto",
    seconds: float | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> Population:
    """The trained models, in the order of the recipes; those that could not be trained are in `Population.failed`.

    Numbers depend on the recipes and the problem only: not on the number of workers, on the engine, on what else is
    trained nor on what was interrupted. On one kind of processor they are equal to the last bit. Small dense nets of
    one shape are fitted many at once; by itself (`Architecture.fit`) such a net gets the same numbers to 1e-5 of its
    largest weight, as tested after 50 steps. A GPU draws other random numbers, so there the models are others.

    Parameters
    ----------
    recipes : what to train, each once.
    problem : what to learn; only its training set is looked at.
    folder : where models are kept, one subfolder each. Those already there are not fitted again, so an interrupted
        run is resumed by the same call. None keeps nothing.
    workers : processes, each with one thread; None for one per core, 1 for none besides this one.
    engine : ``"auto"`` for this machine; ``"ray"`` for the cluster that this process is connected to, whose machines
        must all see the folder, or else for a Ray of two workers that is started here and stopped at the end.
    seconds : how long one member may take; one that takes longer has failed. None for as long as it takes.
    device : where nets learn, such as ``"cpu"`` or ``"cuda:1"``; None for the GPUs in turn, where there are any.
    progress : called when a model is done.

    Raises InputError for unknown names or a folder made for another problem, before anything is trained; FileError
    for a folder that cannot be written; TrainingError if no model could be trained or a worker died.
    """
    check_engine(engine, workers, seconds)
    check(recipes, problem.split.train)
    need("torch", "sklearn", "safetensors", "skops")
    run = _Run(problem, engine, workers, seconds, device, progress)
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="polyculture-") as temporary:
            return run(recipes, Path(temporary))
    return run(recipes, folder)


@dataclass(frozen=True, eq=False)
class _Run:
    """Everything that a run is told besides its recipes and its folder."""

    problem: Problem
    engine: str
    workers: int | None
    seconds: float | None
    device: str | None
    progress: Progress | None

    def __call__(self, recipes: Sequence[Recipe], folder: Path) -> Population:
        """Fit what is missing and read the folder."""
        open_folder(folder)
        records = read_records(folder, self.problem)
        pending = [recipe for recipe in recipes if records.get(recipe.id, {"failed": "new"})["failed"]]
        finished = len(recipes) - len(pending)
        self._tell(finished, len(recipes), f"{finished} found in {folder}" if finished else "starting")
        reasons = []
        for name, reason in self._fit(pending, folder):
            finished += 1
            reasons += [f"{name}: {reason}"] if reason else []
            self._tell(finished, len(recipes), f"{name} failed: {reason}" if reason else name)
        if len(reasons) == len(recipes):
            raise TrainingError("no model could be trained", "one or more", f"the first failed so: {reasons[0]}")
        return load_population(folder, self.problem, recipes)

    def _fit(self, pending: Sequence[Recipe], folder: Path) -> Iterator[tuple[str, str]]:
        """Id of each recipe and the reason why it failed (empty if it did not), as they are done."""
        if pending:
            train = self.problem.split.train
            made_for = {"name": self.problem.name, "fingerprint": self.problem.fingerprint}
            workers = count_workers(self.engine, self.workers)
            # Workers may have been started where another folder was the current one.
            workshop = RunContext(train, made_for, folder.absolute(), self.seconds, os.getpid())
            jobs = plan(pending, train, workers, self.device)
            yield from chain.from_iterable(done(jobs, workshop, self.engine, workers))

    def _tell(self, finished: int, total: int, message: str) -> None:
        if self.progress:
            self.progress(finished, total, message)


def check(recipes: Sequence[Recipe], train: Dataset) -> None:
    """Refuse recipes that cannot be trained on this, or that stand twice, before anything is trained."""
    if not recipes:
        raise InputError("no recipe", "one or more")
    seen: set[str] = set()
    for recipe in recipes:
        if recipe.id in seen:
            raise InputError(f"the recipe {recipe.id} stands twice", "each recipe once", "give one another seed")
        seen.add(recipe.id)
        architecture = find_architecture(recipe.architecture)
        find_transform(recipe.data).check(recipe.data, train)
        find_objective(recipe.objective)
        find_pretraining(recipe.pretraining)
        architecture.check(recipe)
        architecture.suits(recipe, train)
