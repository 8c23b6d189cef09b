"""How are many recipes trained? Grouped into jobs, shortest first, each model written as soon as it is fitted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from polyculture.dataset import Dataset
from polyculture.errors import InputError, TrainingError, need
from polyculture.models.encoder import Encoder
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_graph import GRAPH, FittedGraph
from polyculture.models.store import open_folder, read_population, read_records
from polyculture.population import Population
from polyculture.preparation.problems import Problem
from polyculture.recipe import Recipe

from .architectures import find_architecture
from .data_levels import check_level
from .engine.executors import check_engine, count_workers, run_jobs
from .engine.forecast import Forecast, TrainingEvent
from .engine.heartbeat import heartbeat
from .engine.jobs import RunContext
from .engine.planning import plan
from .objectives import find_objective
from .pretraining import find_pretraining

Progress = Callable[[int, int, str], None]
"""Called with the number of finished models, of all models, and the latest event: a text, mostly a `TrainingEvent`."""


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

    Numbers depend on the recipes and the problem only: not on the number of workers, the engine, the other
    recipes or interruptions. On one kind of processor they are equal to the last bit. Small dense nets of
    one shape are fitted many at once; by itself (`Architecture.fit`) such a net gets the same numbers to 1e-5 of its
    largest weight, as tested after 50 steps. A GPU draws other random numbers and so yields other models.

    Parameters
    ----------
    recipes : what to train, each once.
    problem : what to learn; only its training set is used.
    folder : where models are written, one subfolder each. Models that are in it are not fitted again, so an
        interrupted run is resumed by the same call. None for a temporary folder.
    workers : processes, each with one thread; None for one per core, 1 for this process only.
    engine : ``"auto"`` for this machine; ``"ray"`` for the cluster that this process is connected to, whose machines
        must all see the folder, or else for a Ray of two workers that is started here and stopped at the end.
    seconds : time limit of one model; one that exceeds it has failed. None for no limit.
    device : where nets are trained, such as ``"cpu"`` or ``"cuda:1"``; None for the GPUs in turn, where there are any.
    progress : called when a model is finished, and from another thread about every 10 seconds in which none is, with
        what is in work; one call at a time. Shorter fits come first.

    Raises InputError for unknown names or a folder made for another problem, before anything is trained; FileError
    for a folder that cannot be written; TrainingError if no model could be trained or a worker died.

    Examples
    --------
    >>> iris = pc.load_problem("iris")
    >>> population = pc.train([pc.Recipe("logistic"), pc.Recipe("knn")], iris, workers=1)
    >>> pc.predict(population, iris.split.test).shape
    (2, 60)
    """
    check_engine(engine, workers, seconds)
    check(recipes, problem.split.train)
    need("torch", "sklearn", "safetensors", "skops")
    report = progress or (lambda *_: None)
    with tempfile.TemporaryDirectory(prefix="polyculture-") if folder is None else nullcontext(folder) as place:
        folder = Path(place)
        open_folder(folder)
        records = read_records(folder, _made_for(problem))
        pending = [recipe for recipe in recipes if records.get(recipe.id, {"failed": "new"})["failed"]]
        finished = len(recipes) - len(pending)
        report(finished, len(recipes), f"{finished} found in {folder}" if finished else "starting")
        # Workers may have been started where another folder was the current one.
        run = RunContext(problem.split.train, _made_for(problem), folder.absolute(), seconds, os.getpid())
        reasons = []
        for name, reason in _fits(pending, run, (engine, workers, device), progress, len(recipes)):
            reasons += [f"{name}: {reason}"] if reason else []
        if len(reasons) == len(recipes):
            raise TrainingError("no model could be trained", "one or more", f"the first failure: {reasons[0]}")
        return load_population(folder, problem, recipes)


def _fits(
    pending: Sequence[Recipe],
    run: RunContext,
    where: tuple[str, int | None, str | None],
    progress: Progress | None,
    total: int,
) -> Iterator[tuple[str, str]]:
    """Id of each recipe and why it failed (empty if it did not), as they are finished; engine, workers and device."""
    if not pending:
        return
    engine, workers, device = where
    count = count_workers(engine, workers)
    jobs = plan(pending, run.train, count, device)
    forecast, finished = Forecast(jobs, count, run.seconds), total - len(pending)

    def tell(event: Callable[[], TrainingEvent]) -> None:
        if progress:
            progress(finished, total, event())

    with heartbeat(partial(tell, forecast.waiting) if progress else None) as heart:
        for report in run_jobs(jobs, run, engine, count):
            with heart.quiet():
                forecast.finish(report)
                for name, reason in report.outcomes:
                    finished += 1
                    tell(partial(forecast.event, f"{name} failed: {reason}" if reason else name))
            yield from report.outcomes


def load_population(folder: Path, problem: Problem, recipes: Sequence[Recipe] | None = None) -> Population:
    """The models in a folder that `train` wrote, with the recipe and the cost of each.

    Parameters
    ----------
    folder : one subfolder per model.
    problem : that they were trained on.
    recipes : which models, in which order; None for all, in the order of their ids.

    Columns of `factors` and errors are those of `polyculture.models.store.read_population`.
    """
    need("torch", "sklearn", "safetensors", "skops")

    def load(recipe: Recipe, train: Dataset, path: Path) -> Fitted:
        architecture = find_architecture(recipe.architecture)
        if (path / GRAPH).is_file():  # of a compressed model only the graph may be left
            return FittedGraph.load(path, getattr(architecture, "reader", Encoder).load(path))
        return architecture.load(recipe, train, path)

    return read_population(folder, _made_for(problem), problem.split.train, load, recipes)


def _made_for(problem: Problem) -> dict[str, str]:
    return {"name": problem.name, "fingerprint": problem.fingerprint}


def check(recipes: Sequence[Recipe], train: Dataset) -> None:
    """Refuse recipes that cannot be trained on this, and duplicates, before anything is trained."""
    if not recipes:
        raise InputError("no recipe", "one or more")
    ids: set[str] = set()
    for recipe in recipes:
        if recipe.id in ids:
            raise InputError(f"the recipe {recipe.id} is listed twice", "each recipe once", "give one another seed")
        ids.add(recipe.id)
        if recipe.compression != "none":
            wrong = f"the recipe {recipe.id} has the compression {recipe.compression!r}"
            raise InputError(wrong, "'none' before training", "train without it, then polyculture compress")
        architecture = find_architecture(recipe.architecture)
        check_level(recipe, train)
        find_objective(recipe.objective)
        find_pretraining(recipe.pretraining)
        architecture.check(recipe)
        architecture.suits(recipe, train)
