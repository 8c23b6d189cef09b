"""polyculture levers: what does each regularizer, optimizer or augmentation change, and at what price?"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyculture.errors import InputError, TrainingError
from polyculture.studies.evaluation import AS_THEY_ARE

from .application import app, fail
from .options import Json, Out, Seed
from .output import MODELS, PREDICTIONS, Progress, make_folder, progress_bars, show
from .problem_options import HoldOut, Limit, NetGroup, Positive, Shifts, Target, TestOn, What
from .train import hush_the_pool, named_shifts

if TYPE_CHECKING:
    import pandas as pd

    from polyculture.dataset import Split
    from polyculture.population import Population
    from polyculture.predictions import Predictions
    from polyculture.recipe import Recipe
    from polyculture.results import Audit, Section
    from polyculture.training import Problem

Recipes = Mapping[str, "list[Recipe]"]

TABLE = "levers.csv"
FALSE = 0.05
"""Rate of false discoveries over levers at which a change is told from chance."""
SHOWN = {
    "accuracy": "test",
    "shifted_accuracy": "shifted",
    "gap": "gap",
    "n_eff_pair": "pair n_eff",
    "operations": "price",
}
"""Columns in the terminal; the page and the file have all."""


@app.command(short_help="Change one thing at a time: what it brings, what it costs.")
def levers(
    problem: What = None,
    label: Target = "",
    positive: Positive = "",
    hold_out: HoldOut = None,
    test_on: TestOn = None,
    cluster: NetGroup = "",
    limit: Limit = None,
    shifts: Shifts = "all",
    architecture: Annotated[str, typer.Option(metavar="NAME", help="What levers are pulled on.")] = "mlp",
    lever: Annotated[
        list[str] | None,
        typer.Option("--levers", metavar="NAME", help="Lever, axis or all; may be repeated. Regularizers if left out."),
    ] = None,
    replicates: Annotated[int, typer.Option(metavar="N", help="Seeds for each; 3 or more.")] = 5,
    optimizer: Annotated[str, typer.Option(metavar="NAME", help="Of the plain recipe.")] = "adam",
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Of every fit; the architecture's own number.")
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="W", help="Processes; one per core if left out.")] = None,
    seed: Seed = 0,
    out: Out = Path("polyculture-levers"),
    json: Json = False,
) -> int:
    """Pull one lever at a time on a plain recipe, and tell what it changes and what it costs.

    Test accuracy, generalization gap, accuracy on shifted tests, calibration, alikeness and cost, each with an interval
    over seeds and instances. The plain recipe and every lever are trained with the same seeds. Every finished model is
    kept: stop at any time, and the same command goes on from there.

    \b
      polyculture levers digits --architecture mlp --levers dropout --levers label-smoothing
      polyculture levers digits --levers optimizer --levers rotate:30
    """
    from polyculture import training
    from polyculture.studies.ablation import effects
    from polyculture.studies.ablation.plan import PLAIN, REGULARIZERS, plain_recipe, pull
    from polyculture.training.engine.executors import check_engine

    check_engine("auto", workers)
    if replicates < effects.FEWEST:
        raise InputError(f"{replicates} replicates", f"{effects.FEWEST} or more", "name more with --replicates")
    source = training.DataOptions(
        label=label,
        positive=positive,
        hold_out=tuple(hold_out or ()),
        test_on=tuple(test_on or ()),
        cluster=cluster,
        limit=limit,
        shifts=named_shifts(shifts),
    )
    chosen = training.load_problem(problem or ["digits"], seed, source)
    if chosen.task == "regression":
        raise InputError(f"levers for {chosen.name}, whose labels are numbers", "classes")
    train = chosen.split.train
    plan = pull(lever or REGULARIZERS, plain_recipe(architecture, train, optimizer, epochs), train)
    recipes = plan.replicates(replicates, seed)
    make_folder(out)
    hush_the_pool()
    with progress_bars() as step:
        population = training.train(_all(recipes), chosen, out / MODELS, workers=workers, progress=step("training"))
        kept, failed = _finished(recipes, population.failed)
        population = training.load_population(out / MODELS, chosen, _all(kept))
        answers = _answers(_named(population, kept), chosen.split, step("testing"))
    section = _section(_measured(kept, answers, chosen, out / MODELS), plan.recipes, {**plan.skipped, **failed})
    section.tables["effects"].to_csv(out / TABLE, index=False)
    audit = _audit(answers, chosen, architecture, seed, out)
    following = f"polyculture audit {shlex.quote(str(out / PREDICTIONS))} --models '{PLAIN}*'"
    show(replace(audit, sections=(section, *audit.sections)), out, json, following)
    if not json:
        _print(section.tables["effects"])
    for name, reason in failed.items():
        fail(f"{name} is left out: {reason}", 1)
    return 1 if failed else 0


def _all(recipes: Recipes) -> list[Recipe]:
    return [recipe for of_one in recipes.values() for recipe in of_one]


def _finished(recipes: Recipes, failed: Mapping[str, str]) -> tuple[Recipes, dict[str, str]]:
    """The levers all of whose replicates were trained, and why the others were not."""
    from polyculture.studies.ablation.plan import PLAIN

    reasons: dict[str, str] = {}
    for name, of_one in recipes.items():
        for recipe in of_one:
            if recipe.id in failed:
                reasons.setdefault(name, f"seed {recipe.seed} could not be trained: {failed[recipe.id]}")
    if PLAIN in reasons:
        cure = "choose another architecture or optimizer"
        raise TrainingError(f"the plain recipe: {reasons[PLAIN]}", "every seed trained", cure)
    if len(reasons) == len(recipes) - 1:
        raise TrainingError("no lever could be trained", "one or more", f"the first: {next(iter(reasons.values()))}")
    return {name: of_one for name, of_one in recipes.items() if name not in reasons}, reasons


def _named(population: Population, recipes: Recipes) -> Population:
    """The same models called by lever and seed, such as ``dropout-0``."""
    from polyculture.population import Population

    names = {recipe.id: f"{name}-{recipe.seed}" for name, of_one in recipes.items() for recipe in of_one}
    models = {names[model]: population[model] for model in population}
    return Population(models, population.classes, population.factors.rename(index=names))


def _answers(population: Population, split: Split, progress: Progress) -> dict[str, Predictions]:
    """What the models answer, by test set; probabilities are kept of the test as it is only."""
    from polyculture import training

    tests = [AS_THEY_ARE, "train", *split.shifted]
    answers = {}
    for done, name in enumerate(tests):
        progress(done, len(tests), name)
        where = {AS_THEY_ARE: split.test, "train": split.train}.get(name) or split.shifted[name]
        found = training.predict(population, where)
        answers[name] = found if name == AS_THEY_ARE else replace(found, probabilities=None)
    progress(len(tests), len(tests), "")
    return answers


def _measured(
    recipes: Recipes, answers: Mapping[str, Predictions], problem: Problem, folder: Path
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Effects and standings, from what every model answered."""
    from polyculture.models.store import all_records
    from polyculture.studies.ablation import replicates

    shifted = {name: one for name, one in answers.items() if name not in (AS_THEY_ARE, "train")}
    records = all_records(folder)
    operations = [float(records[recipe.id].get("flops", math.nan)) for recipe in _all(recipes)]
    told = replicates.ReplicatePredictions(answers[AS_THEY_ARE], answers["train"], shifted, _cluster(problem))
    return replicates.compare({name: len(of_one) for name, of_one in recipes.items()}, told, operations)


