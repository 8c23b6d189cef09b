"""polyculture breed: within a budget, which models should be trained next, so that together they fail fewer?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyculture.errors import InputError
from polyculture.studies.evaluation import following, judge

from .application import app, fail
from .options import Json, Out, Seed
from .output import MODELS, make_folder, progress_bars, show
from .problem_options import HoldOut, Limit, Positive, Target, TestOn, What
from .select import PORTFOLIO
from .train import hush_the_pool, table_of

if TYPE_CHECKING:
    from polyculture.predictions import Predictions
    from polyculture.recipe import Recipe
    from polyculture.results import Section
    from polyculture.studies.evolution import EvolutionResult
    from polyculture.training import Problem


@app.command(short_help="Train what the models so far lack, while that still gains.")
def breed(
    problem: What = None,
    label: Target = "",
    positive: Positive = "",
    hold_out: HoldOut = None,
    test_on: TestOn = None,
    limit: Limit = None,
    axes: Annotated[
        Path | None, typer.Option(metavar="TOML", help="Breed among the levels of its [axes]; usual ones if left out.")
    ] = None,
    budget: Annotated[int, typer.Option(metavar="N", help="Models to train in all.")] = 48,
    first: Annotated[int, typer.Option(metavar="N", help="Models drawn by chance to begin with.")] = 16,
    generation: Annotated[int, typer.Option(metavar="N", help="Models per generation after that.")] = 8,
    worthwhile: Annotated[
        float, typer.Option(metavar="NATS", help="Stop when another generation gains less log-loss than this.")
    ] = 0.002,
    workers: Annotated[int | None, typer.Option(metavar="W", help="Processes; one per core if left out.")] = None,
    seed: Seed = 0,
    out: Out = Path("polyculture-breed"),
    json: Json = False,
) -> int:
    """Train models generation by generation, each proposed by whom the ones before it fail; keep the few that cover.

    Half of each generation are children of elites (the best model of every way of failing), half are what a model of
    past gains advises. Breeding stops when the interval says that nothing more is gained. The portfolio is chosen on
    the selection instances and certified on test instances that had no part in the breeding.

    \b
      polyculture breed digits --budget 32
    """
    from polyculture import selection, training
    from polyculture.errors import need
    from polyculture.studies import evolution
    from polyculture.training.engine.executors import check_engine

    check_engine("auto", workers)
    need("optuna", extra="search")
    terms = evolution.EvolutionOptions(budget, first, generation, worthwhile=worthwhile, seed=seed)
    named = table_of(axes, "axes") if axes else None
    chosen = training.load_problem(
        problem or ["digits"],
        seed,
        training.DataOptions(
            label=label,
            positive=positive,
            hold_out=tuple(hold_out or ()),
            test_on=tuple(test_on or ()),
            limit=limit,
        ),
    )
    if chosen.task == "regression":
        raise InputError(f"breeding for {chosen.name}, whose labels are numbers", "classes")
    levels = named or training.breeding_axes(chosen)
    make_folder(out)
    hush_the_pool()
    with progress_bars() as step:
        examine = _examiner(chosen, out, workers, step("training"))
        brood = evolution.breed(levels, training.possible_recipe, examine, terms, step("breeding"))
        population = training.load_population(out / MODELS, chosen, brood.recipes)
        found = judge(population, chosen, seed, out, step("testing"))
    test = training.predict(population, chosen.split.test)
    kept = selection.select(
        brood.predictions, certify_on=test, terms=selection.SelectionOptions(cost="seconds", seed=seed)
    )
    (out / PORTFOLIO).write_text(kept.to_json(), encoding="utf-8")
    sections = (selection.section(kept), _section(brood))
    show(replace(found, sections=(*sections, *found.sections)), out, json, following(population, chosen, out))
    return 0


def _examiner(
    problem: Problem, out: Path, workers: int | None, progress: Callable[[int, int, str], None]
) -> Callable[[list[Recipe]], Predictions]:
    """Trains what is not there yet and asks every model about the selection instances."""
    from polyculture import training

    told: dict[str, str] = {}

    def examine(recipes: list[Recipe]) -> Predictions:
        population = training.train(recipes, problem, out / MODELS, workers=workers, progress=progress)
        for model, reason in population.failed.items():
            if model not in told:
                fail(f"{model} could not be trained and is left out: {reason}", 1)
        told.update(population.failed)
        return training.predict(population, problem.split.selection)

    return examine


def _section(brood: EvolutionResult) -> Section:
    from polyculture.results import Section

    last = brood.history.iloc[-1]
    generations = len(brood.history) - 1
    sentence = (
        f"{len(brood.recipes)} models were bred, {generations} generation{'' if generations == 1 else 's'} after the "
        f"first; the log-loss of their best mixture went from {brood.history['loss'].iloc[0]:.4f} to "
        f"{last['loss']:.4f} on instances that had no part in its weights. Breeding stopped because {brood.reason}. "
        "These instances said when to stop: what the models are worth stands in the certificate."
    )
    tables: dict[str, Any] = {"history": brood.history, "elites": brood.archive.frame()}
    return Section("evolution", "What did each generation gain?", sentence, {}, tables)
