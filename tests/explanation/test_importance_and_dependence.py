"""Importance by permutation, partial dependence and ALE: known values, and scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.explanation.effects import accumulated_local_effects, partial_dependence, permutation_importance
from polyculture.rng import stream


def numbers(rows: int = 200, columns: int = 4) -> Dataset:
    inputs = stream(0, "table").normal(size=(rows, columns))
    inputs[:, 1] = inputs[:, 0] * 0.9 + inputs[:, 1] * 0.4
    return Dataset(inputs, inputs @ np.array([2.0, 0.0, 1.0, 0.0])[:columns], ())


def exact(inputs: np.ndarray) -> np.ndarray:
    return inputs @ np.array([[2.0], [0.0], [1.0], [0.0]])


def test_importance_of_an_exact_linear_model_is_twice_the_explained_variance() -> None:
    dataset = numbers()
    result = permutation_importance({"exact": exact}, dataset, repeats=300, features=("a", "b", "c", "d"))
    truth = 2 * np.array([4, 0, 1, 0]) * dataset.array.var(axis=0)
    np.testing.assert_allclose(result.increases.mean(axis=2)[0], truth, rtol=0.02)
    assert (result.increases[0, [1, 3]] == 0).all()
    assert result.frame()["feature"].tolist()[:2] == ["a", "c"]
    interval = result.interval("exact", "a")
    assert interval.low < truth[0] < interval.high
    assert result.baseline.tolist() == [0.0]


def test_importance_is_that_of_scikit_learn() -> None:
    inspection, linear = pytest.importorskip("sklearn.inspection"), pytest.importorskip("sklearn.linear_model")
    dataset = numbers()
    labels = (dataset.labels > 0).astype(int)
    model = linear.LogisticRegression().fit(dataset.array, labels)
    classes = Dataset(dataset.array, labels, ("no", "yes"))
    mine = permutation_importance({"a": model.predict_proba}, classes, loss="error", repeats=200)
    theirs = inspection.permutation_importance(model, dataset.array, labels, n_repeats=200, random_state=0)
    spread = theirs.importances_std / np.sqrt(200)
    assert (np.abs(mine.increases.mean(axis=2)[0] - theirs.importances_mean) < 5 * spread + 1e-12).all()


def test_the_planted_block_of_pixels_is_the_only_important_one() -> None:
    images = stream(1, "images").random((60, 16, 16, 3))
    labels = (images[:, 5, 5].mean(axis=1) > 0.5).astype(int)

    def model(inputs: np.ndarray) -> np.ndarray:
        p = np.where(inputs[:, 5, 5].mean(axis=1) > 0.5, 0.9, 0.1)
        return np.stack([1 - p, p], axis=1)

    dataset = Dataset(images, labels, ("no", "yes"), modality="image")
    increases = permutation_importance({"cheat": model}, dataset, repeats=2).increases.mean(axis=2)[0]
    assert increases.shape == (64,)
    assert np.flatnonzero(increases).tolist() == [2 * 8 + 2]


def test_partial_dependence_is_that_of_scikit_learn() -> None:
    inspection, ensemble = pytest.importorskip("sklearn.inspection"), pytest.importorskip("sklearn.ensemble")
    dataset = numbers()
    labels = np.digitize(dataset.labels, [-1, 1])
    forest = ensemble.RandomForestClassifier(10, random_state=0).fit(dataset.array, labels)
    mine = partial_dependence({"forest": forest.predict_proba}, Dataset(dataset.array, labels, ("a", "b", "c")), 2, 7)
    theirs = inspection.partial_dependence(
        forest, dataset.array, [2], method="brute", kind="average", custom_values={2: mine.grid}
    )
    np.testing.assert_allclose(mine.values[0].T, theirs["average"], atol=1e-12)
    assert mine.counts.sum() == 200
    assert len(mine.frame()) == 7 * 3


def test_dependence_on_a_feature_of_a_linear_model_is_its_line() -> None:
    dataset = numbers()
    for function, offset in ((partial_dependence, exact(dataset.array).mean()), (accumulated_local_effects, 0.0)):
        result = function({"exact": exact}, dataset, "c", names=("a", "b", "c", "d"))
        line = result.values[0, :, 0]
        np.testing.assert_allclose(np.diff(line), np.diff(result.grid), atol=1e-9)
        if function is partial_dependence:
            truth = offset + result.grid - dataset.array[:, 2].mean()
            np.testing.assert_allclose(line, truth, atol=1e-9)


def test_ale_keeps_a_correlated_feature_apart_and_partial_dependence_does_not() -> None:
    """Worked by hand: f = x₁ x₂ with x₂ = x₁. ALE of x₁ is x₁²/2 less its mean; partial dependence is x₁ E x₂."""
    x = np.linspace(0, 1, 2001)
    dataset = Dataset(np.stack([x, x], axis=1), x * x, ())

    def product(inputs: np.ndarray) -> np.ndarray:
        return inputs[:, :1] * inputs[:, 1:]

    ale = accumulated_local_effects({"f": product}, dataset, 0, points=101)
    np.testing.assert_allclose(ale.values[0, :, 0], ale.grid**2 / 2 - 1 / 6, atol=2e-3)
    partial = partial_dependence({"f": product}, dataset, 0, points=11)
    np.testing.assert_allclose(partial.values[0, :, 0], partial.grid / 2, atol=1e-9)


def test_ale_by_hand() -> None:
    """Five instances, two intervals: effects 1 and 3, so 0, 1, 4 less (3 · ½ + 2 · 5/2)/5 = 1.3."""
    x = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    steps = {0.0: 0.0, 1.0: 1.0, 2.0: 4.0}
    model = lambda inputs: np.vectorize(steps.get)(inputs[:, :1]).astype(float)  # noqa: E731
    result = accumulated_local_effects({"f": model}, Dataset(x[:, None], x, ()), 0, points=3)
    assert result.grid.tolist() == [0.0, 1.0, 2.0]
    assert result.counts.tolist() == [3, 2]
    np.testing.assert_allclose(result.values[0, :, 0], np.array([0, 1, 4]) - 1.3)


def test_what_cannot_be_asked_is_refused_in_one_sentence() -> None:
    dataset = numbers(10)
    with pytest.raises(InputError, match="no feature 'e'; known: a, b, c, d"):
        partial_dependence({"f": exact}, dataset, "e", names=("a", "b", "c", "d"))
    with pytest.raises(InputError, match="no feature 7; expected a column from 0 to 3"):
        partial_dependence({"f": exact}, dataset, 7)
    with pytest.raises(InputError, match="a grid of 1 values; expected 2 or more"):
        partial_dependence({"f": exact}, dataset, 0, points=1)
    constant = Dataset(np.ones((5, 2)), np.arange(5.0), ())
    with pytest.raises(InputError, match="the feature 1 has the one value 1; expected two values or more"):
        accumulated_local_effects({"f": exact}, constant, 1)
    texts = Dataset(np.array(["a", "b"], object), np.array([0, 1]), ("x", "y"), modality="text")
    with pytest.raises(InputError, match="permutation importance of text; expected tables"):
        permutation_importance({"f": exact}, texts)
    with pytest.raises(InputError, match="the loss 'log-loss' for regression"):
        permutation_importance({"f": exact}, dataset, loss="log-loss")
    with pytest.raises(InputError, match="2 names for 4 features; expected one for each"):
        permutation_importance({"f": exact}, dataset, features=("a", "b"))
    with pytest.raises(InputError, match="no model 'g'"):
        permutation_importance({"f": exact}, dataset, repeats=1).interval("g", "0")
