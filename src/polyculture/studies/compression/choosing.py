"""Which compressed models are kept? The smallest of each member on the selection part, if the test set allows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from polyculture.compression.gate import SetVerdict, gate, refusal
from polyculture.compression.measuring import Measurement
from polyculture.population import Population
from polyculture.predictions import PredictionSets
from polyculture.training import predict

from ..evaluation import TEST, PhaseProgress, cluster_column, predict_parts
from .attempts import Attempt
from .compressed_sets import CompressedSet, CompressedSets
from .front import KEPT, front_table, originals_row, row_of
from .options import CompressOptions
from .originals import Originals

SELECTION = "selection"
BEST = "the best of each"
"""What the set is called in which every member has its own chain."""


@dataclass(frozen=True, eq=False)
class Choice:
    """What became of the set.

    Parameters
    ----------
    attempts : the compressed models that are kept, by the name of their original.
    candidate : what was judged on the test set.
    result : of the gate on the test set and its shifts.
    front : every set that was compared; see `front_table`.
    part : on which they were compared: selection, or test where there was one chain only.
    members : that became one model; 0 where each stays a model of its own.
    """

    attempts: Mapping[str, Attempt]
    candidate: CompressedSet
    result: SetVerdict
    front: pd.DataFrame
    part: str
    members: int = 0


class Judge:
    """Compares compressed sets with their originals.

    Parameters
    ----------
    originals : the models.
    sets : with the measurements of the originals, for members that are not compressed.
    options : budgets and targets.
    """

    def __init__(self, originals: Originals, sets: CompressedSets, options: CompressOptions) -> None:
        self.originals, self.measurements, self.budget = originals, sets.originals, options.budget
        self.cluster = cluster_column(originals.problem)
        self._selection: PredictionSets | None = None

    def on_selection(self, candidate: CompressedSet) -> SetVerdict:
        """The gate on the selection part."""
        part = self.originals.problem.split.selection
        if self._selection is None:
            self._selection = PredictionSets(predict(self.originals.population, part), cluster=self.cluster)
        compressed = PredictionSets(predict(self.population(candidate.attempts), part), cluster=self.cluster)
        return self._gate(self._selection, compressed, candidate)

    def on_test(self, candidate: CompressedSet, progress: PhaseProgress) -> SetVerdict:
        """The gate on the test set and every shift."""
        original_sets = self._tested(self.originals.population, "originals", progress)
        return self._gate(
            original_sets, self._tested(self.population(candidate.attempts), "compressed", progress), candidate
        )

    def population(self, attempts: Mapping[str, Attempt]) -> Population:
        """The set with these compressed models."""
        originals = self.originals.population
        models = dict(originals.models) | {name: attempt.model for name, attempt in attempts.items() if attempt.model}
        return Population(models, originals.classes, originals.factors)

    def measured(self, candidate: CompressedSet) -> Mapping[str, Measurement]:
        """Measurements of every member."""
        return dict(self.measurements) | dict(candidate.measurements)

    def _tested(self, population: Population, title: str, progress: PhaseProgress) -> PredictionSets:
        def report(finished: int, total: int, name: str) -> None:
            progress(finished, total, f"{title}: {name}" if name else "")

        by_part = predict_parts(population, self.originals.problem.split, report, ())
        test = by_part.pop(TEST)
        return PredictionSets(test, None, by_part, self.cluster)

    def _gate(self, originals: PredictionSets, compressed: PredictionSets, candidate: CompressedSet) -> SetVerdict:
        weights = np.array([self.originals.weights[name] for name in self.originals.models])
        return gate(
            originals, compressed, self.measured(candidate), self.budget, failed=candidate.refusals, weights=weights
        )


def choose(originals: Originals, sets: CompressedSets, options: CompressOptions, progress: PhaseProgress) -> Choice:
    """The compressed models that are kept, judged on the test set; of several, the best on the selection part."""
    judge = Judge(originals, sets, options)
    by_latency = options.faster is not None
    if len(sets.sets) == 1:
        candidate = _distinct(sets.sets[0])
        result = judge.on_test(candidate, progress)
        rows = [row_of(candidate.title, result, judge.measured(candidate), candidate.attempts)]
        part, reference = "test", result
    else:
        results = []
        for place, candidate in enumerate(sets.sets):
            progress(place, len(sets.sets), candidate.title)
            results.append(judge.on_selection(candidate))
        rows = [
            row_of(member_set.title, verdict, judge.measured(member_set), member_set.attempts)
            for member_set, verdict in zip(sets.sets, results, strict=True)
        ]
        candidate = _distinct(_best_of_each(sets.sets, results, options))
        result, part = judge.on_test(candidate, progress), SELECTION
        reference = judge.on_selection(_without(candidate, result.refused))
    members = result.accepted if part == SELECTION else ()
    kept_row = row_of(KEPT, reference, judge.measured(candidate), members)
    front = front_table(originals_row(reference, judge.measured(candidate)), rows, kept_row, by_latency=by_latency)
    attempts = {name: candidate.attempts[name] for name in result.accepted}
    return Choice(attempts, candidate, result, front, part)


def _best_of_each(
    sets: Sequence[CompressedSet], results: Sequence[SetVerdict], options: CompressOptions
) -> CompressedSet:
    """Of every member the smallest compressed model (for a target of speed the fastest) that keeps its budgets."""
    attempts: dict[str, Attempt] = {}
    measurements: dict[str, Measurement] = {}
    refusals: dict[str, str] = {}
    for candidate, result in zip(sets, results, strict=True):
        for verdict in result.verdicts:
            name = verdict.model
            if name not in candidate.attempts:
                refusals.setdefault(name, candidate.refusals[name])
                continue
            measurement = candidate.measurements[name]
            reason = refusal(measurement, verdict.churn, verdict.changes, options.budget)
            if reason:
                refusals[name] = f"{candidate.attempts[name].level}: {reason}"
            elif name not in attempts or _cost(measurement, options) < _cost(measurements[name], options):
                attempts[name], measurements[name] = candidate.attempts[name], measurement
    return CompressedSet(
        BEST, attempts, measurements, {name: reason for name, reason in refusals.items() if name not in attempts}
    )


def _cost(measurement: Measurement, options: CompressOptions) -> float:
    cost = measurement.compressed
    return cost.bytes if options.faster is None else cost.milliseconds


def _distinct(candidate: CompressedSet) -> CompressedSet:
    """Without models whose recipe is that of another one: two students can be the same net."""
    owners: dict[str, str] = {}
    for name, attempt in candidate.attempts.items():
        owners.setdefault(attempt.recipe.id, name)
    twins = {n: f"the same net as that of {owners[a.recipe.id]}" for n, a in candidate.attempts.items()}
    return _without(
        candidate, {n: reason for n, reason in twins.items() if owners[candidate.attempts[n].recipe.id] != n}
    )


def _without(candidate: CompressedSet, refused: Mapping[str, str]) -> CompressedSet:
    """The candidate without these members, for the reasons given."""
    if not refused:
        return candidate
    attempts = {name: attempt for name, attempt in candidate.attempts.items() if name not in refused}
    measurements = {name: candidate.measurements[name] for name in attempts}
    return CompressedSet(candidate.title, attempts, measurements, dict(candidate.refusals) | dict(refused))
