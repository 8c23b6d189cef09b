"""Estimators that behave as scikit-learn's do, and members that cover for each other."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, TimeSeriesSplit, cross_val_score
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from polyculture import rng, selection
from polyculture.errors import InputError, MissingExtraError, TrainingError
from polyculture.selection import estimators
from polyculture.selection.estimators import DiverseEnsembleClassifier, DiverseEnsembleRegressor, preprocessing
from polyculture.selection.estimators.crossfitting import scores
from polyculture.selection.opinion_pool import geometric

ARRAY_API = "SCIPY_ARRAY_API"
LOGISTIC = ("logistic", LogisticRegression())
TREE = ("tree", DecisionTreeClassifier(max_depth=3, random_state=0))
BAYES = ("bayes", GaussianNB())
NEAREST = ("nearest", KNeighborsClassifier())
LINE = ("line", Ridge())
STEPS = ("steps", DecisionTreeRegressor(max_depth=3, random_state=0))
IRIS, SPECIES = load_iris(return_X_y=True)


def small(*learners: tuple[str, Any], **options: Any) -> DiverseEnsembleClassifier:
    return DiverseEnsembleClassifier(list(learners or (LOGISTIC, TREE, BAYES)), cv=3, random_state=0, **options)


def small_regressor(*learners: tuple[str, Any], **options: Any) -> DiverseEnsembleRegressor:
    return DiverseEnsembleRegressor(list(learners or (LINE, STEPS)), cv=3, random_state=0, **options)


def clients(n: int = 300) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers, truth values, nullable integers and categories, some of them missing; all kinds matter."""
    draw = rng.stream(0, "clients")
    age, income = draw.normal(40, 10, n), draw.lognormal(3, 1, n)
    job = draw.choice(["clerk", "cook", "pilot"], n)
    owner = draw.random(n) < 0.5
    score = (age - 40) / 10 + (job == "pilot") * 2 + owner + draw.normal(size=n)
    income[::7] = np.nan
    frame = pd.DataFrame({"age": age, "income": income, "job": job, "owner": owner})
    frame["children"] = pd.array([None if i % 5 == 0 else i % 3 for i in range(n)], dtype="Int64")
    frame["town"] = pd.Categorical([None if i % 9 == 0 else "AB"[i % 2] for i in range(n)])
    return frame, np.where(score > 1.2, "good", "bad")


@parametrize_with_checks([small(LOGISTIC, TREE), small(LOGISTIC, TREE, rule="mixture"), small_regressor()])
def test_scikit_learns_own_checks_pass(estimator: Any, check: Any) -> None:
    if "array_api" not in str(check) or ARRAY_API in os.environ:  # the test below sets it
        check(estimator)


