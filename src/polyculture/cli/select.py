"""polyculture select: which few of these models should be kept, and what are they worth together?"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyculture.studies.run_folder import AUDIT, PAGE, PORTFOLIO, make_folder

from .application import app
from .options import (
    Cluster,
    Correct,
    Factors,
    Filter,
    Group,
    InstanceId,
    Json,
    Label,
    Metric,
    Models,
    Normalize,
    Out,
    Paths,
    Seed,
    SkipBad,
    Unify,
)
from .output import show_section
from .values import Wanted, choose_values, holds_numbers, refuse

if TYPE_CHECKING:
    from polyculture.results import Portfolio


@app.command(short_help="Keep the few models that cover for each other, certified.")
def select(
    paths: Paths,
    members: Annotated[
        int | None,
        typer.Option("--members", "-k", metavar="K", help="How many to keep; as it takes if left out."),
    ] = None,
    goal: Annotated[
        str, typer.Option(metavar="GOAL", help="log_loss, error, co_failure, worst_shift, …, or a model column.")
    ] = "",
    rule: Annotated[
        str, typer.Option(metavar="RULE", help="How members are combined: mixture, vote, mean, geometric, stacking, ….")
    ] = "",
    method: Annotated[
        str, typer.Option(metavar="METHOD", help="How to search: mixture, greedy, exact, swap, co_failure.")
    ] = "",
    certify_on: Annotated[
        str | None, typer.Option(metavar="PATH", help="Answers to other instances to certify on; else a part of these.")
    ] = None,
    share: Annotated[float, typer.Option(metavar="SHARE", help="Part of the instances to certify on.")] = 0.5,
    cost: Annotated[str, typer.Option(metavar="COL", help="Model column with a cost: seconds, bytes, a price.")] = "",
    label: Label = None,
    instance: InstanceId = None,
    models: Models = None,
    cluster: Cluster = None,
    group: Group = None,
    factors: Factors = None,
    correct: Correct = False,
    values: Annotated[bool, typer.Option("--values", hidden=True)] = False,
    metric: Metric = None,
    filter: Filter = None,
    normalize: Normalize = "exact",
    unify: Unify = False,
    skip_bad: SkipBad = False,
    seed: Seed = 0,
    out: Out = Path("polyculture-portfolio"),
    json: Json = False,
) -> int:
    """Choose the few models that cover for each other, and certify them on instances that had no part in the choice.

    \b
    Five models that vote, from a table of answers:
      polyculture select answers.parquet --members 5
    \b
    From the folder that run leaves, weighted as it suits the log-loss, or of numbers the squared error:
      polyculture select polyculture-run
    """
    from polyculture import auditing, formats, selection

    terms = selection.SelectionOptions(
        method=method, share=share, groups=tuple(group or ()), clusters=cluster or "", cost=cost, seed=seed
    )
    if values or holds_numbers(paths):
        of_answers = {"--correct": correct, "--metric": metric, "--filter": filter, "--unify": unify}
        refuse(of_answers | {"--normalize": normalize != "exact", "--skip-bad": skip_bad})
        known = {"label": label, "instance": instance, "models": models, "factors": factors}
        wanted = Wanted(members, goal, rule, certify_on)
        make_folder(out)
        _show(*choose_values(paths, wanted, known, terms), out, json, _again(out))
        return 0
    rules = formats.Rules(normalize, metric, filter, unify=unify, skip_bad=skip_bad)
    columns = list(dict.fromkeys([*([cluster] if cluster else []), *(group or [])]))
    named: dict[str, Any] = {"label": label, "instance": instance, "models": models, "groups": columns}
    named |= {"correct": correct, "factors": factors, "rules": rules}
    aligned = formats.align(paths, **named)
    judges = formats.align([certify_on], **named).predictions if certify_on else None
    make_folder(out)
    found = selection.select(aligned.predictions, members, goal=goal, rule=rule, certify_on=judges, terms=terms)
    options = auditing.AuditOptions(clusters=cluster or "", groups=tuple(group or ()), seed=seed)
    whole = auditing.audit(aligned.predictions, source=", ".join(paths), options=options)
    _show(found, whole, out, json, f"polyculture audit {_kept(paths, found)}")
    return 0


def _show(found: Portfolio, whole: Any, out: Path, json: bool, following: str) -> None:
    """Store the portfolio, the audit of all candidates and their common page; print the portfolio."""
    from dataclasses import replace

    from polyculture import reporting, selection
    from polyculture.reporting.atomic_write import write_whole

    section = selection.section(found)
    both = replace(whole, sections=(section, *whole.sections))
    write_whole(out / PORTFOLIO, found.to_json().encode())
    write_whole(out / AUDIT, both.to_json().encode())
    reporting.report(both, out / PAGE)
    if json:
        print(found.to_json())
    else:
        show_section(section, "members", "gains")
    print(f"page  {out / PAGE}\nnext  {following}", file=sys.stderr if json else sys.stdout)


def _again(out: Path) -> str:
    return f"polyculture report {shlex.quote(str(out))} --out page-to-share.html"


def _kept(paths: list[str], found: Portfolio) -> str:
    """The options that audit the members alone."""
    named = " ".join(f"--models {shlex.quote(member)}" for member in found.members)
    return f"{' '.join(map(shlex.quote, paths))} {named}"
