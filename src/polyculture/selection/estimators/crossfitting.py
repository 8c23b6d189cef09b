"""What does each learner predict for rows that it was not trained on? Folds, a time budget, and a cache.

A candidate is one learner fitted once per fold; temperatures and weights are determined by what its members say of
their folds. Those that are kept are fitted once more, to all rows. All members predict later.
"""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Num
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning

from polyculture.errors import TrainingError
from polyculture.models.threads import one_thread

from .cache import LearnerCache
from .default_learners import kin, prepared, reads_sparse, weight_argument
from .member_weights import weighing_seconds
from .pace import LearnerPace, Look, LookSample, look_at, mean_loss
from .schemes import MANY
from .time_budget import SkippedLearnerError, TimeBudget

LOWEST_PROBABILITY = 1e-6
"""Least probability that a member gives, also to a class that its fold did not contain."""
FULL_DATA_SHARE = 0.5
"""Share of a candidate's weight that the member fitted on all rows has; those of the folds have the rest."""


@dataclass(frozen=True, eq=False)
class TrainingTable:
    """The data that learners are fitted on.

    Parameters
    ----------
    X : n rows: dense or sparse matrix, or dataframe.
    y : n class codes, or n real values.
    classes : how many; 0 for real values.
    counts : sample weights; None where all are equal.
    folds : number of the fold that each row is tested in.
    columns : positions of the categorical and of the numeric columns; None where learners prepare their own input.
    """

    X: Any
    y: Num[np.ndarray, " n"]
    classes: int
    counts: Float[np.ndarray, " n"] | None
    folds: Int[np.ndarray, " n"]
    columns: tuple[tuple[int, ...], tuple[int, ...]] | None

    @property
    def n_folds(self) -> int:
        """How many folds there are."""
        return int(self.folds.max()) + 1

    @property
    def sparse(self) -> bool:
        """Whether the inputs are a sparse matrix."""
        return hasattr(self.X, "tocsr")

    def rows(self, positions: Int[np.ndarray, " k"]) -> Any:
        """The inputs of some rows."""
        return self.X.iloc[positions] if hasattr(self.X, "iloc") else self.X[positions]

    def part(self, positions: Int[np.ndarray, " k"], folds: Int[np.ndarray, " k"]) -> TrainingTable:
        """Some of the rows, in folds of their own."""
        counts = None if self.counts is None else self.counts[positions]
        return replace(self, X=self.rows(positions), y=self.y[positions], counts=counts, folds=folds)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A learner, fitted once per fold.

    Parameters
    ----------
    name : of the learner.
    members : fitted learners, one per fold.
    scores : logits or log-probabilities of each row (real values: one column, the prediction) by the member that was
        not trained on it.
    seconds : that it took, of all members; 0 where it came from the folder.
    loss : mean log-loss or squared error of the scores.
    """

    name: str
    members: tuple[Any, ...]
    scores: Float[np.ndarray, "n c"]
    seconds: float
    loss: float = math.nan


REFIT = 2
"""When there are so many good ones, time to fit them to all rows is kept before others are begun."""
GOOD = 1.5
"""Learners of more than so many times the loss of the best are not among these."""
HOPE = 0.5
"""In a second round, with time left over, a learner is begun if this share of what was told is left."""
ALL_ROWS = -1
"""Number of a fold that no row is in."""


class FoldFit(NamedTuple):
    """A member, its scores of the rows of its fold, and the CPU seconds it took in which process."""

    member: Any
    scores: Float[np.ndarray, "k c"]
    seconds: float
    process: int


def look_at_learners(
    learners: Iterable[tuple[str, Any]], table: TrainingTable, sample: LookSample, budget: TimeBudget
) -> dict[str, LearnerPace]:
    """What parts of the rows tell of time and loss of each learner; see `look_at`."""
    by_name, tested = dict(learners), table.rows(sample.tested)

    def take(name: str, rows: Int[np.ndarray, " k"]) -> Look | None:
        try:
            _check_readable(by_name[name], table)
            member, fitting = budget.timed(lambda: _fit(by_name[name], table, rows, single=True))
            with one_thread():
                found, predicting = budget.timed(lambda: scores(member, tested, table.classes))
        except Exception:  # whatever a learner may raise of few rows; with all of them it may not
            return None
        loss = mean_loss(found, table.y[sample.tested], table.classes)
        look = Look(len(rows), fitting, predicting / len(sample.tested), loss, member, found)
        return look if math.isfinite(loss) else None

    return look_at({name: kin(learner) for name, learner in by_name.items()}, take, sample, budget)


def crossfit(
    learners: Iterable[tuple[str, Any]],
    table: TrainingTable,
    budget: TimeBudget,
    cache: LearnerCache | None,
    n_jobs: int | None,
    paces: Mapping[str, LearnerPace] | None = None,
    refit: bool = False,
) -> tuple[list[Candidate], dict[str, str]]:
    """Candidates in the order of the learners, and by name the reasons for skipping others.

    With a budget no learner is begun that would take longer than what is left, as far as looks at parts of the rows
    (`paces`) tell, and it is given up where its first fold tells so; the next ones, which may be quicker, are still
    tried, and with time left over those that may take less than was told. Time to fit the best ones to all rows is
    kept where they will be (`refit`). A learner that fails is left out, and one FitFailedWarning names those who did;
    TrainingError if all do.
    There may be no candidate at all where time is short.
    """
    candidates: list[Candidate] = []
    left_out: dict[str, str] = {}
    failed: list[str] = []
    pairs = list(learners)
    for hope in (1.0, HOPE) if paces else (1.0,):
        for name, learner in pairs:
            if hope < 1 and left_out.get(name) != budget.reason:
                continue
            stored = None if cache is None else cache.load(name, learner)
            if stored is not None:
                candidates.append(Candidate(name, *stored, 0.0, mean_loss(stored[1], table.y, table.classes)))
                continue
            told = hope * _told((paces or {}).get(name), table)
            told += _kept(candidates, table, budget, REFIT if refit and hope == 1 else int(refit))
            try:
                candidate = _fit_all(name, learner, table, budget, n_jobs, told)
            except SkippedLearnerError as skipped:
                left_out[name] = str(skipped)
            except Exception as error:  # whatever a learner may raise
                left_out[name] = f"{type(error).__name__}: {' '.join(str(error).split())}"
                failed.append(name)
            else:
                left_out.pop(name, None)
                candidates.append(candidate)
                if cache is not None:
                    cache.save(name, learner, candidate.members, candidate.scores)
    if not candidates and (budget.seconds is None or failed):
        name, reason = next(iter(left_out.items()))
        raise TrainingError(f"no learner can be fitted, such as {name!r}: {reason}", "one that can")
    if failed:
        reasons = ", ".join(f"{name!r} ({left_out[name]})" for name in failed)
        warnings.warn(f"learners that cannot be fitted are left out: {reasons}", FitFailedWarning, stacklevel=2)
    return candidates, left_out


def best_look(
    table: TrainingTable,
    counts: Float[np.ndarray, " n"],
    sample: LookSample,
    paces: Mapping[str, LearnerPace],
    left_out: dict[str, str],
    budget: TimeBudget,
) -> tuple[Candidate, TrainingTable, Float[np.ndarray, " k"]]:
    """Where no learner can be fitted to all rows in time: the one that a look at part of them left best.

    With it come the rows that the look predicted for, the only ones that it can be weighed and certified on.
    Warns of it by a UserWarning; TrainingError where there was not even time for a look.
    """
    if not paces:
        name, reason = next(iter(left_out.items()))
        raise TrainingError(f"no learner can be fitted, such as {name!r}: {reason}", "more time, or quicker learners")
    name = min(paces, key=lambda name: (-paces[name].looks[-1].rows, paces[name].loss))
    look, n = paces[name].looks[-1], len(table.y)
    warnings.warn(
        f"the time budget of {budget.seconds:g} seconds is too small to fit any learner to all {n:,} rows: "
        f"{name!r} has learned from {look.rows:,} of them",
        stacklevel=2,
    )
    left_out.pop(name, None)
    part = table.part(sample.tested, np.arange(len(sample.tested)) % 2)
    candidate = Candidate(name, (look.member,), look.scores, look.fitting)
    return candidate, part, counts[sample.tested]


def fitted_to_all_rows(
    kept: Sequence[Candidate],
    learners: Mapping[str, Any],
    table: TrainingTable,
    budget: TimeBudget,
    cache: LearnerCache | None,
    n_jobs: int | None,
) -> dict[str, FoldFit]:
    """Members of all rows of these candidates, the first ones first, by name; of as many as there is time for."""
    found = {}
    for candidate in kept:
        stored = None if cache is None else cache.load(f"{candidate.name} of all rows", learners[candidate.name])
        if stored is not None:
            found[candidate.name] = FoldFit(stored[0][0], stored[1], 0.0, os.getpid())
    told, names = 0.0, []
    for candidate in kept:
        seconds = _refitting([candidate], table) if budget.seconds is not None else 0.0
        if candidate.name not in found and told + seconds <= budget.left:
            told += seconds
            names.append(candidate.name)
    tasks = (delayed(_fit_fold)(learners[name], table, ALL_ROWS, _single(table, budget)) for name in names)
    for name, fit in zip(names, Parallel(n_jobs=n_jobs)(tasks), strict=True):
        budget.add(fit.seconds, fit.process)
        found[name] = fit
        if cache is not None:
            cache.save(f"{name} of all rows", learners[name], (fit.member,), fit.scores)
    return found


def _told(pace: LearnerPace | None, table: TrainingTable) -> float:
    """Seconds that cross-fitting takes, as far as looks tell."""
    return 0.0 if pace is None else pace.crossfitting(len(table.y), table.n_folds)


def _refitting(candidates: Sequence[Candidate], table: TrainingTable) -> float:
    """Seconds that it will take to fit these to all rows."""
    return sum(candidate.seconds for candidate in candidates) / max(table.n_folds - 1, 1)


def _kept(candidates: Sequence[Candidate], table: TrainingTable, budget: TimeBudget, refit: int) -> float:
    """Seconds that are kept for weights of these and one more, and to fit so many of the best to all rows."""
    seconds = weighing_seconds(len(candidates) + 1, len(table.y), table.classes)
    best = sorted(candidates, key=lambda candidate: candidate.loss)
    good = [candidate for candidate in best if candidate.loss <= GOOD * best[0].loss]
    for candidate in good[:refit] if len(good) >= REFIT else ():
        more = _refitting([candidate], table)
        if seconds + more <= budget.left:  # who cannot be fitted to all rows keeps nobody from being fitted
            seconds += more
    return seconds


def scores(member: Any, X: Any, classes: int) -> Float[np.ndarray, "n c"]:
    """Logits or log-probabilities for all classes; for real values one column, the prediction."""
    if classes == 0:
        return np.asarray(member.predict(X), dtype=float).reshape(-1, 1)
    if hasattr(member, "predict_proba"):
        logs = np.log(np.clip(np.asarray(member.predict_proba(X), dtype=float), LOWEST_PROBABILITY, 1.0))
        lowest: Any = math.log(LOWEST_PROBABILITY)
    elif hasattr(member, "decision_function"):
        logs = np.asarray(member.decision_function(X), dtype=float)
        logs = np.column_stack([-logs / 2, logs / 2]) if logs.ndim == 1 else logs
        lowest = logs.min(axis=1, keepdims=True) + math.log(LOWEST_PROBABILITY)
    else:
        raise SkippedLearnerError("it has neither predict_proba nor decision_function")
    complete = np.full((len(logs), classes), lowest)
    complete[:, member.classes_] = logs
    return complete


def shares(members: int, refit: bool) -> Float[np.ndarray, " k"]:
    """How much each member of a candidate counts; they sum to one."""
    if not refit:
        return np.full(members, 1 / members)
    return np.append(np.full(members - 1, (1 - FULL_DATA_SHARE) / (members - 1)), FULL_DATA_SHARE)


def _fit_all(
    name: str,
    learner: Any,
    table: TrainingTable,
    budget: TimeBudget,
    n_jobs: int | None,
    told: float,
) -> Candidate:
    """The learner fitted on all folds, or SkippedLearnerError, also where fewer seconds are left than told."""
    _check_readable(learner, table)
    started = budget.spent
    folds = range(table.n_folds)
    if budget.seconds is None:
        fits = _fit_folds(learner, table, folds, n_jobs, budget)
    else:
        budget.check(told)
        fits = _fit_folds(learner, table, folds[:1], 1, budget)
        budget.check((budget.spent - started) * (len(folds) - 1))
        fits += _fit_folds(learner, table, folds[1:], n_jobs, budget)
    complete = np.empty((len(table.y), max(table.classes, 1)))
    for fold, fit in zip(folds, fits, strict=True):
        complete[table.folds == fold] = fit.scores
    if not np.isfinite(complete).all():
        raise SkippedLearnerError("it predicts numbers that are not finite")
    spent = budget.spent - started
    return Candidate(
        name, tuple(fit.member for fit in fits), complete, spent, mean_loss(complete, table.y, table.classes)
    )


def _check_readable(learner: Any, table: TrainingTable) -> None:
    """SkippedLearnerError where the learner cannot read such a table."""
    if table.sparse and not reads_sparse(learner):
        raise SkippedLearnerError("it reads no sparse matrices")
    if table.counts is not None and not weight_argument(learner):
        raise SkippedLearnerError("it takes no sample weights")


def _fit_folds(
    learner: Any, table: TrainingTable, folds: range, n_jobs: int | None, budget: TimeBudget
) -> list[FoldFit]:
    """Per fold the member trained without it and its predictions for it.

    Within a budget, or to few rows, each fit has one thread, in which it takes the fewest seconds of the CPU.
    """
    single = _single(table, budget)
    fits = list(Parallel(n_jobs=n_jobs)(delayed(_fit_fold)(learner, table, fold, single) for fold in folds))
    for fit in fits:
        budget.add(fit.seconds, fit.process)
    return fits


def _single(table: TrainingTable, budget: TimeBudget) -> bool:
    return budget.seconds is not None or len(table.y) <= MANY


def _fit_fold(learner: Any, table: TrainingTable, fold: int, single: bool) -> FoldFit:
    started, rows = time.process_time(), np.flatnonzero(table.folds == fold)
    member = _fit(learner, table, np.flatnonzero(table.folds != fold), single)
    with one_thread() if single else nullcontext():
        found = scores(member, table.rows(rows), table.classes) if len(rows) else np.empty((0, 1))
    return FoldFit(member, found, time.process_time() - started, os.getpid())


def _fit(learner: Any, table: TrainingTable, rows: Int[np.ndarray, " k"], single: bool) -> Any:
    """The learner, with what it needs to read the table, fitted to some rows of it."""
    X = table.rows(rows)
    estimator = clone(learner)
    if table.columns is not None:
        categorical, numeric = table.columns
        estimator = prepared(learner, categorical, numeric, frozenset(_without_values(X, numeric)))
    weights = {} if table.counts is None else {weight_argument(estimator): table.counts[rows]}
    with warnings.catch_warnings(), one_thread() if single else nullcontext():
        warnings.simplefilter("ignore", ConvergenceWarning)  # its weight shows whether it learned enough
        return estimator.fit(X, table.y[rows], **weights)


def _without_values(X: Any, numeric: tuple[int, ...]) -> list[int]:
    """Positions of the numeric columns in which every number is missing."""
    if hasattr(X, "iloc"):
        return [i for i in numeric if X.iloc[:, i].isna().all()]
    return [] if hasattr(X, "tocsr") or X.dtype.kind != "f" else np.flatnonzero(np.isnan(X).all(axis=0)).tolist()
