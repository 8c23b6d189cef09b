"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option(metavar="DIR", help="Folder for the page, audit.json and the rest.")]
Json = Annotated[bool, typer.Option("--json", help="Print the audit as JSON, and nothing else, on stdout.")]


Paths = Annotated[list[str], typer.Argument(metavar="PATH...", help="Tables, logs, folders, or mlflow:EXPERIMENT.")]
Label = Annotated[
    str | None, typer.Option(metavar="COL", help="Column with the true answers; for logs a file of instance and label.")
]
InstanceId = Annotated[str | None, typer.Option(metavar="COL", help="Column with the ids of instances.")]
Models = Annotated[
    list[str] | None, typer.Option(metavar="GLOB", help="Model or pattern such as 'api_*'; may be repeated.")
]
Factors = Annotated[Path | None, typer.Option(metavar="CSV", help="What each model is made of: a row per model.")]
Correct = Annotated[bool, typer.Option("--correct", help="Cells say right (1) or wrong (0), not answers.")]
Metric = Annotated[str | None, typer.Option(metavar="NAME", help="What says right or wrong, if a log has several.")]
Filter = Annotated[str | None, typer.Option(metavar="NAME", help="The filter of lm-evaluation-harness that counts.")]
Normalize = Annotated[
    str, typer.Option(metavar="RULE", help="exact, quasi-exact, numeric, multiple-choice or code; for texts in logs.")
]
Unify = Annotated[bool, typer.Option("--unify", help="Take answers for one that differ by case, space or type.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out and count lines that cannot be read.")]
Cluster = Annotated[str | None, typer.Option(metavar="COL", help="Column that tells which instances belong together.")]
Strata = Annotated[
    list[str] | None, typer.Option(metavar="COL", help="Column that tells how hard an instance is; may be repeated.")
]
Outside = Annotated[
    list[str] | None, typer.Option(metavar="GLOB", help="Models (humans) that tell difficulty and are not audited.")
]
Group = Annotated[list[str] | None, typer.Option(metavar="COL", help="Column of groups to compare; may be repeated.")]
Verdicts = Annotated[
    Path | None, typer.Option(metavar="CSV", help="Your judgements, columns instance and valid (0 to 1).")
]
LabelErrors = Annotated[float, typer.Option(metavar="SHARE", help="Share of wrong labels that is plausible.")]
OfPopulation = Annotated[
    bool, typer.Option("--population", help="These models are a sample: give intervals for their population, too.")
]
Scale = Annotated[str | None, typer.Option(metavar="COL", help="Model column with sizes or dates, to follow.")]
Stream = Annotated[
    bool, typer.Option("--stream", help="Larger than memory: one Parquet file or a folder of them, part by part.")
]
Engine = Annotated[str, typer.Option(metavar="ENGINE", help="With --stream: local, or ray for a cluster.")]
Seed = Annotated[int, typer.Option(metavar="S", min=0, help="Seed of whatever is drawn by chance.")]
