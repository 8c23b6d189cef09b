"""polyculture evolve: within a budget, which models should be trained next, so that together they fail less?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .application import app, fail
from .options import Json, Out, Seed, Workers
from .output import progress_bars, show
from .problem_options import HoldOut, LabelColumn, Limit, Positive, ProblemArgument, TestOn


@app.command(short_help="Train what earlier models get wrong, while that still gains.")
def evolve(
    problem: ProblemArgument = None,
    label: LabelColumn = "",
    positive: Positive = "",
    hold_out: HoldOut = None,
    test_on: TestOn = None,
    limit: Limit = None,
    axes: Annotated[
        Path | None, typer.Option(metavar="TOML", help="File with the levels in [axes] (default: the usual levels).")
    ] = None,
    budget: Annotated[int, typer.Option(metavar="N", help="Number of models to train in total.")] = 48,
    first: Annotated[int, typer.Option(metavar="N", help="Random models of the first generation.")] = 16,
    generation: Annotated[int, typer.Option(metavar="N", help="Models per later generation.")] = 8,
    worthwhile: Annotated[
        float, typer.Option(metavar="NATS", help="Stop when a generation gains less log-loss than this.")
    ] = 0.002,
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
    from polyculture.studies.evolution import EvolutionOptions
    from polyculture.studies.evolution import evolve as evolve_population
    from polyculture.training import DataOptions, load_problem

    options = EvolutionOptions(budget, first, generation, worthwhile=worthwhile, seed=seed, workers=workers)
    levels = read_axes(axes) if axes else None
    data = DataOptions(
        label=label,
        positive=positive,
        hold_out=tuple(hold_out or ()),
        test_on=tuple(test_on or ()),
        limit=limit,
    )
    source = load_problem(problem or ["digits"], seed, data)
    with progress_bars() as progress:
        result = evolve_population(source, options, axes=levels, out=out, progress=progress)
    for model, reason in result.failed.items():
        fail(f"{model} could not be trained and is left out: {reason}", 1)
    show(result.audit, out, json, result.run.next_command)
    return 0
