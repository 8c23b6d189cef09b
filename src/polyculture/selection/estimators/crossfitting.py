"""What does each learner say of rows that it was not trained on? Folds, a time budget, and a folder to go on from.

A candidate is one learner fitted once per fold and, if wished, once on all rows. Its members together are what
predicts later; those of the folds say what temperatures and weights are right.
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
from sklearn.exceptions import ConvergenceWarning

from polyculture.errors import TrainingError

from .cache import Keeper
from .default_learners import prepared, reads_sparse, weight_argument

UNSEEN = 1e-6
"""Least probability that a member gives, also to a class that its fold did not contain."""
WHOLE = 0.75
"""Share of a candidate's opinion that the member has that learned from all rows; those of the folds have the rest."""
FIRST_LOOK = 2_000
"""With more rows than this and a time budget, a learner is first timed on parts of them."""
PARTS = (16, 4)
"""One row in so many is in these parts."""


@dataclass(frozen=True, eq=False)
class TrainingTable:
    """What there is to learn from.

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

    def rows(self, chosen: Int[np.ndarray, " k"]) -> Any:
        """The inputs of some rows."""
        return self.X.iloc[chosen] if hasattr(self.X, "iloc") else self.X[chosen]


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
class Budget:
    """How much time is left.

    Parameters
    ----------
    seconds : in all; None for as long as it takes.
    clock : tells the time in seconds.
    """

    seconds: float | None = None
    clock: Callable[[], float] = time.perf_counter
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def allows(self, seconds: float) -> bool:
        """Whether so much more time can be spent."""
        return self.seconds is None or self.clock() - self.started + seconds <= self.seconds


class GivenUpError(Exception):
    """A learner is not fitted, and why."""


def crossfit(
    learners: Iterable[tuple[str, Any]], table: TrainingTable, budget: Budget, keeper: Keeper | None, n_jobs: int | None
) -> tuple[list[Candidate], dict[str, str]]:
    """Candidates in the order of the learners, and by name why others are not among them.

    With a budget a learner is given up as soon as what it took so far says that the rest would take too long; the
    next ones, which may be quicker, are still tried. Until one learner is fitted the budget is not looked at.
    A learner that fails is left out; TrainingError if all are.
    """
    found: list[Candidate] = []
    left_out: dict[str, str] = {}
    for name, learner in learners:
        kept = None if keeper is None else keeper.load(name, learner)
        if kept is not None:
            found.append(Candidate(name, *kept, 0.0))
            continue
        try:
            candidate = _fitted(name, learner, table, budget if found else Budget(None, budget.clock), n_jobs)
        except GivenUpError as reason:
            left_out[name] = str(reason)
        except Exception as error:  # whatever a learner may raise
            left_out[name] = f"{type(error).__name__}: {' '.join(str(error).split())}"
        else:
            found.append(candidate)
            if keeper is not None:
                keeper.save(name, learner, candidate.members, candidate.scores)
    if not found:
        name, why = next(iter(left_out.items()))
        raise TrainingError(f"no learner can be fitted, such as {name!r}: {why}", "one that can")
    return found, left_out


def scores(member: Any, X: Any, classes: int) -> Float[np.ndarray, "n c"]:
    """Logits or log-probabilities for all classes; for real values one column, the prediction."""
    if classes == 0:
        return np.asarray(member.predict(X), dtype=float).reshape(-1, 1)
    if hasattr(member, "predict_proba"):
        given = np.log(np.clip(np.asarray(member.predict_proba(X), dtype=float), UNSEEN, 1.0))
        lowest: Any = math.log(UNSEEN)
    elif hasattr(member, "decision_function"):
        given = np.asarray(member.decision_function(X), dtype=float)
        given = np.column_stack([-given / 2, given / 2]) if given.ndim == 1 else given
        lowest = given.min(axis=1, keepdims=True) + math.log(UNSEEN)
    else:
        raise GivenUpError("it has neither predict_proba nor decision_function")
    whole = np.full((len(given), classes), lowest)
    whole[:, member.classes_] = given
    return whole


def shares(members: int, refit: bool) -> Float[np.ndarray, " k"]:
    """How much each member of a candidate counts; they sum to one."""
    if not refit:
        return np.full(members, 1 / members)
    return np.append(np.full(members - 1, (1 - WHOLE) / (members - 1)), WHOLE)


def _fitted(name: str, learner: Any, table: TrainingTable, budget: Budget, n_jobs: int | None) -> Candidate:
    """The learner fitted on all folds, or GivenUpError."""
    started = budget.clock()
    ready = _ready(learner, table)
    folds = range(table.n_folds + table.refit)
    if budget.seconds is None:
        done = _folds(ready, table, folds, n_jobs)
    else:
        _look_first(ready, table, budget)
        before = budget.clock()
        done = _folds(ready, table, folds[:1], 1)
        rounds = math.ceil((len(folds) - 1) / effective_n_jobs(n_jobs))
        _go_on(budget, (budget.clock() - before) * rounds)
        done += _folds(ready, table, folds[1:], n_jobs)
    whole = np.empty((len(table.y), max(table.classes, 1)))
    for fold, (_, part) in zip(folds, done, strict=True):
        whole[table.folds == fold] = part  # the last one, which learned from all rows, says nothing here
    if not np.isfinite(whole).all():
        raise GivenUpError("it predicts numbers that are not finite")
    return Candidate(name, tuple(member for member, _ in done), whole, budget.clock() - started)


def _ready(learner: Any, table: TrainingTable) -> Any:
    """The learner with what it needs before it can read the table, or GivenUpError."""
    if table.sparse and not reads_sparse(learner):
        raise GivenUpError("it reads no sparse matrices")
    if table.counts is not None and not weight_argument(learner):
        raise GivenUpError("it takes no sample weights")
    return clone(learner) if table.columns is None else prepared(learner, *table.columns)


def _look_first(ready: Any, table: TrainingTable, budget: Budget) -> None:
    """Give up if parts of the rows take so long already that all folds would take too long."""
    rows = np.flatnonzero(table.folds != 0)
    for part in PARTS if len(table.y) > FIRST_LOOK else ():
        before = budget.clock()
        _fit(ready, table, rows[::part])
        _go_on(budget, (budget.clock() - before) * part * (table.n_folds + table.refit))


def _go_on(budget: Budget, seconds: float) -> None:
    if not budget.allows(seconds):
        raise GivenUpError(f"the time budget of {budget.seconds:g} seconds leaves no room for it")


def _folds(
    ready: Any, table: TrainingTable, folds: range, n_jobs: int | None
) -> list[tuple[Any, Float[np.ndarray, "k c"]]]:
    """Per fold the member that was trained without it and what that says of it; no row is in a fold after the last."""
    done: list[tuple[Any, Float[np.ndarray, "k c"]]] = Parallel(n_jobs=n_jobs)(
        delayed(_one_fold)(ready, table, fold) for fold in folds
    )
    return done


def _one_fold(ready: Any, table: TrainingTable, fold: int) -> tuple[Any, Float[np.ndarray, "k c"]]:
    here = np.flatnonzero(table.folds == fold)
    member = _fit(ready, table, np.flatnonzero(table.folds != fold))
    return member, scores(member, table.rows(here), table.classes) if len(here) else np.empty((0, 1))


def _fit(ready: Any, table: TrainingTable, rows: Int[np.ndarray, " k"]) -> Any:
    weights = {} if table.counts is None else {weight_argument(ready): table.counts[rows]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # its weight says whether it learned enough
        return clone(ready).fit(table.rows(rows), table.y[rows], **weights)
