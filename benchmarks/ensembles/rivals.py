"""What do others make of the same CPU seconds and rows? Deep ensembles, forests, boosting, votes and stacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from polyculture import rng
from polyculture.dataset import Dataset
from polyculture.models.encoder import Encoder
from polyculture.models.features import features

from .sets import rows

Said = dict[str, tuple[np.ndarray, np.ndarray]]
"""By test: probabilities (n × c) of the whole, and the answers of its members (members × n)."""
SEARCH = 0.7
"""Share of the budget that a search over settings may take; the rest goes into members."""
MOST_TREES = 1000
MOST_ROUNDS = 400


@dataclass
class Clock:
    """CPU seconds of this process, of which there are only so many."""

    seconds: float

    def __post_init__(self) -> None:
        self.started, self.stopped = time.process_time(), 0.0

    @property
    def spent(self) -> float:
        """How many are gone."""
        return (self.stopped or time.process_time()) - self.started

    def stop(self) -> None:
        """Everything is fitted; predicting is not counted."""
        self.stopped = time.process_time()

    def rounds(self, share: float = 1.0, most: int = 10_000) -> Iterator[int]:
        """0, 1, … while one more round, as long as the mean one so far, overshoots less than it falls short."""
        begun = self.spent
        for k in range(most):
            each = (self.spent - begun) / k if k else 0.0
            if k and self.spent + each / 2 > share * self.seconds:
                return
            yield k


@dataclass(frozen=True, eq=False)
class Flat:
    """Rows that trees can read: the training room's own features, words weighed by how rare they are."""

    encoder: Encoder
    steps: Any

    @classmethod
    def of(cls, develop: Dataset, dense: bool) -> Flat:
        """Learned from these rows; dense where sparse counts of words have to be condensed."""
        encoder = Encoder.of(develop)
        if develop.modality != "text":
            return cls(encoder, None)
        steps = make_pipeline(TfidfTransformer(sublinear_tf=True), *[TruncatedSVD(100, random_state=0)] * dense)
        return cls(encoder, steps.fit(features(encoder, develop.array)))

    def __call__(self, dataset: Dataset) -> Any:
        found = features(self.encoder, dataset.array)
        return found if self.steps is None else self.steps.transform(found)


def deep_ensemble(net: Any, develop: Dataset, tests: dict[str, Dataset], clock: Clock, seed: int) -> Said:
    """Copies of one net that differ in their seed (Lakshminarayanan et al. 2017), as many as there is time for."""
    X, y, members = rows(develop), develop.labels, []
    for k in clock.rounds():
        state = {name: rng.derived_seed(seed, "copy", k) % 2**31 for name in net.get_params() if "random_state" in name}
        members.append(clone(net).set_params(**state).fit(X, y))
    clock.stop()
    return mean_of(members, tests, rows, len(develop.classes))


