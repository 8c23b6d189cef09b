"""What does each learner predict for rows that it was not trained on? Folds, a time budget, and a cache.

A candidate is one learner fitted once per fold and, optionally, once on all rows. All its members
predict later; those of the folds determine temperatures and weights.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Num
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning

from polyculture.errors import TrainingError

from .cache import LearnerCache
from .default_learners import prepared, reads_sparse, weight_argument

LOWEST_PROBABILITY = 1e-6
"""Least probability that a member gives, also to a class that its fold did not contain."""
FULL_DATA_SHARE = 0.75
"""Share of a candidate's weight that the member fitted on all rows has; those of the folds have the rest."""
TIMED_ROWS = 2_000
"""With more rows than this and a time budget, a learner is first timed on parts of them."""
PARTS = (16, 4)
"""One row in this many is in these parts."""
LEAST_POWER, MOST_POWER = 0.5, 3.0
"""Time grows at least and at most with these powers of the rows; after one look it is told by the least."""


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
    refit : whether every learner is also fitted on all rows.
    """

    X: Any
    y: Num[np.ndarray, " n"]
    classes: int
    counts: Float[np.ndarray, " n"] | None
    folds: Int[np.ndarray, " n"]
    columns: tuple[tuple[int, ...], tuple[int, ...]] | None
    refit: bool = False

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


@dataclass(frozen=True, eq=False)
class Candidate:
    """A learner, fitted once per fold, and perhaps once more.

    Parameters
    ----------
    name : of the learner.
    members : fitted learners, one per fold, and last the one that learned from all rows, if there is one.
    scores : logits or log-probabilities of each row (real values: one column, the prediction) by the member that was
        not trained on it.
    seconds : that it took, of all members; 0 where it came from the folder.
    """

    name: str
    members: tuple[Any, ...]
    scores: Float[np.ndarray, "n c"]
    seconds: float


@dataclass
class TimeBudget:
    """How much time is left.

    Parameters
    ----------
    seconds : in all; None for as long as it takes.
    clock : returns the time in seconds.
    """

    seconds: float | None = None
    clock: Callable[[], float] = time.perf_counter
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def check(self, seconds: float) -> None:
        """SkippedLearnerError where this much more time cannot be spent."""
        if self.seconds is not None and self.clock() - self.started + seconds > self.seconds:
            raise SkippedLearnerError(f"the time budget of {self.seconds:g} seconds leaves no room for it")


class SkippedLearnerError(Exception):
    """A learner is not fitted, and why."""


def crossfit(
    learners: Iterable[tuple[str, Any]],
    table: TrainingTable,
    budget: TimeBudget,
    cache: LearnerCache | None,
    n_jobs: int | None,
) -> tuple[list[Candidate], dict[str, str]]:
    """Candidates in the order of the learners, and by name the reasons for skipping others.

    With a budget a learner is skipped as soon as its time so far implies that the rest would take too long; the
    next ones, which may be quicker, are still tried, and none is begun when the budget is spent. Until one learner is
    fitted the budget is not looked at. A learner that fails is left out, with one FitFailedWarning for all of them;
    TrainingError if all are.
    """
    candidates: list[Candidate] = []
    left_out: dict[str, str] = {}
    failed: list[str] = []
    for name, learner in learners:
        stored = None if cache is None else cache.load(name, learner)
        if stored is not None:
            candidates.append(Candidate(name, *stored, 0.0))
            continue
        try:
            candidate = _fit_all(name, learner, table, budget if candidates else TimeBudget(None, budget.clock), n_jobs)
        except SkippedLearnerError as skipped:
            left_out[name] = str(skipped)
        except Exception as error:  # whatever a learner may raise
            left_out[name] = f"{type(error).__name__}: {' '.join(str(error).split())}"
            failed.append(f"{name!r} ({left_out[name]})")
        else:
            candidates.append(candidate)
            if cache is not None:
                cache.save(name, learner, candidate.members, candidate.scores)
    if not candidates:
        name, reason = next(iter(left_out.items()))
        raise TrainingError(f"no learner can be fitted, such as {name!r}: {reason}", "one that can")
    if failed:
        warnings.warn(f"learners that cannot be fitted are left out: {', '.join(failed)}", FitFailedWarning, 2)
    return candidates, left_out


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


def _fit_all(name: str, learner: Any, table: TrainingTable, budget: TimeBudget, n_jobs: int | None) -> Candidate:
    """The learner fitted on all folds, or SkippedLearnerError."""
    started = budget.clock()
    estimator = _prepared(learner, table)
    folds = range(table.n_folds + table.refit)
    if budget.seconds is None:
        fits = _fit_folds(estimator, table, folds, n_jobs)
    else:
        budget.check(0.0)
        _time_on_parts(estimator, table, budget)
        fold_start = budget.clock()
        fits = _fit_folds(estimator, table, folds[:1], 1)
        rounds = math.ceil((len(folds) - 1) / effective_n_jobs(n_jobs))
        budget.check((budget.clock() - fold_start) * rounds)
        fits += _fit_folds(estimator, table, folds[1:], n_jobs)
    complete = np.empty((len(table.y), max(table.classes, 1)))
    for fold, (_, part) in zip(folds, fits, strict=True):
        complete[table.folds == fold] = part  # the last one, which learned from all rows, predicts nothing here
    if not np.isfinite(complete).all():
        raise SkippedLearnerError("it predicts numbers that are not finite")
    return Candidate(name, tuple(member for member, _ in fits), complete, budget.clock() - started)


def _prepared(learner: Any, table: TrainingTable) -> Any:
    """The learner with what it needs before it can read the table, or SkippedLearnerError."""
    if table.sparse and not reads_sparse(learner):
        raise SkippedLearnerError("it reads no sparse matrices")
    if table.counts is not None and not weight_argument(learner):
        raise SkippedLearnerError("it takes no sample weights")
    return clone(learner) if table.columns is None else prepared(learner, *table.columns)


def _time_on_parts(estimator: Any, table: TrainingTable, budget: TimeBudget) -> None:
    """Give up if parts of the rows, fitted and predicted for, tell that all folds would take too long.

    Two looks tell the power of the rows with which the time grows: 1 where it is in proportion, less where much of it
    is spent whatever the rows, such as by a boosting, and up to 2 where all rows are compared with all.
    """
    rows, tested = np.flatnonzero(table.folds != 0), np.flatnonzero(table.folds == 0)
    looks: list[float] = []
    for part in PARTS if len(table.y) > TIMED_ROWS else ():
        part_start = budget.clock()
        member = _fit(estimator, table, rows[::part])
        scores(member, table.rows(tested[::part]), table.classes)
        looks.append(budget.clock() - part_start)
        power = LEAST_POWER
        if len(looks) == len(PARTS) and looks[0] > 0:
            power = math.log(max(looks[1], 1e-9) / looks[0]) / math.log(PARTS[0] / PARTS[1])
        told = looks[-1] * part ** min(max(power, LEAST_POWER), MOST_POWER)
        budget.check(told * (table.n_folds + table.refit))


def _fit_folds(
    estimator: Any, table: TrainingTable, folds: range, n_jobs: int | None
) -> list[tuple[Any, Float[np.ndarray, "k c"]]]:
    """Per fold the member trained without it and its predictions for it; no row is in a fold after the last."""
    return list(Parallel(n_jobs=n_jobs)(delayed(_fit_fold)(estimator, table, fold) for fold in folds))


def _fit_fold(estimator: Any, table: TrainingTable, fold: int) -> tuple[Any, Float[np.ndarray, "k c"]]:
    rows = np.flatnonzero(table.folds == fold)
    member = _fit(estimator, table, np.flatnonzero(table.folds != fold))
    return member, scores(member, table.rows(rows), table.classes) if len(rows) else np.empty((0, 1))


def _fit(estimator: Any, table: TrainingTable, rows: Int[np.ndarray, " k"]) -> Any:
    weights = {} if table.counts is None else {weight_argument(estimator): table.counts[rows]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # its weight shows whether it learned enough
        return clone(estimator).fit(_without_empty(table.rows(rows)), table.y[rows], **weights)


def _without_empty(X: Any) -> Any:
    """The inputs with 0 in numeric columns that have no value in any of these rows, which some learners cannot read.

    A column that is the same everywhere decides nothing, whatever it holds later.
    """
    if hasattr(X, "iloc"):
        empty = [k for k in range(X.shape[1]) if X.dtypes.iloc[k].kind == "f" and X.iloc[:, k].isna().all()]
        X = X.copy() if empty else X
        for position in empty:
            X.isetitem(position, 0.0)
        return X
    if not isinstance(X, np.ndarray) or X.dtype.kind != "f":
        return X
    positions = np.isnan(X).all(axis=0)
    return np.where(positions, 0.0, X) if positions.any() else X