@pytest.mark.slow
def test_scikit_learns_checks_of_the_array_api_pass() -> None:
    """SciPy looks for the variable when it is imported, hence a process of its own."""
    selected = ["-k", "test_scikit_learns_own_checks_pass and array_api", "-m", "not nightly", "-n", "0", "-rs"]
    command = [sys.executable, "-m", "pytest", __file__, "-p", "no:cacheprovider", *selected]
    ended = subprocess.run(command, env=os.environ | {ARRAY_API: "1"}, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "skipped" not in ended.stdout.lower()


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore:learners that cannot be fitted")
@parametrize_with_checks([DiverseEnsembleClassifier(cv=2), DiverseEnsembleRegressor(cv=2)])
def test_scikit_learns_own_checks_pass_with_the_default_learners(estimator: Any, check: Any) -> None:
    if "sample_weight_equivalence" in str(check):
        pytest.skip("forests, nets and nearest neighbours do not treat a weight as a repetition")
    if "array_api" not in str(check) or ARRAY_API in os.environ:
        check(estimator)


def test_the_ensemble_predicts_unseen_flowers() -> None:
    assert cross_val_score(small(), IRIS, SPECIES, cv=3).mean() > 0.94


def test_predictions_are_the_most_probable_classes_and_probabilities_sum_to_one() -> None:
    model = small().fit(IRIS, SPECIES)
    probabilities = model.predict_proba(IRIS)
    assert_allclose(probabilities.sum(axis=1), 1)
    assert_array_equal(model.predict(IRIS), model.classes_[probabilities.argmax(axis=1)])


def test_words_as_labels_come_back_as_words() -> None:
    names = np.array(["setosa", "versicolor", "virginica"])
    model = small().fit(IRIS, names[SPECIES])
    assert_array_equal(model.predict(IRIS), names[small().fit(IRIS, SPECIES).predict(IRIS)])


def test_it_works_in_a_pipeline_and_a_grid_search_over_learners_parameters() -> None:
    pipe = make_pipeline(StandardScaler(), small())
    grid = {
        "diverseensembleclassifier__logistic__C": [1e-6, 1.0],
        "diverseensembleclassifier__size": [1, 2],
    }
    search = GridSearchCV(pipe, grid, cv=2).fit(IRIS, SPECIES)
    assert search.best_score_ > 0.9
    best = search.best_estimator_[-1]
    assert len(best.members_) <= best.size


def test_a_learner_of_the_list_can_be_replaced_by_name() -> None:
    model = small().set_params(tree=LogisticRegression(C=0.1))
    assert dict(model.learners)["tree"].C == 0.1
    assert model.get_params()["tree__C"] == 0.1
    assert DiverseEnsembleClassifier().get_params()["learners"] is None


def test_dataframes_of_every_kind_of_column_are_read() -> None:
    frame, labels = clients()
    learners = (LOGISTIC, ("forest", RandomForestClassifier(30, min_samples_leaf=5)))
    model = small(*learners).fit(frame[:200], labels[:200])
    assert model.score(frame[200:], labels[200:]) > 0.75
    assert list(model.feature_names_in_) == list(frame.columns)
    assert not model.left_out_


def test_categories_and_gaps_that_were_never_seen_before_are_read() -> None:
    frame, labels = clients()
    model = small(LOGISTIC, TREE).fit(frame, labels)
    strange = frame[:3].assign(job=["diver", None, "cook"], age=[np.nan, 30.0, 40.0])
    assert np.isfinite(model.predict_proba(strange)).all()


def test_other_dataframes_are_read_as_pandas() -> None:
    polars = pytest.importorskip("polars")
    frame, labels = clients()
    frame = frame[["age", "job"]]
    model = small().fit(polars.from_pandas(frame), labels)
    assert_allclose(model.predict_proba(polars.from_pandas(frame)), small().fit(frame, labels).predict_proba(frame))


def test_missing_numbers_in_arrays_are_read_by_learners_that_cannot() -> None:
    gaps = IRIS.copy()
    gaps[::5, 2] = np.nan
    model = small().fit(gaps, SPECIES)
    assert not model.left_out_
    assert model.score(gaps, SPECIES) > 0.9


def test_frames_of_numbers_are_treated_as_arrays_of_them() -> None:
    frame = pd.DataFrame(IRIS, columns=list("abcd"))
    assert_array_equal(small().fit(frame, SPECIES).predict_proba(frame), small().fit(IRIS, SPECIES).predict_proba(IRIS))


def test_learners_that_prepare_their_own_input_get_the_frame_itself() -> None:
    frame, labels = clients()
    own = make_pipeline(ColumnTransformer([("job", OneHotEncoder(), ["job"])]), LogisticRegression())
    model = small(("own", own), prepare=False).fit(frame, labels)
    assert model.score(frame, labels) > 0.6


def test_small_sparse_matrices_are_read_by_every_learner() -> None:
    model = small().fit(csr_matrix(IRIS), SPECIES)
    assert not model.left_out_
    assert_allclose(model.predict_proba(csr_matrix(IRIS)), small().fit(IRIS, SPECIES).predict_proba(IRIS))


def test_large_sparse_matrices_stay_sparse_and_leave_out_who_cannot_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preprocessing, "DENSE_CELLS", 100)
    model = small().fit(csr_matrix(IRIS), SPECIES)
    assert model.left_out_ == {"bayes": "it reads no sparse matrices"}
    assert_allclose(model.predict_proba(IRIS), model.predict_proba(csr_matrix(IRIS)))


def test_the_default_learners_for_sparse_matrices_are_those_that_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preprocessing, "DENSE_CELLS", 100)
    with pytest.warns(UserWarning, match="too small to fit any learner"):
        model = DiverseEnsembleRegressor(cv=2, random_state=0, time_budget=1e-9).fit(csr_matrix(IRIS), SPECIES)
    assert model.score(csr_matrix(IRIS), SPECIES) > 0.9
    assert "splines" not in model.left_out_
    assert "forest" in model.left_out_


def test_learners_that_take_no_weights_are_left_out_where_weights_differ() -> None:
    weights = np.where(SPECIES == 0, 2.0, 1.0)
    assert small(LOGISTIC, NEAREST).fit(IRIS, SPECIES, weights).left_out_ == {"nearest": "it takes no sample weights"}
    assert not small(LOGISTIC, NEAREST).fit(IRIS, SPECIES, np.ones(150)).left_out_