def random_forest(develop: Dataset, tests: dict[str, Dataset], clock: Clock, seed: int) -> Said:
    """The settings with the lowest out-of-bag log-loss of a random search, then trees for the rest of the time."""
    read, draw, y = Flat.of(develop, dense=False), rng.stream(seed, "forest"), develop.labels
    X, best = read(develop), (np.inf, {})
    for _ in clock.rounds(SEARCH):
        setting = {
            "max_features": float(draw.choice([0.05, 0.1, 0.2, 0.3, 0.5, 0.8])),
            "min_samples_leaf": int(draw.choice([1, 2, 3, 5, 10, 20])),
            "criterion": str(draw.choice(["gini", "log_loss"])),
        }
        tried = RandomForestClassifier(30, oob_score=True, random_state=seed, **setting).fit(X, y)
        votes = np.nan_to_num(tried.oob_decision_function_, nan=1 / len(tried.classes_))
        loss = -np.log(np.maximum(votes[np.arange(len(y)), np.searchsorted(tried.classes_, y)], 1e-3)).mean()
        best = min(best, (float(loss), setting), key=lambda pair: pair[0])
    forest = RandomForestClassifier(0, warm_start=True, random_state=seed, **best[1])
    for _ in clock.rounds(most=MOST_TREES // 10):
        forest.set_params(n_estimators=forest.n_estimators + 10).fit(X, y)
    clock.stop()
    said = {}
    for name, test in tests.items():
        X_test = read(test)
        answers = np.stack([forest.classes_[tree.predict_proba(X_test).argmax(axis=1)] for tree in forest.estimators_])
        said[name] = whole(forest, X_test, len(develop.classes)), answers
    return said


def boosting(develop: Dataset, tests: dict[str, Dataset], clock: Clock, seed: int) -> Said:
    """The settings with the lowest validation loss of a random search, then copies of them that see other parts."""
    read, draw, y = Flat.of(develop, dense=True), rng.stream(seed, "boosting"), develop.labels
    X, best = read(develop), (np.inf, {}, None)
    for k in clock.rounds(SEARCH):
        setting = {
            "learning_rate": float(0.03 * 10 ** draw.random()),
            "max_leaf_nodes": int(draw.choice([4, 8, 15, 31])),
            "min_samples_leaf": int(draw.choice([5, 10, 20, 40])),
            "l2_regularization": float(draw.choice([0.0, 0.1, 1.0, 10.0])),
            "max_features": float(draw.choice([0.1, 0.3, 1.0])),
        }
        setting = setting if k else {"max_features": 0.3}  # the first are all but scikit-learn's own
        loss, tried = _boosted(setting, X, y, seed, clock)
        best = min(best, (loss, setting, tried), key=lambda triple: triple[0])
    members = [best[2], *(_boosted(best[1], X, y, seed + 1 + k, clock)[1] for k in clock.rounds())]
    clock.stop()
    return mean_of(members, tests, read, len(develop.classes))


def _boosted(setting: dict[str, Any], X: Any, y: np.ndarray, state: int, clock: Clock) -> tuple[float, Any]:
    """Grown ten rounds at a time until a held-out part stops getting better, or time is up; its loss there, and it."""
    order = rng.stream(state, "held out").permutation(len(y))
    held, seen = order[: len(y) // 7], order[len(y) // 7 :]
    model = HistGradientBoostingClassifier(
        max_iter=0, warm_start=True, early_stopping=False, random_state=state, **setting
    )
    best, worse = np.inf, 0
    while worse < 2 and model.max_iter < MOST_ROUNDS:
        model.set_params(max_iter=model.max_iter + 10).fit(X[seen], y[seen])
        truth = whole(model, X[held], int(y.max()) + 1)[np.arange(len(held)), y[held]]
        loss = float(-np.log(np.maximum(truth, 1e-6)).mean())
        best, worse = min(best, loss), worse + 1 if loss > best - 1e-4 else 0
        if clock.spent > clock.seconds:
            break
    return best, model


def voting(learners: list[tuple[str, Any]], develop: Dataset, tests: dict[str, Dataset], clock: Clock) -> Said:
    """The mean of everybody's probabilities, by scikit-learn; with time left, of several seeds of everybody."""
    X, y, rounds = rows(develop), develop.labels, []
    for k in clock.rounds():
        speaking = [(name, _speaking(_reseeded(learner, k))) for name, learner in learners]
        rounds.append(VotingClassifier(speaking, voting="soft").fit(X, y))
    members = [member for vote in rounds for member in vote.estimators_]
    clock.stop()
    return mean_of(members, tests, rows, len(develop.classes))


def stacking(
    learners: list[tuple[str, Any]], folds: int, develop: Dataset, tests: dict[str, Dataset], clock: Clock
) -> Said:
    """Logistic regression on cross-fitted opinions, by scikit-learn, which fits everybody as often as ours does."""
    made = StackingClassifier(learners, LogisticRegression(max_iter=5000), cv=folds)
    made.fit(rows(develop), develop.labels)
    clock.stop()
    said = {}
    for name, test in tests.items():
        X = rows(test)
        answers = np.stack([_answers(member, X) for member in made.estimators_])
        said[name] = whole(made, X, len(develop.classes)), answers
    return said


def weighted(
    scores: dict[str, list[np.ndarray]], temperatures: np.ndarray, shares: np.ndarray, weights: np.ndarray
) -> Said:
    """The weighted mean of calibrated probabilities; `scores` by test: of each candidate members × n × c."""
    said, kept = {}, np.flatnonzero(weights > 0)
    for name, given in scores.items():
        spoken = (np.exp(log_softmax(given[m] / temperatures[m], axis=2)) for m in kept)
        each = np.stack([np.tensordot(shares, members, axes=1) for members in spoken])
        said[name] = np.tensordot(weights[kept] / weights.sum(), each, axes=1), each.argmax(axis=2)
    return said


def _reseeded(learner: Any, k: int) -> Any:
    states = {name: k for name in learner.get_params() if name.endswith("random_state")} if k else {}
    return clone(learner).set_params(**states)


def _speaking(learner: Any) -> Any:
    if hasattr(learner, "predict_proba"):
        return learner
    return CalibratedClassifierCV(learner, cv=3, ensemble=False)


def whole(model: Any, X: Any, classes: int) -> np.ndarray:
    """Probabilities of all classes, also of those that the model never saw."""
    complete = np.zeros((len(X) if not hasattr(X, "shape") else X.shape[0], classes))
    complete[:, np.asarray(model.classes_, dtype=np.int64)] = model.predict_proba(X)
    return complete


def _answers(member: Any, X: Any) -> np.ndarray:
    return np.asarray(member.predict(X), dtype=np.int64)


def mean_of(members: list[Any], tests: dict[str, Dataset], read: Callable[[Dataset], Any], classes: int) -> Said:
    """The mean of the members' probabilities; members that were fitted on codes of classes know them as 0, 1, …"""
    said = {}
    for name, test in tests.items():
        X = read(test)
        each = np.stack([whole(member, X, classes) for member in members])
        said[name] = each.mean(axis=0), each.argmax(axis=2)
    return said
