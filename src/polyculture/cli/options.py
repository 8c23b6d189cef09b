"""Which options do several commands share?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option(metavar="DIR", help="Folder for the page, audit.json and other results.")]
Json = Annotated[bool, typer.Option("--json", help="Print only the JSON of the result on stdout.")]
Seed = Annotated[int, typer.Option(metavar="S", min=0, help="Random seed.")]
Workers = Annotated[int | None, typer.Option(metavar="W", help="Number of processes (default: one per core).")]

Paths = Annotated[list[str], typer.Argument(metavar="PATH...", help="Tables, logs, folders, or mlflow:EXPERIMENT.")]
Label = Annotated[
    str | None, typer.Option(metavar="COL", help="Column of true labels; for logs a file of instance and label.")
]
InstanceId = Annotated[str | None, typer.Option(metavar="COL", help="Column of instance ids.")]
Models = Annotated[
    list[str] | None, typer.Option(metavar="GLOB", help="Model or pattern such as 'api_*'; may be repeated.")
]
Factors = Annotated[Path | None, typer.Option(metavar="CSV", help="Table of model attributes: a row per model.")]
Correct = Annotated[bool, typer.Option("--correct", help="Cells are right (1) or wrong (0) instead of answers.")]
Metric = Annotated[str | None, typer.Option(metavar="NAME", help="Metric that decides right or wrong in logs.")]
Filter = Annotated[str | None, typer.Option(metavar="NAME", help="Filter of lm-evaluation-harness to read.")]
Normalize = Annotated[
    str,
    typer.Option(metavar="RULE", help="Answer texts in logs: exact, quasi-exact, numeric, multiple-choice or code."),
]
Unify = Annotated[
    bool, typer.Option("--unify", help="Treat answers that differ only in case, spacing or type as equal.")
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Skip and count unreadable lines.")]
Cluster = Annotated[str | None, typer.Option(metavar="COL", help="Column of clusters of dependent instances.")]
Strata = Annotated[
    list[str] | None,
    typer.Option(metavar="COL", help="Column with external difficulty, to stratify by; may be repeated."),
]
Outside = Annotated[
    list[str] | None,
    typer.Option(metavar="GLOB", help="Reference models (e.g. humans) used only to estimate difficulty."),
]
Group = Annotated[list[str] | None, typer.Option(metavar="COL", help="Column of groups to compare; may be repeated.")]
Verdicts = Annotated[
    Path | None, typer.Option(metavar="CSV", help="Label verdicts: columns instance and valid (0 to 1).")
]
LabelErrors = Annotated[float, typer.Option(metavar="SHARE", help="Plausible share of wrong labels.")]
AsPopulation = Annotated[
    bool, typer.Option("--population", help="Models are a sample: add intervals for their population.")
]
Scale = Annotated[str | None, typer.Option(metavar="COL", help="Model column with sizes or dates.")]
Stream = Annotated[
    bool, typer.Option("--stream", help="Larger than memory: read one Parquet file or folder in shards.")
]
Engine = Annotated[str, typer.Option(metavar="ENGINE", help="With --stream: local, or ray for a cluster.")]


def columns(cluster: str | None, *lists: list[str] | None) -> list[str]:
    """Instance columns to keep when reading."""
    names = [cluster] if cluster else []
    return list(dict.fromkeys(names + [name for column_names in lists for name in column_names or ()]))
