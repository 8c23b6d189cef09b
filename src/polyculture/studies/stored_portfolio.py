"""Of which run are the members of a portfolio, and what did that run learn from?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from polyculture.errors import FileError, InputError, PolycultureError
from polyculture.preparation.problems import DataOptions, Problem, load_problem
from polyculture.results import Portfolio

from .cleaning.training_set import CLEANED, MASKED, cleaned_problem, load_masked
from .run_folder import PORTFOLIO
from .stored_run import is_run


def read_portfolio(path: Path) -> Portfolio:
    """The portfolio in this file, or in this folder of `polyculture select`."""
    file = path / PORTFOLIO if path.is_dir() else path
    try:
        return Portfolio.from_json(file.read_text(encoding="utf-8"))
    except PolycultureError as error:
        raise InputError(f"{file}: {error.wrong}", error.expected, error.cure) from error
    except OSError as error:
        raise FileError(
            f"cannot read {file}: {error.strerror or error}", f"a folder of run, or of select with its {PORTFOLIO}"
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{file} is a damaged portfolio: {error!r}", f"the {PORTFOLIO} that select writes") from error


def run_of_portfolio(portfolio: Portfolio, place: Path, run: str | Path | None = None) -> Path:
    """The folder of the run that a portfolio was selected from.

    Parameters
    ----------
    place : where the portfolio is; its run is looked for from there, too.
    run : the folder, where the portfolio does not name it.

    Raises InputError where nothing names it, FileError where it is not there.
    """
    name = str(run or portfolio.facts.get("run", ""))
    if not name:
        raise InputError(
            "a portfolio that does not say which run its models are from", "the folder of polyculture run", "add --run"
        )
    folders = [Path(name), *(parent / name for parent in (place, *place.parents)[:3])]
    folder = next((path for path in folders if is_run(path)), None)
    if folder is None:
        raise FileError(
            f"{name} is no folder of a run", "the one that the portfolio was selected from", "name it by --run"
        )
    return folder


def problem_of_run(folder: Path, origin: Mapping[str, Any], *, shifted: bool) -> Problem:
    """The problem of a run, loaded again from where the run had it.

    Parameters
    ----------
    folder : of the run; files that are not found from here are looked for next to it.
    origin : that the run keeps.
    shifted : whether the shifted test sets are needed, too.

    Raises InputError where the run does not say from what data its models learned.
    """
    if not origin:
        raise InputError(
            f"{folder} does not say from what data its models learned",
            "a run by name or of files, of this version of polyculture",
            "repeat the same polyculture run (nothing is trained again), or from Python give problem=",
        )
    options: dict[str, Any] = {
        name: tuple(v) if isinstance(v, list) else v for name, v in dict(origin["options"]).items()
    }
    names = {field.name for field in fields(DataOptions)}
    settings = DataOptions(**{name: value for name, value in options.items() if name in names})
    parent = folder.absolute().parent

    def nearby(name: str) -> str:
        return str(parent / name) if not Path(name).exists() and (parent / name).exists() else name

    tests = tuple(map(nearby, settings.test_on)) if shifted else ()
    settings = replace(settings, test_on=tests, **({} if shifted else {"shifts": ()}))  # type: ignore[arg-type]
    files, seed = [nearby(str(name)) for name in origin["source"]], int(origin["seed"])
    masks = origin.get(MASKED)
    problem = load_masked(files, seed, settings, masks, folder) if masks else load_problem(files, seed, settings)
    return cleaned_problem(problem).problem if origin.get(CLEANED) else problem
