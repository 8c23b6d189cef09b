"""Models that people bring: fitted scikit-learn estimators and functions by name, predicted and explained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import polyculture as pc
from polyculture.errors import InputError

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])
IRIS = pc.Dataset(X, Y, tuple(NAMES))


def forest(labels: np.ndarray, inputs: Any = X) -> RandomForestClassifier:
    return RandomForestClassifier(10, random_state=0).fit(inputs, labels)


def test_estimators_by_name_are_a_population_whatever_they_call_the_classes() -> None:
    columns = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    models = {"codes": forest(Y), "names": forest(NAMES[Y]), "frame": forest(NAMES[Y], columns)}
    models |= {"pipeline": make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)}
    predictions = pc.predict(models, IRIS)
    assert list(predictions.model_ids) == list(models)
    assert predictions.probabilities is not None
    for name, row in zip(("codes", "pipeline"), predictions.probabilities[[0, 3]], strict=True):
        np.testing.assert_allclose(row, models[name].predict_proba(X), atol=1e-6)
    np.testing.assert_array_equal(predictions.probabilities[0], predictions.probabilities[1])
    np.testing.assert_array_equal(predictions.probabilities[0], predictions.probabilities[2])


def test_a_class_that_an_estimator_never_saw_has_probability_0() -> None:
    some = Y > 0
    models = {"two": forest(NAMES[Y[some]], X[some]), "all": forest(Y)}
    probabilities = pc.predict(models, IRIS).probabilities
    assert probabilities is not None
    assert not probabilities[0, :, 0].any()
    np.testing.assert_allclose(probabilities[0].sum(axis=1), 1, atol=1e-6)


def test_estimators_are_explained_and_their_trees_exactly() -> None:
    shap = pytest.importorskip("shap")
    model = forest(Y)
    explanations = pc.explain({"codes": model, "names": forest(NAMES[Y])}, IRIS)
    assert explanations.method == "tree-shap"
    values = np.asarray(shap.TreeExplainer(model).shap_values(X))
    predicted = model.predict(X)
    expected = values[np.arange(len(X)), :, predicted]
    np.testing.assert_allclose(explanations.values[0], expected, atol=1e-6)
    np.testing.assert_array_equal(explanations.values[0], explanations.values[1])
    assert str(pc.explain({"one": model}, IRIS)).startswith("Explanations: 1 model × 150 instances × 4 features")


def test_texts_go_to_a_pipeline_as_they_are() -> None:
    texts = np.array(["good film", "bad film", "very good", "very bad"] * 5, dtype=object)
    labels = np.array([1, 0] * 10)
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels)
    dataset = pc.Dataset(texts, labels, ("neg", "pos"), modality="text")
    explanations = pc.explain({"pipeline": pipeline}, dataset)
    assert (explanations.values[0, 0, :2].argmax(), explanations.method) == (0, "occlusion")


def test_regressors_predict_numbers() -> None:
    numbers = pc.Dataset(X[:, :3], X[:, 3], ())
    models = {str(seed): RandomForestRegressor(5, random_state=seed).fit(X[:, :3], X[:, 3]) for seed in (0, 1)}
    values = pc.predict(models, numbers).values
    assert values is not None
    np.testing.assert_allclose(values, [model.predict(X[:, :3]) for model in models.values()], rtol=1e-6)


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"x": RandomForestClassifier()}, "the estimator 'x' is not fitted; expected one with classes_; call its fit"),
        ({"x": 3}, "the model 'x' is a int; expected a function of the inputs, or an estimator with predict_proba."),
        ({"x": forest(Y * 10)}, "the estimator 'x' knows the classes 0, 10, 20; expected those of the dataset: setosa"),
    ],
)
@pytest.mark.parametrize("verb", [pc.predict, pc.explain])
def test_what_is_no_model_is_refused(verb: Any, models: Any, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        verb(models, IRIS)
    assert str(refusal.value).startswith(message)


def test_classes_that_may_be_names_or_codes_are_refused() -> None:
    swapped = pc.Dataset(X[Y < 2], Y[Y < 2], ("1", "0"))
    with pytest.raises(InputError, match="may be names or codes of 1, 0"):
        pc.predict({"a": forest(Y[Y < 2], X[Y < 2])}, swapped)
