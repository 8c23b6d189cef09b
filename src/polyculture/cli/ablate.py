"""polyculture ablate: what does each regularizer, optimizer or augmentation change, and what does it cost?"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from polyculture.studies.run_folder import PREDICTIONS

from .application import app, fail
from .options import Json, Out, Seed, Workers
from .output import progress_bars, show
from .problem_options import (
    ClusterColumn,
    HoldOut,
    LabelColumn,
    Limit,
    Positive,
    ProblemArgument,
    Shifts,
    TestOn,
    parse_shifts,
)


@app.command(short_help="Change one thing at a time: its effect and its cost.")
def ablate(
    problem: ProblemArgument = None,
    label: LabelColumn = "",
    positive: Positive = "",
    hold_out: HoldOut = None,
    test_on: TestOn = None,
    cluster: ClusterColumn = "",
    limit: Limit = None,
    shifts: Shifts = "all",
    architecture: Annotated[str, typer.Option(metavar="NAME", help="Architecture of the baseline recipe.")] = "mlp",
    levels: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Level, axis or all; may be repeated (default: regularizers)."),
    ] = None,
    replicates: Annotated[int, typer.Option(metavar="N", help="Seeds per recipe, 3 or more.")] = 5,
    optimizer: Annotated[str, typer.Option(metavar="NAME", help="Optimizer of the baseline recipe.")] = "adam",
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Epochs of every fit (default: the architecture's).")
    ] = None,
    workers: Workers = None,
    seed: Seed = 0,
    out: Out = Path("polyculture-ablation"),
    json: Json = False,
) -> int:
    """One-factor-at-a-time ablation against a baseline recipe: effect and cost of each change.

    Test accuracy, generalization gap, accuracy on shifted tests, calibration, similarity of errors and cost, each with
    an interval over seeds and instances. The baseline and every change are trained with the same seeds. Every trained
    model is kept: stop at any time, and the same command resumes.

    \b
      polyculture ablate digits --architecture mlp --levels dropout --levels label-smoothing
      polyculture ablate digits --levels optimizer --levels rotate:30
    """
    from rich.console import Console

    from polyculture.reporting.ablation_table import ablation_table
    from polyculture.studies import ablation
    from polyculture.training import DataOptions, load_problem

    options = ablation.AblationOptions(
        architecture, levels or ablation.REGULARIZERS, replicates, optimizer, epochs, workers, seed
    )
    data = DataOptions(
        label=label,
        positive=positive,
        hold_out=tuple(hold_out or ()),
        test_on=tuple(test_on or ()),
        cluster=cluster,
        limit=limit,
        shifts=parse_shifts(shifts),
    )
    source = load_problem(problem or ["digits"], seed, data)
    with progress_bars() as progress:
        result = ablation.ablate(source, options, out=out, progress=progress)
    next_command = f"polyculture audit {shlex.quote(str(out / PREDICTIONS))} --models '{ablation.BASELINE}*'"
    show(result.audit, out, json, next_command)
    if not json:
        ablation_table(result.effects, Console())
    for name, reason in result.failed.items():
        fail(f"{name} is left out: {reason}", 1)
    return 1 if result.failed else 0
