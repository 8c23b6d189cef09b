"""Folds depend on what rows hold, time is kept to, and a folder of fitted learners is gone on from."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

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
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from polyculture import rng
from polyculture.errors import FileError
from polyculture.selection.estimators import DiverseEnsembleClassifier, crossfitting
from polyculture.selection.estimators.cache import TRUSTED, LearnerCache, folds_by_content, row_keys
from polyculture.selection.estimators.crossfitting import TimeBudget, TrainingTable, crossfit, scores
from polyculture.selection.estimators.default_learners import classifiers, prepared, regressors, weight_argument

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


class Patient(ClassifierMixin, BaseEstimator):
    """Takes so many seconds per row, more than in proportion if told so."""

    def __init__(self, seconds: float = 0.0, power: float = 1.0) -> None:
        self.seconds = seconds
        self.power = power

    def fit(self, X: Any, y: Any) -> Patient:
        Clock.now += self.seconds * len(X) ** self.power
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def fitted(
    budget: float | None, n: int = 100, refit: bool = False, **learners: Patient
) -> tuple[list[str], dict[str, str], float]:
    """Who was fitted, who was not and how long it took."""
    Clock.now = 0.0
    inputs = np.arange(2.0 * n).reshape(n, 2)
    labels = np.arange(n) % 2
    table = TrainingTable(inputs, labels, 2, None, np.arange(n) % 5, None, refit)
    found, left_out = crossfit(learners.items(), table, TimeBudget(budget, lambda: Clock.now), None, None)
    return [c.name for c in found], left_out, Clock.now


def test_a_learner_that_takes_too_long_is_given_up_after_a_fold_and_quicker_ones_still_run() -> None:
    names, left_out, spent = fitted(60.0, first=Patient(0.01), slow=Patient(0.4), quick=Patient(0.01))
    assert names == ["first", "quick"]
    assert left_out == {"slow": "the time budget of 60 seconds leaves no room for it"}
    assert spent == pytest.approx(4 + 32 + 4)  # one fold of the slow one, as nothing was known of it before
    assert fitted(None, first=Patient(0.01), slow=Patient(1))[0] == ["first", "slow"]


def test_on_many_rows_a_slow_learner_is_given_up_on_a_part_of_them() -> None:
    names, _, spent = fitted(100.0, n=4000, first=Patient(1e-4), slow=Patient(1), steep=Patient(1e-6, 3))
    assert names == ["first"]
    assert spent < 4000


def test_the_fit_on_all_rows_is_reckoned_with() -> None:
    learners = {"first": Patient(0.01), "slow": Patient(0.1)}  # five folds of 80 rows each, and 100 rows
    assert fitted(49.0, refit=True, **learners)[0] == ["first"]
    assert fitted(49.0, **learners)[0] == ["first", "slow"]
    assert fitted(60.0, refit=True, **learners)[2] == pytest.approx(5 + 50)
    names, _, spent = fitted(180.0, n=4000, refit=True, first=Patient(1e-4), slow=Patient(0.01))
    assert names == ["first"]
    assert spent == pytest.approx(2 + 2 + 8)  # looks at a sixteenth and at a quarter of the rows were enough


def test_nothing_is_begun_after_the_budget_is_spent() -> None:
    learners = {f"learner {k}": Patient(0.01) for k in range(10)}  # .8 s per fold
    names, left_out, spent = fitted(4.5, **learners)
    assert names == ["learner 0"]
    assert len(left_out) == 9
    assert spent == pytest.approx(4 + 0.8)  # a fold of the second one was begun in time


def test_time_that_grows_slower_than_the_rows_is_not_taken_for_more_than_it_is() -> None:
    """At a sixteenth of the rows 1.5 s, at a quarter 3 s, of all 6 s: in proportion to the first it would be 24 s."""
    names, _, _ = fitted(60.0, n=4000, first=Patient(1e-4), boosting=Patient(6 / 3200**0.5, 0.5))
    assert names == ["first", "boosting"]


class Slow(Patient):
    """Takes its time when it predicts: every row is compared with all that were learned from."""

    def fit(self, X: Any, y: Any) -> Slow:
        self.classes_, self.rows_ = np.unique(y), len(X)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        Clock.now += self.seconds * len(X) * self.rows_
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def test_the_time_of_predicting_is_told_ahead() -> None:
    """A fold takes 256 s, and its looks 1 and 16 s."""
    names, _, spent = fitted(200.0, n=4000, first=Patient(1e-4), neighbours=Slow(1e-4))
    assert names == ["first"]
    assert spent == pytest.approx(1.6 + 1 + 16, abs=0.5)


@pytest.mark.parametrize("frame", [False, True])
def test_a_column_without_values_costs_no_learner(frame: bool) -> None:
    inputs = np.column_stack([IRIS, np.full(150, np.nan), np.full(150, np.nan)])
    inputs[::50, 5] = 1.0  # without values in some folds
    table = pd.DataFrame(inputs, columns=list("abcdef")).assign(colour=np.where(SPECIES == 1, "red", "blue")) if frame else inputs
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = DiverseEnsembleClassifier(cv=3, random_state=0).fit(table, SPECIES)
    assert model.left_out_ == {}
    assert model.score(table, SPECIES) > 0.95


class Broken(Patient):
    """Fails with the reason that it is given."""

    def fit(self, X: Any, y: Any) -> Broken:
        raise ValueError(f"no {self.power}")


def test_learners_that_fail_are_told_once_with_their_reasons() -> None:
    learners = [("tree", DecisionTreeClassifier()), ("one", Broken(power=1)), ("two", Broken(power=2))]
    with pytest.warns(FitFailedWarning) as caught:
        DiverseEnsembleClassifier(learners, cv=3, random_state=0).fit(IRIS, SPECIES)
    assert [str(w.message) for w in caught] == [
        "learners that cannot be fitted are left out: 'one' (ValueError: no 1), 'two' (ValueError: no 2)"
    ]


def test_the_quadratic_learner_reads_columns_that_depend_on_each_other() -> None:
    inputs = np.column_stack([IRIS, IRIS, np.ones(150), np.eye(3)[np.arange(150) % 3]])
    model = dict(classifiers())["quadratic"].fit(inputs, SPECIES)
    assert model.score(inputs, SPECIES) > 0.95


def test_the_first_learner_is_fitted_whatever_it_takes() -> None:
    assert fitted(1.0, first=Patient(1), second=Patient(0.001))[0] == ["first"]


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


def kept(folder: Path, **options: Any) -> DiverseEnsembleClassifier:
    return DiverseEnsembleClassifier(LEARNERS, cv=3, random_state=0, memory=folder, **options).fit(IRIS, SPECIES)


def test_a_folder_of_fitted_learners_is_gone_on_from(tmp_path: Path) -> None:
    first = kept(tmp_path, time_budget=1e-9)
    assert [p.name.split("-")[0] for p in tmp_path.iterdir()] == ["logistic"]
    whole, again = kept(tmp_path), kept(tmp_path)
    assert list(first.members_) == ["logistic"]
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
    model.set_params(refit=False).fit(IRIS, SPECIES)
    assert len(list(tmp_path.iterdir())) == 8
    model.fit(IRIS, SPECIES)
    assert len(list(tmp_path.iterdir())) == 8


def test_members_with_types_that_are_not_trusted_are_not_kept(tmp_path: Path) -> None:
    learners = [LEARNERS[2], ("patient", Patient())]
    model = DiverseEnsembleClassifier(learners, cv=3, memory=tmp_path).fit(IRIS, SPECIES)
    assert list(model.candidates_.index) == ["bayes", "patient"]
    assert [p.name.split("-")[0] for p in tmp_path.iterdir()] == ["bayes"]


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
