"""Which learners complement each other on this table? `fit` tries many that differ and keeps the few with weight.

Every learner is cross-fitted, weighted by its predictions for rows that it was not trained on, and predicts as the
mean of its members: one per fold, and one that learned from all rows.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Num, Shaped
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import check_cv
from sklearn.utils import Tags, check_consistent_length, check_random_state
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, column_or_1d

from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.results import Portfolio
from polyculture.rng import derived_seed

from . import nested_validation
from .cache import LearnerCache, folds_by_content
from .crossfitting import (
    Candidate,
    FoldFit,
    TrainingTable,
    best_look,
    crossfit,
    fitted_to_all_rows,
    look_at_learners,
    scores,
    shares,
)
from .default_learners import Learners, family, kin
from .member_weights import OpinionPool
from .pace import LookSample
from .preprocessing import InputFormat
from .saved_ensemble import load_ensemble, save_ensemble
from .schemes import fold_counts, folds_within, in_turn
from .time_budget import TimeBudget

STRENGTHS = (3, 10, 30, 100, 300)
"""Strengths of the shrinkage that a front is made of."""
Estimator = TypeVar("Estimator", bound="DiverseEnsemble")


class DiverseEnsemble(_BaseComposition, ABC):  # type: ignore[misc]
    """What the classifier and the regressor share."""

    _default_learners: Callable[[bool, int], Learners]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters; with `deep` those of the learners, too, as ``learner__parameter``."""
        return dict(self._get_params("learners", deep=deep))

    def set_params(self: Estimator, **params: Any) -> Estimator:
        """Set parameters, those of learners as ``learner__parameter``."""
        self._set_params("learners", **params)
        return self

    def __sklearn_tags__(self) -> Tags:
        """Sparse matrices and missing values are accepted."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        return tags

    @abstractmethod
    def _encode_target(self, y: Shaped[np.ndarray, " n"]) -> tuple[Num[np.ndarray, " n"], int]:
        """Encoded target, and the number of classes; 0 for real values."""

    @abstractmethod
    def _fit_weights(
        self, scores: Float[np.ndarray, "m n c"], y: Num[np.ndarray, " n"], counts: Float[np.ndarray, " n"]
    ) -> OpinionPool:
        """Weights of the candidates."""

    def fit(self: Estimator, X: Any, y: Any, sample_weight: Any = None) -> Estimator:
        """Cross-fit the learners, fit their weights and keep those with a positive weight.

        Parameters
        ----------
        X : n rows of numbers (nan where one is missing), dense or sparse, or a dataframe that may hold categories.
        y : n targets.
        sample_weight : how much each row counts, as if it were repeated; learners that take no weights are
            left out where the weights differ.
        """
        if y is None:
            raise InputError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        self._check_options()
        if self.memory is not None:
            importlib.import_module("skops.io")  # takes a second, which is not the learners'
        budget = TimeBudget(None if self.time_budget is None else float(self.time_budget))
        self._input_format, inputs = InputFormat.of(self, X, self.prepare)
        targets = column_or_1d(y, warn=True)
        check_consistent_length(inputs, targets)
        counts = np.ones(len(targets))
        if sample_weight is not None:
            counts = _check_sample_weight(sample_weight, inputs, dtype=np.float64, ensure_non_negative=True)
        rows = np.flatnonzero(counts > 0)
        y_encoded, classes = self._encode_target(targets[rows])
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        given = self.cv is not None and not isinstance(self.cv, int | np.integer)
        splits = self._split(inputs, targets, classes)[rows] if given else np.zeros(len(rows), np.int64)
        inputs = inputs.iloc[rows] if hasattr(inputs, "iloc") else inputs[rows]
        tested, folds = np.unique(splits, return_inverse=True)
        if given and len(tested) < 2:
            raise InputError("rows that are all in one fold", "two folds or more")
        counts, columns = counts[rows], self._input_format.columns(self.n_features_in_)
        table = TrainingTable(inputs, y_encoded, classes, counts if np.ptp(counts) else None, folds, columns)
        return self._crossfit(table, counts, seed, budget)

    def _crossfit(
        self: Estimator, table: TrainingTable, counts: Float[np.ndarray, " n"], seed: int, budget: TimeBudget
    ) -> Estimator:
        """Members and weights from a checked table; the budget decides on folds where nobody else did."""
        learners = self._seeded_learners(seed, table)
        by_name, n = dict(learners), len(table.y)
        sample = LookSample.of(table.y, table.classes)
        paces = {} if budget.seconds is None else look_at_learners(learners, table, sample, budget)
        counts_of_folds = fold_counts(n, table.n_folds if table.n_folds > 1 else self.cv)
        folds = counts_of_folds[0]
        if paces and self.memory is None:  # what is kept is found again only in the same folds
            folds = folds_within(budget, counts_of_folds, paces, n, bool(self.refit))
        if table.n_folds < 2:
            strata = table.y if table.classes else np.zeros(n, np.int64)
            table = replace(table, folds=folds_by_content(table.X, strata, folds, seed))
        dependencies = counts, table.folds, table.classes, table.columns
        cache = None if self.memory is None else LearnerCache(Path(self.memory), table.X, table.y, dependencies)
        turns = in_turn({name: kin(learner) for name, learner in learners}, paces, folds, n, budget)
        pairs = [(name, by_name[name]) for name in turns]
        candidates, self.left_out_ = crossfit(pairs, table, budget, cache, self.n_jobs, paces, bool(self.refit))
        refit = bool(self.refit) and bool(candidates)
        if not candidates:
            candidate, table, counts = best_look(table, counts, sample, paces, self.left_out_, budget)
            candidates = [candidate]
        candidates.sort(key=lambda candidate: list(by_name).index(candidate.name))
        self._weigh(candidates, table, counts)
        kept = [candidates[m] for m in self._pool.members]
        whole = self._fit_to_all_rows(kept, by_name, table, budget, cache) if refit else {}
        members = {c.name: (*c.members, *([whole[c.name].member] if c.name in whole else [])) for c in kept}
        self.members_ = members
        self._shares = {name: shares(len(fits), name in whole) for name, fits in members.items()}
        seconds = [c.seconds + (whole[c.name].seconds if c.name in whole else 0.0) for c in candidates]
        self.candidates_ = self._candidates(candidates, by_name).assign(seconds=seconds)
        return self

    def _fit_to_all_rows(
        self,
        kept: list[Candidate],
        learners: dict[str, Any],
        table: TrainingTable,
        budget: TimeBudget,
        cache: LearnerCache | None,
    ) -> dict[str, FoldFit]:
        """Members of all rows of the kept candidates, by name, as far as there is time."""
        return fitted_to_all_rows(kept, learners, table, budget, cache, self.n_jobs)

    def _weigh(self, candidates: list[Candidate], table: TrainingTable, counts: Float[np.ndarray, " n"]) -> None:
        """Weights of the candidates by what they said of rows that they were not trained on."""
        X, y = table.X, table.y
        names, all_scores = tuple(c.name for c in candidates), np.stack([c.scores for c in candidates])
        self._training_scores = nested_validation.CrossFittedScores(names, all_scores, y, counts, table.folds)
        self._pool = self._fit_weights(all_scores, y, counts)
        rows = np.unique(np.linspace(0, len(y) - 1, min(len(y), 1000)).astype(int))  # to compare graphs on
        self._examples = rows, X.iloc[rows] if hasattr(X, "iloc") else X[rows]
        self.weights_ = {names[m]: float(self._pool.weights[m]) for m in self._pool.members}

    def _check_options(self) -> None:
        """Refuse parameters that mean nothing."""
        if self.size is not None and self.size < 1:
            raise InputError(f"size is {self.size}", "one member or more, or None for as many as earn a weight")
        if not self.shrinkage > 0:
            raise InputError(f"shrinkage is {self.shrinkage}", "a number of rows above 0")
        if self.time_budget is not None and not self.time_budget > 0:
            raise InputError(f"time_budget is {self.time_budget}", "seconds above 0, or None")
        if isinstance(self.cv, int | np.integer) and self.cv < 2:
            raise InputError(f"cv is {self.cv}", "two folds or more")
        if self.learners is not None:
            self._check_learners(list(self.learners))

    def _check_learners(self, learners: list[Any]) -> None:
        """Refuse anything but a list of named learners of the right kind."""
        if not learners:
            raise InputError("an empty list of learners", "one learner or more, or None for the default ones")
        for pair in learners:
            if not (isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str)):
                raise InputError(f"{pair!r} in the list of learners", "pairs of a name and a learner")
        names = [name for name, _ in learners]
        is_valid, expected = (is_regressor, "a regressor") if is_regressor(self) else (is_classifier, "a classifier")
        for name, learner in learners:
            if names.count(name) > 1 or "__" in name or name in self._get_param_names():
                raise InputError(f"a learner of the name {name!r}", "names of their own, without two underscores")
            if not is_valid(learner):
                raise InputError(f"the learner {name!r} is a {type(learner).__name__}", expected)

    def _split(self, X: Any, y: Shaped[np.ndarray, " n"], classes: int) -> Int[np.ndarray, " n"]:
        """Number of the fold that each row is tested in, by the splitter or splits in `cv`."""
        numbers, times = np.zeros((2, len(y)), dtype=np.int64)
        for fold, (_, test) in enumerate(check_cv(self.cv, y, classifier=classes > 0).split(X, y)):
            numbers[test] = fold
            times[test] += 1
        if not (times == 1).all():
            raise InputError(
                f"the splits of cv test {int((times != 1).sum())} of {len(y)} rows never or more than once",
                "every row tested exactly once, as by GroupKFold",
            )
        return numbers

    def _seeded_learners(self, seed: int, table: TrainingTable) -> Learners:
        """Copies of the learners, each with a random state."""
        seeded = []
        default = self._default_learners(table.sparse, len(table.y)) if self.learners is None else self.learners
        for name, learner in default:
            copy = clone(learner)
            missing = {
                key: derived_seed(seed, "learner", name) % 2**32
                for key, value in copy.get_params(deep=True).items()
                if value is None and (key == "random_state" or key.endswith("__random_state"))
            }
            seeded.append((name, copy.set_params(**missing)))
        return seeded

    def _candidates(self, candidates: list[Candidate], learners: dict[str, Any]) -> pd.DataFrame:
        """One row per fitted learner."""
        columns = {"family": [family(learners[c.name]) for c in candidates], **self._losses()}
        columns |= {"weight": self._pool.weights, "seconds": [c.seconds for c in candidates]}
        return pd.DataFrame(columns, index=pd.Index([c.name for c in candidates], name="learner"))

    def light(self: Estimator, members: int = 5) -> Estimator:
        """The same ensemble with only the members that learned from all rows, of the heaviest learners.

        Their weights are fitted anew, by what the learners said of rows that they were not trained on. Predicting takes
        a sixth of the time or less.

        Parameters
        ----------
        members : how many at most.

        Raises InputError where no member has learned from all rows (`refit`), or there is no evidence to weigh on.
        """
        check_is_fitted(self)
        given = self._evidence()
        able = [m for m in self._pool.members if len(self._shares[given.names[m]]) > given.folds.max() + 1]
        if not able:
            raise InputError("no member that has learned from all rows", "one or more", "fit with refit=True")
        if members < 1:
            raise InputError(f"{members} members", "one or more")
        rows = np.sort(np.array(able[:members]))
        names = tuple(given.names[m] for m in rows)
        copy: Estimator = clone(self)
        copy.__dict__.update(self.__dict__)
        copy._training_scores = replace(given, names=names, scores=given.scores[rows])
        copy._pool = self._fit_weights(copy._training_scores.scores, given.y, given.counts)
        kept = [names[m] for m in copy._pool.members]
        copy.members_ = {name: self.members_[name][-1:] for name in kept}
        copy._shares = {name: np.ones(1) for name in kept}
        copy.weights_ = {name: float(copy._pool.weights[names.index(name)]) for name in kept}
        copy.candidates_ = self.candidates_.loc[list(names)].assign(**copy._losses(), weight=copy._pool.weights)
        return copy

    def save(self, folder: Any, *, evidence: bool = False) -> None:
        """Write the fitted ensemble into a new folder of plain files, which `load` reads: JSON and skops, no pickle.

        Parameters
        ----------
        folder : its path; it may not be there yet.
        evidence : whether what the learners said of the rows, and a thousand of these, are written, too: needed for
            `predictions_`, `audit_`, `portfolio_` and `light`, not to predict.
        """
        check_is_fitted(self)
        if evidence:
            self._evidence()
        save_ensemble(self, Path(folder), evidence)

    @classmethod
    def load(cls: type[Estimator], folder: Any, *, trusted: Sequence[str] = ()) -> Estimator:
        """The ensemble that `save` wrote into this folder.

        Parameters
        ----------
        trusted : full names of types that its members may hold besides those of scikit-learn, such as own learners.

        Raises FileError for anything else, and for files that were changed since. Nothing is unpickled.
        """
        loaded: Estimator = load_ensemble(cls, Path(folder), trusted)
        return loaded

    def _evidence(self) -> nested_validation.CrossFittedScores:
        """What the learners said of rows that they were not trained on; InputError where it was not saved."""
        check_is_fitted(self)
        given: nested_validation.CrossFittedScores | None = getattr(self, "_training_scores", None)
        if given is None:
            raise InputError("an ensemble without what its learners said", "one with it", "save it with evidence=True")
        return given

    @property
    @abstractmethod
    def predictions_(self) -> Predictions:
        """Cross-fitted predictions of the fitted learners."""

    @property
    def audit_(self) -> Any:
        """Similarity of the fitted learners' errors on rows that they were not trained on: audit of `predictions_`.

        Needs two learners or more.
        """
        return importlib.import_module("polyculture.auditing").audit(self.predictions_)

    @property
    def portfolio_(self) -> Portfolio:
        """The members, their weights and what they are worth; the certificate is made by nested cross-fitting."""
        given = self._evidence()
        portfolio = nested_validation.portfolio(given, self._fit_weights, self._pool, self.predictions_)
        if self.size is None or portfolio.k >= self.size:
            return portfolio
        reason = "any further learner is below the floor, or has less than a hundredth of the heaviest weight"
        return replace(portfolio, requested=int(self.size), shortfall=reason)

    @property
    def front_(self) -> pd.DataFrame:
        """What other strengths of `shrinkage` would give, one row each, by nested cross-fitting.

        Columns: log_loss or mean_squared_error of the ensemble, all_wrong (share of rows that every kept learner fails;
        not of real values) and members.
        """
        given = self._evidence()
        strengths = {float(s) for s in (*STRENGTHS, self.shrinkage)}
        fits = {s: clone(self).set_params(shrinkage=s)._fit_weights for s in strengths}
        return nested_validation.front(given, fits)

    def export(self, path: Any, X: Any = None, y: Any = None) -> Any:
        """Write a bundle for `polyculture serve`; checked on these rows, or else on some that were learned from."""
        deployment = importlib.import_module("polyculture.deployment")
        return deployment.export_bundle(self, path, held_out=None if X is None else (X, y))

    @abstractmethod
    def _losses(self) -> dict[str, Float[np.ndarray, " m"]]:
        """Columns of `candidates_` with the quality of each learner."""

    def _scores(self, X: Any) -> list[list[Float[np.ndarray, "n c"]]]:
        """Scores of every member of every kept learner."""
        check_is_fitted(self)
        inputs, classes = self._input_format.read(self, X), len(getattr(self, "classes_", ()))
        return [[scores(member, inputs, classes) for member in members] for members in self.members_.values()]
