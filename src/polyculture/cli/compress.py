"""polyculture compress: how do models become smaller and faster, and what does that do to the set of them?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from polyculture.studies.run_folder import COMPRESSION, PAGE

from .application import app
from .options import Json, Seed
from .output import show_lines, show_sentences


@app.command(short_help="Make models smaller and faster, judged as a set.")
def compress(
    source: Annotated[str, Argument(metavar="RUN-or-PORTFOLIO", help="Folder of run, or folder or file of select.")],
    method: Annotated[
        list[str] | None, Option(metavar="CHAIN", help="Steps, as prune-channels=0.5+int8; repeatable: alternatives.")
    ] = None,
    search: Annotated[bool, Option("--search", help="Try every method that fits, at several strengths.")] = False,
    tune: Annotated[int, Option(metavar="EPOCHS", min=0, help="Epochs of fine-tuning after pruning; 0 for none.")] = 5,
    smaller: Annotated[float | None, Option(metavar="TIMES", help="Least factor by which a member is smaller.")] = None,
    faster: Annotated[float | None, Option(metavar="TIMES", help="… by which it is faster at one input.")] = None,
    fewer_flops: Annotated[float | None, Option(metavar="TIMES", help="… by which it computes less.")] = None,
    churn: Annotated[str, Option(metavar="SHARE", help="Most answers of a member that may change.")] = "5%",
    accuracy: Annotated[str, Option(metavar="SHARE", help="Most accuracy that a member may lose.")] = "1%",
    more_alike: Annotated[str, Option(metavar="SHARE", help="Most by which the set may become more alike.")] = "5%",
    models: Annotated[list[str] | None, Option(metavar="GLOB", help="Model or pattern, as 'mlp*'; repeatable.")] = None,
    into_one: Annotated[bool, Option("--into-one", help="One net, taught by all members together.")] = False,
    seed: Seed = 0,
    out: Annotated[Path, Option(metavar="DIR", help="Folder of the compressed run, and of the page.")] = Path(
        "polyculture-compressed"
    ),
    json: Json = False,
) -> int:
    """Make the models of a run, or the members of a portfolio, smaller and faster, and keep what the set can bear.

    \b
    Half of the channels, five epochs of fine-tuning, then eight bits:
      polyculture compress polyculture-run --method prune-channels=0.5+int8
    \b
    As few channels as it takes to be three times smaller; as an alternative, factorized layers:
      polyculture compress polyculture-portfolio --method prune-channels --method low-rank --smaller 3
    \b
    Everything that fits, and the front of size against log-loss and alikeness:
      polyculture compress polyculture-run --search

    Nets: prune-weights, prune-channels, low-rank, distil-self, distil-ensemble, distil-unlike, cluster-weights, half,
    int8, and tune between steps. Other learners: fewer-trees, shallower-trees, prune-trees, fewer-prototypes,
    fewer-features. =0.5 takes half away.

    A compressed model is another model: each is compared with its original on the test set and its shifts. One that is
    neither smaller nor faster, that is slower, or that changes more answers or loses more accuracy than it may, is
    refused and its original kept; so is one that makes the set fail more alike than it may. Several methods are
    compared on the selection part, and the smallest (or with --faster the fastest) that keeps the budgets is tested.

    DIR is a run again: audit, select and export take it. Every compressed model is kept: stop at any time, and the same
    command resumes.
    """
    from polyculture.reporting.progress_bars import progress_bars
    from polyculture.reporting.result_folder import store_sections
    from polyculture.studies import compression

    options = compression.CompressOptions(
        methods=tuple(method or ()),
        search=search,
        into_one=into_one,
        tune=tune,
        smaller=smaller,
        faster=faster,
        fewer_flops=fewer_flops,
        churn=compression.read_share(churn, "churn"),
        accuracy=compression.read_share(accuracy, "accuracy"),
        more_alike=compression.read_share(more_alike, "more-alike"),
        models=tuple(models or ()),
        seed=seed,
    )
    with progress_bars(announce=not json) as progress:
        result = compression.compress(source, options, out=out, progress=progress)
    json_text = store_sections([result.section], out / COMPRESSION, result.next_command)
    if json:
        print(json_text)
    else:
        show_sentences(*result.lines)
    show_lines(f"page  {out / PAGE}", f"next  {result.next_command}", json=json)
    return 0
