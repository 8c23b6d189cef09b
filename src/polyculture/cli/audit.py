"""polyculture read, audit, compare, scaling, report: how alike are the models of existing predictions?"""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from polyculture.errors import InputError
from polyculture.studies.run_folder import PAGE, make_folder, read_audit

from .application import app
from .options import (
    AsPopulation,
    Cluster,
    Correct,
    Engine,
    Factors,
    Filter,
    Group,
    InstanceId,
    Json,
    Label,
    LabelErrors,
    Metric,
    Models,
    Normalize,
    Out,
    Outside,
    Paths,
    Scale,
    Seed,
    SkipBad,
    Strata,
    Stream,
    Unify,
    Verdicts,
    columns,
)
from .output import show, show_section


@app.command(short_help="Audit existing predictions, and write the page.")
def audit(
    paths: Paths,
    label: Label = None,
    instance: InstanceId = None,
    models: Models = None,
    cluster: Cluster = None,
    strata: Strata = None,
    outside: Outside = None,
    group: Group = None,
    verdicts: Verdicts = None,
    label_errors: LabelErrors = 0.033,
    scale: Scale = None,
    population: AsPopulation = False,
    stream: Stream = False,
    engine: Engine = "local",
    seed: Seed = 0,
    factors: Factors = None,
    correct: Correct = False,
    metric: Metric = None,
    filter: Filter = None,
    normalize: Normalize = "exact",
    unify: Unify = False,
    skip_bad: SkipBad = False,
    out: Out = Path("polyculture-audit"),
    json: Json = False,
) -> int:
    """Audit existing predictions: tables, or logs of evaluation tools; write the page.

    A table is wide (a row per instance: instance, label, one column per model) or long (a row per answer: instance,
    model, answer and/or correct, label). Columns are recognised by their usual names; otherwise name them. Logs of
    lm-evaluation-harness, Inspect, HELM, MLflow and OpenAI batches are recognised, in folders too.

    \b
      polyculture audit predictions.csv --models 'api_*' --group site
    """
    from polyculture.auditing import AuditOptions, audit
    from polyculture.formats import ReadingRules, align, read_shards
    from polyculture.formats.verdicts import read_verdicts

    options = AuditOptions(
        clusters=cluster or "",
        strata=tuple(strata or ()),
        outside=tuple(outside or ()),
        groups=tuple(group or ()),
        verdicts=read_verdicts(verdicts) if verdicts else {},
        label_errors=label_errors,
        scale=scale or "",
        population=population,
        seed=seed,
    )
    roles: dict[str, Any] = {"label": label, "instance": instance, "models": models, "correct": correct}
    roles |= {"groups": columns(cluster, strata, group), "factors": factors}
    source = ", ".join(paths)
    if not stream and engine != "local":
        raise InputError(f"--engine {engine} without --stream", "--stream, as an engine reads shards only")
    if stream:
        if len(paths) > 1:
            raise InputError(f"{len(paths)} paths with --stream", "one Parquet file, or one folder of them")
        shards = read_shards(paths[0], **roles)
        make_folder(out)
        result = audit(shards, source=source, options=replace(options, engine=engine))
    else:
        rules = ReadingRules(normalize, metric, filter, unify=unify, skip_bad=skip_bad)
        aligned = align(paths, rules=rules, **roles)
        make_folder(out)
        if not json:
            print(f"read  {aligned.report.sentence}")
        result = audit(aligned.predictions, source=source, options=options)
        result = replace(result, sections=(aligned.report.section(), *result.sections))
    show(result, out, json, f"polyculture report {shlex.quote(str(out))} --out page-to-share.html")
    return 0


@app.command(short_help="Convert tables or logs to a Predictions folder.")
def read(
    paths: Paths,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the predictions, which other commands accept.")],
    label: Label = None,
    instance: InstanceId = None,
    models: Models = None,
    factors: Factors = None,
    correct: Correct = False,
    metric: Metric = None,
    filter: Filter = None,
    normalize: Normalize = "exact",
    unify: Unify = False,
    skip_bad: SkipBad = False,
) -> int:
    """Convert tables or logs to a Predictions folder, and report how well their instances match.

    \b
      polyculture read logs/ --metric exact_match --out predictions
    """
    from polyculture.formats import ReadingRules, align, write

    aligned = align(
        paths,
        label=label,
        instance=instance,
        models=models,
        factors=factors,
        correct=correct,
        rules=ReadingRules(normalize, metric, filter, unify=unify, skip_bad=skip_bad),
    )
    write(aligned.predictions, out)
    print("\n".join([aligned.report.sentence, *aligned.report.notes]))
    print(f"next  polyculture audit {shlex.quote(str(out))}")
    return 0


@app.command(short_help="Compare how alike two sets of models are.")
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Table, log or folder.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The same instances, other models or a later date.")],
    label: Label = None,
    instance: InstanceId = None,
    models: Models = None,
    cluster: Cluster = None,
    json: Json = False,
) -> int:
    """Compare how alike two sets of models (or dates) are, on the instances that both answered.

    The comparison uses ρ with paired intervals: n_eff is not comparable between sets of different size.

    \b
      polyculture compare models-2024.csv models-2025.csv
    """
    from polyculture.auditing import AuditOptions, compare
    from polyculture.formats import read
    from polyculture.results import section_json

    roles: dict[str, Any] = {"label": label, "instance": instance, "models": models, "groups": columns(cluster)}
    section = compare(read(first, **roles), read(second, **roles), AuditOptions(clusters=cluster or ""))
    if json:
        print(section_json(section))
    else:
        show_section(section)
        print(f"\nnext  polyculture audit {shlex.quote(second)}")
    return 0


@app.command(short_help="Trends of ability and similarity with scale.")
def scaling(
    paths: Paths,
    scale: Annotated[
        str, typer.Option(metavar="COL", help="Column of the model table: sizes or dates.")
    ] = "parameters",
    factors: Factors = None,
    label: Label = None,
    instance: InstanceId = None,
    models: Models = None,
    audited_errors: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Share of wrong labels according to a label audit.")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> int:
    """Trends of ability and similarity with scale: curves, a break test, and artefacts of the metric.

    \b
      polyculture scaling predictions.csv --factors models.csv --scale parameters
    """
    from polyculture.auditing import along_scale
    from polyculture.formats import read
    from polyculture.results import section_json

    predictions = read(paths, label=label, instance=instance, models=models, factors=factors)
    for section in along_scale(predictions, scale, label_errors=audited_errors, seed=seed):
        if json:
            print(section_json(section))
        else:
            show_section(section)
    return 0


@app.command(short_help="Write the page of a stored audit again.")
def report(
    file: Annotated[Path, typer.Argument(metavar="AUDIT", help="An audit.json, or the folder that has it.")],
    out: Annotated[
        Path | None, typer.Option(metavar="PAGE", help="Page to write (default: page.html next to the audit).")
    ] = None,
) -> int:
    """Write the page of a stored audit again.

    \b
      polyculture report polyculture-run --out page-to-share.html
    """
    from polyculture.reporting import report

    audit = read_audit(file)
    page = out or (file / PAGE if file.is_dir() else file.with_name(PAGE))
    make_folder(page.parent)
    report(audit, page)
    print(f"{audit.sentence}\npage  {page}")
    return 0
