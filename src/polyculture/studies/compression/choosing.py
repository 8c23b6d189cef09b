"""Which compressed models are kept? The smallest of each member on the selection part, if the test set allows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from polyculture.compression.gate import GateResult, gate, refusal
from polyculture.compression.measuring import Measurement
from polyculture.population import Population
from polyculture.predictions import PredictionSets
from polyculture.training import predict

from ..evaluation import TEST, PhaseProgress, cluster_column, predict_parts
from .attempts import Attempt
from .front import KEPT, front_table, originals_row, row_of
from .options import CompressOptions
from .originals import Originals
from .ways import Way, Ways

SELECTION = "selection"
BEST = "the best of each"
"""What the set is called in which every member has its own chain."""


@dataclass(frozen=True, eq=False)
class Choice:
    """What became of the set.

    Parameters
    ----------
    attempts : the compressed models that are kept, by the name of their original.
    way : what was judged on the test set.
    result : of the gate on the test set and its shifts.
    front : every set that was compared; see `front_table`.
    part : on which they were compared: selection, or test where there was one way only.
    """

    attempts: Mapping[str, Attempt]
    way: Way
    result: GateResult
    front: pd.DataFrame
    part: str


class Judge:
    """Compares compressed sets with their originals.

    Parameters
    ----------
    originals : the models.
    ways : with the measurements of the originals, for members that are not compressed.
    options : budgets and targets.
    """

    def __init__(self, originals: Originals, ways: Ways, options: CompressOptions) -> None:
        self.originals, self.measurements, self.budget = originals, ways.originals, options.budget
        self.cluster = cluster_column(originals.problem)
        self._selection: PredictionSets | None = None

    def on_selection(self, way: Way) -> GateResult:
        """The gate on the selection part."""
        part = self.originals.problem.split.selection
        if self._selection is None:
            self._selection = PredictionSets(predict(self.originals.population, part), cluster=self.cluster)
        after = PredictionSets(predict(self.population(way.attempts), part), cluster=self.cluster)
        return self._gate(self._selection, after, way)

    def on_test(self, way: Way, progress: PhaseProgress) -> GateResult:
        """The gate on the test set and every shift."""
        before = self._tested(self.originals.population, "originals", progress)
        return self._gate(before, self._tested(self.population(way.attempts), "compressed", progress), way)

    def population(self, attempts: Mapping[str, Attempt]) -> Population:
        """The set with these compressed models."""
        originals = self.originals.population
        models = dict(originals.models) | {name: attempt.model for name, attempt in attempts.items() if attempt.model}
        return Population(models, originals.classes, originals.factors)

    def measured(self, way: Way) -> Mapping[str, Measurement]:
        """Measurements of every member."""
        return dict(self.measurements) | dict(way.measurements)

    def _tested(self, population: Population, title: str, progress: PhaseProgress) -> PredictionSets:
        def report(finished: int, total: int, name: str) -> None:
            progress(finished, total, f"{title}: {name}" if name else "")

        by_part = predict_parts(population, self.originals.problem.split, report, ())
        test = by_part.pop(TEST)
        return PredictionSets(test, None, by_part, self.cluster)

    def _gate(self, before: PredictionSets, after: PredictionSets, way: Way) -> GateResult:
        weights = np.array([self.originals.weights[name] for name in self.originals.models])
        return gate(before, after, self.measured(way), self.budget, failed=way.refusals, weights=weights)


def choose(originals: Originals, ways: Ways, options: CompressOptions, progress: PhaseProgress) -> Choice:
    """The compressed models that are kept, judged on the test set; of several ways, what the selection part prefers."""
    judge = Judge(originals, ways, options)
    by_latency = options.faster is not None
    if len(ways.ways) == 1:
        way = _distinct(ways.ways[0])
        result = judge.on_test(way, progress)
        rows = [row_of(way.title, result, judge.measured(way), way.attempts)]
        part, judged = "test", result
    else:
        results = []
        for place, candidate in enumerate(ways.ways):
            progress(place, len(ways.ways), candidate.title)
            results.append(judge.on_selection(candidate))
        rows = [
            row_of(one.title, verdict, judge.measured(one), one.attempts)
            for one, verdict in zip(ways.ways, results, strict=True)
        ]
        way = _distinct(_best_of_each(ways.ways, results, options))
        result, part = judge.on_test(way, progress), SELECTION
        judged = judge.on_selection(_without(way, result.refused))
    tried = result.accepted if part == SELECTION else ()
    kept = row_of(KEPT, judged, judge.measured(way), tried)
    front = front_table(originals_row(judged, judge.measured(way)), rows, kept, by_latency=by_latency)
    attempts = {name: way.attempts[name] for name in result.accepted}
    return Choice(attempts, way, result, front, part)


def _best_of_each(ways: Sequence[Way], results: Sequence[GateResult], options: CompressOptions) -> Way:
    """Of every member the smallest compressed model (for a target of speed the fastest) that keeps its budgets."""
    attempts: dict[str, Attempt] = {}
    measurements: dict[str, Measurement] = {}
    refusals: dict[str, str] = {}
    for way, result in zip(ways, results, strict=True):
        for verdict in result.verdicts:
            name = verdict.model
            if name not in way.attempts:
                refusals.setdefault(name, way.refusals[name])
                continue
            measurement = way.measurements[name]
            reason = refusal(measurement, verdict.churn, verdict.changes, options.budget)
            if reason:
                refusals[name] = f"{way.attempts[name].level}: {reason}"
            elif name not in attempts or _cost(measurement, options) < _cost(measurements[name], options):
                attempts[name], measurements[name] = way.attempts[name], measurement
    return Way(BEST, attempts, measurements, {name: why for name, why in refusals.items() if name not in attempts})


def _cost(measurement: Measurement, options: CompressOptions) -> float:
    cost = measurement.compressed
    return cost.bytes if options.faster is None else cost.milliseconds


def _distinct(way: Way) -> Way:
    """Without models whose recipe is that of another one: two students can be the same net."""
    owners: dict[str, str] = {}
    for name, attempt in way.attempts.items():
        owners.setdefault(attempt.recipe.id, name)
    twins = {n: f"the same net as that of {owners[a.recipe.id]}" for n, a in way.attempts.items()}
    return _without(way, {n: why for n, why in twins.items() if owners[way.attempts[n].recipe.id] != n})


def _without(way: Way, refused: Mapping[str, str]) -> Way:
    """The way without these members, for the reasons given."""
    if not refused:
        return way
    attempts = {name: attempt for name, attempt in way.attempts.items() if name not in refused}
    measurements = {name: way.measurements[name] for name in attempts}
    return Way(way.title, attempts, measurements, dict(way.refusals) | dict(refused))