def test_rows_of_weight_zero_are_as_good_as_absent() -> None:
    weights = (np.arange(150) % 3 != 0).astype(float)
    kept = weights > 0
    weighted, fewer = small().fit(IRIS, SPECIES, weights), small().fit(IRIS[kept], SPECIES[kept])
    assert_allclose(weighted.predict_proba(IRIS), fewer.predict_proba(IRIS))


def test_learners_with_scores_only_are_turned_into_probabilities() -> None:
    model = small(("scores", Perceptron(random_state=0)), BAYES).fit(IRIS, SPECIES)
    assert "scores" in model.candidates_.index
    assert model.candidates_.loc["scores", "log_loss"] < np.log(3)


def test_a_learner_that_fails_is_left_out_and_says_why() -> None:
    with pytest.warns(FitFailedWarning, match=r"are left out: 'counts' \(ValueError: Negative values"):
        model = small(("counts", MultinomialNB()), BAYES).fit(IRIS - 5, SPECIES)
    assert "Negative values" in model.left_out_["counts"]
    assert list(model.members_) == ["bayes"]


class Mute(ClassifierMixin, BaseEstimator):
    """Answers without saying how sure it is."""

    def fit(self, X: Any, y: Any) -> Mute:
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        return np.zeros(len(X), dtype=int)


def test_nobody_left_is_an_error() -> None:
    with pytest.raises(TrainingError) as error:
        small(("mute", Mute())).fit(IRIS, SPECIES)
    assert str(error.value) == (
        "no learner can be fitted, such as 'mute': it has neither predict_proba nor decision_function; "
        "expected one that can."
    )


def test_without_time_the_first_learner_learns_from_a_part_of_the_rows() -> None:
    told = "too small to fit any learner to all 150 rows: 'logistic' has learned from 50 of them"
    with pytest.warns(UserWarning, match=told):
        model = small(time_budget=1e-9).fit(IRIS, SPECIES)
    assert list(model.members_) == ["logistic"]
    assert len(model._training_scores.y) == 37  # those that it has not learned from
    assert model.score(IRIS, SPECIES) > 0.8
    reason = "the time budget of 1e-09 seconds leaves no room for it"
    assert model.left_out_ == {"tree": reason, "bayes": reason}


def test_at_most_size_members_are_kept_and_bad_learners_are_not() -> None:
    assert len(small(size=2).fit(IRIS, SPECIES).members_) <= 2
    noise = ("noise", DecisionTreeClassifier(max_features=1, splitter="random", max_depth=1, random_state=0))
    assert list(small(noise, LOGISTIC, floor=0.9).fit(IRIS, SPECIES).members_) == ["logistic"]
    assert len(small(floor=1.01).fit(IRIS, SPECIES).members_) == 1


def test_a_model_that_knows_nothing_predicts_the_class_frequencies() -> None:
    draw = rng.stream(1, "noise")
    inputs, labels = draw.normal(size=(400, 3)), (np.arange(400) % 5 == 0).astype(int)
    model = small().fit(inputs, labels)
    assert np.abs(model.predict_proba(inputs)[:, 1] - 0.2).mean() < 0.05


def test_the_same_seed_gives_the_same_model_whatever_the_order_of_the_rows() -> None:
    order = rng.stream(2, "order").permutation(150)
    exact = LogisticRegression(tol=1e-8, max_iter=5000)
    learners = (("logistic", exact), ("discriminant", LinearDiscriminantAnalysis()))
    there, here = small(*learners).fit(IRIS[order], SPECIES[order]), small(*learners).fit(IRIS, SPECIES)
    assert_allclose(there.predict_proba(IRIS), here.predict_proba(IRIS), atol=1e-4)


@pytest.mark.slow
def test_parallel_fits_give_the_same_model() -> None:
    forest = ("forest", RandomForestClassifier(5))  # its random state comes from the ensemble's
    alone, together = (small(forest, BAYES, n_jobs=n).fit(IRIS, SPECIES) for n in (None, 2))
    assert_array_equal(alone.predict_proba(IRIS), together.predict_proba(IRIS))


def test_groups_are_kept_whole_by_a_splitters_splits() -> None:
    groups = np.arange(150) % 10
    splits = list(GroupKFold(3).split(IRIS, SPECIES, groups))
    model = clone(small()).set_params(cv=splits, refit=False).fit(IRIS, SPECIES)
    assert len(model.members_["bayes"]) == 3


