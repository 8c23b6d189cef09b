"""Which models are compressed? Those in the folder of a run, some of them, or the members of a portfolio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from polyculture.errors import FileError, InputError, near
from polyculture.models.fitted import Fitted
from polyculture.models.store import all_records
from polyculture.population import Population
from polyculture.recipe import Recipe
from polyculture.results import Portfolio
from polyculture.training import Problem, load_population

from ..run_folder import MODELS
from ..stored_portfolio import problem_of_run, read_portfolio, run_of_portfolio
from ..stored_run import is_run, read_run


@dataclass(frozen=True, eq=False)
class Originals:
    """The models to compress.

    Parameters
    ----------
    folder : of their run.
    problem : that they learned, with its shifted tests.
    recipes : by readable name, in the order of the run or of the portfolio.
    population : the fitted models by readable name.
    weights : of the members in the portfolio, above 0; equal in a run.
    """

    folder: Path
    problem: Problem
    recipes: Mapping[str, Recipe]
    population: Population
    weights: Mapping[str, float]

    @property
    def models(self) -> Mapping[str, Fitted]:
        """The fitted models by name."""
        return self.population.models  # type: ignore[return-value]


def read_originals(
    source: str | Path | Portfolio, patterns: Sequence[str] = (), problem: Problem | None = None
) -> Originals:
    """The models of a run or of a portfolio.

    Parameters
    ----------
    source : folder of a run, folder or file of a portfolio, or the portfolio itself.
    patterns : names, ids or patterns of the models to take; all if left out.
    problem : that they learned; None to load it again as the run did.

    Raises FileError and InputError where a part is missing, damaged or of another problem.
    """
    folder, weights = _place(source)
    run = read_run(folder, probabilities=False)
    table = run.sets.test.models
    ids = {str(name): str(table["id"][name]) if "id" in table else str(name) for name in table.index}
    names = _matching(list(weights) or [str(name) for name in table.index], patterns, ids)
    problem = problem or problem_of_run(folder, run.origin, shifted=True)
    if len(names) < 2 and problem.task != "regression":
        raise InputError(f"one model, {names[0]}", "two or more: compression is judged by what it does to the set")
    records = all_records(folder / MODELS)
    absent = [name for name in names if ids[name] not in records]
    if absent:
        raise FileError(f"{folder / MODELS} has no model {ids[absent[0]]!r}", "every model of the run", "run it again")
    recipes = {name: Recipe.from_dict(records[ids[name]]["recipe"]) for name in names}
    fitted = load_population(folder / MODELS, problem, list(recipes.values()))
    factors = table.loc[names]
    models = {name: fitted[recipe.id] for name, recipe in recipes.items()}
    population = Population(models, fitted.classes, factors)
    shares = {name: weights.get(name, 1.0) for name in names}
    positive = all(weight > 0 for weight in shares.values())  # stacking has others, which are no shares
    return Originals(folder, problem, recipes, population, shares if positive else dict.fromkeys(shares, 1.0))


def _place(source: str | Path | Portfolio) -> tuple[Path, dict[str, float]]:
    """Folder of the run, and of a portfolio its members with their weights."""
    if isinstance(source, Portfolio):
        return run_of_portfolio(source, Path()), dict(zip(source.members, source.weights, strict=True))
    path = Path(source)
    if is_run(path):
        return path, {}
    if not path.exists():
        raise FileError(f"no such folder: {path}", "a folder of polyculture run or select", "check the path")
    portfolio = read_portfolio(path)
    return run_of_portfolio(portfolio, path), dict(zip(portfolio.members, portfolio.weights, strict=True))


def _matching(names: Sequence[str], patterns: Sequence[str], ids: Mapping[str, str]) -> list[str]:
    """The names that one of the patterns describes, by name or id."""
    absent = [name for name in names if name not in ids]
    if absent:
        raise InputError(f"the run has no model {absent[0]!r}", "the run that the portfolio was selected from")
    matching: set[str] = set()
    for pattern in patterns:
        exact = {name for name in names if pattern in (name, ids[name])}
        matches = exact or {name for name in names if fnmatchcase(name, pattern) or fnmatchcase(ids[name], pattern)}
        if not matches:
            raise InputError(f"no model {pattern!r}", "", near(pattern, names))
        matching |= matches
    return [name for name in names if name in matching] if patterns else list(names)
