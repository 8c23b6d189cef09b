"""Which models fail together on this problem? Train a population, test it under every shift, audit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from polyculture.errors import InputError
from polyculture.recipe import Recipe
from polyculture.training import Problem, default_design, train
from polyculture.training.engine.executors import check_engine
from polyculture.training.fit import check

from .cleaning.options import check_masks
from .cleaning.training_set import MASKED, CleanedProblem, cleaned_problem, load_masked, store_removed
from .evaluation import ProblemSource, RunResult, evaluate, model_names, open_problem, rename
from .progress import Progress, phase_progress
from .run_folder import MODELS, writable_folder


@dataclass(frozen=True)
class RunOptions:
    """Which models are trained, and with what resources.

    Parameters
    ----------
    models : number of models of the default design.
    recipes : train these models instead.
    seed : of the split, the design and the models.
    workers, engine, seconds : as in `polyculture.training.train`.
    clean : whether training rows that repeat another one, or that are in the selection or test set, are left out.
    mask : by field of files whether to ``"mask"``, ``"hash"`` or ``"drop"`` it, before anything is learned or stored.

    Raises InputError for an unknown engine or mask, and for workers or seconds that are not above 0.

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
    clean: bool = False
    mask: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_engine(self.engine, self.workers, self.seconds)
        check_masks(self.mask)


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
    progress : called in the phases reading, training and testing, and searching with `clean`.

    Raises InputError and FileError before anything is trained, TrainingError if no model could be trained.

    Examples
    --------
    >>> options = pc.RunOptions(recipes=[pc.Recipe("logistic"), pc.Recipe("knn"), pc.Recipe("naive-bayes")], workers=1)
    >>> result = pc.run("iris", options, out="iris-run")
    >>> result.audit.n_models, result.audit.n_instances
    (3, 60)
    """
    options = options or RunOptions()
    problem = _opened(problem, options, Path(out))
    cleaned = cleaned_problem(problem, progress) if options.clean else None
    problem = cleaned.problem if cleaned else problem
    recipes = list(options.recipes) or default_design(problem, models=options.models, seed=options.seed)
    check(recipes, problem.split.train)
    folder = writable_folder(Path(out))
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
    result = evaluate(population, problem, options.seed, folder, phase_progress(progress, "testing"))
    return _with_section(result, cleaned) if cleaned else result


def _opened(problem: ProblemSource, options: RunOptions, folder: Path) -> Problem:
    """The problem, with personal fields hidden where that is asked for."""
    if not options.mask:
        return open_problem(problem, options.seed)
    if not isinstance(problem, Problem):
        return load_masked(problem, options.seed, None, options.mask, folder)
    if problem.origin.get(MASKED) != dict(options.mask):
        raise InputError("a mask for a problem that is loaded", "its name or its files", "give these to run")
    return problem


def _with_section(result: RunResult, cleaned: CleanedProblem) -> RunResult:
    """The result with what was left out before training, in its folder and on its page."""
    store_removed(cleaned.removed, result.folder)
    audit = result.audit
    facts = {"answers": [], **audit.facts}  # the audit leads its page, not what was left out
    return replace(result, audit=replace(audit, sections=(*audit.sections, cleaned.section), facts=facts))
