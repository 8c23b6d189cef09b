"""polyculture evolve: within a budget, which models should be trained next, so that together they fail less?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from .application import app, fail
from .options import Json, Out, ProblemOptions, Seed, Workers, with_option_groups
from .output import show


@app.command(short_help="Train what earlier models get wrong, while that still gains.")
@with_option_groups
def evolve(
    data: ProblemOptions,
    axes: Annotated[Path | None, Option(metavar="TOML", help="File with [axes] (default: usual levels).")] = None,
    budget: Annotated[int, Option(metavar="N", help="Number of models to train in total.")] = 48,
    first: Annotated[int, Option(metavar="N", help="Random models of the first generation.")] = 16,
    generation: Annotated[int, Option(metavar="N", help="Models per later generation.")] = 8,
    worthwhile: Annotated[float, Option(metavar="NATS", help="Stop below this gain in log-loss.")] = 0.002,
    workers: Workers = None,
    seed: Seed = 0,
    out: Out = Path("polyculture-evolution"),
    json: Json = False,
) -> int:
    """Evolve a population: each generation targets what earlier models get wrong; then keep the best subset.

    Half of each generation are children of elites (the best model of every pattern of failures), half are suggestions
    of a model of past gains. The evolution stops when the interval of the gain is below --worthwhile. The portfolio is
    selected on the selection instances and certified on test instances that had no part in the evolution.

    \b
      polyculture evolve digits --budget 32
    """
    from polyculture.recipe import read_axes
    from polyculture.reporting.progress_bars import progress_bars
    from polyculture.studies.evolution import EvolutionOptions
    from polyculture.studies.evolution import evolve as evolve_population

    options = EvolutionOptions(budget, first, generation, worthwhile=worthwhile, seed=seed, workers=workers)
    levels = read_axes(axes) if axes else None
    problem = data.load(seed)
    with progress_bars() as progress:
        result = evolve_population(problem, options, axes=levels, out=out, progress=progress)
    for model, reason in result.failed.items():
        fail(f"{model} could not be trained and is left out: {reason}", 1)
    tables = ("history", "members", "gains")
    show(result.audit, out, json, result.run.next_command, ["evolution", "portfolio"], tables)
    return 0
