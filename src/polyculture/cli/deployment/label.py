"""polyculture label: what was true of the instances that a server answered?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from polyculture.studies.shell_words import shell_word

from ..application import app
from ..output import show_lines


@app.command(short_help="Hand in the true labels of served answers.")
def label(
    file: Annotated[Path, Argument(metavar="FILE", help="CSV, JSON Lines or Parquet with a row per label.")],
    store: Annotated[
        str,
        Option(
            metavar="URL",
            envvar="POLYCULTURE_STORE",
            help="Store of the server: a file, sqlite:///… or postgresql://….",
        ),
    ],
    bundle: Annotated[
        Path | None, Option(metavar="DIR", help="Bundle whose classes they are (default: those that answered).")
    ] = None,
    id: Annotated[str, Option("--id", metavar="COL", help="Column of ids, as the answers gave them.")] = "",
    label: Annotated[str, Option("--label", metavar="COL", help="Column of true labels.")] = "",
    time: Annotated[
        str, Option(metavar="COL", help="Column of times: seconds since 1970, or dates (default: now).")
    ] = "",
) -> int:
    """Hand in the true labels of answers that a server gave; they may also come before the answers do.

    \b
      polyculture label truth.csv --store answers.sqlite
      polyculture label truth.parquet --store postgresql://user@host/answers --id request --label outcome
    """
    from polyculture.deployment.store import label_file

    report = label_file(file, store, bundle=bundle, id=id, label=label, time=time)
    option = f" --bundle {shell_word(str(bundle))}" if bundle else ""
    show_lines(report.sentence, f"next  polyculture watch {shell_word(report.store)}{option}")
    return 0