def _cluster(problem: Problem) -> str:
    return "sequence" if problem.task == "tagging" else problem.cluster


def _audit(answers: Mapping[str, Predictions], problem: Problem, architecture: str, seed: int, out: Path) -> Audit:
    from polyculture import auditing, formats

    test = answers[AS_THEY_ARE]
    formats.write(test, out / PREDICTIONS)
    options = auditing.AuditOptions(clusters=_cluster(problem), groups=problem.groups, designed=True, seed=seed)
    return auditing.audit(
        test,
        source=f"{problem.name}: {len(test.model_ids)} models, {architecture} with one lever pulled at a time",
        shifted={name: one for name, one in answers.items() if name != AS_THEY_ARE},
        dataset=None if problem.task == "tagging" else problem.split.test,
        options=options,
    )


def _section(
    measured: tuple[pd.DataFrame, pd.DataFrame], recipes: Mapping[str, Recipe], skipped: Mapping[str, str]
) -> Section:
    import pandas as pd

    from polyculture.results import Section
    from polyculture.studies.ablation.plan import PLAIN, change_of

    effects, standings = measured
    ways = {name: change_of(name, recipes[PLAIN]) for name in effects["lever"].unique()}
    effects.insert(1, "axis", [ways[name][0] for name in effects["lever"]])
    effects.insert(2, "way", [ways[name][1] for name in effects["lever"]])
    tables = {"effects": effects, "standings": standings}
    if skipped:
        tables["skipped"] = pd.DataFrame({"lever": list(skipped), "reason": list(skipped.values())})
    return Section(
        "levers", "What does each lever change, and at what price?", _sentence(effects, standings), {}, tables
    )


