"""polyculture run, design: train and audit a population; check a design before training it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from polyculture.studies.run_folder import DESIGN, RECIPES, writable_folder
from polyculture.studies.shell_words import shell_word

from .application import app, fail
from .options import Json, Out, ProblemOptions, Seed, Workers, with_option_groups
from .output import show, show_sections


@app.command(short_help="Train a population, audit it, and write the page.")
@with_option_groups
def run(
    data: ProblemOptions,
    models: Annotated[int, Option(metavar="N", help="Number of models to train.")] = 36,
    seed: Seed = 0,
    recipes: Annotated[Path | None, Option(metavar="TOML", help="[[recipe]] tables, or [axes] to combine.")] = None,
    workers: Workers = None,
    engine: Annotated[str, Option(metavar="ENGINE", help="auto (this machine) or ray (a cluster).")] = "auto",
    seconds: Annotated[float | None, Option(metavar="S", help="Time limit per model.")] = None,
    clean: Annotated[
        bool, Option("--clean", help="Leave out training rows that are repeated or in the test set.")
    ] = False,
    mask: Annotated[
        list[str] | None, Option(metavar="FIELD=HOW", help="Hide a personal field: hash, mask or drop; repeatable.")
    ] = None,
    out: Out = Path("polyculture-run"),
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
    from polyculture.reporting.progress_bars import progress_bars
    from polyculture.studies import training_run
    from polyculture.studies.cleaning.masks import parsed_fields
    from polyculture.studies.cleaning.training_set import load_masked

    fields = parsed_fields(mask or ())
    levels = read_design(recipes) if recipes else ()
    options = training_run.RunOptions(models, levels, seed, workers, engine, seconds, clean, fields)
    names = data.problem or ["digits"]
    problem = load_masked(names, seed, data.data_options(), fields, out) if fields else data.load(seed)
    with progress_bars(announce=not json) as progress:
        result = training_run.run(problem, options, out=out, progress=progress)
    bundle = shell_word(f"{out}-bundle")
    ship = (f"polyculture export {shell_word(str(out))} --out {bundle}", f"polyculture serve {bundle}")
    show(result.audit, out, json, result.next_command, ship=ship)
    for model, reason in result.population.failed.items():
        fail(f"{model} could not be trained and is left out: {reason}", 1)
    return 1 if result.population.failed else 0


@app.command(short_help="Check which factors a design can identify.")
def design(
    axes: Annotated[
        Path | None, Argument(metavar="[AXES]", help="File with [axes] (default: the design of run).")
    ] = None,
    kind: Annotated[
        str, Option(metavar="KIND", help="optimal, full, fractional, one-at-a-time, random or space-filling.")
    ] = "optimal",
    models: Annotated[int | None, Option(metavar="N", help="Number of models.")] = None,
    seed: Seed = 0,
    out: Annotated[
        Path, Option(metavar="DIR", help="Folder for the page and recipes.toml; FILE.toml: no page.")
    ] = Path("polyculture-design"),
    json: Json = False,
) -> int:
    """Check which factors a design can identify before training.

    AXES looks like this:

    \b
      [axes]
      architecture = ["mlp", "lenet", "forest"]
      data = ["half-a", "half-b"]
      seed = [0, 1]

    \b
      polyculture design axes.toml --kind full --out my-design
    """
    from polyculture.recipe import describe, read_axes, write_recipes
    from polyculture.recipe import design as make_design
    from polyculture.training import default_design

    if axes is None:
        recipes = default_design("digits", models=models or 36, seed=seed)
    else:
        recipes = make_design(kind, read_axes(axes), models, seed)
    is_file = out.suffix.lower() == ".toml"
    file = out if is_file else out / RECIPES
    writable_folder(file.parent)
    write_recipes(recipes, file)
    next_command = f"polyculture run digits --recipes {shell_word(str(file))}"
    show_sections([describe(recipes).section], None if is_file else out / DESIGN, json, next_command)
    return 0
