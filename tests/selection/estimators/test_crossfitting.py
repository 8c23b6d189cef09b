"""Folds depend on what rows hold, time is kept to, and a folder of fitted learners is gone on from."""

from __future__ import annotations

import os
import sys
import time
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from polyculture import rng
from polyculture.errors import FileError
from polyculture.selection.estimators import DiverseEnsembleClassifier, crossfitting, ensemble
from polyculture.selection.estimators.cache import TRUSTED, LearnerCache, folds_by_content, row_keys
from polyculture.selection.estimators.crossfitting import TrainingTable, crossfit, scores
from polyculture.selection.estimators.default_learners import classifiers, prepared, regressors, weight_argument
from polyculture.selection.estimators.schemes import fold_counts
from polyculture.selection.estimators.time_budget import TimeBudget

IRIS, SPECIES = load_iris(return_X_y=True)
LEARNERS = [
    ("logistic", LogisticRegression(max_iter=500)),
    ("tree", DecisionTreeClassifier(max_depth=3)),
    ("bayes", GaussianNB()),
]


@given(st.integers(0, 50), st.integers(2, 6))
def test_folds_depend_on_the_rows_and_not_on_their_order(seed: int, k: int) -> None:
    order = rng.stream(seed, "order").permutation(150)
    assert_array_equal(
        folds_by_content(IRIS[order], SPECIES[order], k, 1), folds_by_content(IRIS, SPECIES, k, 1)[order]
    )


def test_equal_rows_are_in_one_fold_and_labels_are_spread_evenly() -> None:
    inputs, labels = np.repeat(IRIS, 2, axis=0), np.repeat(SPECIES, 2)
    folds = folds_by_content(inputs, labels, 5, 0)
    assert_array_equal(folds[::2], folds[1::2])
    for label in range(3):
        sizes = np.bincount(folds[labels == label])
        assert sizes.max() - sizes.min() <= 8
    assert not np.array_equal(folds, folds_by_content(inputs, labels, 5, 1))


def test_rows_have_the_same_key_in_every_form() -> None:
    inputs = np.array([[0.0, 1.0], [-0.0, 1.0], [2.0, np.nan]])
    keys = row_keys(inputs)
    assert keys[0] == keys[1] != keys[2]
    assert_array_equal(row_keys(inputs[::-1]), keys[::-1])
    dense = np.array([[0.0, 1.0], [3.0, 0.0], [0.0, 1.0]])
    messy = csr_array((np.array([1.0, 0.0, 3.0, 1.0]), np.array([1, 0, 0, 1]), np.array([0, 2, 3, 4])), shape=(3, 2))
    assert_array_equal(row_keys(messy), row_keys(csr_array(dense)))
    frame = pd.DataFrame({0: ["a", "b", "a"], 1: [1.0, 2.0, 1.0]})
    assert row_keys(frame)[0] == row_keys(frame)[2] != row_keys(frame)[1]


def test_more_folds_than_different_rows_are_as_many_as_there_are_rows() -> None:
    assert sorted(folds_by_content(np.arange(3.0)[:, None], np.zeros(3, dtype=int), 10, 0)) == [0, 1, 2]


class Clock:
    """Time that passes only when a learner says so."""

    now = 0.0
    begun: ClassVar[list[float]] = []


class Patient(ClassifierMixin, BaseEstimator):
    """Takes so many seconds per fit and row, more than in proportion if told so, and others to predict."""

    def __init__(self, seconds: float = 0.0, power: float = 1.0, fixed: float = 0.0, predicting: float = 0.0) -> None:
        self.seconds = seconds
        self.power = power
        self.fixed = fixed
        self.predicting = predicting

    def fit(self, X: Any, y: Any) -> Patient:
        Clock.begun.append(Clock.now)
        Clock.now += self.fixed + self.seconds * len(X) ** self.power
        self.rows_ = len(X)
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        Clock.now += self.predicting * len(X) * self.rows_
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


@dataclass
class Outcome:
    """Who was fitted, who was not, how long it took, and in how many folds."""

    names: list[str]
    left_out: dict[str, str]
    spent: float
    members: dict[str, int]


