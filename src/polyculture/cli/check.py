"""polyculture check: does an audit keep the bounds that a pipeline sets?"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from .application import app
from .options import Cluster, Group, Json, ReadingOptions, TableOptions, with_option_groups
from .output import show_lines


@app.command(short_help="Check bounds on an audit, for CI.")
@with_option_groups
def check(
    table: TableOptions,
    reading: ReadingOptions,
    paths: Annotated[
        list[str] | None, Argument(metavar="[PATH...]", help="Tables, logs, a folder, or an audit.json.")
    ] = None,
    config: Annotated[
        Path | None, Option(metavar="TOML", help="File with a [check] table (default: polyculture.toml if there).")
    ] = None,
    minimum: Annotated[
        list[str] | None, Option("--min", metavar="NUMBER=X", help="Least value, as n_eff=2; repeatable.")
    ] = None,
    maximum: Annotated[
        list[str] | None, Option("--max", metavar="NUMBER=X", help="Largest value, as kappa=0.8; repeatable.")
    ] = None,
    judge: Annotated[
        str, Option(metavar="HOW", help="shown: broken only where the interval shows it; safe: kept only so.")
    ] = "",
    cluster: Cluster = None,
    group: Group = None,
    junit: Annotated[Path | None, Option(metavar="XML", help="File for the results as JUnit XML.")] = None,
    markdown: Annotated[Path | None, Option(metavar="MD", help="File for a summary as a Markdown table.")] = None,
    json: Json = False,
) -> int:
    """Check bounds on the numbers of an audit, judged by their intervals; for CI.

    Exit code: 0 every gate is kept, 1 a gate is broken, 2 the input cannot be used, 3 a gate cannot be told, as its
    number is undefined, and none is broken. One line per gate, the broken ones first.

    \b
      polyculture check predictions.csv --min n_eff=2 --max all_wrong=0.05 --max kappa=0.8
      polyculture check polyculture-run --config polyculture.toml --junit check.xml
    """
    from polyculture.auditing import check
    from polyculture.reporting.atomic_write import write_atomically
    from polyculture.studies.gate_files import CONFIG, CheckSettings, audit_of, parse_bounds, read_settings
    from polyculture.studies.run_folder import writable_folder

    bounds = {"min": parse_bounds(minimum or [], "min"), "max": parse_bounds(maximum or [], "max")}
    if config is None and not any(bounds.values()) and Path(CONFIG).is_file():
        config = Path(CONFIG)
    overrides = {"cluster": cluster, "group": group} | {
        f.name: getattr(options, f.name)
        for options in (table, reading)
        for f in fields(options)
        if getattr(options, f.name) != f.default
    }
    settings = read_settings(config) if config else CheckSettings()
    settings = settings.override(
        paths or (), bounds, judge, {name: v for name, v in overrides.items() if v is not None}
    )
    files = {path: text for path, text in ((junit, "junit"), (markdown, "markdown")) if path is not None}
    gates = settings.gates()  # before the work of an audit
    for path in files:
        writable_folder(path.parent)
    result = check(audit_of(settings), gates, judge=settings.judge)
    for path, form in files.items():
        write_atomically(path, getattr(result, form)().encode())
    if json:
        print(result.to_json())
    else:
        show_lines(*(gate.line for gate in result.worst_first))
    show_lines(result.sentence, json=True)
    return result.exit_code
