"""Shapley values of trees: those of shap, those of all coalitions, and complete in every family and modality."""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.explanation.options import ExplainOptions
from polyculture.explanation.perturbation import ArrayPlayers, Game, exact_shapley_plan, singles
from polyculture.explanation.scores import target_scores
from polyculture.models.encoder import Encoder
from polyculture.models.features import features
from polyculture.models.fitted_estimator import FittedEstimator
from polyculture.rng import stream

sklearn_ensemble = pytest.importorskip("sklearn.ensemble")
shap = pytest.importorskip("shap")

from polyculture.explanation.tree_shap import class_shap, tree_shap  # noqa: E402


def table(classes: int = 3, rows: int = 120, columns: int = 6) -> Dataset:
    rng = stream(0, "trees")
    inputs = rng.normal(size=(rows, columns)).astype(np.float32)
    number = inputs[:, 0] + inputs[:, 1] * inputs[:, 2]
    if not classes:
        return Dataset(inputs, number.astype(np.float64), ())
    labels = np.digitize(number, np.quantile(number, np.arange(1, classes) / classes))
    return Dataset(inputs, labels, tuple("abcd"[:classes]))


def fitted(estimator, train: Dataset) -> FittedEstimator:
    encoder = Encoder.of(train)
    estimator.fit(features(encoder, train.array), train.labels)
    return FittedEstimator(estimator, encoder, len(train.classes))


def make(family: str):
    sizes = {"max_iter": 8} if family.startswith("Hist") else {"n_estimators": 8}
    return getattr(sklearn_ensemble, family)(**sizes, random_state=0, max_depth=4)


