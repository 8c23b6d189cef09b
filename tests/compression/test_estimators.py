"""Do learners without layers become smaller by the share asked for, and still predict what their graphs predict?"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyculture.compression import CompressionContext, compressed
from polyculture.compression.methods.learners import learner_of
from polyculture.compression.methods.prototypes import apportioned
from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.features import features
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_estimator import FittedEstimator
from polyculture.models.fitted_graph import graph_inputs
from polyculture.models.graphs.fitted_graphs import fitted_graph
from polyculture.models.graphs.learner_graphs import ambiguous
from polyculture.models.graphs.runner import GraphRunner
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES, load_problem
from polyculture.training.architectures import SklearnModel

LEARNERS = {name: a for name, a in ARCHITECTURES.items() if isinstance(a, SklearnModel)}
METHODS = {
    "logistic": ("fewer-features",),
    "ridge": ("fewer-features",),
    "naive-bayes": ("fewer-features",),
    "multinomial-naive-bayes": ("fewer-features",),
    "knn": ("fewer-prototypes", "fewer-features"),
    "svm": ("fewer-prototypes", "fewer-features"),
    "forest": ("fewer-trees", "shallower-trees", "prune-trees"),
    "extra-trees": ("fewer-trees", "shallower-trees", "prune-trees"),
    "boosting": ("fewer-trees", "shallower-trees"),
}
"""What fits each learner."""
ALL = sorted({method for methods in METHODS.values() for method in methods})
PAIRS = [(name, method) for name, methods in METHODS.items() for method in methods]
OF_CLASSES = [(name, method) for name, method in PAIRS if LEARNERS[name].build]
OF_DIGITS = [(name, method) for name, method in OF_CLASSES if not LEARNERS[name].reads_words_only]
OF_NUMBERS = [(name, method) for name, method in PAIRS if LEARNERS[name].regressor]


@cache
def digits() -> tuple[Dataset, Dataset]:
    split = load_problem("digits").split
    return split.train.take(np.arange(300)), split.test.take(np.arange(200))


@cache
def of_digits(name: str) -> Fitted:
    return LEARNERS[name].fit(Recipe(name), digits()[0])


def fit(name: str, train: Dataset) -> FittedEstimator:
    fitted = LEARNERS[name].fit(Recipe(name, objective="cross-entropy" if train.classes else "squared"), train)
    assert isinstance(fitted, FittedEstimator)
    return fitted


def from_graph(model: Fitted, inputs: np.ndarray) -> np.ndarray:
    """What the graph of a model predicts."""
    assert isinstance(model, FittedEstimator)
    encoded = graph_inputs(model.encoder, inputs)
    output: np.ndarray = GraphRunner(fitted_graph(model, "x"))(encoded)
    return output[encoded[..., 0] > 0] if model.encoder.modality == "tags" else output


def check_same(model: Fitted, inputs: np.ndarray, folder: Path) -> None:
    """The model is what comes back from disk, and what its graph is, wherever the answer is determined."""
    assert isinstance(model, FittedEstimator)
    prediction = model(inputs)
    model.save(folder)
    np.testing.assert_array_equal(FittedEstimator.load(folder, model.classes)(inputs), prediction)
    determined = np.ones(len(prediction), bool)
    learner = learner_of(model.estimator)
    if type(learner).__name__.startswith("KNeighbors"):
        rows = features(model.encoder, inputs)
        for _, step in getattr(model.estimator, "steps", [])[:-1]:
            rows = step.transform(rows)
        determined = ~ambiguous(learner, rows)
    np.testing.assert_allclose(from_graph(model, inputs)[determined], prediction[determined], atol=1e-4)


def test_every_learner_has_a_method() -> None:
    assert set(METHODS) == set(LEARNERS)


@pytest.mark.parametrize(("name", "method"), OF_DIGITS)
def test_nothing_is_taken_away_at_0(name: str, method: str) -> None:
    model = of_digits(name)
    assert compressed(model, f"{method}=0", CompressionContext(digits()[0])) is model


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
@pytest.mark.parametrize(("name", "method"), OF_DIGITS)
def test_the_share_is_taken_away_from_numbers_and_bytes(name: str, method: str, share: float, tmp_path: Path) -> None:
    train, test = digits()
    model = of_digits(name)
    before = model(test.array)
    smaller = compressed(model, f"{method}={share}", CompressionContext(train))
    sizes = [len(fitted_graph(m, "x").SerializeToString()) for m in (smaller, model)]
    if (name, method) == ("boosting", "fewer-trees"):  # later trees are smaller
        counts = [len(m.estimator._predictors) for m in (smaller, model)]  # type: ignore[attr-defined]
        assert counts == [round(40 * (1 - share)), 40]
        assert smaller.parameters / model.parameters < 1 - share / 4
        assert sizes[0] / sizes[1] < 1 - share / 4
    else:
        assert smaller.parameters / model.parameters == pytest.approx(1 - share, abs=0.11)
        assert sizes[0] / sizes[1] < 1 - 0.35 * share
    accuracy = [(m(test.array).argmax(axis=1) == test.labels).mean() for m in (smaller, model)]
    assert accuracy[0] > accuracy[1] - 0.1
    np.testing.assert_array_equal(model(test.array), before)  # the original is as it was
    check_same(smaller, test.array, tmp_path)


@pytest.mark.parametrize("modality", ["table", "image", "colour", "series", "text", "tags"])
@pytest.mark.parametrize(("name", "method"), OF_CLASSES)
def test_every_modality(sets: dict[str, Dataset], name: str, method: str, modality: str, tmp_path: Path) -> None:
    dataset = sets[modality]
    if LEARNERS[name].reads_words_only and modality not in ("text", "tags"):
        return
    model = fit(name, dataset)
    try:
        smaller = compressed(model, f"{method}=0.4", CompressionContext(dataset))
    except InputError as error:
        assert method == "shallower-trees" and "leaves each" in str(error)  # noqa: PT017, PT018
        return
    check_same(smaller, dataset.array, tmp_path)
    assert smaller.parameters < model.parameters
    labels = dataset.labels[dataset.labels >= 0]
    assert (smaller(dataset.array).argmax(axis=1) == labels).mean() > 0.6


@pytest.mark.parametrize(("name", "method"), OF_NUMBERS)
def test_numbers(sets: dict[str, Dataset], name: str, method: str, tmp_path: Path) -> None:
    dataset = sets["numbers"]
    model = fit(name, dataset)
    smaller = compressed(model, f"{method}=0.5", CompressionContext(dataset))
    check_same(smaller, dataset.array, tmp_path)
    assert smaller.parameters < model.parameters
    assert np.corrcoef(smaller(dataset.array)[:, 0], dataset.labels)[0, 1] > 0.7
    assert compressed(model, f"{method}=0", CompressionContext(dataset)) is model


@pytest.mark.parametrize("name", [name for name in METHODS if LEARNERS[name].build])
@pytest.mark.parametrize("method", ALL)
def test_what_does_not_fit_is_refused_in_one_sentence(name: str, method: str, sets: dict[str, Dataset]) -> None:
    if method in METHODS[name]:
        return
    words = LEARNERS[name].reads_words_only
    model, train = (fit(name, sets["text"]), sets["text"]) if words else (of_digits(name), digits()[0])
    with pytest.raises(InputError) as caught:
        compressed(model, method, CompressionContext(train))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{method} of a ")


def test_two_classes_of_a_sparse_and_of_a_dense_machine(sets: dict[str, Dataset], tmp_path: Path) -> None:
    for modality in ("text", "table"):
        dataset = sets[modality]
        rows = np.flatnonzero(dataset.labels < 2)
        pair = Dataset(dataset.array[rows], dataset.labels[rows], ("a", "b"), modality=dataset.modality)
        model = fit("svm", pair)
        smaller = compressed(model, "fewer-prototypes=0.3", CompressionContext(pair))
        (tmp_path / modality).mkdir()
        check_same(smaller, pair.array, tmp_path / modality)
        assert (smaller(pair.array).argmax(axis=1) == model(pair.array).argmax(axis=1)).mean() > 0.9


def test_classes_that_are_absent_from_the_training_set_have_probability_0(tmp_path: Path) -> None:
    train, test = digits()
    rows = np.flatnonzero(train.labels != 3)
    partial = Dataset(train.array[rows], train.labels[rows], train.classes, modality=train.modality)
    for name, method in OF_DIGITS:
        smaller = compressed(fit(name, partial), method, CompressionContext(partial))
        assert (smaller(test.array)[:, 3] == 0).all()
        (tmp_path / f"{name}-{method}").mkdir()
        check_same(smaller, test.array, tmp_path / f"{name}-{method}")


def test_the_first_rounds_of_boosting_are_its_staged_prediction() -> None:
    train, test = digits()
    model = of_digits("boosting")
    assert isinstance(model, FittedEstimator)
    smaller = compressed(model, "fewer-trees=0.7", CompressionContext(train))
    stages = list(model.estimator.staged_predict_proba(features(model.encoder, test.array)))
    np.testing.assert_allclose(smaller(test.array), stages[11], atol=1e-6)


def other(learner: Any, train: Dataset) -> FittedEstimator:
    """A model whose learner no recipe names."""
    encoder = of_digits("knn").encoder  # type: ignore[attr-defined]
    return FittedEstimator(learner.fit(features(encoder, train.array), train.labels), encoder, 10)


def test_gradient_boosting_and_a_single_tree(tmp_path: Path) -> None:
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.tree import DecisionTreeClassifier

    train, test = digits()
    boosting = other(GradientBoostingClassifier(n_estimators=10, max_depth=4, random_state=0), train)
    smaller = compressed(boosting, "fewer-trees=0.5", CompressionContext(train))
    stages = list(boosting.estimator.staged_predict_proba(features(boosting.encoder, test.array)))
    np.testing.assert_allclose(smaller(test.array), stages[4], atol=1e-6)
    tree = other(DecisionTreeClassifier(random_state=0), train)
    pruned = compressed(tree, "prune-trees=0.5", CompressionContext(train))
    shallow = compressed(tree, "shallower-trees=0.5", CompressionContext(train))
    shallower = compressed(boosting, "shallower-trees=0.5", CompressionContext(train))
    for model, original in ((pruned, tree), (shallow, tree), (shallower, boosting)):
        assert model.parameters / original.parameters == pytest.approx(0.5, abs=0.1)
    for position, model in enumerate((smaller, pruned, shallow, shallower)):
        (tmp_path / str(position)).mkdir()
        check_same(model, test.array, tmp_path / str(position))
    for model, method in ((boosting, "prune-trees"), (tree, "fewer-trees")):
        with pytest.raises(InputError) as caught:
            compressed(model, method, CompressionContext(train))
        assert "expected a forest" in str(caught.value)


def test_pruning_is_that_of_scikit_learn_at_the_same_complexity() -> None:
    from sklearn.base import clone

    train, test = digits()
    model = of_digits("extra-trees")
    assert isinstance(model, FittedEstimator)
    pruned = compressed(model, "prune-trees=0.5", CompressionContext(train))
    assert isinstance(pruned, FittedEstimator)
    again = clone(model.estimator).set_params(ccp_alpha=pruned.estimator.ccp_alpha)
    rows = features(model.encoder, train.array)
    again.fit(rows, train.labels)
    expected = again.predict_proba(features(model.encoder, test.array))
    np.testing.assert_allclose(pruned(test.array), expected, atol=1e-6)


def test_trees_are_taken_by_the_error_on_rows_that_they_were_not_fitted_to() -> None:
    train, _ = digits()
    model = of_digits("forest")
    assert isinstance(model, FittedEstimator)
    smaller = compressed(model, "fewer-trees=0.9", CompressionContext(train))
    assert isinstance(smaller, FittedEstimator)
    rows, truth = features(model.encoder, train.array), np.eye(10)[train.labels]

    def error(trees: list[Any]) -> float:
        """Of the mean of trees on the rows out of their bags, by the definition."""
        total, count = np.tile(truth.mean(axis=0), (len(rows), 1)), np.ones((len(rows), 1))
        for tree in trees:
            bag = np.unique(model.estimator.estimators_samples_[model.estimator.estimators_.index(tree)])
            absent = np.setdiff1d(np.arange(len(rows)), bag)
            total[absent] += tree.predict_proba(rows[absent])
            count[absent] += 1
        return float(((total / count - truth) ** 2).sum())

    chosen = error(smaller.estimator.estimators_)
    assert len(smaller.estimator.estimators_) == 10
    assert chosen < min(error(model.estimator.estimators_[start : start + 10]) for start in range(0, 100, 10))


def test_of_few_neighbours_as_many_are_left_as_are_asked_for(sets: dict[str, Dataset]) -> None:
    dataset = sets["table"]
    smaller = compressed(fit("knn", dataset), "fewer-prototypes=0.99", CompressionContext(dataset))
    assert isinstance(smaller, FittedEstimator)
    assert smaller.estimator.n_samples_fit_ == 3
    assert sorted(smaller.estimator._y.tolist()) == [0, 1, 2]


def test_steps_follow_each_other() -> None:
    train, test = digits()
    twice = {
        "svm": ("fewer-prototypes=0.5+fewer-prototypes=0.5", 0.25),
        "knn": ("fewer-prototypes=0.5+fewer-prototypes=0.5", 0.25),
        "logistic": ("fewer-features=0.5+fewer-features=0.5", 0.25),
        "forest": ("fewer-trees=0.5+prune-trees=0.5", 0.25),
        "extra-trees": ("prune-trees=0.5+prune-trees=0.5", 0.25),
        "boosting": ("fewer-trees=0.5+shallower-trees=0.5", 0.25),
    }
    for name, (level, share) in twice.items():
        model = of_digits(name)
        smaller = compressed(model, level, CompressionContext(train))
        assert smaller.parameters / model.parameters == pytest.approx(share, abs=0.06), name
        assert (smaller(test.array).argmax(axis=1) == test.labels).mean() > 0.7


def test_the_pixels_that_are_left_are_those_with_large_coefficients() -> None:
    train, _ = digits()
    model = of_digits("logistic")
    assert isinstance(model, FittedEstimator)
    deviation = train.array.reshape(len(train), -1).std(axis=0)

    def columns(share: float) -> list[int]:
        smaller = compressed(model, f"fewer-features={share}", CompressionContext(train))
        assert isinstance(smaller, FittedEstimator)
        assert smaller.encoder == model.encoder
        chosen: list[int] = smaller.estimator.steps[0][1].transformers[0][2]
        return chosen

    size = np.linalg.norm(model.estimator.coef_, axis=0) * deviation
    assert columns(0.2) == sorted(np.argsort(-size, kind="stable")[:51].tolist())
    assert set(columns(0.5)) < set(columns(0.2))
    assert len(columns(0.5)) == 32


def test_machines_that_are_averaged_over_folds(tmp_path: Path) -> None:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import NuSVC

    train, test = digits()
    model = other(CalibratedClassifierCV(NuSVC(nu=0.1), method="temperature", cv=3, ensemble=True), train)
    smaller = compressed(model, "fewer-prototypes=0.5", CompressionContext(train))
    assert isinstance(smaller, FittedEstimator)
    assert smaller.parameters / model.parameters == pytest.approx(0.5, abs=0.02)
    assert {type(c.estimator) for c in smaller.estimator.calibrated_classifiers_} == {NuSVC}
    assert (smaller(test.array).argmax(axis=1) == model(test.array).argmax(axis=1)).mean() > 0.95
    check_same(smaller, test.array, tmp_path)


def test_probabilities_of_a_reduced_machine_stay_calibrated() -> None:
    train, test = load_problem("digits").split.train, load_problem("digits").split.test
    model = fit("svm", train)
    smaller = compressed(model, "fewer-prototypes=0.5", CompressionContext(train))

    def log_loss(fitted: Fitted) -> float:
        return float(-np.log(np.clip(fitted(test.array)[np.arange(len(test)), test.labels], 1e-9, 1)).mean())

    assert log_loss(smaller) < 1.3 * log_loss(model)

    def gap(fitted: Fitted) -> float:
        p = fitted(test.array)
        return abs(float(p.max(axis=1).mean()) - float((p.argmax(axis=1) == test.labels).mean()))

    assert gap(smaller) < gap(model) + 0.01


def test_totals_are_shared_out_exactly() -> None:
    assert apportioned(5, np.array([1, 1, 8])).tolist() == [1, 1, 3]
    assert apportioned(3, np.array([100, 1, 1])).tolist() == [1, 1, 1]
    assert apportioned(10, np.array([5, 5])).tolist() == [5, 5]


def test_equal_rows_are_stored_as_often_as_neighbours_are_asked_for(tmp_path: Path) -> None:
    train = Dataset(np.repeat(np.eye(2, dtype=np.float32), 20, axis=0), np.repeat([0, 1], 20), ("a", "b"))
    smaller = compressed(fit("knn", train), "fewer-prototypes=0.9", CompressionContext(train))
    assert smaller.parameters == 8
    np.testing.assert_allclose(smaller(train.array)[:, 0], np.repeat([2 / 3, 1 / 3], 20), atol=1e-6)
