"""What is lost when a set becomes one net? The set as one model against a student that all of its members taught."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from polyculture.compression.changes import MEMBER_NUMBERS, SET_NUMBERS, Behaviour, Change, churn
from polyculture.compression.gate import SetVerdict, Verdict, gains, refusal
from polyculture.compression.measuring import Cost, Measurement
from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.fitted_net import FittedNet
from polyculture.population import Population
from polyculture.stats import Interval
from polyculture.training import predict

from ..evaluation import PhaseProgress, cluster_column
from .attempts import Attempt, Attempts
from .choosing import Choice
from .compressed_sets import CompressedSet, attempts_folder
from .front import ORIGINALS
from .options import CompressOptions
from .originals import Originals
from .teaching import Teaching

NAME = "one for all"
"""What the student is called."""


def distil_set(
    originals: Originals, options: CompressOptions, folder: Path, progress: tuple[PhaseProgress, PhaseProgress]
) -> Choice:
    """The choice between a set and a net that all of its members taught.

    Parameters
    ----------
    originals : the members; the student is like the most accurate net among them, on the selection part.
    options : budgets; that of alikeness says nothing of one model.
    folder : of the results.
    progress : of fitting and of testing.

    Raises InputError without a net, and for a net that cannot be a student.
    """
    name = _most_accurate_net(originals)
    attempts = Attempts(attempts_folder(folder, originals, options), Teaching.of(originals, options.seed))
    progress[0](0, 1, f"{name} taught by all")
    attempt = attempts.student(name)
    if attempt.model is None:
        raise InputError(f"{name} cannot be a student: {attempt.reason}")
    measurement = _measurement(attempts, attempt, originals)
    progress[0](1, 1, "")
    result = _compare(originals, attempt, measurement, options, progress[1])
    front = pd.DataFrame([_row(ORIGINALS, result, measurement), _row(NAME, result, measurement)])
    candidate = CompressedSet(attempt.level, {NAME: attempt}, {NAME: measurement})
    attempts_kept = {NAME: attempt} if result.accepted else {}
    return Choice(attempts_kept, candidate, result, front, "test", len(originals.models))


def _most_accurate_net(originals: Originals) -> str:
    """The net with the fewest errors on the selection part."""
    nets = [name for name, model in originals.models.items() if isinstance(model, FittedNet)]
    if not nets or len(originals.models) < 2:
        raise InputError("one model, or models without a net, into one", "two or more with a net, to be like that net")
    predictions = predict(originals.population, originals.problem.split.selection)
    errors = predictions.rmse if predictions.values is not None else predictions.wrong.mean(axis=1)
    by_name = dict(zip(originals.models, errors.tolist(), strict=True))
    return min(nets, key=lambda name: float(by_name[name]))


def _compare(
    originals: Originals, attempt: Attempt, measurement: Measurement, options: CompressOptions, progress: PhaseProgress
) -> SetVerdict:
    """The set as one model, and the student, on the test set and its shifts."""
    split = originals.problem.split
    quality = "r_squared" if originals.problem.task == "regression" else "accuracy"
    members, first, second = _behaviours(originals, attempt, split.test)
    changes = {name: compare(first, second, 0.95) for name, compare in MEMBER_NUMBERS.items()}
    changed = churn(first, second)
    for place, (name, dataset) in enumerate(split.shifted.items()):
        progress(place, len(split.shifted), name)
        _, *pair = _behaviours(originals, attempt, dataset)
        changes[f"{quality} on {name}"] = MEMBER_NUMBERS[quality](pair[0], pair[1], 0.95)
    progress(1, 1, "")
    reason = refusal(measurement, changed, changes, options.budget)
    words = reason or gains(measurement, changed, changes)
    verdict = Verdict(NAME, not reason, words, measurement, changed, changes)
    factors = {"smaller": Interval(measurement.factors["smaller"], n=len(originals.models), method="bytes of graphs")}
    factors |= {"faster": measurement.speed, "faster_32": measurement.speed_32}
    no_set = Interval.undefined("one model is no set")
    joint = {name: compare(members, members, 0.95).original for name, compare in SET_NUMBERS.items()}
    set_changes = changes | {name: Change(number, no_set, no_set) for name, number in joint.items()}
    return SetVerdict((verdict,), factors, changed, set_changes, set_changes)


def _behaviours(originals: Originals, attempt: Attempt, dataset: Dataset) -> tuple[Behaviour, Behaviour, Behaviour]:
    """The members, the set as one model, and the student."""
    cluster = cluster_column(originals.problem)
    predictions = predict(originals.population, dataset)
    weights = np.array([originals.weights[name] for name in originals.models])
    members = Behaviour.of(predictions, predictions, cluster)
    models = {NAME: attempt.model} | dict(originals.models)
    factors = originals.population.factors
    factors = pd.concat([factors.iloc[:1].set_axis([NAME]), factors])
    population = Population(models, originals.population.classes, factors)  # type: ignore[arg-type]
    student = Behaviour.of(predict(population, dataset), predictions, cluster).take(0)
    return members, members.combined(weights), student


def _row(title: str, result: SetVerdict, measurement: Measurement) -> dict[str, object]:
    """A row of the front: the set, or the student."""
    is_set = title == ORIGINALS
    cost = measurement.original if is_set else measurement.compressed
    row: dict[str, object] = {"set": title, "kind": ORIGINALS if is_set else "efficient"}
    row |= {name: 1.0 if is_set else factor.estimate for name, factor in result.factors.items()}
    row |= {"bytes": cost.bytes, "milliseconds": cost.milliseconds, "milliseconds_32": cost.milliseconds_32}
    changes = {name: change.original if is_set else change.compressed for name, change in result.changes.items()}
    loss = changes["log_loss"].estimate if changes["log_loss"].defined else 1 - changes["r_squared"].estimate
    row |= {"loss": loss} | {name: changes[name].estimate for name in ("accuracy", *SET_NUMBERS)}
    return row | {"churn": 0.0 if is_set else result.churn.estimate, "members": int(not is_set), "refused": 0}


def _measurement(attempts: Attempts, attempt: Attempt, originals: Originals) -> Measurement:
    """All members, one after the other, against the student."""
    paired = attempts.measured(attempt)
    costs = [attempts.measured_original(name).original for name in originals.models]
    total = Cost(**{part.name: float(sum(getattr(cost, part.name) for cost in costs)) for part in fields(Cost)})
    speed = _scaled(paired.speed, total.milliseconds / paired.original.milliseconds)
    speed_32 = _scaled(paired.speed_32, total.milliseconds_32 / paired.original.milliseconds_32)
    return Measurement(total, paired.compressed, speed, speed_32)


def _scaled(interval: Interval, factor: float) -> Interval:
    ends: Mapping[str, float] = {name: getattr(interval, name) * factor for name in ("estimate", "low", "high")}
    return replace(interval, estimate=ends["estimate"], low=ends["low"], high=ends["high"])
