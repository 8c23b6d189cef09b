"""polyculture run, design: train and audit a population; check a design before training it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from .application import app, fail
from .options import Json, Out, Seed, Workers
from .output import progress_bars, show
from .problem_options import (
    ClusterColumn,
    Fold,
    GroupColumn,
    HoldOut,
    Horizon,
    Ignore,
    Kind,
    LabelColumn,
    Limit,
    Positive,
    ProblemArgument,
    Shifts,
    TaskName,
    TestOn,
    TimeColumn,
    Window,
    parse_shifts,
)


@app.command(short_help="Train a population, audit it, and write the page.")
def run(
    problem: ProblemArgument = None,
    label: LabelColumn = "",
    positive: Positive = "",
    task: TaskName = "",
    kind: Kind = "",
    ignore: Ignore = None,
    group: GroupColumn = "",
    hold_out: HoldOut = None,
    cluster: ClusterColumn = "",
    time: TimeColumn = "",
    fold: Fold = "",
    test_on: TestOn = None,
    limit: Limit = None,
    shifts: Shifts = "all",
    window: Window = 24,
    horizon: Horizon = 1,
    out: Out = Path("polyculture-run"),
    models: Annotated[int, typer.Option(metavar="N", help="Number of models to train.")] = 36,
    seed: Annotated[int, typer.Option(metavar="S", min=0, help="Seed of the split, the design and the models.")] = 0,
    recipes: Annotated[
        Path | None, typer.Option(metavar="TOML", help="Train these: [[recipe]] tables, or all of [axes].")
    ] = None,
    workers: Workers = None,
    engine: Annotated[
        str, typer.Option(metavar="ENGINE", help="auto for this machine, or ray for a cluster.")
    ] = "auto",
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="Time limit per model; slower models are left out.")
    ] = None,
    json: Json = False,
) -> int:
    """Train a population, audit how alike its models fail, write the page.

    PROBLEM is a name (digits, wine, breast-cancer, iris, diabetes; mnist, fashion-mnist, kmnist and usps are
    downloaded) or files: tables (CSV, TSV, Parquet), images (.npz, IDX, a folder per class), texts by line, tagged
    tokens, recordings, a time series.

    \b
      polyculture run heart_*.csv --positive '>0' --hold-out heart_va
      polyculture run mnist.npz --test-on usps.npz --limit 4000
      polyculture run recordings.zip --hold-out george

    The models differ in architecture, data, optimizer, hyperparameters and seed. They are tested on instances that
    none of them was trained on, without and with graded shifts. Every trained model is kept: stop at any time, and the
    same command resumes.
    """
    from polyculture.recipe import read_design
    from polyculture.studies import training_run
    from polyculture.training import DataOptions, load_problem

    options = training_run.RunOptions(models, read_design(recipes) if recipes else (), seed, workers, engine, seconds)
    data = DataOptions(
        kind=kind,
        label=label,
        positive=positive,
        task=task,
        ignore=tuple(ignore or ()),
        group=group,
        hold_out=tuple(hold_out or ()),
        cluster=cluster,
        time=time,
        fold=fold,
        test_on=tuple(test_on or ()),
        limit=limit,
        shifts=parse_shifts(shifts),
        window=window,
        horizon=horizon,
    )
    source = load_problem(problem or ["digits"], seed, data)
    with progress_bars(announce=not json) as progress:
        result = training_run.run(source, options, out=out, progress=progress)
    show(result.audit, out, json, result.next_command)
    for model, reason in result.population.failed.items():
        fail(f"{model} could not be trained and is left out: {reason}", 1)
    return 1 if result.population.failed else 0


@app.command(short_help="Check which factors a design can identify.")
def design(
    axes: Annotated[
        Path | None,
        typer.Argument(metavar="[AXES]", help="TOML file with an [axes] table (default: the default design)."),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(metavar="KIND", help="optimal, full, fractional, one-at-a-time, random or space-filling."),
    ] = "optimal",
    models: Annotated[int | None, typer.Option(metavar="N", help="Number of models.")] = None,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(metavar="TOML", help="File for the recipes, for run --recipes.")] = None,
) -> int:
    """Check which factors a design can identify before training.

    AXES looks like this:

    \b
      [axes]
      architecture = ["mlp", "lenet", "forest"]
      data = ["half-a", "half-b"]
      seed = [0, 1]

    \b
      polyculture design axes.toml --kind full --out recipes.toml
    """
    from polyculture.recipe import describe, read_axes, write_recipes
    from polyculture.recipe import design as make_design
    from polyculture.training import default_design

    if axes is None:
        recipes = default_design("digits", models=models or 36, seed=seed)
    else:
        recipes = make_design(kind, read_axes(axes), models, seed)
    description = describe(recipes)
    print(description.sentence)
    print(description.frame().to_string(index=False, float_format="%.3g"))
    if out is not None:
        write_recipes(recipes, out)
        print(f"next  polyculture run digits --recipes {shlex.quote(str(out))}")
    return 0
