"""polyculture read, audit, compare, scaling, report: how alike are the models of existing predictions?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from polyculture.errors import InputError
from polyculture.studies.run_folder import COMPARISON, PAGE, SCALING, read_audit, writable_folder
from polyculture.studies.shell_words import option_words, shell_word, source_words

from .application import app, fail
from .options import Cluster, Group, Json, Out, Paths, ReadingOptions, Seed, TableOptions, with_option_groups
from .output import show, show_lines, show_reports, show_sections, show_sentences


@app.command(short_help="Audit existing predictions, and write the page.")
@with_option_groups
def audit(
    paths: Paths,
    table: TableOptions,
    reading: ReadingOptions,
    cluster: Cluster = None,
    strata: Annotated[
        list[str] | None, Option(metavar="COL", help="Column with external difficulty, to stratify by; repeatable.")
    ] = None,
    reference_models: Annotated[
        list[str] | None,
        Option("--outside", metavar="GLOB", help="Reference models (e.g. humans) used only to estimate difficulty."),
    ] = None,
    group: Group = None,
    verdicts: Annotated[Path | None, Option(metavar="CSV", help="Verdicts on labels: instance, valid.")] = None,
    label_errors: Annotated[float, Option(metavar="SHARE", help="Plausible share of wrong labels.")] = 0.033,
    scale: Annotated[str, Option(metavar="COL", help="Model column with sizes or dates.")] = "",
    within: Annotated[str, Option(metavar="COL", help="Column of conditions: numbers within each, averaged.")] = "",
    similarity: Annotated[
        str, Option(metavar="NAME", help="What attribution splits: covariance, kappa, capa, …, or a CSV matrix.")
    ] = "covariance",
    population: Annotated[bool, Option("--population", help="Add intervals for a population of models.")] = False,
    stream: Annotated[bool, Option("--stream", help="Read a Parquet file or folder in shards.")] = False,
    engine: Annotated[str, Option(metavar="ENGINE", help="With --stream: local, or ray.")] = "local",
    seed: Seed = 0,
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
    from polyculture.auditing import AuditOptions
    from polyculture.auditing.attribution.response import similarity_named
    from polyculture.formats.verdicts import read_verdicts
    from polyculture.reporting import with_commands
    from polyculture.studies.audited_sources import audit_sources, audit_streamed

    options = AuditOptions(
        clusters=cluster or "",
        strata=tuple(strata or ()),
        outside=tuple(reference_models or ()),
        groups=tuple(group or ()),
        verdicts=read_verdicts(verdicts) if verdicts else {},
        label_errors=label_errors,
        scale=scale,
        within=within,
        similarity=similarity_named(similarity),
        population=population,
        seed=seed,
    )
    columns = table.columns(cluster, strata, group, within) | {"correct": reading.outcomes}
    if not stream and engine != "local":
        raise InputError(f"--engine {engine} without --stream", "--stream, as an engine reads shards only")
    if stream:
        reading.refuse("--stream, which takes answers as they are")
        result = audit_streamed(paths, replace(options, engine=engine), columns, out)
    else:
        result = audit_sources(paths, options, reading.rules(), columns, out)
    if result.note and not json:
        show_sentences(result.note)
    if result.remark:
        fail(result.remark, 0)
    words = source_words(paths, table, reading, cluster=cluster, group=group)
    next_command = f"polyculture report {shell_word(str(out))} --out page-to-share.html"
    show(with_commands(result.audit, words + option_words(verdicts=verdicts), words), out, json, next_command)
    return 0


@app.command(short_help="Convert tables or logs to a Predictions folder.")
@with_option_groups
def read(
    paths: Paths,
    table: TableOptions,
    reading: ReadingOptions,
    out: Annotated[Path, Option(metavar="DIR", help="Folder for the predictions.")],
) -> int:
    """Convert tables or logs to a Predictions folder, and report how well their instances match.

    \b
      polyculture read logs/ --metric exact_match --out predictions
    """
    from polyculture.formats import align, write

    aligned = align(paths, rules=reading.rules(), **table.columns(), correct=reading.outcomes)
    write(aligned.predictions, out)
    show_sentences(aligned.report.sentence, *aligned.report.notes)
    show_lines(f"next  polyculture audit {shell_word(str(out))}")
    return 0


@app.command(short_help="Compare how alike two sets of models are.")
@with_option_groups
def compare(
    first: Annotated[str, Argument(metavar="A", help="Table, log or folder.")],
    second: Annotated[str, Argument(metavar="B", help="The same instances, other models or date.")],
    table: TableOptions,
    reading: ReadingOptions,
    cluster: Cluster = None,
    out: Out = Path("polyculture-comparison"),
    json: Json = False,
) -> int:
    """Compare how alike two sets of models (or dates) are, on the instances that both answered.

    The comparison uses ρ with paired intervals: n_eff is not comparable between sets of different size.

    \b
      polyculture compare models-2024.csv models-2025.csv
    """
    from polyculture.auditing import AuditOptions, compare
    from polyculture.formats import align

    columns = table.columns(cluster) | {"correct": reading.outcomes, "rules": reading.rules()}
    a, b = align(first, **columns), align(second, **columns)
    section = compare(a.predictions, b.predictions, AuditOptions(clusters=cluster or ""))
    show_reports(a.report.sentence, b.report.sentence, json=json)
    next_command = f"polyculture audit {shell_word(second)}{table.words(reading)}"
    show_sections([section], writable_folder(out) / COMPARISON, json, next_command)
    return 0


@app.command(short_help="Trends of ability and similarity with scale.")
@with_option_groups
def scaling(
    paths: Paths,
    table: TableOptions,
    reading: ReadingOptions,
    scale: Annotated[str, Option(metavar="COL", help="Model column with sizes or dates.")] = "parameters",
    audited_errors: Annotated[float | None, Option(metavar="SHARE", help="Share of wrong labels in an audit.")] = None,
    seed: Seed = 0,
    out: Out = Path("polyculture-scaling"),
    json: Json = False,
) -> int:
    """Trends of ability and similarity with scale: curves, a break test, and artefacts of the metric.

    \b
      polyculture scaling predictions.csv --factors models.csv --scale parameters
    """
    from polyculture.auditing import along_scale
    from polyculture.formats import align

    aligned = align(paths, rules=reading.rules(), **table.columns(), correct=reading.outcomes)
    sections = along_scale(aligned.predictions, scale, label_errors=audited_errors, seed=seed)
    show_reports(aligned.report.sentence, json=json)
    words = f"{' '.join(map(shell_word, paths))}{table.words(reading)} --scale {shell_word(scale)}"
    tables = ("points", "families", "breaks", "nulls")
    show_sections(sections, writable_folder(out) / SCALING, json, f"polyculture audit {words}", tables)
    return 0


@app.command(short_help="Write the page of a stored audit again.")
def report(
    file: Annotated[Path, Argument(metavar="AUDIT", help="An audit.json, or the folder that has it.")],
    out: Annotated[Path | None, Option(metavar="PAGE", help="Page to write (default: next to the audit).")] = None,
) -> int:
    """Write the page of a stored audit again.

    \b
      polyculture report polyculture-run --out page-to-share.html
    """
    from polyculture.reporting import report

    audit = read_audit(file)
    page = out or (file / PAGE if file.is_dir() else file.with_name(PAGE))
    writable_folder(page.parent)
    report(audit, page)
    stored = str(audit.facts.get("next", ""))
    is_last = not stored or stored.startswith("polyculture report")
    show_sentences(audit.sentence)
    show_lines(f"page  {page}", f"next  {'polyculture select --help' if is_last else stored}")
    return 0
