"""What may be said on the command line about the files that are learned from?"""

from __future__ import annotations

from typing import Annotated

import typer

What = Annotated[
    list[str] | None, typer.Argument(metavar="[PROBLEM...]", help="A problem's name, or files or a folder; digits.")
]
Target = Annotated[
    str, typer.Option("--label", metavar="COL", help="Column to be learned; the usual names, or the last one.")
]
Positive = Annotated[str, typer.Option(metavar="RULE", help="Ask whether the label is this: '>0', '<=2', '=bad'.")]
Asked = Annotated[str, typer.Option(metavar="TASK", help="classification or regression, if the labels mislead.")]
Kind = Annotated[str, typer.Option(metavar="KIND", help="table, image, text, tags, audio or series, if files mislead.")]
Ignore = Annotated[list[str] | None, typer.Option(metavar="COL", help="Column not to learn from; may be repeated.")]
Grouped = Annotated[
    str, typer.Option("--group", metavar="COL", help="Column of groups to compare; of several files: file.")
]
HoldOut = Annotated[
    list[str] | None,
    typer.Option(metavar="VALUE", help="Group never learned from, a test of its own; may be repeated."),
]
NetGroup = Annotated[
    str, typer.Option("--cluster", metavar="COL", help="Column of what belongs together: on one side of every cut.")
]
Time = Annotated[str, typer.Option(metavar="COL", help="Column of moments: test on what comes later.")]
Fold = Annotated[str, typer.Option(metavar="K/N", help="Test on one of N folds, such as 2/5.")]
TestOn = Annotated[
    list[str] | None, typer.Option(metavar="PATH", help="Other files or problem to be tested on; may be repeated.")
]
Limit = Annotated[int | None, typer.Option(metavar="N", help="Instances in each part at most.")]
Shifts = Annotated[
    str, typer.Option(metavar="NAMES", help="Graded shifts to be tested under: all, none, or names such as noise,blur.")
]
Window = Annotated[int, typer.Option(metavar="N", help="Of a series: steps that are looked at.")]
Horizon = Annotated[int, typer.Option(metavar="N", help="Of a series: steps ahead that are predicted.")]
