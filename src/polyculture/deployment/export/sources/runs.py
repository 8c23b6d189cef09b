"""How are the members of a portfolio read from the folder of the run that trained them?"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from polyculture.errors import FileError, InputError, need
from polyculture.formats import ReadingRules
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_estimator import FittedEstimator
from polyculture.models.graphs.fitted_graphs import fitted_graph
from polyculture.models.store import all_records
from polyculture.predictions import Predictions
from polyculture.recipe import Recipe
from polyculture.results import Portfolio
from polyculture.selection import SelectionOptions, select
from polyculture.studies.candidates import read_candidates
from polyculture.studies.run_folder import MODELS
from polyculture.studies.stored_portfolio import problem_of_run, read_portfolio, run_of_portfolio
from polyculture.studies.stored_run import StoredRun, is_run, read_run
from polyculture.training import Problem
from polyculture.training.fit import load_population

from ...bundle.manifest import Column, Task
from .material import ExportSource, SourceMember
from .tables import raw_columns, raw_rows, table_document
from .views import view_of

RANGES: Mapping[str, tuple[float, float]] = {"image": (0.0, 1.0), "volume": (0.0, 1.0), "audio": (-1.0, 1.0)}
"""In which numbers of an input lie, by modality."""
SHARED = ("architecture", "data", "objective", "optimizer", "pretraining")
"""Axes of a recipe by which members can be related."""


@dataclass(frozen=True, eq=False)
class _Choice:
    """A portfolio with the run that its members are from."""

    portfolio: Portfolio
    folder: Path
    run: StoredRun


def run_source(
    source: str | Path | Portfolio, run: str | Path | None = None, problem: Problem | None = None
) -> ExportSource:
    """What to export from the folder of a run, from that of `polyculture select`, or of a portfolio.

    Parameters
    ----------
    source : folder of a run (its portfolio is then selected with the defaults), folder or file of a portfolio, or the
        portfolio itself.
    run : folder with the models, where the portfolio does not name it.
    problem : that the models were trained on; None to load it again as the run did.

    Raises FileError and InputError where a part is missing, damaged, or of another problem.
    """
    need("torch", "sklearn", "safetensors", "skops")
    choice = _choice(source, run)
    if choice.portfolio.rule == "dynamic":
        raise InputError(
            "a portfolio of the rule 'dynamic', which looks up similar instances for every answer",
            "a rule that a graph can have",
            "select again with --rule mixture",
        )
    problem = problem or problem_of_run(choice.folder, choice.run.origin, shifted=False)
    members = _members(choice, problem)
    return _source(choice, problem, members)


def _choice(source: str | Path | Portfolio, run: str | Path | None) -> _Choice:
    if isinstance(source, Portfolio):
        portfolio, place = source, Path()
    else:
        place = Path(source)
        if is_run(place):
            if run is not None and Path(run) != place:
                raise InputError(f"{place} is a run itself", "no other run beside it", "leave --run out")
            return _Choice(_selected(place), place, read_run(place))
        portfolio = read_portfolio(place)
    folder = run_of_portfolio(portfolio, place, run)
    return _Choice(portfolio, folder, read_run(folder))


def _selected(folder: Path) -> Portfolio:
    """The portfolio that `polyculture select` makes of a run by default."""
    candidates = read_candidates([str(folder)], None, "", ReadingRules(), {})
    terms = candidates.complete(SelectionOptions())
    shifted = candidates.sets.shifted
    return select(candidates.selection, certify_on=candidates.certification, shifted=shifted, terms=terms)


def _members(choice: _Choice, problem: Problem) -> tuple[SourceMember, ...]:
    portfolio, folder = choice.portfolio, choice.folder / MODELS
    table = choice.run.sets.test.models
    absent = [name for name in portfolio.members if name not in table.index]
    if absent:
        raise InputError(f"{choice.folder} has no model {absent[0]!r}", "the run that the portfolio was selected from")
    ids = [str(table.loc[name, "id"]) if "id" in table.columns else name for name in portfolio.members]
    records = all_records(folder)
    lost = [name for name in ids if name not in records]
    if lost:
        raise FileError(f"{folder} has no model {lost[0]!r}", "every model of the run", "run it again")
    recipes = [Recipe.from_dict(records[name]["recipe"]) for name in ids]
    population = load_population(folder, problem, recipes)
    by_class = portfolio.weights_by_class or ((),) * portfolio.k
    return tuple(
        _member(name, recipe, population[recipe.id], weight, classes)
        for name, recipe, weight, classes in zip(portfolio.members, recipes, portfolio.weights, by_class, strict=True)
    )


def _member(name: str, recipe: Recipe, model: Any, weight: float, by_class: tuple[float, ...]) -> SourceMember:
    view, vocabulary = view_of(model.encoder)
    ancestry = {axis: str(getattr(recipe, axis)) for axis in SHARED}
    if recipe.compression != "none":
        ancestry["compression"] = recipe.compression
    graph, recorded = partial(fitted_graph, model), recipe.to_dict()
    ties = partial(_undetermined, model) if isinstance(model, FittedEstimator) else None
    return SourceMember(recipe.id, name, model, graph, view, vocabulary, weight, by_class, recorded, ancestry, ties)


def _undetermined(model: Fitted, inputs: Any) -> Bool[np.ndarray, " k"]:
    from ..ensemble_graphs import undetermined

    return undetermined(model, inputs)


def _source(choice: _Choice, problem: Problem, members: tuple[SourceMember, ...]) -> ExportSource:
    portfolio, test = choice.portfolio, problem.split.test
    columns: tuple[Column, ...] = ()
    table, raw = None, test.array
    if problem.columns is not None:
        columns, table = raw_columns(problem.columns), table_document(problem.columns)
        raw = raw_rows(problem.columns, test.array)
    elif problem.modality == "table":
        columns = tuple(Column(f"x{i}") for i in range(test.array.shape[1]))
    shape = (len(columns),) if columns else tuple(test.array.shape[1:])
    task: Task = problem.task
    origin = {"run": str(choice.folder), "problem": dict(choice.run.origin), "fingerprint": problem.fingerprint}
    return ExportSource(
        name=problem.name,
        task=task,
        modality=problem.modality,
        classes=test.classes,
        input_shape=shape,
        members=members,
        rule=portfolio.rule,
        inputs=test.array,
        raw=raw,
        labels=test.labels,
        certified=_certified(choice, problem),
        instances=test.instances,
        columns=columns,
        input_range=RANGES.get(problem.modality, ()),
        temperature=portfolio.temperature,
        bias=portfolio.bias,
        groups=problem.groups,
        table=table,
        certificate=json.loads(portfolio.to_json()),
        sentence=portfolio.sentence,
        source=origin,
    )


def _certified(choice: _Choice, problem: Problem) -> Bool[np.ndarray, " n"]:
    """Which test instances certified the portfolio: all, unless the test part was split to choose on it, too."""
    from polyculture.selection.evaluation import EvaluationSet
    from polyculture.selection.splitting import halves

    portfolio, n = choice.portfolio, len(problem.split.test)
    predictions: Predictions = choice.run.sets.test
    if portfolio.certified_on == len(predictions.instances) or problem.task == "tagging":
        return np.ones(n, bool)
    facts = portfolio.facts
    share, seed = float(facts.get("share", math.nan)), int(facts.get("seed", 0))
    if portfolio.certified_on + portfolio.chosen_on != len(predictions.instances) or not 0 < share < 1:
        return np.ones(n, bool)
    clusters = str(facts.get("clusters", ""))
    return halves(EvaluationSet(predictions, clusters=clusters), share, seed)