def fitted(budget: float | None, n: int = 100, monkeypatch: Any = None, **learners: Patient) -> Outcome:
    Clock.now, Clock.begun = 0.0, []
    inputs, labels = np.arange(2.0 * n).reshape(n, 2), np.arange(n) % 2
    monkeypatch.setattr(ensemble, "TimeBudget", lambda seconds: TimeBudget(seconds, lambda: Clock.now))
    model = DiverseEnsembleClassifier(list(learners.items()), time_budget=budget, floor=0.0, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a budget that is too small for anybody
        model.fit(inputs, labels)
    members = {name: len(fits) for name, fits in model.members_.items()}
    return Outcome(list(model.candidates_.index), model.left_out_, Clock.now, members)


def test_who_takes_too_long_is_not_begun_and_quicker_ones_are_still_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = fitted(60.0, 2_000, monkeypatch, first=Patient(1e-3), slow=Patient(0.2), quick=Patient(1e-3))
    assert found.names == ["first", "quick"]
    assert found.left_out == {"slow": "the time budget of 60 seconds leaves no room for it"}
    assert found.spent < 60
    assert fitted(None, 100, monkeypatch, first=Patient(0.01), slow=Patient(1)).names == ["first", "slow"]


def test_nothing_is_begun_when_the_budget_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    found = fitted(1.0, 2_000, monkeypatch, **{f"l{k}": Patient(fixed=0.5) for k in range(10)})
    assert found.spent <= 1.1  # ten learners of half a second took 8.1 seconds
    assert max(Clock.begun) < 1.0


@pytest.mark.parametrize("n", [100, 2_000, 20_000])
def test_one_slow_learner_learns_from_a_part_of_the_rows(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fitted(0.1 * n, n, monkeypatch, slow=Patient(1.0))
    assert found.names == ["slow"]
    assert found.members == {"slow": 1}
    assert found.spent <= max(0.11 * n, n / 2)  # of few rows a look has half; all folds take five times n


def test_a_constant_cost_is_not_taken_for_one_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    found = fitted(40.0, 20_000, monkeypatch, boosting=Patient(1e-4, fixed=1.0))
    assert found.names == [
        "boosting"
    ]  # from a sixteenth of the rows in proportion it was told to take seven times as long
    assert found.spent <= 44


def test_predicting_is_timed_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    neighbours = Patient(1e-9, predicting=1e-6)  # two folds of 200,000 rows: 20,000 seconds
    found = fitted(60.0, 200_000, monkeypatch, quick=Patient(1e-6), neighbours=neighbours)
    assert found.names == ["quick"]
    assert found.spent < 10


def test_steep_costs_are_told_from_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    found = fitted(100.0, 20_000, monkeypatch, first=Patient(1e-5), steep=Patient(1e-8, power=2.5))
    assert found.names == ["first"]  # in proportion to the first look it would take a second
    assert found.spent < 20


def test_folds_and_the_fit_to_all_rows_follow_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = Patient(1e-3)  # 2,000 rows: two seconds
    roomy, tight, short = (fitted(budget, 2_000, monkeypatch, one=learner) for budget in (30.0, 6.0, 3.0))
    assert roomy.members == {"one": 6}
    assert tight.members == {"one": 3}  # two folds, and all rows
    assert short.members == {"one": 2}
    for found, budget in ((roomy, 30), (tight, 6), (short, 3)):
        assert found.spent <= 1.1 * budget


def test_without_a_budget_more_rows_have_fewer_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [fold_counts(n, None)[0] for n in (60, 5_000, 20_000, 200_000)] == [5, 5, 3, 2]
    assert fold_counts(200_000, 7) == (7,)
    assert fitted(None, 20_000, monkeypatch, one=Patient()).members == {"one": 4}


def test_seconds_are_those_of_the_cpu_of_all_processes_or_on_the_wall() -> None:
    budget = TimeBudget(10.0)
    before = budget.spent
    budget.add(3.0, os.getpid())  # counted already
    assert budget.spent - before < 1
    budget.add(3.0, -1)
    assert 3 <= budget.spent - before < 4
    _, seconds = TimeBudget(1.0).timed(lambda: time.sleep(0.5))
    assert seconds >= 0.5  # who waits takes time, too
    clock = iter([0.0, 0.0, 2.0])
    assert TimeBudget(1.0, lambda: next(clock)).timed(lambda: "done") == ("done", 2.0)


def test_a_column_without_a_number_in_one_fold_costs_no_learner() -> None:
    draw = rng.stream(0, "gaps")
    inputs = draw.normal(size=(240, 3))
    labels = (inputs[:, 0] + inputs[:, 1] > 0).astype(int)
    sparse = np.full((240, 1), np.nan)
    sparse[:60] = draw.normal(size=(60, 1))  # known of the first rows only
    splits = [(np.arange(60, 240), np.arange(60)), (np.arange(60), np.arange(60, 240))]
    options: dict[str, Any] = {"cv": splits, "random_state": 0}
    plain = DiverseEnsembleClassifier(**options).fit(inputs, labels)
    for gap in (sparse, np.full((240, 1), np.nan)):
        for table in (
            np.hstack([inputs, gap]),
            pd.DataFrame(np.hstack([inputs, gap]), columns=list("abcd")).assign(kind="same"),
        ):
            model = DiverseEnsembleClassifier(**options).fit(table, labels)
            assert not model.left_out_
            known = model.candidates_["accuracy"] - plain.candidates_["accuracy"]
            assert known.min() > -0.1  # what a learner never saw does not mislead it


def test_quadratic_discriminants_are_fitted_to_columns_that_depend_on_each_other() -> None:
    inputs = np.hstack([IRIS, IRIS[:, :1] + IRIS[:, 1:2]])
    model = DiverseEnsembleClassifier([pair for pair in classifiers() if pair[0] == "quadratic"], cv=3)
    assert model.fit(inputs, SPECIES).candidates_.loc["quadratic", "accuracy"] > 0.93


def test_seconds_are_those_of_all_folds() -> None:
    Clock.now = 0.0
    table = TrainingTable(np.arange(100.0)[:, None], np.arange(100) % 2, 2, None, np.arange(100) % 5, None)
    found, _ = crossfit([("one", Patient(1))], table, TimeBudget(None, lambda: Clock.now), None, None)
    assert found[0].seconds == 400


def test_a_class_that_a_fold_did_not_contain_is_all_but_impossible() -> None:
    few = SPECIES < 2
    bayes = GaussianNB().fit(IRIS[few], SPECIES[few])
    assert_allclose(np.exp(scores(bayes, IRIS, 3)[:, 2]), crossfitting.LOWEST_PROBABILITY)
    ends = SPECIES != 1
    deciding = scores(LinearSVC().fit(IRIS[ends], SPECIES[ends]), IRIS, 3)
    assert (deciding.argmax(axis=1) != 1).all()
    assert (softmax(deciding, axis=1)[:, 1] <= crossfitting.LOWEST_PROBABILITY).all()


def test_weights_reach_the_learner_behind_its_steps() -> None:
    assert weight_argument(make_pipeline(StandardScaler(), Ridge())) == "ridge__sample_weight"
    assert weight_argument(TransformedTargetRegressor(Ridge())) == "sample_weight"
    assert weight_argument(make_pipeline(StandardScaler(), KNeighborsRegressor())) == ""


def test_neighbouring_default_learners_are_of_different_families() -> None:
    for learners in (classifiers(), regressors(), classifiers(sparse=True), regressors(sparse=True)):
        assert len({name for name, _ in learners}) == len(learners)
    assert "naive bayes" not in dict(classifiers(sparse=True))


def test_boosters_are_taken_up_where_they_are_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lightgbm.py").write_text(
        "from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor\n\n\n"
        "class LGBMClassifier(HistGradientBoostingClassifier):\n"
        "    def __init__(self, n_estimators=9, learning_rate=0.1, num_leaves=9, n_jobs=None, verbose=0):\n"
        "        super().__init__(learning_rate=learning_rate, max_iter=n_estimators, max_leaf_nodes=num_leaves)\n"
        "        self.n_estimators, self.num_leaves, self.n_jobs = n_estimators, num_leaves, n_jobs\n"
    )
    before = dict(classifiers())
    monkeypatch.syspath_prepend(tmp_path)
    installed = sys.modules.pop("lightgbm", None)
    try:
        found = dict(classifiers())
    finally:
        sys.modules.pop("lightgbm")
        if installed is not None:
            sys.modules["lightgbm"] = installed
    assert set(found) >= {*before, "lightgbm"}
    assert found["lightgbm"].get_params()["num_leaves"] == 15
    assert found["lightgbm"].fit(IRIS, SPECIES).score(IRIS, SPECIES) > 0.9


def test_a_boosting_splits_categories_as_such() -> None:
    draw = rng.stream(0, "towns")
    towns = draw.integers(0, 30, 600)
    frame = pd.DataFrame({"size": draw.normal(size=600), "town": [f"town {k}" for k in towns]})
    labels = (towns * 7 % 2 + draw.random(600) * 0.8 > 0.9).astype(int)  # towns in no order
    model = DiverseEnsembleClassifier([p for p in classifiers() if p[0] == "boosting"], cv=2, random_state=0)
    model.fit(frame, labels)
    *_, learner = model.members_["boosting"][0].steps[-1]
    assert learner.is_categorical_.tolist() == [True, False]
    assert model.candidates_.loc["boosting", "accuracy"] > 0.85
    unseen = frame.assign(town="never seen")
    assert np.isfinite(model.predict_proba(unseen)).all()


def kept(folder: Path, **options: Any) -> DiverseEnsembleClassifier:
    return DiverseEnsembleClassifier(LEARNERS, cv=3, random_state=0, memory=folder, **options).fit(IRIS, SPECIES)


def test_a_folder_of_fitted_learners_is_gone_on_from(tmp_path: Path) -> None:
    learners = DiverseEnsembleClassifier(LEARNERS[:1], cv=3, random_state=0, memory=tmp_path)
    learners.fit(IRIS, SPECIES)
    assert {p.name.split("-")[0] for p in tmp_path.iterdir()} == {"logistic"}
    whole, again = kept(tmp_path), kept(tmp_path)
    assert whole.candidates_.loc["logistic", "seconds"] == 0 < whole.candidates_.loc["tree", "seconds"]
    assert (again.candidates_["seconds"] == 0).all()
    plain = DiverseEnsembleClassifier(LEARNERS, cv=3, random_state=0).fit(IRIS, SPECIES)
    for model in (whole, again):
        assert_allclose(model.predict_proba(IRIS), plain.predict_proba(IRIS))


def test_other_data_parameters_seeds_and_folds_are_other_entries(tmp_path: Path) -> None:
    model = DiverseEnsembleClassifier([LEARNERS[2]], cv=3, random_state=0, memory=tmp_path)
    model.fit(IRIS, SPECIES)
    model.fit(IRIS + 1, SPECIES)
    model.fit(IRIS, SPECIES[::-1])
    model.fit(IRIS, SPECIES, np.arange(150) + 1.0)
    model.set_params(bayes__var_smoothing=1e-3).fit(IRIS, SPECIES)
    model.set_params(cv=4).fit(IRIS, SPECIES)
    model.set_params(random_state=1).fit(IRIS, SPECIES)
    assert len(list(tmp_path.iterdir())) == 14  # of the folds, and of all rows
    model.set_params(refit=False).fit(IRIS, SPECIES)
    assert len(list(tmp_path.iterdir())) == 14


def test_members_with_types_that_are_not_trusted_are_not_kept(tmp_path: Path) -> None:
    learners = [LEARNERS[2], ("patient", Patient())]
    model = DiverseEnsembleClassifier(learners, cv=3, memory=tmp_path).fit(IRIS, SPECIES)
    assert list(model.candidates_.index) == ["bayes", "patient"]
    assert {p.name.split("-")[0] for p in tmp_path.iterdir()} == {"bayes"}


def test_a_file_with_other_types_is_refused(tmp_path: Path) -> None:
    kept(tmp_path)
    home = next(tmp_path.glob("bayes-*"))
    skops.io.dump([Patient()] * 3, home / "members.skops")
    with pytest.raises(FileError) as error:
        kept(tmp_path)
    kind = f"{Patient.__module__}.Patient"
    assert str(error.value) == (
        f"{home / 'members.skops'} holds the type {kind}; expected nothing but learners of scikit-learn; "
        "delete that subfolder; what is missing is fitted again."
    )


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    kept(tmp_path)
    home = next(tmp_path.glob("bayes-*"))
    (home / "members.skops").write_bytes(b"half")
    with pytest.raises(FileError) as error:
        kept(tmp_path)
    reason = f"{zipfile.BadZipFile.__name__}: File is not a zip file"
    assert str(error.value) == (
        f"cannot read {home} ({reason}); expected fitted learners; "
        "delete that subfolder; what is missing is fitted again."
    )


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError) as error:
        kept(tmp_path / "file")
    assert (
        str(error.value) == f"cannot write to {tmp_path / 'file'}: File exists; expected a folder that can be written."
    )