def test_a_learner_is_also_fitted_on_all_rows_and_that_member_has_half_of_the_say() -> None:
    model = small(BAYES, prepare=False).fit(IRIS, SPECIES)
    *folds, whole = model.members_["bayes"]
    assert len(folds) == 3
    assert_array_equal(whole.predict_proba(IRIS), GaussianNB().fit(IRIS, SPECIES).predict_proba(IRIS))
    steps = small_regressor(STEPS, prepare=False).fit(IRIS, SPECIES)
    *folds, whole = steps.members_["steps"]
    mean = np.mean([fold.predict(IRIS) for fold in folds], axis=0)
    assert_allclose(steps.predict(IRIS), 0.5 * mean + 0.5 * whole.predict(IRIS))
    alone = small_regressor(STEPS, prepare=False, refit=False).fit(IRIS, SPECIES)
    assert_allclose(alone.predict(IRIS), mean)


@pytest.mark.parametrize("rule", ["stacking", "mixture"])
def test_members_of_a_learner_are_multiplied_or_averaged_in_their_shares_as_learners_are(rule: str) -> None:
    model = small(BAYES, prepare=False, rule=rule).fit(IRIS, SPECIES)
    cooled = [np.exp(scores(member, IRIS, 3) / model._pool.temperatures[0]) for member in model.members_["bayes"]]
    each = np.array([given / given.sum(axis=1, keepdims=True) for given in cooled])
    shares = [1 / 6, 1 / 6, 1 / 6, 1 / 2]
    if rule == "mixture":
        opinion = np.log(np.tensordot(shares, each, axes=1))
    else:
        product = np.prod([np.maximum(p, 1e-6) ** s for p, s in zip(each, shares, strict=True)], axis=0)
        opinion = np.log(product / product.sum(axis=1, keepdims=True))
    assert_allclose(model.predict_proba(IRIS), model._pool.combined(opinion[None]), rtol=1e-6)


def test_weights_by_class_say_where_a_learner_counts() -> None:
    draw = rng.stream(0, "classes")
    labels = np.arange(600) % 3
    inputs = draw.normal(size=(600, 2))
    inputs[:, 0] += 3 * (labels == 0)
    inputs[:, 1] += 3 * (labels == 1)
    first, second = (make_pipeline(ColumnTransformer([("see", "passthrough", [i])]), GaussianNB()) for i in (0, 1))
    found = small(("first", first), ("second", second), prepare=False).fit(inputs, labels).weights_by_class_
    assert found.loc["first", 0] > found.loc["first", 1]
    assert found.loc["second", 1] > found.loc["second", 0]
    assert small(rule="mixture").fit(IRIS, SPECIES).weights_by_class_.shape[1] == 0


def test_what_learners_said_of_unseen_rows_can_be_audited() -> None:
    model = small().fit(IRIS, SPECIES)
    predictions = model.predictions_
    assert predictions.model_ids == ["logistic", "tree", "bayes"]
    assert predictions.classes == ("0", "1", "2")
    assert_allclose(predictions.wrong.mean(axis=1), 1 - model.candidates_["accuracy"])


@pytest.mark.slow
def test_the_audit_of_what_they_said_is_an_attribute() -> None:
    assert small(LOGISTIC, BAYES).fit(IRIS, SPECIES).audit_.n_models == 2


def test_the_portfolio_holds_the_members_and_what_they_are_worth() -> None:
    model = small().fit(IRIS, SPECIES)
    portfolio = model.portfolio_
    assert portfolio.members == tuple(model.members_)
    assert portfolio.weights == tuple(model.weights_.values())
    assert portfolio.certificate.n == 150
    assert portfolio.certificate.scores["error"].estimate < 0.1
    assert portfolio.certificate.scores["log_loss"].estimate < 0.3
    assert portfolio.sentence.endswith("Chosen on 150 instances, certified on the same by nested cross-fitting.")
    assert list(portfolio.contributions["member"]) == list(model.members_)
    assert type(portfolio).from_json(portfolio.to_json()).members == portfolio.members


