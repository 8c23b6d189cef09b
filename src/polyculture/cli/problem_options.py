"""Which options describe the data to learn from?"""

from __future__ import annotations

from typing import Annotated

import typer

ProblemArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PROBLEM...]", help="Name of a problem, files or a folder (default: digits)."),
]
LabelColumn = Annotated[
    str, typer.Option("--label", metavar="COL", help="Column to learn (default: the usual names, or the last column).")
]
Positive = Annotated[str, typer.Option(metavar="RULE", help="Learn whether the label is this: '>0', '<=2', '=bad'.")]
TaskName = Annotated[
    str, typer.Option("--task", metavar="TASK", help="classification or regression, where labels are ambiguous.")
]
Kind = Annotated[
    str, typer.Option(metavar="KIND", help="table, image, text, tags, audio or series, where files are ambiguous.")
]
Ignore = Annotated[list[str] | None, typer.Option(metavar="COL", help="Column to leave out; may be repeated.")]
GroupColumn = Annotated[
    str, typer.Option("--group", metavar="COL", help="Column of groups to compare (several files: file).")
]
HoldOut = Annotated[
    list[str] | None, typer.Option(metavar="VALUE", help="Group to test on and never train on; may be repeated.")
]
ClusterColumn = Annotated[
    str, typer.Option("--cluster", metavar="COL", help="Column of clusters, which no split divides.")
]
TimeColumn = Annotated[
    str, typer.Option("--time", metavar="COL", help="Column of times: test on the latest instances.")
]
Fold = Annotated[str, typer.Option(metavar="K/N", help="Test on one of N folds, such as 2/5.")]
TestOn = Annotated[
    list[str] | None, typer.Option(metavar="PATH", help="Further files or problem to test on; may be repeated.")
]
Limit = Annotated[int | None, typer.Option(metavar="N", help="Largest number of instances per part.")]
Shifts = Annotated[
    str, typer.Option(metavar="NAMES", help="Graded shifts to test under: all, none, or names such as noise,blur.")
]
Window = Annotated[int, typer.Option(metavar="N", help="Time series: number of input steps.")]
Horizon = Annotated[int, typer.Option(metavar="N", help="Time series: number of steps ahead to predict.")]


def parse_shifts(shifts: str) -> tuple[str, ...] | None:
    """Kinds of shift; None for all of them."""
    if shifts == "all":
        return None
    return () if shifts == "none" else tuple(name.strip() for name in shifts.split(","))