def _sentence(effects: pd.DataFrame, standings: pd.DataFrame) -> str:
    plain, count = standings.iloc[0], effects["lever"].nunique()
    parts = [
        f"{count} lever{' was' if count == 1 else 's were'} pulled, one at a time, on a plain recipe with "
        f"{plain['accuracy']:.1%} test and {plain['train_accuracy']:.1%} train accuracy"
    ]
    for name, words in (("accuracy", "test accuracy"), ("shifted_accuracy", "accuracy on shifted tests")):
        of_one = effects[(effects["measure"] == name) & effects["change"].notna()]
        if not len(of_one):
            continue
        told = of_one[of_one["q"] <= FALSE]
        up, down = told[told["change"] > 0], told[told["change"] < 0]
        most = f", most with {_said(up.sort_values('change').iloc[-1])}" if len(up) else ""
        parts.append(f"{words} rises with {len(up) or 'none'} of them{most}, and falls with {len(down) or 'none'}")
    return (
        "; ".join(parts)
        + ". The false discovery rate over levers is 5 %; that no change was shown of the others does not prove that "
        "there is none. Only this recipe, these settings of the levers and instances like these were tried."
    )


def _said(row: pd.Series[Any]) -> str:
    return f"{row['lever']} ({100 * row['change']:+.2f} points [{100 * row['low']:.2f}, {100 * row['high']:.2f}])"


def _print(effects: pd.DataFrame) -> None:
    """One row per lever, the greatest gain in accuracy first; a star where the change is more than chance."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for title in ("lever", *SHOWN.values()):
        table.add_column(title, no_wrap=True)
    rows = {(row["lever"], row["measure"]): row for _, row in effects.iterrows()}
    gains = effects[effects["measure"] == "accuracy"].sort_values("change", ascending=False)
    for name in gains["lever"]:
        table.add_row(name, *(_cell(rows[name, measure], measure) for measure in SHOWN))
    console.print(table)
    told = "points of accuracy with their 95 % half-width, × ratios; * more than chance"
    console.print(told, markup=False, highlight=False)


def _cell(row: pd.Series[Any], measure: str) -> str:
    if math.isnan(row["change"]):
        return "–"
    star = "*" if row["q"] <= FALSE else ""
    if measure in ("n_eff_pair", "operations"):
        return f"×{row['change']:.2f}{star}"
    return f"{100 * row['change']:+.1f} ± {50 * (row['high'] - row['low']):.1f}{star}"