FAMILIES = {
    "RandomForest": "probability",
    "ExtraTrees": "probability",
    "HistGradientBoosting": "logit",
    "GradientBoosting": "logit",
}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("baseline", ["zero", "array"])
def test_values_add_up_to_the_score_less_that_of_the_baseline(family: str, classes: int, baseline: str) -> None:
    train, scale = table(classes), FAMILIES[family]
    model = fitted(make(f"{family}Classifier"), train)
    inputs, reference = train.array[:7], np.zeros(6, np.float32) if baseline == "zero" else train.array[100]
    targets = np.arange(7)[None] % classes
    options = ExplainOptions(baseline="zero" if baseline == "zero" else reference, scale=scale)
    values = tree_shap({"trees": model}, inputs, targets, train, options)[0]
    start = target_scores(np.repeat(model(reference[None]), 7, axis=0), targets[0], scale)
    np.testing.assert_allclose(values.sum(axis=1), target_scores(model(inputs), targets[0], scale) - start, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_values_against_a_baseline_are_those_of_all_coalitions(family: str) -> None:
    train, scale = table(3), FAMILIES[family]
    model, inputs, targets = fitted(make(f"{family}Classifier"), table(3)), train.array[:4], np.array([[0, 1, 2, 0]])
    options = ExplainOptions(baseline=train.array[50], scale=scale)
    values = tree_shap({"trees": model}, inputs, targets, train, options)[0]

    def score(composed: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return target_scores(model(composed), targets[0][rows], scale)

    game = Game(score, ArrayPlayers(inputs, train.array[50:51], singles((6,))))
    np.testing.assert_allclose(values, game.attributions(lambda row, players: exact_shapley_plan(players)), atol=1e-5)


SHAP_READS = [(family, c) for family in FAMILIES for c in (0, 2, 3) if (family, c) != ("GradientBoosting", 3)]


@pytest.mark.parametrize(("family", "classes"), SHAP_READS)
def test_values_are_those_of_shap(family: str, classes: int) -> None:
    train = table(classes)
    model = fitted(make(f"{family}{'Classifier' if classes else 'Regressor'}"), train)
    inputs = train.array[:9]
    theirs = shap.TreeExplainer(model.estimator).shap_values(features(model.encoder, inputs))
    theirs = theirs[..., None] if theirs.ndim == 2 else theirs
    if family in ("HistGradientBoosting", "GradientBoosting") and classes == 2:
        theirs = np.concatenate([-theirs, theirs], axis=2)
    if family == "HistGradientBoosting" and classes == 3:
        theirs = np.stack(
            [theirs[..., k] - theirs[..., [j for j in range(3) if j != k]].mean(axis=2) for k in range(3)], 2
        )
    np.testing.assert_allclose(class_shap(model, inputs), theirs, atol=1e-12)


def test_gradient_boosting_of_three_classes_adds_up_over_the_training_rows() -> None:
    train = table(3)
    model = fitted(make("GradientBoostingClassifier"), train)
    values = class_shap(model, train.array)
    scores = np.stack([target_scores(model(train.array), np.full(len(train), k), "logit") for k in range(3)], axis=1)
    gap = scores - values.sum(axis=1)
    np.testing.assert_allclose(gap, np.tile(gap[0], (len(gap), 1)), atol=1e-5)


def test_numbers_of_regression_add_up() -> None:
    train = table(0)
    model = fitted(make("RandomForestRegressor"), train)
    values = tree_shap({"f": model}, train.array[:5], np.zeros((1, 5), int), train, ExplainOptions(baseline="zero"))[0]
    np.testing.assert_allclose(values.sum(axis=1), (model(train.array[:5]) - model(np.zeros((1, 6))))[:, 0], atol=1e-4)


def test_channels_are_summed_and_a_planted_pixel_is_found() -> None:
    images = stream(1, "images").random((80, 4, 4, 3), dtype=np.float32)
    train = Dataset(images, (images[:, 2, 1, 0] > 0.5).astype(int), ("off", "on"), modality="image")
    model = fitted(sklearn_ensemble.RandomForestClassifier(30, random_state=0, max_features=None), train)
    options = ExplainOptions(scale="probability")
    values = tree_shap({"forest": model}, images[:6], train.labels[None, :6], train, options)[0]
    assert values.shape == (6, 16)
    assert (values.argmax(axis=1) == 9).all()


def test_spectrograms_have_a_value_for_every_frame_and_band() -> None:
    waves = stream(2, "waves").normal(size=(30, 1600)).astype(np.float32)
    train = Dataset(waves, np.arange(30) % 2, ("a", "b"), modality="audio")
    model = fitted(make("RandomForestClassifier"), train)
    options = ExplainOptions(scale="probability")
    assert tree_shap({"f": model}, waves[:3], train.labels[None, :3], train, options).shape == (1, 3, 9 * 40)


def test_a_class_absent_from_the_training_set_is_explained_by_nothing() -> None:
    train = table(3)
    few = train.take(np.flatnonzero(train.labels < 2))
    model = fitted(make("RandomForestClassifier"), few)
    values = class_shap(model, few.array[:5])
    assert values.shape == (5, 6, 3)
    assert (values[:, :, 2] == 0).all()


def test_models_and_scales_that_do_not_fit_are_refused_in_one_sentence() -> None:
    from sklearn.linear_model import LogisticRegression

    train, targets = table(3), np.zeros((1, 2), int)
    linear, forest = fitted(LogisticRegression(), train), fitted(make("RandomForestClassifier"), train)
    inputs, options = train.array[:2], ExplainOptions(scale="probability")
    with pytest.raises(InputError, match="tree-shap of 'linear', a LogisticRegression; expected a forest or boosted"):
        tree_shap({"linear": linear}, inputs, targets, train, options)
    with pytest.raises(InputError, match="tree-shap of 'plain', a function; expected a forest"):
        tree_shap({"plain": lambda x: x}, inputs, targets, train, options)
    with pytest.raises(InputError, match="in the scale logit; expected probability; choose the scale probability"):
        tree_shap({"forest": forest}, inputs, targets, train, ExplainOptions(scale="logit"))
    with pytest.raises(InputError, match=r"a baseline of shape \(5,\); expected \(6,\)"):
        tree_shap({"f": forest}, inputs, targets, train, ExplainOptions(scale="probability", baseline=np.zeros(5)))
    texts = Dataset(np.array(["a b", "c"], object), np.array([0, 1]), ("x", "y"), modality="text")
    with pytest.raises(InputError, match="tree-shap of text; expected tables"):
        tree_shap({"forest": forest}, texts.array, targets, texts, options)
