"""polyculture federate: what do clients gain by training together, and whom does nobody get right then?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from polyculture.studies.shell_words import shell_word

from .application import app
from .options import Json, ProblemOptions, Seed, with_option_groups
from .output import show_sections

if TYPE_CHECKING:
    from polyculture.training.federated import DifferentialPrivacy


@app.command(short_help="Train clients that keep their data, alone and together.")
@with_option_groups
def federate(
    data: ProblemOptions,
    clients: Annotated[
        int | None, Option(metavar="N", help="Number of clients (default: 10, or as the column).")
    ] = None,
    partition: Annotated[
        str, Option(metavar="HOW", help="dirichlet:ALPHA, labels:COUNT, even, or column:NAME.")
    ] = "dirichlet:0.5",
    algorithm: Annotated[
        list[str] | None, Option(metavar="NAME", help="fedavg, fedprox, fedadam, scaffold; repeatable: compared.")
    ] = None,
    rounds: Annotated[int, Option(metavar="N", help="Rounds of sending and averaging.")] = 30,
    local_epochs: Annotated[int, Option(metavar="N", help="Passes of a client over its data in a round.")] = 2,
    client_share: Annotated[float, Option(metavar="SHARE", help="Share of the clients in a round.")] = 1.0,
    dropout: Annotated[float, Option(metavar="P", help="Probability that a client does not answer.")] = 0.0,
    personal: Annotated[
        str, Option(metavar="WHAT", help="What clients train further at the end: fine-tune, head or none.")
    ] = "fine-tune",
    personal_epochs: Annotated[int, Option(metavar="N", help="Passes of that.")] = 2,
    secure: Annotated[bool, Option("--secure", help="The server sees sums of masked messages only.")] = False,
    noise: Annotated[
        float | None, Option(metavar="X", help="Privacy: noise in units of --clip (extra federated).")
    ] = None,
    clip: Annotated[float, Option(metavar="NORM", help="Privacy: largest norm of a client's change.")] = 1.0,
    architecture: Annotated[str, Option(metavar="NAME", help="The net that is averaged.")] = "mlp",
    rate: Annotated[float | None, Option(metavar="X", help="Learning rate of the clients.")] = None,
    runs: Annotated[int, Option(metavar="N", help="Federations from other initial weights, to compare.")] = 3,
    fewest: Annotated[int, Option(metavar="N", help="Instances that every client has at least.")] = 10,
    seed: Seed = 0,
    out: Annotated[Path, Option(metavar="DIR", help="Folder for nets, rounds, predictions and page.")] = Path(
        "polyculture-federation"
    ),
    json: Json = False,
) -> int:
    """Train clients alone, together, and together with a step of their own; compare whom each set of models fails.

    \b
      polyculture federate digits --partition dirichlet:0.1
      polyculture federate digits --algorithm fedavg --algorithm fedadam --rounds 20
      polyculture federate heart_*.csv --positive '>0' --group file --partition column:file

    One federated model is usually more accurate than what clients have alone, and whoever it fails has nobody else to
    ask. The page says both: accuracy on everyone's mix and on the mix that each client meets, always together; as how
    many independent models each set fails; and the share of instances that all of its members get wrong, of local,
    federated, personalized and independently federated models. Stop at any time: the same command resumes.
    """
    from polyculture.recipe import Recipe
    from polyculture.reporting.progress_bars import progress_bars
    from polyculture.studies import federation
    from polyculture.studies.federation.study import SECTION
    from polyculture.training.federated import FederationPlan

    algorithms = algorithm or ["fedavg"]
    plan = FederationPlan(
        algorithms[0],
        rounds,
        local_epochs,
        client_share=client_share,
        dropout=dropout,
        personalization=personal,
        personal_epochs=personal_epochs,
        secure=secure,
        privacy=_privacy(noise, clip),
    )
    hyperparameters = {} if rate is None else {"learning_rate": rate}
    options = federation.FederateOptions(
        clients=clients if clients is not None or partition.startswith("column") else 10,
        partition=partition,
        fewest=fewest,
        plan=plan,
        algorithms=algorithms[1:],
        recipe=Recipe(architecture, optimizer="plain-sgd", hyperparameters=hyperparameters, seed=seed),
        independent=runs,
        seed=seed,
    )
    problem = data.load(seed)
    with progress_bars(announce=not json) as progress:
        result = federation.federate(problem, options, out=out, progress=progress)
    next_command = f"polyculture audit {shell_word(str(out / 'predictions'))}"
    show_sections([result.section], out / SECTION, json, next_command, ("sets",))
    return 0


def _privacy(noise: float | None, clip: float) -> DifferentialPrivacy | None:
    """Privacy of clients, where noise is asked for."""
    from polyculture.training.federated import DifferentialPrivacy

    return None if noise is None else DifferentialPrivacy(clip, noise)
