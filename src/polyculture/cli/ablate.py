"""polyculture ablate: what does each regularizer, optimizer or augmentation change, and what does it cost?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from polyculture.studies.run_folder import PREDICTIONS
from polyculture.studies.shell_words import shell_word

from .application import app, fail
from .options import Json, Out, ProblemOptions, Seed, Workers, with_option_groups
from .output import show


@app.command(short_help="Change one thing at a time: its effect and its cost.")
@with_option_groups
def ablate(
    data: ProblemOptions,
    architecture: Annotated[str, Option(metavar="NAME", help="Architecture of the baseline.")] = "mlp",
    levels: Annotated[list[str] | None, Option(metavar="NAME", help="Level, axis or all; repeatable.")] = None,
    replicates: Annotated[int, Option(metavar="N", help="Seeds per recipe, 3 or more.")] = 5,
    optimizer: Annotated[str, Option(metavar="NAME", help="Optimizer of the baseline recipe.")] = "adam",
    epochs: Annotated[int | None, Option(metavar="N", help="Epochs (default: the architecture's).")] = None,
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
    from polyculture.reporting import with_commands
    from polyculture.reporting.progress_bars import progress_bars
    from polyculture.studies import ablation

    options = ablation.AblationOptions(
        architecture, levels or ablation.REGULARIZERS, replicates, optimizer, epochs, workers, seed
    )
    problem = data.load(seed)
    with progress_bars() as progress:
        result = ablation.ablate(problem, options, out=out, progress=progress)
    source = shell_word(str(out / PREDICTIONS))
    next_command = f"polyculture audit {source} --models '{ablation.BASELINE}*'"
    show(with_commands(result.audit, source), out, json, next_command, ["ablation"], ("effects",))
    for name, reason in result.failed.items():
        fail(f"{name} is left out: {reason}", 1)
    return 1 if result.failed else 0
