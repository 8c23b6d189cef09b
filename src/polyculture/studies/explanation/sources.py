"""Which models of which run are explained? Those in the folder of a run, or those that a bundle was made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from polyculture.errors import FileError, InputError, near, need
from polyculture.models.store import all_records
from polyculture.population import Population
from polyculture.predictions import PredictionSets
from polyculture.recipe import Recipe
from polyculture.training import Problem, load_population

from ..run_folder import MODELS, PORTFOLIO
from ..stored_portfolio import problem_of_run, read_portfolio, run_of_portfolio
from ..stored_run import is_run, read_run

MANIFEST = "manifest.json"


@dataclass(frozen=True, eq=False)
class ExplainedSource:
    """Models with the problem that they were trained on.

    Parameters
    ----------
    problem : loaded again as the run did.
    population : the models, under their names in the run, with the factors of the run.
    sets : what all models of the run predict.
    name : what to call it in reports.
    """

    problem: Problem
    population: Population
    sets: PredictionSets
    name: str


def explained_source(source: str | Path, models: Sequence[str] = (), problem: Problem | None = None) -> ExplainedSource:
    """The models of a run or a bundle, and their problem.

    Parameters
    ----------
    source : folder of a run, or of a bundle that was exported from one (its models are then read from that run).
    models : names or patterns; all if left out.
    problem : that the models were trained on; None to load it again as the run did.

    Raises FileError and InputError for another folder, unknown models, and a run whose data are gone.
    """
    need("torch", "sklearn", "safetensors", "skops")
    folder, members = _run_of(Path(source))
    run = read_run(folder, probabilities=False)
    table = run.sets.test.models
    names = _matching([str(name) for name in table.index if not members or name in members], models, folder)
    if len(names) < 2:
        raise InputError(
            f"{len(names)} model to explain", "two or more, whose reasons are compared", "name more models"
        )
    problem = problem or problem_of_run(folder, run.origin, shifted=False)
    ids = {str(table.loc[name, "id"]) if "id" in table.columns else name: name for name in names}
    records = all_records(folder / MODELS)
    absent = [key for key in ids if key not in records]
    if absent:
        raise FileError(f"{folder / MODELS} has no model {absent[0]!r}", "every model of the run", "run it again")
    fitted = load_population(folder / MODELS, problem, [Recipe.from_dict(records[key]["recipe"]) for key in ids])
    population = Population(
        {ids[key]: model for key, model in fitted.models.items()}, fitted.classes, table.loc[[*ids.values()]]
    )
    return ExplainedSource(problem, population, run.sets, run.source)


def _run_of(folder: Path) -> tuple[Path, frozenset[str]]:
    """The folder of the run, and the names of members of a bundle or portfolio; no names for all models of a run."""
    if is_run(folder):
        return folder, frozenset()
    if (folder / MANIFEST).is_file():
        return _run_of_bundle(folder)
    if folder.is_file() or (folder / PORTFOLIO).is_file():
        portfolio = read_portfolio(folder)
        return run_of_portfolio(portfolio, folder), frozenset(portfolio.members)
    raise FileError(
        f"{folder} is neither a run nor a bundle",
        "the folder of polyculture run, or one that export or select made of it",
    )


def _run_of_bundle(folder: Path) -> tuple[Path, frozenset[str]]:
    place = folder / MANIFEST
    try:
        manifest: Mapping[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        origin = str(manifest.get("source", {}).get("run", ""))
        members = frozenset(str(member["name"]) for member in manifest["members"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{place} cannot be read ({type(error).__name__})", "what export wrote there") from error
    if not origin:
        raise InputError(
            f"{folder} is a bundle that was made of no run", "one that was exported from a run", "explain a run"
        )
    places = [Path(origin), *(parent / origin for parent in (folder, *folder.absolute().parents)[:3])]
    runs = [path for path in places if is_run(path)]
    if not runs:
        raise FileError(f"{origin} is no folder of a run", f"the run that {folder} was made of", "name that run")
    return runs[0], members


def _matching(names: list[str], patterns: Sequence[str], folder: Path) -> list[str]:
    """The names that some pattern describes, in their order."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(f"{folder} has no model {pattern!r}", "", near(pattern, names))
    return [name for name in names if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)]
