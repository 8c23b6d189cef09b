"""How is a population evolved? Train the generations, audit the models, and select and certify the best subset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from polyculture.errors import InputError, visible
from polyculture.predictions import Predictions
from polyculture.recipe import Recipe
from polyculture.results import Audit, Portfolio, Section
from polyculture.selection import SelectionOptions, section, select
from polyculture.training import evolution_axes, load_population, possible_recipe, predict, train

from ..evaluation import ProblemSource, RunResult, evaluate, model_names, open_problem, rename
from ..progress import Progress, phase_progress
from ..run_folder import MODELS, PORTFOLIO, writable_folder
from .generations import EvolutionOptions, Generations, evolve_recipes
from .proposals import Axes
from .section import SPEC


@dataclass(frozen=True, eq=False)
class EvolutionResult:
    """An evolved population, and the best subset of it.

    Parameters
    ----------
    run : the models, their predictions on the test set, and the folder.
    generations : what each generation gained, and why the evolution stopped.
    portfolio : selected on the selection instances, certified on the test instances.
    audit : of all models; its first sections are the portfolio and the generations.
    failed : models that could not be trained, with the reason.
    """

    run: RunResult
    generations: Generations
    portfolio: Portfolio
    audit: Audit
    failed: Mapping[str, str]

    def __repr__(self) -> str:
        return (
            visible(f"EvolutionResult in {self.run.folder}: {self.portfolio.sentence}")
            + "\nnext: result.generations.history"
        )


def evolve(
    problem: ProblemSource = "digits",
    options: EvolutionOptions | None = None,
    *,
    axes: Axes | None = None,
    out: str | Path = "polyculture-evolution",
    progress: Progress | None = None,
) -> EvolutionResult:
    """Evolve a population: each generation targets what earlier models get wrong; then select the best subset.

    Half of each generation are children of elites (the best model of every pattern of failures), half are suggestions
    of a model of past gains. Trained models are kept in the folder: the same call resumes. With seconds of compute this
    was measured to be no better than random recipes (docs/experiments/breeding.md).

    Parameters
    ----------
    problem : a problem, its name, or files; `polyculture.load_problem` takes options for files.
    options : budget, generations and stopping rule.
    axes : levels of every axis; None for the usual levels of the problem.
    out : folder for models, predictions and the portfolio.
    progress : called in the phases training, evolution and testing.

    Raises InputError for a regression problem, MissingExtraError without optuna.

    Source: see `polyculture.studies.evolution.archive` and `polyculture.studies.evolution.proposals`.

    Examples
    --------
    >>> options = pc.EvolutionOptions(budget=6, first=4, generation=2, groups=2, workers=1)
    >>> axes = {"architecture": ["logistic", "knn", "naive-bayes"], "data": ["all", "half-a", "half-b"]}
    >>> result = pc.evolve("iris", options, axes=axes, out="iris-evolution")
    >>> len(result.run.population) <= 6
    True
    """
    options = options or EvolutionOptions()
    problem = open_problem(problem, options.seed)
    if problem.task == "regression":
        raise InputError(f"an evolution on {problem.name}, whose labels are numbers", "classes")
    levels = axes or evolution_axes(problem)
    folder = writable_folder(Path(out))
    training = phase_progress(progress, "training")
    failed: dict[str, str] = {}
    all_recipes: dict[str, Recipe] = {}

    def predict_selection(recipes: list[Recipe]) -> Predictions:
        all_recipes.update({recipe.id: recipe for recipe in recipes})
        population = train(recipes, problem, folder / MODELS, workers=options.workers, progress=training)
        failed.update(population.failed)
        return predict(population, problem.split.selection)

    evolution = phase_progress(progress, "evolution")
    generations = evolve_recipes(levels, possible_recipe, predict_selection, options, evolution)
    names = model_names(list(all_recipes.values()), problem)
    by_name = generations.predictions.models.rename(index=names)
    generations = replace(generations, predictions=replace(generations.predictions, models=by_name))
    population = rename(load_population(folder / MODELS, problem, generations.recipes), names)
    run = evaluate(population, problem, options.seed, folder, phase_progress(progress, "testing"))
    terms = SelectionOptions(cost="seconds", seed=options.seed)
    portfolio = select(generations.predictions, certify_on=run.predictions, terms=terms)
    (folder / PORTFOLIO).write_text(portfolio.to_json(), encoding="utf-8")
    failed = {names[key]: reason for key, reason in failed.items()}
    sections = (section(portfolio), _generations_section(generations, names), *run.audit.sections)
    return EvolutionResult(run, generations, portfolio, replace(run.audit, sections=sections), failed)


def _generations_section(result: Generations, names: Mapping[str, str]) -> Section:
    final = result.history.iloc[-1]
    generations = len(result.history) - 1
    sentence = (
        f"{len(result.recipes)} models were trained, {generations} generation{'' if generations == 1 else 's'} after "
        f"the first; the log-loss of their best mixture went from {result.history['loss'].iloc[0]:.4f} to "
        f"{final['loss']:.4f} on instances that had no part in its weights. The evolution stopped because "
        f"{result.reason}. These instances decided when to stop: the certificate says what the models are worth."
    )
    tables: dict[str, Any] = {"history": result.history, "elites": result.archive.frame(names)}
    return SPEC.answer(sentence, {}, tables)
