"""polyculture clean: is the data in order, and what would be left of it without its faults?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from polyculture.errors import InputError
from polyculture.studies.shell_words import shell_word

from .application import app
from .options import Json, ProblemOptions, Seed, Workers, with_option_groups
from .output import show_lines, show_sections


@app.command(short_help="Find faults of the data, and leave rows out if asked to.")
@with_option_groups
def clean(
    data: ProblemOptions,
    mask: Annotated[
        list[str] | None, Option(metavar="FIELD=HOW", help="Hide a personal field: hash, mask or drop; repeatable.")
    ] = None,
    key: Annotated[
        Path | None, Option(metavar="FILE", help="Secret of the hashes, made if absent (default: a new one, not kept).")
    ] = None,
    label_errors: Annotated[
        bool, Option("--label-errors", help="Train a few models to find labels that may be wrong.")
    ] = False,
    models: Annotated[int, Option(metavar="N", help="Number of those models.")] = 6,
    faults: Annotated[list[str] | None, Option(metavar="KIND", help="Search for this only; repeatable.")] = None,
    apply: Annotated[
        list[str] | None,
        Option(metavar="KIND", help="Leave these training rows out of a cleaned copy: duplicate, leak, …; repeatable."),
    ] = None,
    undo: Annotated[
        Path | None, Option(metavar="DIR", help="Give back the original of a cleaned copy; no other option.")
    ] = None,
    out: Annotated[Path, Option(metavar="DIR", help="Folder for page, faults.csv and the copy.")] = Path(
        "polyculture-clean"
    ),
    seed: Seed = 0,
    workers: Workers = None,
    json: Json = False,
) -> int:
    """Find what is wrong with data before anything is trained on it.

    \b
    Look, and change nothing:
      polyculture clean heart_*.csv
      polyculture clean TREC.train.all TREC.test.all --label-errors
    \b
    Leave rows out of a copy, hide a column, and get the original back:
      polyculture clean spam.csv --apply duplicate --mask email=hash
      polyculture clean --undo polyculture-clean
    \b
    Leave rows out when models are trained:
      polyculture run spam.csv --clean

    It finds exact and near duplicates, rows of the test set in the training set, equal inputs under two labels,
    missing values, also in disguise (a blood pressure of 0), undocumented codes, outliers, constant and copied columns,
    rare classes and personal fields; with --label-errors also labels that models contradict. faults.csv has every row
    with its reason. Only training rows are ever left out, each with its content in removed.csv.
    """
    from polyculture.reporting.progress_bars import progress_bars
    from polyculture.studies.cleaning import CleanOptions, undo_clean
    from polyculture.studies.cleaning import clean as clean_data
    from polyculture.studies.cleaning.masks import parsed_fields
    from polyculture.studies.cleaning.study import FAULTS, SECTIONS

    if undo is not None:
        if data.problem or apply or mask:
            raise InputError("--undo with data or other options", "the folder of a cleaned copy only")
        show_lines(f"original  {undo_clean(undo)}", json=json)
        return 0
    options = CleanOptions(
        data=data.data_options(),
        mask=parsed_fields(mask or ()),
        key=key,
        kinds=tuple(faults or ()),
        label_errors=label_errors,
        models=models,
        apply=tuple(apply or ()),
        seed=seed,
        workers=workers,
    )
    with progress_bars(announce=not json) as progress:
        result = clean_data(data.problem or ["digits"], options, out=out, progress=progress)
    show_sections(result.sections, out / SECTIONS, json, result.next_command, ("faults", "suspects"))
    show_lines(f"rows  {shell_word(str(out / FAULTS))}", json=json)
    return 0
