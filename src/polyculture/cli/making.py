"""polyculture design, run: which models to make, and making and auditing them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyculture.errors import FileError, InputError

from .application import app, fail
from .options import Json, Out, Seed
from .showing import MODELS, PREDICTIONS, Progress, make_folder, progress_bars, show

if TYPE_CHECKING:
    from polyculture.dataset import Dataset, Split
    from polyculture.population import Population
    from polyculture.predictions import Predictions
    from polyculture.recipe import Recipe

AS_THEY_ARE = "as they are"


@app.command()
def run(
    problem: Annotated[str, typer.Argument(metavar="[PROBLEM]", help="What to learn.")] = "digits",
    out: Out = Path("polyculture-run"),
    models: Annotated[int, typer.Option(metavar="N", help="How many models to train.")] = 36,
    seed: Annotated[int, typer.Option(metavar="S", help="Seed of the split, the design and the models.")] = 0,
    recipes: Annotated[
        Path | None, typer.Option(metavar="TOML", help="Train these: [[recipe]] tables, or all of [axes].")
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="W", help="Processes; one per core if left out.")] = None,
    json: Json = False,
) -> int:
    """Train a population, audit how alike it is, write the page.

    The models differ in architecture, data, optimizer, hyperparameters and seed. They are tested on instances that
    none of them has seen, as they are and under graded shifts. Every finished model is kept: stop at any time, and the
    same command goes on from there.
    """
    from polyculture import auditing, reading, training

    task = training.load_problem(problem, seed)
    chosen = _recipes(recipes) if recipes else training.default_design(problem, models=models, seed=seed)
    make_folder(out)
    _hush_the_pool()
    with progress_bars() as step:
        population = training.train(chosen, task, out / MODELS, workers=workers, progress=step("training"))
        answers = _test(population, _test_sets(task.split), step("testing"))
    predictions = answers.pop(AS_THEY_ARE)
    reading.write(predictions, out / PREDICTIONS)
    found = auditing.audit(
        predictions,
        source=f"{problem}: {len(population)} models trained here",
        shifted=answers,
        dataset=task.split.test,
        options=auditing.Options(designed=True, seed=seed),
    )
    show(found, out, json, f"polyculture audit {shlex.quote(str(out / PREDICTIONS))}{_commonest(population)}")
    for model, reason in population.failed.items():
        fail(f"{model} could not be trained and is left out: {reason}", 1)
    return 1 if population.failed else 0


@app.command()
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
        recipes = recipe.design(kind, _table(axes, "axes"), models, seed)
    found = recipe.describe(recipes)
    print(found.sentence)
    print(found.frame().to_string(index=False, float_format="%.3g"))
    if out is not None:
        recipe.write_recipes(recipes, out)
        print(f"next  polyculture run digits --recipes {shlex.quote(str(out))}")
    return 0


def _hush_the_pool() -> None:
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
    return recipe.grid(_table(path, "axes"))


def _table(path: Path, name: str) -> dict[str, list[Any]]:
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


def _test_sets(split: Split) -> dict[str, Dataset]:
    """Where the models are tested: the test set first, then the other parts of the split and the shifts."""
    return {AS_THEY_ARE: split.test, "train": split.train, "selection": split.selection, **split.shifted}


def _test(population: Population, tests: Mapping[str, Dataset], progress: Progress) -> dict[str, Predictions]:
    from polyculture import training

    answers = {}
    for done, (name, dataset) in enumerate(tests.items()):
        progress(done, len(tests), name)
        answers[name] = training.predict(population, dataset)
    progress(len(tests), len(tests), "")
    return answers


def _commonest(population: Population) -> str:
    """The option that audits one architecture alone, the one with most models."""
    architectures = population.factors["architecture"]
    name = architectures.mode()[0]
    return f" --models '{name}*'" if (architectures == name).sum() > 1 else ""
