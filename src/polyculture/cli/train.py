"""polyculture design, run: which models to make, and making and auditing them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyculture.errors import FileError, InputError
from polyculture.studies.evaluation import following, judge

from .application import app, fail
from .options import Json, Out, Seed
from .output import MODELS, make_folder, progress_bars, show
from .problem_options import (
    Asked,
    Fold,
    Grouped,
    HoldOut,
    Horizon,
    Ignore,
    Kind,
    Limit,
    NetGroup,
    Positive,
    Shifts,
    Target,
    TestOn,
    Time,
    What,
    Window,
)

if TYPE_CHECKING:
    from polyculture.recipe import Recipe


@app.command(short_help="Train a population, audit it, and write the page.")
def run(
    problem: What = None,
    label: Target = "",
    positive: Positive = "",
    task: Asked = "",
    kind: Kind = "",
    ignore: Ignore = None,
    group: Grouped = "",
    hold_out: HoldOut = None,
    cluster: NetGroup = "",
    time: Time = "",
    fold: Fold = "",
    test_on: TestOn = None,
    limit: Limit = None,
    shifts: Shifts = "all",
    window: Window = 24,
    horizon: Horizon = 1,
    out: Out = Path("polyculture-run"),
    models: Annotated[int, typer.Option(metavar="N", help="How many models to train.")] = 36,
    seed: Annotated[int, typer.Option(metavar="S", min=0, help="Seed of the split, the design and the models.")] = 0,
    recipes: Annotated[
        Path | None, typer.Option(metavar="TOML", help="Train these: [[recipe]] tables, or all of [axes].")
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="W", help="Processes; one per core if left out.")] = None,
    engine: Annotated[
        str, typer.Option(metavar="ENGINE", help="auto for this machine, or ray for a cluster.")
    ] = "auto",
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="A model that takes longer is given up; the others go on.")
    ] = None,
    json: Json = False,
) -> int:
    """Train a population, audit how alike it is, write the page.

    What is learned is a problem by name (digits, wine, breast-cancer, iris, diabetes; mnist, fashion-mnist, kmnist and
    usps are downloaded) or what lies in files: tables (CSV, TSV, Parquet), images (.npz, IDX, a folder per class),
    texts by line, tagged tokens, recordings, a time series.

    \b
      polyculture run heart_*.csv --positive '>0' --hold-out heart_va
      polyculture run mnist.npz --test-on usps.npz --limit 4000
      polyculture run recordings.zip --hold-out george

    The models differ in architecture, data, optimizer, hyperparameters and seed. They are tested on instances that
    none of them has seen, as they are and under graded shifts. Every finished model is kept: stop at any time, and the
    same command goes on from there.
    """
    from polyculture import training
    from polyculture.training.engine.executors import check_engine
    from polyculture.training.fit import check

    check_engine(engine, workers, seconds)
    named = _recipes(recipes) if recipes else None
    source = training.DataOptions(
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
        shifts=named_shifts(shifts),
        window=window,
        horizon=horizon,
    )
    chosen = training.load_problem(problem or ["digits"], seed, source)
    wanted = named or training.default_design(chosen, models=models, seed=seed)
    check(wanted, chosen.split.train)
    make_folder(out)
    hush_the_pool()
    if not json:
        print(f"read  {chosen.sentence}")
    with progress_bars() as step:
        limits: dict[str, Any] = {"workers": workers, "engine": engine, "seconds": seconds}
        population = training.train(wanted, chosen, out / MODELS, progress=step("training"), **limits)
        found = judge(population, chosen, seed, out, step("testing"))
    show(found, out, json, following(population, chosen, out))
    for model, reason in population.failed.items():
        fail(f"{model} could not be trained and is left out: {reason}", 1)
    return 1 if population.failed else 0


@app.command(short_help="Say what models can tell apart before training them.")
def design(
    axes: Annotated[
        Path | None,
        typer.Argument(metavar="[AXES]", help="TOML file with an [axes] table; the default design if left out."),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(metavar="KIND", help="optimal, full, fractional, one-at-a-time, random or space-filling."),
    ] = "optimal",
    models: Annotated[int | None, typer.Option(metavar="N", help="How many models.")] = None,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(metavar="TOML", help="Write the recipes here, for run --recipes.")] = None,
) -> int:
    """Say what a design of models can and cannot tell apart, before any of them is trained.

    AXES looks like this:

    \b
      [axes]
      architecture = ["mlp", "lenet", "forest"]
      data = ["half-a", "half-b"]
      seed = [0, 1]
    """
    from polyculture import recipe, training

    if axes is None:
        recipes = training.default_design("digits", models=models or 36, seed=seed)
    else:
        recipes = recipe.design(kind, table_of(axes, "axes"), models, seed)
    found = recipe.describe(recipes)
    print(found.sentence)
    print(found.frame().to_string(index=False, float_format="%.3g"))
    if out is not None:
        recipe.write_recipes(recipes, out)
        print(f"next  polyculture run digits --recipes {shlex.quote(str(out))}")
    return 0


def hush_the_pool() -> None:
    """Ctrl-C empties the pool's queue under its manager thread, whose KeyError would hide the line that matters."""
    import threading

    other = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        manager = args.thread is not None and "ExecutorManager" in args.thread.name
        if not (manager and issubclass(args.exc_type, KeyError)):
            other(args)

    threading.excepthook = hook


def _recipes(path: Path) -> list[Recipe]:
    """The recipes of a file: its [[recipe]] tables, or every combination of its [axes]."""
    from polyculture import recipe

    if "recipe" in _toml(path):
        return recipe.read_recipes(path)
    return recipe.grid(table_of(path, "axes"))


def table_of(path: Path, name: str) -> dict[str, list[Any]]:
    """A table of lists from a TOML file."""
    table = _toml(path).get(name)
    if not isinstance(table, dict) or not table or not all(isinstance(levels, list) for levels in table.values()):
        raise InputError(f"{path} has no [{name}] table of lists", 'lines such as architecture = ["mlp", "lenet"]')
    return table


def _toml(path: Path) -> dict[str, Any]:
    import tomllib

    expected = "a TOML file with an [axes] table or [[recipe]] tables"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}", expected) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileError(f"{path} is not TOML: {error}", expected) from error


def named_shifts(shifts: str) -> tuple[str, ...] | None:
    """Kinds of shift: None for all of them."""
    if shifts == "all":
        return None
    return () if shifts == "none" else tuple(name.strip() for name in shifts.split(","))
