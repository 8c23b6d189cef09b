"""polyculture audit, read, compare, scaling, report: what is to be said of answers that are there."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from polyculture.errors import InputError

from .application import app
from .options import (
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
    OfPopulation,
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
)
from .output import AUDIT, PAGE, make_folder, read_audit, show, show_section


@app.command(short_help="Audit tables or logs of answers, and write the page.")
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
    population: OfPopulation = False,
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
    """Audit what somebody has: tables, or the logs of evaluation tools; write the page.

    A table is wide (a row per instance: instance, label, one column per model) or long (a row per answer: instance,
    model, answer and/or correct, label). Columns are found by their usual names; where yours differ, name them. Logs of
    lm-evaluation-harness, Inspect, HELM, MLflow and OpenAI batches are recognised, in folders too.
    """
    import dataclasses

    from polyculture import auditing, formats

    columns = _columns(cluster, strata, group)
    options = auditing.AuditOptions(
        clusters=cluster or "",
        strata=tuple(strata or ()),
        outside=tuple(outside or ()),
        groups=tuple(group or ()),
        verdicts=_judgements(verdicts) if verdicts else {},
        label_errors=label_errors,
        scale=scale or "",
        population=population,
        seed=seed,
    )
    named: dict[str, Any] = {
        "label": label,
        "instance": instance,
        "models": models,
        "groups": columns,
        "correct": correct,
    }
    source = ", ".join(paths)
    if not stream and engine != "local":
        raise InputError(f"--engine {engine} without --stream", "--stream, as only its parts are read by an engine")
    if stream:
        if len(paths) > 1:
            raise InputError(f"{len(paths)} paths with --stream", "one Parquet file, or one folder of them")
        shards = formats.read_shards(paths[0], factors=factors, **named)
        make_folder(out)
        options = dataclasses.replace(options, engine=engine)
        found = auditing.audit(shards, source=source, options=options)
    else:
        rules = formats.Rules(normalize, metric, filter, unify=unify, skip_bad=skip_bad)
        aligned = formats.align(paths, factors=factors, rules=rules, **named)
        make_folder(out)
        if not json:
            print(f"read  {aligned.report.sentence}")
        found = auditing.audit(aligned.predictions, source=source, options=options)
        found = dataclasses.replace(found, sections=(aligned.report.section(), *found.sections))
    show(found, out, json, f"polyculture report {shlex.quote(str(out))} --out page-to-share.html")
    return 0


def _columns(cluster: str | None, *several: list[str] | None) -> list[str]:
    """Instance columns that reading must keep."""
    named = [cluster] if cluster else []
    return list(dict.fromkeys(named + [name for names in several for name in names or ()]))


def _judgements(path: Path) -> dict[str, float]:
    """Verdicts on labels: a CSV with the columns instance and valid."""
    import csv

    from polyculture.errors import FileError

    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"cannot read {path}: {error}", "a CSV with the columns instance and valid") from error
    if not rows or not {"instance", "valid"} <= set(rows[0]):
        raise InputError(f"{path} lacks rows or a column", "a CSV with the columns instance and valid")
    found = {}
    for line, row in enumerate(rows, start=2):
        try:
            found[row["instance"]] = float(row["valid"])
        except (TypeError, ValueError):
            raise InputError(
                f"{path}, line {line}: valid is {row['valid']!r}", "the probability that the label is valid, 0 to 1"
            ) from None
    return found


@app.command(short_help="Turn tables or logs into a Predictions folder.")
def read(
    paths: Paths,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the predictions; audit and others take it.")],
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
    """Turn tables or logs into a Predictions folder, and tell how far they belong together."""
    from polyculture import formats

    aligned = formats.align(
        paths,
        label=label,
        instance=instance,
        models=models,
        factors=factors,
        correct=correct,
        rules=formats.Rules(normalize, metric, filter, unify=unify, skip_bad=skip_bad),
    )
    formats.write(aligned.predictions, out)
    print("\n".join([aligned.report.sentence, *aligned.report.notes]))
    print(f"next  polyculture audit {shlex.quote(str(out))}")
    return 0


@app.command(short_help="Tell which of two sets of models is more alike.")
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Table, log or folder.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The same instances, other models or a later date.")],
    label: Label = None,
    instance: InstanceId = None,
    models: Models = None,
    cluster: Cluster = None,
    json: Json = False,
) -> int:
    """Tell which of two sets of models (or dates) is more alike, on the instances that both answered.

    Compared by ρ with paired intervals: n_eff is not comparable between sets of different size.
    """
    from polyculture import auditing, formats
    from polyculture.results import section_json

    tables = [
        formats.read(path, label=label, instance=instance, models=models, groups=_columns(cluster))
        for path in (first, second)
    ]
    found = auditing.compare(tables[0], tables[1], auditing.AuditOptions(clusters=cluster or ""))
    if json:
        print(section_json(found))
    else:
        show_section(found)
        print(f"\nnext  polyculture audit {shlex.quote(second)}")
    return 0


@app.command(short_help="Tell whether ability and alikeness change with scale.")
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
        float | None, typer.Option(metavar="SHARE", help="Share of wrong labels that an audit of the labels found.")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> int:
    """Tell whether ability and alikeness change with scale: curves, a break test, and what only the metric does."""
    from polyculture import auditing, formats
    from polyculture.results import section_json

    predictions = formats.read(paths, label=label, instance=instance, models=models, factors=factors)
    told = auditing.along_scale(predictions, scale, label_errors=audited_errors, seed=seed)
    for section in told:
        if json:
            print(section_json(section))
        else:
            show_section(section)
    return 0


@app.command(short_help="Write the page of a stored audit again.")
def report(
    file: Annotated[Path, typer.Argument(metavar="AUDIT", help="An audit.json, or the folder it lies in.")],
    out: Annotated[
        Path | None, typer.Option(metavar="PAGE", help="Page to write; page.html beside the audit if left out.")
    ] = None,
) -> int:
    """Write the page of a stored audit again."""
    from polyculture import reporting

    stored = file / AUDIT if file.is_dir() else file
    found = read_audit(stored)
    page = out or stored.with_name(PAGE)
    make_folder(page.parent)
    reporting.report(found, page)
    print(f"{found.sentence}\npage  {page}")
    return 0
