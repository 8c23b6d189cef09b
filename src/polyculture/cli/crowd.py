"""polyculture crowd: what do several workers say of the same items, and how sure may one be of it?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from polyculture.studies.shell_words import shell_word

from .application import app
from .options import Json
from .output import show_sections


@app.command(short_help="Combine the labels of several workers.")
def crowd(
    source: Annotated[str, Argument(metavar="TABLE", help="Table with a row per label, or a column per worker.")],
    worker: Annotated[str | None, Option(metavar="COL", help="Row per label: column of workers.")] = None,
    item: Annotated[str | None, Option(metavar="COL", help="Column of item ids.")] = None,
    label: Annotated[str | None, Option(metavar="COL", help="Row per label: column of labels.")] = None,
    truth: Annotated[str | None, Option(metavar="COL", help="Column of true classes, where known.")] = None,
    method: Annotated[
        str, Option(metavar="NAME", help="Labels by vote, dawid-skene, one-coin, glad or mace.")
    ] = "dawid-skene",
    n_eff: Annotated[
        float | None, Option(metavar="N", help="Effective number of workers (default: estimated from the truth).")
    ] = None,
    classes: Annotated[list[str] | None, Option("--class", metavar="NAME", help="Class; repeatable.")] = None,
    sure: Annotated[float, Option(metavar="P", help="Posterior above which a label counts as sure.")] = 0.999,
    iterations: Annotated[int, Option(metavar="N", help="Rounds of each method at most.")] = 100,
    out: Annotated[Path, Option(metavar="DIR", help="Folder for labels, workers and page.")] = Path(
        "polyculture-crowd"
    ),
    json: Json = False,
) -> int:
    """Combine the labels of several workers, and see how sure the result may be.

    \b
      polyculture crowd labels.csv
      polyculture crowd labels.csv --worker annotator --truth expert --method one-coin
      polyculture crowd answers-of-models.csv --n-eff 1.8

    The consensus goes to labels.csv: the answer to every item, its posterior, the posterior that counts the workers as
    the independent ones they are worth (tempered), and its share of the vote. The page shows what each method claims
    and how often it is right, and which workers guess or are wrong on purpose.
    """
    from polyculture.studies.crowds import CrowdOptions
    from polyculture.studies.crowds import crowd as combine
    from polyculture.studies.crowds.study import SECTION

    options = CrowdOptions(worker, item, label, truth, method, n_eff, tuple(classes or ()), sure, iterations)
    result = combine(source, options, out=out)
    next_command = _next_command(source, result.labels.columns)
    show_sections(result.sections, out / SECTION, json, next_command, ("methods", "workers"))
    return 0


def _next_command(source: str, columns: Mapping[str, str]) -> str:
    """The audit of the workers where the truth is known; else the same with what is missing."""
    if "truth" not in columns:
        return f"polyculture crowd {shell_word(source)} --n-eff N"
    roles = {"worker": "model", "item": "instance", "label": "answer", "truth": "label"}
    words = [f"--{role} {shell_word(columns[name])}" for name, role in roles.items() if name in columns]
    return " ".join(["polyculture audit", shell_word(source), *words])
