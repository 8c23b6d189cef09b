"""Which models fail together on this problem? Train a population, test it under every shift, audit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from polyculture.recipe import Recipe
from polyculture.training import default_design, train
from polyculture.training.engine.executors import check_engine
from polyculture.training.fit import check

from .evaluation import ProblemSource, RunResult, evaluate, model_names, open_problem, rename
from .progress import Progress, phase_progress
from .run_folder import MODELS, make_folder


@dataclass(frozen=True)
class RunOptions:
    """Which models are trained, and with what resources.

    Parameters
    ----------
    models : number of models of the default design.
    recipes : train these models instead.
    seed : of the split, the design and the models.
    workers, engine, seconds : as in `polyculture.training.train`.

    Raises InputError for an unknown engine, and for workers or seconds that are not above 0.

    Examples
    --------
    >>> options = pc.RunOptions(recipes=[pc.Recipe("logistic"), pc.Recipe("knn")], workers=1)
    >>> len(options.recipes)
    2
    """

    models: int = 36
    recipes: Sequence[Recipe] = ()
    seed: int = 0
    workers: int | None = None
    engine: str = "auto"
    seconds: float | None = None

    def __post_init__(self) -> None:
        check_engine(self.engine, self.workers, self.seconds)


def run(
    problem: ProblemSource = "digits",
    options: RunOptions | None = None,
    *,
    out: str | Path = "polyculture-run",
    progress: Progress | None = None,
) -> RunResult:
    """Train a population and audit how alike its models fail.

    Models differ in architecture, data, optimizer, hyperparameters and seed. They are tested on instances that none of
    them was trained on, without and with shifts. Trained models are kept in the folder: the same call resumes. Models
    are named by what sets their recipes apart, such as ``knn k=9 · half-a``; their factors have the recipe's id, which
    is the name of the model's folder.

    Parameters
    ----------
    problem : a problem, its name, or files; `polyculture.load_problem` takes options for files.
    options : which models are trained, and with what resources.
    out : folder for the models and their predictions.
    progress : called in the phases reading, training and testing.

    Raises InputError and FileError before anything is trained, TrainingError if no model could be trained.

    Examples
    --------
    >>> options = pc.RunOptions(recipes=[pc.Recipe("logistic"), pc.Recipe("knn"), pc.Recipe("naive-bayes")], workers=1)
    >>> result = pc.run("iris", options, out="iris-run")
    >>> result.audit.n_models, result.audit.n_instances
    (3, 60)
    """
    options = options or RunOptions()
    problem = open_problem(problem, options.seed)
    recipes = list(options.recipes) or default_design(problem, models=options.models, seed=options.seed)
    check(recipes, problem.split.train)
    folder = make_folder(Path(out))
    phase_progress(progress, "reading")(1, 1, problem.sentence)
    population = train(
        recipes,
        problem,
        folder / MODELS,
        workers=options.workers,
        engine=options.engine,
        seconds=options.seconds,
        progress=phase_progress(progress, "training"),
    )
    population = rename(population, model_names(recipes, problem))
    return evaluate(population, problem, options.seed, folder, phase_progress(progress, "testing"))
