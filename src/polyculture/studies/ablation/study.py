"""How is an ablation carried out? Train replicates of every recipe, test them, and measure what each change does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from polyculture.errors import InputError, TrainingError, visible
from polyculture.models.store import all_records
from polyculture.population import Population
from polyculture.predictions import Predictions
from polyculture.recipe import SEPARATOR, Recipe
from polyculture.results import Audit
from polyculture.training import Problem, load_population, train
from polyculture.training.engine.executors import check_engine

from ..evaluation import TEST, ProblemSource, audit_parts, cluster_column, open_problem, rename, store_predictions
from ..progress import Progress, phase_progress
from ..run_folder import MODELS, writable_folder
from .effects import MIN_REPLICATES
from .plan import BASELINE, REGULARIZERS, baseline_recipe, plan_ablation
from .replicates import ReplicatePredictions, measure_changes
from .section import ablation_section

TABLE = "levers.csv"
RecipesByChange = dict[str, list[Recipe]]


@dataclass(frozen=True)
class AblationOptions:
    """Which changes are tried on which baseline.

    Parameters
    ----------
    architecture, optimizer : of the baseline recipe.
    epochs : of every fit; None for the default of the architecture.
    changes : names of changes or axes, or ``"all"``.
    replicates : seeds per recipe, 3 or more.
    seed : of the split, and the first seed of the replicates.
    workers : processes; None for one per core.

    Raises InputError for fewer than 3 replicates.

    Examples
    --------
    >>> options = pc.AblationOptions(architecture="mlp", changes=("dropout", "optimizer"), epochs=2)
    >>> options.replicates
    5
    """

    architecture: str = "mlp"
    changes: Sequence[str] = REGULARIZERS
    replicates: int = 5
    optimizer: str = "adam"
    epochs: int | None = None
    workers: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_engine("auto", self.workers)
        if self.replicates < MIN_REPLICATES:
            raise InputError(
                f"{self.replicates} replicates", f"{MIN_REPLICATES} or more", "name more with --replicates"
            )


@dataclass(frozen=True, eq=False)
class AblationResult:
    """Effects of changes on a baseline recipe.

    Parameters
    ----------
    effects : a row per change and number, as `polyculture.studies.ablation.effects.effect_table` makes it.
    audit : of all models; its first section has the effects.
    population, predictions : all models, named by change and seed, and their predictions on the test set.
    failed : changes that are left out because a replicate could not be trained, with the reason.
    folder : where models, predictions and ``levers.csv`` are stored.
    """

    effects: pd.DataFrame
    audit: Audit
    population: Population
    predictions: Predictions
    failed: Mapping[str, str]
    folder: Path

    def __repr__(self) -> str:
        return visible(f"AblationResult in {self.folder}: {self.audit.sections[0].sentence}") + "\nnext: result.effects"


def ablate(
    problem: ProblemSource = "digits",
    options: AblationOptions | None = None,
    *,
    out: str | Path = "polyculture-ablation",
    progress: Progress | None = None,
) -> AblationResult:
    """One-factor-at-a-time ablation against a baseline recipe: the effect and the cost of each change.

    Test accuracy, generalization gap, accuracy on shifted tests, calibration, similarity of errors and cost, each with
    an interval over seeds and instances. All recipes are trained with the same seeds. Trained models are kept in the
    folder: the same call resumes.

    Parameters
    ----------
    problem : a problem, its name, or files; `polyculture.load_problem` takes options for files.
    options : which changes are tried on which baseline.
    out : folder for models, predictions and the table of effects.
    progress : called in the phases training and testing.

    Raises InputError for a regression problem and what does not fit, TrainingError if the baseline or every change
    could not be trained.

    Examples
    --------
    >>> options = pc.AblationOptions(changes=("dropout",), replicates=3, epochs=1, workers=1)
    >>> result = pc.ablate("iris", options, out="iris-ablation")
    >>> len(result.population)  # the baseline and the change, three seeds each
    6
    """
    options = options or AblationOptions()
    problem = open_problem(problem, options.seed)
    if problem.task == "regression":
        raise InputError(f"an ablation on {problem.name}, whose labels are numbers", "classes")
    training_set = problem.split.train
    baseline = baseline_recipe(options.architecture, training_set, options.optimizer, options.epochs)
    plan = plan_ablation(options.changes, baseline, training_set)
    recipes = plan.replicates(options.replicates, options.seed)
    folder = writable_folder(Path(out))
    models = folder / MODELS
    training = phase_progress(progress, "training")
    failures = train(_flat(recipes), problem, models, workers=options.workers, progress=training).failed
    recipes, failed = _complete_recipes(recipes, failures)
    population = rename(load_population(models, problem, _flat(recipes)), _model_names(recipes))
    source = f"{problem.name}: {len(population)} models, {options.architecture} with one change at a time"
    sets = store_predictions(population, problem, folder, source, phase_progress(progress, "testing"))
    answers = {TEST: sets.test, **sets.companions}
    del answers["selection"]
    effects, standings = _measure(recipes, answers, problem, models)
    section = ablation_section(effects, standings, plan.recipes, {**plan.skipped, **failed})
    section.tables["effects"].to_csv(folder / TABLE, index=False)
    test = answers.pop(TEST)
    audit = audit_parts(test, answers, problem, source, options.seed)
    audit = replace(audit, sections=(section, *audit.sections))
    return AblationResult(section.tables["effects"], audit, population, test, failed, folder)


def _flat(recipes: RecipesByChange) -> list[Recipe]:
    return [recipe for replicates in recipes.values() for recipe in replicates]


def _complete_recipes(recipes: RecipesByChange, failures: Mapping[str, str]) -> tuple[RecipesByChange, dict[str, str]]:
    """The changes all of whose replicates were trained, and the reasons for the others."""
    reasons: dict[str, str] = {}
    for name, replicates in recipes.items():
        for recipe in replicates:
            if recipe.id in failures:
                reasons.setdefault(name, f"seed {recipe.seed} could not be trained: {failures[recipe.id]}")
    if BASELINE in reasons:
        cure = "choose another architecture or optimizer"
        raise TrainingError(f"the baseline recipe: {reasons[BASELINE]}", "every seed trained", cure)
    if len(reasons) == len(recipes) - 1:
        raise TrainingError("no change could be trained", "one or more", f"the first: {next(iter(reasons.values()))}")
    return {name: replicates for name, replicates in recipes.items() if name not in reasons}, reasons


def _model_names(recipes: RecipesByChange) -> dict[str, str]:
    """Change and seed by recipe id, such as ``dropout · seed 0``."""
    return {
        recipe.id: f"{name}{SEPARATOR}seed {recipe.seed}"
        for name, replicates in recipes.items()
        for recipe in replicates
    }


def _measure(
    recipes: RecipesByChange, answers: Mapping[str, Predictions], problem: Problem, models: Path
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Effects and standings."""
    shifted = {name: predictions for name, predictions in answers.items() if name not in (TEST, "train")}
    records = all_records(models)
    operations = [float(records[recipe.id].get("flops", math.nan)) for recipe in _flat(recipes)]
    predictions = ReplicatePredictions(answers[TEST], answers["train"], shifted, cluster_column(problem))
    return measure_changes({name: len(group) for name, group in recipes.items()}, predictions, operations)