def test_a_folder_that_has_gone_is_an_error(tmp_path: Path) -> None:
    keeper = LearnerCache(tmp_path / "gone", IRIS, SPECIES, ())
    (tmp_path / "gone").rmdir()
    with pytest.raises(FileError) as error:
        keeper.save("bayes", GaussianNB(), (GaussianNB(),), np.zeros((150, 3)))
    start, _, reason = str(error.value).partition(": ")
    assert start.startswith(f"cannot write {tmp_path / 'gone' / 'bayes-'}")
    assert reason == "No such file or directory; expected a folder with room to write in."


def test_every_default_learner_can_be_kept() -> None:
    quick = {"n_estimators": 3, "max_iter": 3}
    for name, learner in (*classifiers(), *regressors()):
        least = {k: quick[k.split("__")[-1]] for k in learner.get_params() if k.split("__")[-1] in quick}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            member = prepared(learner, (), (0, 1, 2, 3)).set_params(**learn(learner, least)).fit(IRIS, SPECIES)
        written = skops.io.dumps(member)
        assert set(skops.io.get_untrusted_types(data=written)) <= set(TRUSTED), name
        assert_array_equal(skops.io.loads(written, trusted=list(TRUSTED)).predict(IRIS), member.predict(IRIS))


def learn(learner: Any, parameters: dict[str, int]) -> dict[str, int]:
    """Parameters under the names that they have behind a preparing step, where there is one."""
    step = prepared(learner, (), (0,)).get_params()
    return {k if k in step else f"learn__{k}": v for k, v in parameters.items()}
