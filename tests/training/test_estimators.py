"""Recipes as scikit-learn has its estimators: the same models, scikit-learn's own checks, pictures and texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.recipe import Recipe
from polyculture.selection import DiverseEnsembleClassifier
from polyculture.training import ARCHITECTURES, RecipeClassifier, RecipeRegressor

IRIS, SPECIES = load_iris(return_X_y=True)
PIXELS, DIGITS = load_digits(return_X_y=True)
PIXELS = PIXELS / 16
SIXTEENTH = slice(None, None, 16)
SHORT = {"epochs": 2}


@parametrize_with_checks([RecipeClassifier("logistic"), RecipeRegressor("ridge")])
def test_scikit_learns_own_checks_pass(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([RecipeClassifier("mlp", hyperparameters={"epochs": 100})])
def test_scikit_learns_own_checks_pass_with_a_net(estimator: Any, check: Any) -> None:
    check(estimator)


def test_it_is_the_model_of_the_recipe() -> None:
    recipe = Recipe("mlp", "bootstrap", "focal", "rmsprop", SHORT, seed=3)
    made = RecipeClassifier(
        "mlp", data="bootstrap", objective="focal", optimizer="rmsprop", hyperparameters=SHORT, random_state=3
    ).fit(IRIS, SPECIES)
    from polyculture.preparation.transforms import find_transform

    train = Dataset(IRIS.astype(np.float32), SPECIES, ("0", "1", "2"))
    fitted = ARCHITECTURES["mlp"].fit(recipe, find_transform("bootstrap").take(train, 3))
    np.testing.assert_allclose(made.predict_proba(IRIS), fitted(train.array), atol=1e-6)


def test_without_a_word_a_net_descends_with_adam_and_others_with_their_own() -> None:
    assert RecipeClassifier("mlp")._recipe("cross-entropy").optimizer == "adam"
    assert RecipeClassifier("forest")._recipe("cross-entropy").optimizer == "own"


def test_rows_of_pixels_are_pictures_to_a_net_of_convolutions() -> None:
    net = RecipeClassifier("lenet", modality="image", shape=(8, 8), hyperparameters={"epochs": 8, "width": 8})
    assert net.fit(PIXELS[::2], DIGITS[::2]).score(PIXELS[1::2], DIGITS[1::2]) > 0.8


def test_levels_of_the_data_axis_show_more_than_there_is() -> None:
    plain, copied, moved = (
        RecipeClassifier("lenet", data=d, modality="image", shape=(8, 8), hyperparameters=SHORT)
        for d in ("all", "augmented", "shift")
    )
    X, y = PIXELS[SIXTEENTH], DIGITS[SIXTEENTH]
    usual = plain.fit(X, y).predict_proba(X)
    for level in (copied, moved):
        assert not np.allclose(usual, level.fit(X, y).predict_proba(X))


TEXTS = ["good film", "a bad film", "good, so good", "bad and sad", "good fun", "sad, bad"] * 5
MOODS = np.array(["up", "down"] * 15)


@pytest.mark.parametrize("form", [list, np.array, lambda t: pd.DataFrame({"text": t}), pd.Series])
def test_texts_are_read_in_every_form(form: Any) -> None:
    model = RecipeClassifier("logistic", modality="text").fit(form(TEXTS), MOODS)
    assert list(model.predict(form(["good", "bad"]))) == ["up", "down"]


def test_it_works_in_a_pipeline_a_grid_search_and_an_ensemble_of_many() -> None:
    search = GridSearchCV(
        make_pipeline(StandardScaler(), RecipeClassifier("knn")),
        {"recipeclassifier__hyperparameters": [{"neighbours": 1}, {"neighbours": 9}]},
        cv=2,
    )
    assert search.fit(IRIS, SPECIES).best_score_ > 0.85
    learners = [("net", RecipeClassifier("mlp", hyperparameters=SHORT)), ("logistic", RecipeClassifier("logistic"))]
    many = DiverseEnsembleClassifier(learners, cv=2, random_state=0).fit(IRIS, SPECIES)
    assert many.score(IRIS, SPECIES) > 0.9
    assert set(many.candidates_.index) == {"net", "logistic"}


def test_texts_in_a_frame_reach_the_learners_of_an_ensemble() -> None:
    learners = [(name, RecipeClassifier(name, modality="text")) for name in ("logistic", "naive-bayes")]
    many = DiverseEnsembleClassifier(learners, cv=2, prepare=False, random_state=0)
    frame = pd.DataFrame({"text": [f"{text} {i}" for i, text in enumerate(TEXTS)]})
    assert many.fit(frame, MOODS).score(frame, MOODS) > 0.9


def test_numbers_are_predicted() -> None:
    X, y = load_diabetes(return_X_y=True)
    assert cross_val_score(RecipeRegressor("ridge", hyperparameters={"C": 1000.0}), X, y, cv=3).mean() > 0.4


def test_seeds_are_what_models_differ_by() -> None:
    X, y = PIXELS[SIXTEENTH], DIGITS[SIXTEENTH]
    one, same, other = (
        clone(RecipeClassifier(hyperparameters=SHORT)).set_params(random_state=s).fit(X, y).predict_proba(X)
        for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_a_random_state_draws_the_recipes_seed() -> None:
    one, same, other = (
        RecipeClassifier(hyperparameters={"epochs": 1}, random_state=np.random.RandomState(s))
        .fit(IRIS, SPECIES)
        .predict_proba(IRIS)
        for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def said(model: Any, X: Any = IRIS, y: Any = SPECIES) -> str:
    with pytest.raises(InputError) as caught:
        model.fit(X, y)
    return str(caught.value)


def test_what_does_not_fit_is_refused() -> None:
    assert said(RecipeClassifier(modality="image", shape=(2, 3))) == (
        "rows of 4 numbers as image of the shape (2, 3); expected a shape of 2 or 3 dimensions whose product is 4."
    )
    assert said(RecipeClassifier(modality="picture")) == (
        "the modality 'picture'; expected 'text', 'image', 'volume', 'series', 'audio', 'table'."
    )
    assert said(RecipeClassifier(modality="text")) == f"{(150, 4)} among the texts; expected one string per row."
    assert said(RecipeClassifier(modality="text"), ["a", None], [0, 1]) == (
        "None among the texts; expected one string per row."
    )
    assert said(RecipeClassifier("mpl")).startswith("no architecture 'mpl'")
    assert said(RecipeClassifier(), IRIS, np.ones(150)) == "y has only 1 class, '1.0'; expected two classes or more."
    assert (
        said(RecipeRegressor("ridge"), IRIS, None)
        == "RecipeRegressor requires y to be passed, but the target y is None."
    )
    assert said(RecipeClassifier("ridge")).startswith("'ridge' for classification")
