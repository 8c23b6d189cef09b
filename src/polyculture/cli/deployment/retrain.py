"""polyculture retrain: should a successor take over? Train it, compare it with the champion, and promote it or not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ..application import app
from ..options import Json, Seed, Workers
from ..output import show_lines

KEPT = 3
"""Exit code where the champion is kept."""


@app.command(short_help="Train a successor; promote it only if it is better.")
def retrain(
    bundle: Annotated[
        Path, Argument(metavar="BUNDLE", help="The champion; or a folder of bundles with a link, current, to it.")
    ],
    data: Annotated[
        list[str] | None,
        Option(metavar="PATH", help="New labeled data, or a problem by name; repeat it for several files."),
    ] = None,
    old: Annotated[
        list[str] | None,
        Option(metavar="PATH", help="What the champion learned from (default: the files that it names)."),
    ] = None,
    run: Annotated[Path | None, Option(metavar="RUN", help="Run of the champion, if it is not where it was.")] = None,
    out: Annotated[Path | None, Option(metavar="DIR", help="Successor (default: next to the champion).")] = None,
    pointer: Annotated[Path | None, Option(metavar="LINK", help="Link to move when the successor is promoted.")] = None,
    alarm: Annotated[bool, Option("--alarm", help="An alarm is up: not worse by --margin is enough.")] = False,
    margin: Annotated[float, Option(metavar="SHARE", help="Of the champion's loss, with --alarm.")] = 0.05,
    level: Annotated[float, Option(metavar="LEVEL", help="Confidence level of the interval that decides.")] = 0.95,
    loss: Annotated[str, Option(metavar="LOSS", help="log_loss, error or squared_error (default: by the rule).")] = "",
    goal: Annotated[str, Option(metavar="GOAL", help="Of the selection (default: the champion's).")] = "",
    seed: Seed = 0,
    workers: Workers = None,
    rollback: Annotated[bool, Option("--rollback", help="Move the link back to the bundle before, and end.")] = False,
    json: Json = False,
) -> int:
    """Train the successor of a bundle on old and new data, and promote it only if it is shown to be better.

    The recipes, the selection and the new instances that both answer are the same for both. The successor is promoted
    if the interval of its gain lies above 0; with --alarm, also if it is shown not to be worse by more than --margin of
    the champion's loss. It is written in any case, with NAME.retrain.json next to it, which says why.

    Exit code: 0 promoted (or rolled back), 3 the champion is kept, 2 the input cannot be used, 1 no model could be
    trained.

    \b
      polyculture retrain bundles --data this_month.csv
      polyculture watch answers.db || polyculture retrain bundles --data this_month.csv --alarm
      polyculture retrain bundles --rollback
    """
    from polyculture.deployment.retraining import RetrainOptions, roll_back
    from polyculture.deployment.retraining import retrain as make_successor
    from polyculture.errors import InputError
    from polyculture.reporting.progress_bars import progress_bars

    if rollback:
        show_lines(f"Back to {roll_back(pointer or bundle)}.")
        return 0
    if not data:
        raise InputError("no new data", "labeled instances that the champion has not seen", "name them with --data")
    options = RetrainOptions(level, margin, alarm, loss, goal, seed, workers)
    with progress_bars(announce=not json) as progress:
        result = make_successor(
            bundle, data, old=old, run=run, out=out, pointer=pointer, options=options, progress=progress
        )
    if json:
        print(result.to_json())
    show_lines(result.sentence, f"The successor is {result.challenger.path}.", json=json)
    return 0 if result.promoted else KEPT