def test_the_portfolio_says_how_to_combine_the_members() -> None:
    model = small().fit(IRIS, SPECIES)
    portfolio, given = model.portfolio_, model.predictions_.probabilities
    assert given is not None
    rows = [model.predictions_.model_ids.index(member) for member in portfolio.members]
    combined = geometric(given[rows], np.array(portfolio.weights_by_class), np.array(portfolio.bias))
    loss = -np.log(combined[np.arange(150), SPECIES]).mean()
    nested = portfolio.certificate.scores["log_loss"].estimate
    assert portfolio.optimism.estimate == pytest.approx(nested - loss)
    assert (combined.argmax(axis=1) == SPECIES).mean() > 0.94
    pool, logs = model._pool, np.log(given)
    np.testing.assert_allclose(combined, pool.combined(logs[pool.members]), atol=1e-4)
    assert np.abs(pool.bias).max() > 1e-3
    again = selection.combine(type(portfolio).from_json(portfolio.to_json()), model.predictions_)
    assert again.probabilities is not None
    assert_allclose(again.probabilities, combined)


def test_a_front_tells_what_other_strengths_of_shrinkage_give() -> None:
    front = small(NEAREST, LOGISTIC, TREE, BAYES).fit(IRIS, SPECIES).front_
    assert list(front.index) == [3, 10, 30, 100, 300]
    assert list(front.columns) == ["log_loss", "all_wrong", "members"]
    assert front["log_loss"].between(0, 0.5).all()
    assert front["members"].is_monotonic_increasing
    assert front["all_wrong"].is_monotonic_decreasing
    values = small_regressor().fit(IRIS, SPECIES).front_
    assert list(values.columns) == ["mean_squared_error", "members"]
    assert raised(small(shrinkage=0)) == "shrinkage is 0; expected a number of rows above 0."


def test_weights_of_a_mixture_sum_to_one() -> None:
    model = small(rule="mixture").fit(IRIS, SPECIES)
    assert sum(model.weights_.values()) == pytest.approx(1)
    assert model.portfolio_.rule == "mixture"


def test_the_regressor_is_as_good_as_its_best_learner_on_diabetes() -> None:
    inputs, progress = load_diabetes(return_X_y=True)
    learners = (("line", LinearRegression()), STEPS, ("nearest", KNeighborsRegressor(20)))
    model = small_regressor(*learners).fit(inputs[:300], progress[:300])
    best = max(
        clone(learner).fit(inputs[:300], progress[:300]).score(inputs[300:], progress[300:]) for _, learner in learners
    )
    assert model.score(inputs[300:], progress[300:]) > best - 0.01
    assert sum(model.weights_.values()) == pytest.approx(1)


def test_nested_errors_say_what_the_regressor_gains() -> None:
    inputs, progress = load_diabetes(return_X_y=True)
    model = small_regressor().fit(inputs, progress)
    errors = model.errors_
    assert list(errors) == ["mean squared error", "gain over the best learner", "gain over all learners"]
    best = model.candidates_["mean_squared_error"].min()  # ridge regression, whichever fold is left out
    gain = errors["gain over the best learner"]
    assert errors["mean squared error"].estimate == pytest.approx(best - gain.estimate)
    assert gain.low < gain.estimate < gain.high
    frame = model.crossfitted_
    assert list(frame.columns) == ["target", "line", "steps"]
    assert ((frame["line"] - frame["target"]) ** 2).mean() == pytest.approx(model.candidates_.loc["line"].iloc[1])


def test_the_regressor_is_audited_and_certified_by_what_it_said_of_unseen_rows() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = small_regressor(LINE, STEPS, ("nearest", KNeighborsRegressor())).fit(X, y)
    found, errors, said = model.portfolio_, model.errors_, model.crossfitted_
    certificate = found.certificate
    assert dict(zip(found.members, found.weights, strict=True)) == model.weights_
    assert certificate.scores["squared_error"].estimate == pytest.approx(errors["mean squared error"].estimate)
    for gain, rival in (
        (certificate.gains["squared_error"]["best"], "best"),
        (certificate.gains["squared_error"]["all"], "all"),
    ):
        expected = next(value for name, value in errors.items() if f"over {'the ' * (rival == 'best')}{rival}" in name)
        assert (gain.estimate, gain.low, gain.high) == pytest.approx((expected.estimate, expected.low, expected.high))
    assert certificate.best == "chosen without each fold"
    alone = ((said[list(found.members)].to_numpy().T - y) ** 2).mean(axis=1)
    assert_allclose(found.contributions["alone"], alone)
    assert "certified on the same by nested cross-fitting" in found.sentence
    assert found.optimism.estimate > 0
    audit = model.audit_
    assert (audit.n_models, audit.n_instances, audit.headline) == (3, 442, "R")
    assert set(model.predictions_.models.columns) == set(model.candidates_.columns)


@pytest.mark.slow
def test_the_default_learners_are_of_many_families_and_all_of_them_are_fitted() -> None:
    model = DiverseEnsembleClassifier(cv=3, random_state=0).fit(IRIS[::2], SPECIES[::2])
    assert len(model.candidates_) == 15  # all but 40 neighbours, for which there are too few rows
    assert model.candidates_["family"].nunique() == 10
    assert not model.left_out_
    assert model.score(IRIS[1::2], SPECIES[1::2]) > 0.93


def raised(model: Any, inputs: Any = IRIS, labels: Any = SPECIES) -> str:
    with pytest.raises(InputError) as error:
        model.fit(inputs, labels)
    return str(error.value)


def test_options_that_mean_nothing_are_refused() -> None:
    assert raised(small(size=0)) == "size is 0; expected one member or more, or None for as many as earn a weight."
    assert raised(small(time_budget=0)) == "time_budget is 0; expected seconds above 0, or None."
    assert raised(small().set_params(cv=1)) == "cv is 1; expected two folds or more."
    assert raised(small(rule="mixtur")) == "no rule 'mixtur'; did you mean 'mixture'?"
    assert raised(DiverseEnsembleClassifier([])) == (
        "an empty list of learners; expected one learner or more, or None for the default ones."
    )
    for twice in ([TREE, TREE], [("a__b", TREE[1])], [("size", TREE[1])]):
        assert raised(DiverseEnsembleClassifier(twice)) == (
            f"a learner of the name {twice[0][0]!r}; expected names of their own, without two underscores."
        )
    assert raised(DiverseEnsembleClassifier([TREE[1]])) == (
        f"{TREE[1]!r} in the list of learners; expected pairs of a name and a learner."
    )
    assert raised(small(LINE)) == "the learner 'line' is a Ridge; expected a classifier."
    assert raised(small_regressor(TREE)) == "the learner 'tree' is a DecisionTreeClassifier; expected a regressor."
    assert raised(small().set_params(cv=TimeSeriesSplit(3))) == (
        "the splits of cv test 39 of 150 rows never or more than once; "
        "expected every row tested exactly once, as by GroupKFold."
    )


def test_tables_that_cannot_be_learned_from_are_refused() -> None:
    frame, labels = clients(20)
    assert raised(small(), IRIS, None) == "DiverseEnsembleClassifier requires y to be passed, but the target y is None."
    assert raised(small(), IRIS, np.ones(150)) == "y has only 1 class, 1.0; expected two classes or more."
    assert raised(small(), frame[:1], labels[:1]) == (
        "a table of 1 sample and 6 features; expected 2 samples and 1 feature or more."
    )
    assert raised(small(), frame.assign(day=pd.Timestamp("2020-01-01")), labels) == (
        "column 'day' holds dates or times (datetime64[us]); expected numbers or categories; "
        "make numbers of them, such as days since the first."
    )
    assert raised(small(), frame.assign(age=np.inf), labels) == (
        "column 'age' holds infinity; expected finite numbers; nan where one is missing."
    )
    assert raised(small_regressor(), np.ones((9, 2)), np.arange(9)) == (
        "9 rows that are all the same; expected two different rows or more."
    )
    model = small().fit(frame, labels)
    with pytest.raises(InputError) as error:
        model.predict(frame.assign(age="old"))
    assert str(error.value) == "column 'age' holds text; expected numbers, as when the estimator was fitted."
    with pytest.raises(InputError) as error:
        small().fit(frame.set_axis(range(6), axis=1), labels).predict(np.ones((2, 6)))
    assert str(error.value) == ("inputs of the type ndarray; expected a dataframe, as when the estimator was fitted.")
    with pytest.raises(InputError) as error:
        small().set_params(cv=[(np.arange(150), np.arange(150))]).fit(IRIS, SPECIES)
    assert str(error.value) == "rows that are all in one fold; expected two folds or more."


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as error:
        estimators.__getattr__("DiverseEnsembleClassifier")
    assert str(error.value) == "the package 'sklearn' is not installed; pip install \"polyculture[train]\"."


def test_the_room_shows_the_estimators_and_nothing_that_is_not_there() -> None:
    assert selection.DiverseEnsembleClassifier is DiverseEnsembleClassifier
    assert selection.DiverseEnsembleRegressor is DiverseEnsembleRegressor
    for module in (selection, estimators):
        with pytest.raises(AttributeError) as error:
            module.__getattr__("Ensemble")
        assert str(error.value) == f"module {module.__name__!r} has no attribute 'Ensemble'"
